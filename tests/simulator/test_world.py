"""The world's formulas by hand, its laws, its exact values, and what it refuses."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from promo_repro.simulator import MENU, NOTHING, Promotion, World, worlds
from promo_repro.simulator import dynamic_programming as dp
from promo_repro.simulator.world import (
    attention,
    break_even_slope,
    next_memories,
    purchase_odds,
    purchase_probability,
    reference_target,
    unit_margin,
)


def test_attention_by_hand():
    assert attention(0.8, 0.5, 0.5, 2) == pytest.approx(0.1)
    assert attention(0.8, 1.5, 1.0, 3) == 1.0
    assert attention(0.3, 2.0, 0.5, 0) == pytest.approx(0.6)


def test_odds_by_hand():
    # Half price at slope −2 quadruples the odds; an expected price of 0.8 enters as 0.8^θ.
    assert purchase_odds(0.1, -2.0, 0.5, 0.0, 0.0, 1.0, 0.5) == pytest.approx(0.4)
    assert purchase_odds(0.1, -2.0, 0.0, 0.0, 0.0, 0.8, 0.5) == pytest.approx(0.08)
    assert purchase_odds(0.1, -2.0, 0.0, 1.0, 0.4, 1.0, 0.0) == pytest.approx(0.1 * np.exp(0.6))
    assert purchase_odds(0.1, -2.0, 0.2, 0.0, 0.0, 0.8, 1.0) == pytest.approx(0.1)
    assert purchase_odds(1.0, -1.0, 1.0, 0.0, 0.0, 1.0, 0.0) == pytest.approx(100.0)


@given(st.floats(0.01, 5), st.floats(-6, -0.1), st.floats(0, 0.9), st.floats(0.5, 1))
def test_a_price_cut_is_elastic_by_the_slope(base, slope, cut, reference):
    here = purchase_odds(base, slope, cut, 0.0, 0.0, reference, 0.3)
    there = purchase_odds(base, slope, 0.0, 0.0, 0.0, reference, 0.3)
    assert np.log(here / there) == pytest.approx(slope * np.log(1 - cut), abs=1e-9)


def test_purchase_probability_by_hand():
    assert purchase_probability(0.5, 3.0) == pytest.approx(0.375)
    assert purchase_probability(1.0, 0.0) == 0.0


def test_margin_by_hand():
    # 30 % margin; a 20 % cut of which the manufacturer pays a quarter; a gift of 10 % costs 7 %.
    assert unit_margin(0.3, 0.2, 0.25, 0.1) == pytest.approx(0.3 - 0.15 - 0.07)
    assert unit_margin(0.3, 0.0, 0.5, 0.0) == 0.3


def test_the_break_even_slope_by_hand():
    # At a margin of 0.3 a cut of 0.2 leaves a third: sales have to triple, 0.8^β = 3.
    assert 0.8 ** break_even_slope(0.3, 0.2) == pytest.approx(3)
    assert 0.8 ** break_even_slope(0.3, 0.2, 0.5) == pytest.approx(1.5)
    assert break_even_slope(0.3, 0.2, 1.0) == 0
    np.testing.assert_array_equal(break_even_slope(0.3, np.array([0.3, 0.5])), -np.inf)


def test_a_cut_pays_beyond_the_break_even_slope(dormant):
    rare = replace(dormant, odds=np.full(3, 1e-6), funding=0.0, slope=np.full(3, 0.0))
    rare = replace(rare, promotions=(NOTHING, Promotion("cut", depth=0.2)), attention=np.ones(3))
    slope = break_even_slope(rare.margin, 0.2)
    for factor, sign in ((0.98, -1), (1.02, 1)):
        world = replace(rare, slope=np.full(3, factor * slope))
        assert np.sign(world.rewards[0, 1] - world.rewards[0, 0]) == sign


def test_reference_target_by_hand():
    depths = np.array([0.0, 0.05, 0.1, 0.1001, 0.2, 0.3, 0.5])
    expected = [0, 1, 1, 2, 2, 3, 3]
    np.testing.assert_array_equal(reference_target(depths, 0.3, 3), expected)
    np.testing.assert_array_equal(reference_target(torch.tensor(depths), 0.3, 3), expected)
    np.testing.assert_array_equal(reference_target(depths, 0.3, 0), np.zeros(7))
    assert reference_target(np.array([0.15 + 1e-5]), 0.3, 2) == 2
    assert reference_target(np.array([0.15 + 1e-9]), 0.3, 2) == 1


@pytest.mark.parametrize(
    ("now", "wear", "target", "stocked", "after"),
    [
        ((2, 2, 1), 0, 0, False, (1, 1, 0)),
        ((0, 0, 0), 0, 0, False, (0, 0, 0)),
        ((2, 0, 1), 1, 3, True, (3, 2, 2)),
        ((3, 1, 2), 2, 1, False, (4, 0, 1)),
        ((4, 2, 3), 1, 3, True, (4, 2, 3)),
        ((1, 2, 0), 2, 0, False, (3, 1, 0)),
    ],
)
def test_memories_by_hand(now, wear, target, stocked, after):
    found = next_memories(np.array(now), (4, 2, 3), wear, target, stocked)
    assert tuple(int(x) for x in found) == after


def test_one_state_by_hand():
    """Every number of one state and one promotion, computed from the definitions."""
    world = worlds.dormant()
    coupon = world.action("coupon")
    fatigue, pantry, reference = 1, 1, 1
    level = (fatigue * 2 + pantry) * 3 + reference
    notice = 0.9 * 0.3
    plain = 0.010 * (1 / 0.8**0.1) ** -5 * np.exp(-0.5)
    cut = plain * 0.7**-5
    buys = [0.9 * odds / (1 + odds) for odds in (plain, cut)]
    assert world.noticing[1, level, coupon] == pytest.approx(notice)
    np.testing.assert_allclose(world.buying[1, level, coupon], buys)
    # The manufacturer pays the cut, so each sale earns half of five dollars.
    profit = 2.5 * ((1 - notice) * buys[0] + notice * buys[1]) - 0.01
    assert world.rewards[world.levels + level, coupon] == pytest.approx(profit)
    # Fatigue rises to 2; a cut of 0.3 of 0.4 teaches level 2; only a promoted purchase stocks up.
    unnoticed = (2 * 2 + 0) * 3 + 0
    idle = (2 * 2 + 0) * 3 + 2
    stocked = (2 * 2 + 1) * 3 + 2
    expected = np.zeros(world.levels)
    expected[[unnoticed, idle, stocked]] = 1 - notice, notice * (1 - buys[1]), notice * buys[1]
    here = world.transitions[world.levels + level, coupon]
    np.testing.assert_allclose(here[world.levels : 2 * world.levels], expected)
    assert here.sum() == pytest.approx(1)


@pytest.mark.parametrize("name", worlds.PUBLISHED)
def test_published_worlds_are_decision_processes(name):
    world = worlds.PUBLISHED[name]()
    assert world.transitions.shape == (world.states, world.actions, world.states)
    np.testing.assert_allclose(world.transitions.sum(axis=-1), 1)
    assert world.start.sum() == pytest.approx(1)
    assert world.action("none") == 0
    assert world.features.shape == (world.states, 7)
    best = world.optimal_value()
    for policy in world.standard_policies().values():
        assert world.policy_value(policy) <= best + 1e-12


def test_the_decision_is_not_trivial_where_customers_remember():
    world = worlds.dormant()
    policies, best = world.standard_policies(), world.optimal_value()
    assert world.policy_value(policies["uniform"]) <= 0.40 * best
    assert world.policy_value(policies["myopic"]) <= 0.80 * best
    assert world.policy_value(world.optimal_policy) == pytest.approx(best)


def test_the_myopic_policy_is_optimal_where_they_do_not():
    world = worlds.memoryless()
    policies, best = world.standard_policies(), world.optimal_value()
    assert world.policy_value(policies["myopic"]) == pytest.approx(best, rel=1e-12)
    assert world.policy_value(policies["segment-best"]) == pytest.approx(best, rel=1e-12)
    assert world.policy_value(policies["uniform"]) < 0.98 * best


def test_the_best_constant_promotion_is_the_best_one():
    world = worlds.dormant()
    every = [world.policy_value(np.full(world.states, a)) for a in range(world.actions)]
    policies = world.standard_policies()
    assert world.policy_value(policies["uniform"]) == pytest.approx(max(every))
    assert world.policy_value(policies["none"]) == pytest.approx(every[0])
    assert world.policy_value(policies["segment-best"]) >= max(every)


def test_blocks_by_type_are_the_dense_problem(lively):
    dense = dp.optimum(lively.rewards, lively.transitions, lively.discount)
    np.testing.assert_allclose(dense.value, lively.optimum.value.ravel())
    assert lively.start @ dense.value == pytest.approx(lively.optimal_value())
    random = lively.standard_policies()["random"]
    value = dp.policy_value(lively.rewards, lively.transitions, random, lively.discount)
    assert lively.start @ value == pytest.approx(lively.policy_value(random))
    few = dp.finite_policy_value(lively.rewards, lively.transitions, random, 4, lively.discount)
    assert lively.start @ few == pytest.approx(lively.policy_value(random, weeks=4))


def test_a_real_horizon_is_solved_backwards():
    world = worlds.season()
    best = dp.finite_optimum(world.rewards, world.transitions, 12)
    assert world.start @ best.value[0] == pytest.approx(world.optimal_value())
    assert world.weekly_optimum.policy.shape == (12, 3, world.levels)
    with pytest.raises(ValueError, match="use weekly_optimum"):
        world.optimal_policy  # noqa: B018
    none = np.zeros(world.states, int)
    value = dp.finite_policy_value(world.rewards, world.transitions, none, 12)
    assert world.start @ value == pytest.approx(world.policy_value(none))


def test_a_finer_grid_of_discounts_earns_no_less():
    values = [worlds.personal_discounts(points).optimal_value() for points in (5, 9, 17)]
    assert values == sorted(values)


def test_observations_are_standardised_traits_and_memories(lively):
    seen = lively.features.reshape(4, lively.levels, 7)
    np.testing.assert_allclose(lively.weight @ seen[:, 0, :4], 0, atol=1e-12)
    np.testing.assert_allclose(lively.weight @ seen[:, 0, :4] ** 2, 1)
    np.testing.assert_array_equal(seen[0, -1, 4:], [1, 1, 1])
    np.testing.assert_array_equal(lively.observe(3), lively.features[3])
    assert (worlds.dormant().features[:, 1] == 0).all()  # all visit equally often
    season = worlds.season()
    assert season.observe(np.arange(5)).shape == (5, season.observation_size)
    np.testing.assert_array_equal(season.observe(0)[-1], 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"odds": [0.1, np.nan, 0.1]}, "odds contains NaN"),
        ({"odds": [0.1, -0.1, 0.1]}, "odds must not be negative"),
        ({"slope": [-1.0]}, "slope needs one entry for each of 3 types"),
        ({"prices": [-5.0]}, "prices must be positive"),
        ({"choice": np.ones((3, 2)) / 2}, "choice needs one column"),
        ({"choice": np.full((3, 1), 0.5)}, "choice does not sum to one"),
        ({"weight": [0.5, 0.5, 0.5]}, "weight does not sum to one"),
        ({"visit": [0.5, 1.5, 0.5]}, r"visit has entries outside \[0, 1\]"),
        ({"margin": 1.2}, "margin is 1.2"),
        ({"deepest": 0.0}, "deepest is 0"),
        ({"weeks": 0}, "weeks must be positive"),
        ({"promotions": MENU[1:]}, "first promotion must offer nothing"),
    ],
)
def test_a_wrong_world_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(worlds.dormant(), **change)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"depth": 1.2}, "depth is 1.2"),
        ({"gift": -0.1}, "gift is -0.1"),
        ({"reach": -1.0}, "must not be negative"),
        ({"display": np.nan}, "NaN"),
    ],
)
def test_a_wrong_promotion_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Promotion("coupon", **fields)


def test_unknown_names_and_shapes_are_refused():
    world = worlds.dormant()
    with pytest.raises(ValueError, match=r"unknown promotion 'raffle'; the menu is none, coupon"):
        world.action("raffle")
    with pytest.raises(ValueError, match="policy has shape"):
        world.policy_value(np.zeros(4, int))


def test_a_world_of_one_promotion_is_allowed():
    world = replace(worlds.dormant(), promotions=(NOTHING,))
    assert isinstance(world, World)
    assert world.optimal_value() == pytest.approx(world.policy_value(np.zeros(world.states, int)))
