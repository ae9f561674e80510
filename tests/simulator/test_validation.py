"""The comparisons by hand, and the committed results against their own bands."""

from types import SimpleNamespace

import numpy as np
import pytest

from promo_repro.response import parameters
from promo_repro.response.fit import CATEGORIES
from promo_repro.simulator import validation
from promo_repro.simulator.market import simulate_market
from promo_repro.simulator.validation import (
    naive_error,
    observed_over_predicted,
    trip_cells,
)


def test_observed_over_predicted_by_hand():
    ratio, low, high = observed_over_predicted(100, 80.0)
    assert ratio == 1.25
    assert (low, high) == pytest.approx((1.25 - 1.96 * 10 / 80, 1.25 + 1.96 * 10 / 80))
    assert observed_over_predicted(0, 2.0) == pytest.approx((0.0, -0.98, 0.98))
    assert observed_over_predicted(0, 0.5) == pytest.approx((0.0, -3.92, 3.92))
    with pytest.raises(ValueError, match="predicted is zero"):
        observed_over_predicted(3, 0.0)


def test_the_naive_error_by_hand():
    # Changes of 2, 4 and 0 around a mean of 4.
    assert naive_error([2, 4, 8, 8]) == pytest.approx(2 / 5.5)
    np.testing.assert_allclose(naive_error([[1, 1, 1], [1, 3, 2]]), [0, 0.75])
    with pytest.raises(ValueError, match="zero throughout"):
        naive_error([[1, 2], [0, 0]])


def test_cells_by_hand():
    """Two trips and two products; every coefficient but the intercepts is zero."""
    category = SimpleNamespace(
        products=("a", "b"), vector=np.array([np.log(0.5), np.log(0.5), *[0.0] * 7])
    )
    trips = SimpleNamespace(
        data=SimpleNamespace(features=np.zeros((2, 2, 7)), choice=np.array([1, 0])),
        depth=np.array([[0.0, 0.2], [0.5, 0.2]]),
    )
    owned = np.array([[True, False], [True, False]])
    cells = trip_cells(category, trips, owned)  # each product has the probability 1/4
    np.testing.assert_allclose(cells["units, depth 0 to 5%"], [1, 0.25, 1])
    np.testing.assert_allclose(cells["units, depth 15% to 25%"], [0, 0.5, 0])
    np.testing.assert_allclose(cells["units, depth 45% to 100%"], [0, 0.25, 0])
    assert "units, depth 25% to 35%" not in cells
    np.testing.assert_allclose(cells["incidence"], [1, 1, 2])
    np.testing.assert_allclose(cells["repeat share"], [1, 0.5, 1])


def test_pooled_cells_are_sums():
    found = validation.pooled([{"a": np.ones(3), "b": np.ones(3)}, {"a": np.array([1, 2, 3])}])
    np.testing.assert_array_equal(found["a"], [2, 3, 4])
    np.testing.assert_array_equal(found["b"], [1, 1, 1])


def test_a_row_says_whether_it_is_inside_its_band():
    inside = validation.row("bread", "incidence", 1.1, 1.0, 1.2, 9, "incidence")
    assert inside["inside"] is True
    assert inside["band"] == [0.85, 1.15]
    assert validation.row("bread", "x", -2.1, -3, 0, 9, "planted slope")["inside"] is False


@pytest.fixture(scope="module")
def markets():
    fitted, rng = parameters.example(), np.random.default_rng(7)
    return [simulate_market(fitted, 1_500, 32, rng) for _ in range(5)]


def test_a_market_is_like_others_of_its_kind(markets):
    rows = list(validation.market_rows(markets[0], markets[1:], ["bread", "cola"], 13))
    kinds = [row["kind"] for row in rows]
    assert (
        kinds
        == [*["trips quantile"] * 4, *["basket"] * 3, *["purchases"] * 2] + ["naive error"] * 2
    )
    assert np.mean([row["lo"] <= 1 <= row["hi"] for row in rows]) > 0.7


def test_a_market_of_busier_customers_is_noticed(markets):
    busy = markets[0]
    twice = type(busy)(
        busy.trips * 2, busy.bought.repeat(2, axis=0), busy.trip_week.repeat(2), (), ()
    )
    rows = list(validation.market_rows(twice, markets[1:], ["bread", "cola"], 13))
    wrong = [row for row in rows if row["kind"] in ("trips quantile", "purchases")]
    assert all(row["value"] > 1.5 and not row["inside"] for row in wrong)
    baskets = [row for row in rows if row["kind"] == "basket"]
    assert all(0.8 < row["value"] < 1.25 for row in baskets)  # shares of trips: unchanged


def test_slopes_are_compared_with_the_planted_ones(markets):
    fitted = parameters.example()
    errors = [validation.slope_errors(market, fitted) for market in markets[:2]]
    trips = [len(choices.choice) for choices in markets[0].choices]
    rows = list(validation.slope_rows(errors, trips, fitted))
    assert len(rows) == 7
    assert rows[0]["n"] == trips[0]
    assert rows[-1]["n"] == 12
    assert rows[-1]["value"] > 0.7
    assert rows[-1]["value"] == np.mean(np.abs(errors) < 2)


def test_slopes_that_were_not_planted_are_noticed(markets):
    fitted = parameters.example()
    moved = fitted.categories[0].vector
    moved[4 + 2 : 4 + 5] += 5
    others = (fitted.categories[0].with_vector(moved), fitted.categories[1])
    wrong = validation.slope_errors(markets[0], SimpleNamespace(categories=others))
    assert (wrong[0] < -4).all()
    assert np.abs(wrong[1]).max() < 4


def test_every_cell_is_published():
    rows = validation.load("validation")
    found = {(row["method"], row["kind"]) for row in rows}
    for category in (*CATEGORIES, "all categories"):
        for kind in ("units by depth", "incidence", "repeat share"):
            assert (category, kind) in found
    depths = [row["method"] for row in rows if row["kind"] == "units by depth"]
    assert depths.count("all categories") == len(validation.EDGES) + 1
    assert all(depths.count(category) >= len(validation.EDGES) - 1 for category in CATEGORIES)
    for row in rows:
        assert row["band"] == list(validation.BANDS[row["kind"]])
        assert row["inside"] == (row["band"][0] <= row["value"] <= row["band"][1])
        assert row["lo"] <= row["value"] <= row["hi"]


def test_a_missing_result_is_named():
    with pytest.raises(FileNotFoundError, match=r"nothing\.json is missing"):
        validation.load("nothing")
