"""The studies: what they return on worlds whose answers are known."""

import numpy as np
import pytest

from promo_repro.agents import examples, tabular_studies
from promo_repro.simulator import dynamic_programming as dp
from promo_repro.simulator import worlds

EDGE = examples.edge()
CALM = np.array([0.0, 0.0, 1.0])


def test_exploration_fades():
    assert tabular_studies.fading_exploration(0) == 1
    assert tabular_studies.fading_exploration(np.array([100, 300])).tolist() == [0.5, 0.25]
    assert tabular_studies.fading_exploration(30, scale=10.0) == 0.25


def test_fixed_points_of_the_edge():
    best = dp.optimum(EDGE.rewards, EDGE.transitions, 0.9).q
    assert best[1, 1] == pytest.approx(10)
    careful = tabular_studies.exploring_values(EDGE, 0.9, 0.2)
    assert careful[2].argmax() == 0
    assert tabular_studies.exploring_values(EDGE, 0.9, 0.0) == pytest.approx(best)
    assert tabular_studies.distance(np.stack([best, best + 1]), best) == pytest.approx(0.05)


def test_shares_of_policies():
    rest, coupon = np.zeros(3, int), np.ones(3, int)
    assert tabular_studies.policy_share(EDGE, 0.9, coupon, CALM) == pytest.approx(1)
    assert tabular_studies.policy_share(EDGE, 0.9, rest, CALM) == pytest.approx(0.8)
    assert tabular_studies.constant_share(EDGE, 0.9, CALM) == pytest.approx(1)
    tiring = examples.tiring()
    fresh = np.array([1.0, 0.0])
    best = 0.7 / (1 - 0.81)
    always = 0.7 + 0.9 * 0.07 / 0.1
    assert tabular_studies.myopic_share(tiring, 0.9, fresh) == pytest.approx(always / best)
    assert tabular_studies.constant_share(tiring, 0.9, fresh) == pytest.approx(always / best)


def test_learning_gets_near_its_own_target_and_earns_with_it():
    near = tabular_studies.distance_to_exploring(EDGE, 0.9, "sarsa", 4_000, 20, 0, 0.2)
    far = tabular_studies.distance_to_optimum(EDGE, 0.9, "sarsa", 4_000, 20, 0, epsilon=0.2)
    assert near < far
    share = tabular_studies.learned_share(EDGE, 0.9, "q-learning", 3_000, 20, 0, CALM, epsilon=0.3)
    assert share > 0.95
    gain = tabular_studies.gain_over_constant(
        examples.tiring(), 0.9, "q-learning", 500, 20, 0, np.array([1.0, 0.0]), epsilon=1.0
    )
    assert gain > 0.3
    policies = tabular_studies.run(EDGE, 0.9, "sarsa", 5, 3, 0).q
    assert policies.shape == (3, 3, 3)


def test_examples_are_worlds():
    for world in (EDGE, examples.tiring(), examples.tiring(recovery=0.5)):
        dp.as_problem(world.rewards, world.transitions)
        assert world.rewards.shape == (len(world.states), len(world.actions))
    assert examples.tiring().rewards == pytest.approx(
        np.array([[0, 0.5, 0.6, 0.7], [0, 0.05, 0.06, 0.07]])
    )


def test_two_ways_to_the_optimum_agree():
    tiring = examples.tiring()
    value = 0.7 / (1 - 0.81)
    assert tabular_studies.optimum_by_policies(tiring, 0.9, 0) == pytest.approx(value)
    assert tabular_studies.optimum_by_sweeps(tiring, 0.9, 0) == pytest.approx(value)
    assert tabular_studies.start_value(tiring, 0.9, np.array([3, 0]), 1) == pytest.approx(
        0.9 * value
    )


def test_ratios_of_all_operators_stay_below_the_discount():
    ratios = tabular_studies.contraction_ratios(EDGE, 0.9, epsilon=0.2, pairs=20, seed=0)
    assert len(ratios) == 3
    for largest, attained in ratios.values():
        assert 0 < largest <= 0.9 + 1e-12
        assert attained == pytest.approx(0.9)


def test_shares_in_a_shop_agree_with_the_simulator():
    shop = worlds.memoryless()
    shares = tabular_studies.shares_in_shop(shop, 600, 5, 0)
    for name, policy in shop.standard_policies().items():
        exact = shop.policy_value(policy) / shop.optimal_value()
        assert shares[name] == (pytest.approx(exact), None)
    value, half = shares["q-learning, ε = 1"]
    assert 0.3 < value <= 1
    assert half > 0


def test_shares_of_tables_keeps_the_leading_axes():
    tables = np.random.default_rng(0).normal(size=(4, 2, 3, 3))
    shares = tabular_studies.shares_of_tables(EDGE, 0.9, tables, CALM)
    assert shares.shape == (4, 2)
    one = tabular_studies.policy_share(EDGE, 0.9, tables[3, 1].argmax(axis=-1), CALM)
    assert shares[3, 1] == pytest.approx(one)


def test_behaving_greedily_is_worth_the_share_and_exploring_less():
    q = dp.optimum(EDGE.rewards, EDGE.transitions, 0.9).q
    greedy, exploring = tabular_studies.shares_of_behaviour(EDGE, 0.9, q, 0.2, CALM)
    assert greedy == pytest.approx(1)
    assert exploring < 0.9
    assert tabular_studies.shares_of_behaviour(EDGE, 0.9, q, 0.0, CALM)[1] == pytest.approx(1)
