"""What the chapter measures about prices: by hand, and in the limits where the answer is known."""

import numpy as np
import pytest

from promo_repro.pricing import markdown, studies
from promo_repro.response.panels import Prices, ProductWeeks


@pytest.fixture
def panel(rng):
    regular = np.full((60, 51), 2.0)
    depth = rng.choice([0, 0.1, 0.2, 0.3, 0.4, 0.5], (60, 51))
    card = regular * (1 - depth)
    units = rng.poisson(40 * (card / regular) ** -2.0) * 1.0
    display, mailer = (rng.random((2, 60, 51)) < 0.2) * 1.0
    return ProductWeeks(
        np.repeat("x", 60), units, Prices(np.arange(60), card, regular), display, mailer
    )


def test_deals_lift_sales_and_shuffled_weeks_do_not(panel):
    assert studies.least_lift(panel) > 0.1
    assert studies.least_lift(studies.shuffled(panel, 0)) < 0
    assert studies.shuffled(panel, 0).units.sum(axis=1) == pytest.approx(panel.units.sum(axis=1))


def test_gain_of_a_cut_at_the_planted_elasticity(panel):
    # (0.3 - 0.2) / 0.8² / 0.3 - 1 = -0.479.
    assert studies.gain_at(panel, 0.2, 0.3) == pytest.approx(-0.479, abs=0.02)


def test_demand_at_the_regular_price():
    q = studies.menu_demand(30.0, -1.6, 400)
    at = np.argmin(abs(studies.CLEARANCE - 1))
    assert 400 * q[at] == pytest.approx(30)
    up, down = q[at + 1], q[at - 1]
    step = np.log(studies.CLEARANCE[at + 1] / studies.CLEARANCE[at - 1])
    assert np.log(up / down) / step == pytest.approx(-1.6, rel=0.01)


def test_no_rule_beats_the_optimum_and_a_cut_at_low_stock_sells_out_more_often():
    rules = studies.stock_rules(30.0, -1.6, 20)
    revenue = {name: value for name, (value, _) in rules.items()}
    assert max(revenue, key=revenue.get) == "optimum"
    assert revenue["deeper cut at low stock"] < revenue["best fixed price"]
    assert rules["deeper cut at low stock"][1] > rules["best fixed price"][1]


def test_gain_of_reviews_by_hand():
    q = studies.menu_demand(3.0, -1.6, 40)
    value = markdown.markdown(studies.CLEARANCE, q, 2, 40)[0][-1, -1]
    fixed = markdown.best_fixed(studies.CLEARANCE, q, 2, 40)[1]
    assert studies.repricing_gain(3.0, -1.6, 2, 40) == pytest.approx(value / fixed - 1)
    assert studies.repricing_gain(3.0, -1.6, 2, 40, 40) == pytest.approx(0)


def test_a_forecast_is_worth_nothing_with_ample_stock_or_steady_demand():
    assert studies.forecast_gain(30.0, 0.5, -1.6, 400) == pytest.approx(0, abs=1e-9)
    assert studies.forecast_gain(30.0, 0.0, -1.6, 10) == pytest.approx(0, abs=1e-9)
    assert studies.forecast_gain(30.0, 0.5, -1.6, 10) > 0.05


def test_forecast_gain_by_hand():
    """One unit, two levels: the two best prices against the best one, by direct search."""
    prices = np.linspace(0.3, 2.5, 221)
    means = [10 * f * np.exp(2.0) * np.exp(-2.0 * prices) for f in (0.5, 1.5)]
    revenue = [prices * (1 - np.exp(-m)) for m in means]
    expected = np.mean([r.max() for r in revenue]) / np.mean(revenue, axis=0).max() - 1
    assert studies.forecast_gain(10.0, 0.5, -2.0, 1) == pytest.approx(expected)


def test_one_price_says_nothing_and_two_prices_pin_the_best_price_down():
    # Elasticities -1.5 to -6 at one price: Lerner's prices 3 c and 1.2 c.
    assert studies.price_ambiguity([1.0], -2.0) == pytest.approx(2.5)
    assert studies.price_ambiguity([0.9, 0.9], -2.0) == pytest.approx(2.5)
    # At the regular price all curves of one level agree exactly, so no tolerance is needed.
    assert studies.price_ambiguity([1.0], -2.0, tolerance=0.0) == pytest.approx(2.5)
    assert studies.price_ambiguity([1.0, 0.5], -2.0, tolerance=0.001) == 1.0
    # Half the log price range times the slope error is at most the tolerance.
    wide = studies.price_ambiguity([1.0, 0.8], -2.0, tolerance=0.03)
    slack = 0.06 / np.log(1 / 0.8)
    grid = np.linspace(-6, -1.5, 181)
    kept = grid[abs(grid + 2) <= slack]
    lerner = kept / (1 + kept)
    assert wide == pytest.approx(lerner.max() / lerner.min())


