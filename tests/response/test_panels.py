"""Panels of the made-up shop, and customers drawn from the made-up parameters."""

import numpy as np
import pytest

from promo_repro.response import example, panels
from promo_repro.response.panels import INITIAL, TRAINED, Prices
from promo_repro.response.population import draw_population


@pytest.fixture(scope="module")
def panel(journey):
    return panels.product_weeks(journey, weeks_sold=5, least_units=5)


def test_depth_and_median_by_hand():
    regular = np.tile([2.0, 4.0], (1, 26))[:, :51]
    prices = Prices(np.array([1]), regular * 0.75, regular)
    assert prices.depth == pytest.approx(np.full((1, 51), 0.25))
    assert prices.median_regular() == pytest.approx(3.0)
    assert Prices(np.array([1]), regular * 1.1, regular).depth.max() == 0


def test_every_product_week_has_a_price(panel):
    n = len(panel.category)
    assert n > 5
    for part in (panel.units, panel.prices.card, panel.prices.regular, panel.display, panel.mailer):
        assert part.shape == (n, 51)
        assert np.isfinite(part).all()
    assert (panel.prices.card > 0).all()
    assert ((panel.display >= 0) & (panel.display <= 1)).all()


def test_units_are_those_of_the_transactions(journey, panel):
    product = int(panel.prices.products[0])
    sold = journey.query(
        f"""SELECT sum(quantity) AS q FROM transactions
            WHERE product_id = {product} AND week BETWEEN 2 AND 52"""
    )["q"].iloc[0]
    assert panel.units[0].sum() == sold


def test_regressors_have_names(panel):
    x = panel.regressors("depth", "mailer")
    assert x.shape == (*panel.units.shape, 2)
    assert np.array_equal(x[:, :, 0], panel.prices.depth)
    with pytest.raises(ValueError, match="unknown regressor"):
        panel.regressors("cost")


def test_segments_are_terciles_of_earlier_weeks(journey):
    segments = panels.deal_segments(journey, least_lines=5)
    share = segments.value_counts(normalize=True)
    assert set(share.index) == {0, 1, 2}
    assert (abs(share - 1 / 3) < 0.1).all()


def test_segments_can_be_taken_from_other_weeks(journey):
    early, late = (
        panels.deal_segments(journey, 5, weeks) for weeks in ((2, INITIAL), (INITIAL + 1, TRAINED))
    )
    both = early.index.intersection(late.index)
    assert (early[both] != late[both]).any()


def test_trips_hold_one_choice_each(journey):
    name = journey.query(
        f"""SELECT product_category AS name FROM transactions JOIN products USING (product_id)
            WHERE week <= {TRAINED} GROUP BY ALL HAVING count(DISTINCT week) >= 30
            ORDER BY count(*) DESC, name LIMIT 1"""
    )["name"].iloc[0]
    segments = panels.deal_segments(journey, least_lines=5)
    try:
        found = panels.category(journey, name, segments, size=3)
    except ValueError:
        pytest.skip("the made-up shop has no product that sold in thirty weeks")
    assert found.shares.sum(axis=1) == pytest.approx(1)
    trips = panels.category_trips(
        journey, found, (INITIAL + 1, TRAINED), 200, np.random.default_rng(0)
    )
    n = len(trips.week)
    assert n <= 200
    assert ((trips.week > INITIAL) & (trips.week <= TRAINED)).all()
    assert trips.data.features.shape == (n, trips.share.shape[1], 7)
    part = trips.take(np.arange(n) < 5)
    assert len(part.data.choice) == min(n, 5)


def test_unknown_category(journey):
    segments = panels.deal_segments(journey, least_lines=5)
    with pytest.raises(ValueError, match="unknown category"):
        panels.category(journey, "PERPETUAL MOTION", segments)


def test_the_population_has_the_planted_means():
    parameters = example()
    drawn = draw_population(parameters, 40_000, np.random.default_rng(3))
    shares = np.bincount(drawn.segment) / 40_000
    assert shares == pytest.approx(parameters.segment_share, abs=0.01)
    for s in range(3):
        of = drawn.segment == s
        users = parameters.users
        assert drawn.trip_rate[of].mean() == pytest.approx(users.trip_mean[s], rel=0.04)
        assert drawn.active[of].mean(axis=0) == pytest.approx(users.active[:, s], abs=0.02)
        a, b = users.rate_beta[0, s]
        assert drawn.rate[of, 0].mean() == pytest.approx(a / (a + b), rel=0.05)
        assert drawn.share[1][of].mean(axis=0) == pytest.approx(users.share_mean[1][s], abs=0.02)
    assert drawn.share[0].sum(axis=1) == pytest.approx(1)
    assert drawn.share[0].min() > 0


def test_a_population_needs_a_customer():
    with pytest.raises(ValueError, match="at least one customer"):
        draw_population(example(), 0, np.random.default_rng(0))
