"""The calibrated world keeps what was fitted, and a scenario changes only what it names."""

from dataclasses import replace

import numpy as np
import pytest

from promo_repro.response import parameters
from promo_repro.response.population import draw_population
from promo_repro.simulator import ArrayShop, Scenario, calibrated
from promo_repro.simulator.calibration import customer_dip, customers
from promo_repro.simulator.world import purchase_probability


@pytest.fixture(scope="module")
def fitted():
    return parameters.example()


@pytest.fixture(scope="module")
def bread(fitted):
    return calibrated(fitted, "bread", types=4)


def test_the_dip_by_hand():
    # All demand falls by a tenth, and a quarter of it stocked up: those fall by four tenths.
    assert customer_dip(-np.log(0.9), 0.25) == pytest.approx(-np.log(0.6))
    assert customer_dip(0.0, 0.25) == 0
    # Nobody can fall by more than everything; at most nine tenths are taken.
    assert customer_dip(-np.log(0.5), 0.25) == pytest.approx(np.log(10))
    np.testing.assert_allclose(customer_dip([0.0, -np.log(0.9)], 0.5), [0, -np.log(0.8)])


def test_the_dip_takes_from_the_promoted_what_all_lost():
    share, lost = 0.3, 0.08
    left = np.exp(-customer_dip(lost, share))
    assert share * left + (1 - share) == pytest.approx(np.exp(-lost))


def test_types_keep_the_segments_purchases(fitted, bread):
    drawn = draw_population(fitted, 20_000, np.random.default_rng(0))
    segment, visit, odds, choice = customers(fitted, "bread", drawn)
    buys = odds / (1 + odds)
    for s in range(3):
        mine, types = segment == s, slice(4 * s, 4 * s + 4)
        weight = bread.weight[types]
        assert weight.sum() == pytest.approx(mine.mean())
        fractions = bread.odds[types] / (1 + bread.odds[types])
        assert weight @ fractions / weight.sum() == pytest.approx(buys[mine].mean())
        assert weight @ bread.visit[types] / weight.sum() == pytest.approx(visit[mine].mean())
        taken = (choice * buys[:, None])[mine].sum(axis=0)
        found = (weight * fractions) @ bread.choice[types]
        np.testing.assert_allclose(found / found.sum(), taken / taken.sum())
        assert (np.diff(bread.odds[types]) > 0).all()
        np.testing.assert_array_equal(bread.slope[types], fitted.category("bread").price[s])
        np.testing.assert_array_equal(bread.attention[types], Scenario().attention[s])


def test_fitted_effects_are_taken_over(fitted, bread):
    category = fitted.category("bread")
    assert (bread.display, bread.mailer) == (category.display, category.mailer)
    np.testing.assert_array_equal(bread.prices, category.median_price)
    assert bread.types[:5] == ("low 1", "low 2", "low 3", "low 4", "middle 1")


def test_the_pantry_has_a_level_for_each_week_of_the_dip(fitted, bread):
    # Lags 1 and 3 of the example take sales, lag 2 does not: three weeks, the last one first.
    assert len(bread.dips) == 4
    assert bread.dips[0] == bread.dips[2] == 0
    assert 0 < bread.dips[1] < bread.dips[3]
    category = fitted.category("bread")
    depth = 0.2  # the median depth of a deal
    slope = category.price.repeat(4)
    promoted = purchase_probability(bread.visit, bread.odds * (1 - depth) ** slope)
    expected = customer_dip(0.15 * depth, bread.weight @ promoted)
    assert bread.dips[3] == pytest.approx(float(expected))


def test_a_scenario_changes_only_what_it_names(fitted, bread):
    other = calibrated(fitted, "bread", Scenario(margin=0.4, dip=False, weeks=8), types=4)
    assert (other.margin, other.weeks, other.dips) == (0.4, 8, (0.0,))
    np.testing.assert_array_equal(other.odds, bread.odds)
    tired = calibrated(fitted, "bread", Scenario(fade=0.5, fatigue_levels=2), types=4)
    assert tired.shape == (3, 4, 1)


def test_a_dip_that_adds_sales_is_none(fitted):
    rising = replace(fitted, dip=replace(fitted.dip, lags=np.abs(fitted.dip.lags)))
    assert calibrated(rising, "bread", types=2).dips == (0.0,)


def test_a_seed_repeats_a_world(fitted, bread):
    again = calibrated(fitted, "bread", types=4)
    np.testing.assert_array_equal(again.odds, bread.odds)
    assert (calibrated(fitted, "bread", types=4, seed=1).odds != bread.odds).any()
    drawn = draw_population(fitted, 20_000, np.random.default_rng(0))
    given = calibrated(fitted, "bread", types=4, population=drawn)
    np.testing.assert_array_equal(given.odds, bread.odds)


def test_a_calibrated_shop_earns_what_the_exact_value_says(bread):
    shop = ArrayShop(bread, 20_000, np.float64)
    shop.reset_to(6)
    policy, total = bread.optimal_policy, 0.0
    for week in range(bread.weeks):
        total = total + bread.discount**week * shop.step(policy[shop.state])[1]
    error = total.std(ddof=1) / np.sqrt(len(total))
    assert abs(total.mean() - bread.policy_value(policy, bread.weeks)) < 4 * error


def test_wrong_input_is_named(fitted):
    with pytest.raises(ValueError, match=r"unknown category 'wine'; choose from bread, cola"):
        calibrated(fitted, "wine")
    with pytest.raises(ValueError, match="too few customers for 8 types; raise size"):
        calibrated(fitted, "bread", size=20)
    with pytest.raises(ValueError, match=r"margin is 1\.5"):
        calibrated(fitted, "bread", Scenario(margin=1.5))