def test_learning_earns_more_the_longer_it_goes_on():
    few, many = (
        studies.earned_share("Thompson, demand curve", -1.2, -3.5, 0.3, n, 40, 0)
        for n in (50, 1_000)
    )
    assert few < many < 1


def test_earned_share_by_hand(monkeypatch):
    class Rising:
        """The lowest price first, and after every ten customers the next higher one."""

        def choose(self, margins, shown, bought, rng):
            return shown.sum(axis=1).astype(int) // 10

    monkeypatch.setattr(studies, "curve_rules", lambda: {"rising": Rising()})
    share = studies.earned_share("rising", -1.2, -3.5, 0.3, 40, 2, 0)
    q = studies.learning.purchase_probability(studies.RATIOS, -1.2, -3.5)
    gain = (studies.RATIOS - 0.3) * q
    assert share == pytest.approx(gain[:4].mean() / gain.max())
    # Prices are charged for tens of customers: a last five are not served, and do not count.
    assert studies.earned_share("rising", -1.2, -3.5, 0.3, 45, 2, 0) == pytest.approx(share)


def test_kinked_demand_is_flat_below_the_kink():
    q = studies.kinked(-1.2, -3.5)
    assert np.ptp(q[studies.RATIOS < 0.9]) == 0
    assert q[-1] < q[0]


def test_vcg_earns_nothing_when_there_is_enough_for_all():
    assert studies.vcg_share(20, 20, 200, 0) == 0
    assert studies.vcg_share(20, 5, 200, 0) > 0.9
    assert 0.9 < studies.vcg_share(20, 20, 200, 0, reserve=0.8) <= 1


def test_lying_pays_in_a_first_price_sale_alone():
    assert studies.largest_gain_from_lying("vcg", 5, 0) == 0
    assert studies.largest_gain_from_lying("first price", 5, 0) > 1


def test_softmax_by_hand():
    logits, depths = np.log([1.0, 2.0, 1.0]), [0.0, 0.2, 0.4]
    assert studies.softmax_discount(logits, depths, "most probable class") == 0.2
    assert studies.softmax_discount(logits, depths, "mean over the classes") == pytest.approx(0.2)
    assert studies.softmax_discount(logits, depths, "largest probability") == pytest.approx(0.5)
    assert studies.softmax_discount([900.0, 0.0], [0.1, 0.2], "mean over the classes") == (
        pytest.approx(0.1)
    )
    # A free product is the deepest class there can be.
    assert studies.softmax_discount([0.0, 0.0], [0.0, 1.0], "mean over the classes") == 0.5


ROWS = [
    {"method": "a", "metric": "judged", "margin": 0.3, "funding": 0.0, "value": 2.0, "lo": 1.0,
     "hi": 3.0},
    {"method": "b", "metric": "judged", "margin": 0.3, "funding": 0.0, "value": -1.0, "lo": -2.0,
     "hi": 0.0},
]  # fmt: skip


def test_stored_rows_are_found_by_their_key():
    assert studies.stored_gain(ROWS, "a", "judged", 0.3, 0.0).tolist() == [2, 1, 3]
    assert studies.limits(ROWS, "b", "judged", 0.3, 0.0).tolist() == [-2, 0]
    assert studies.lead_over(ROWS, "a", "b", "judged", 0.3, 0.0) == 3


def test_missing_results_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(studies, "root", lambda: tmp_path)
    with pytest.raises(FileNotFoundError, match=r"table\.json"):
        studies.stored("table")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: studies.forecast_gain(30.0, 1.0, -1.6, 10), "swing"),
        (lambda: studies.forecast_gain(30.0, -0.5, -1.6, 10), "swing"),
        (lambda: studies.price_ambiguity([1.0, 0.5], -9.0), "no candidate"),
        (lambda: studies.softmax_discount([0.0], [0.0, 0.1], "largest probability"), "each class"),
        (lambda: studies.softmax_discount([0.0], [1.5], "largest probability"), "each class"),
        (lambda: studies.softmax_discount([0.0], [-0.5], "largest probability"), "each class"),
        (lambda: studies.softmax_discount([0.0], [0.5], "median"), "unknown reading"),
        (lambda: studies.stored_gain(ROWS, "c", "judged", 0.3, 0.0), "no row"),
        (lambda: studies.changed_discounts([], []), "same customers"),
        (lambda: studies.changed_discounts([1], [1, 2]), "same customers"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_changed_discounts_by_hand():
    assert studies.changed_discounts([0, 1, 2, 3], [0, 1, 1, 1]) == 0.5
