"""Exact values against cases worked by hand, brute force and each other."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promo_repro.simulator import dynamic_programming as dp

# Two states, two actions: stay earns 1 in state 0; go earns 0 and leads to state 1, which pays 3.
REWARDS = np.array([[1.0, 0.0], [3.0, 3.0]])
TRANSITIONS = np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.5, 0.5]]])


def problem(seed, states=4, actions=3, batch=()):
    rng = np.random.default_rng(seed)
    return (
        rng.normal(size=(*batch, states, actions)),
        rng.dirichlet(np.ones(states), size=(*batch, states, actions)),
    )


def test_policy_value_by_hand():
    value = dp.policy_value(REWARDS, TRANSITIONS, np.array([0, 0]), 0.5)
    np.testing.assert_allclose(value, [2.0, 6.0])
    value = dp.policy_value(REWARDS, TRANSITIONS, np.array([1, 0]), 0.5)
    np.testing.assert_allclose(value, [3.0, 6.0])


def test_a_mixed_policy_by_hand():
    # In state 0 half stay, half go: v = ½ (1 + ½ v) + ½ (½ · 6), so v = 8/3.
    value = dp.policy_value(REWARDS, TRANSITIONS, [[0.5, 0.5], [1.0, 0.0]], 0.5)
    np.testing.assert_allclose(value, [8 / 3, 6.0])


def test_finite_value_by_hand():
    value = dp.finite_policy_value(REWARDS, TRANSITIONS, np.array([1, 1]), 2, 0.5)
    np.testing.assert_allclose(value, [1.5, 3 + 0.5 * 1.5])
    undiscounted = dp.finite_policy_value(REWARDS, TRANSITIONS, np.array([0, 0]), 7)
    np.testing.assert_allclose(undiscounted, [7.0, 21.0])


def test_action_value_by_hand():
    q = dp.action_value(REWARDS, TRANSITIONS, np.array([2.0, 4.0]), 0.5)
    np.testing.assert_allclose(q, [[2.0, 2.0], [5.0, 4.5]])


def test_finite_optimum_by_hand():
    found = dp.finite_optimum(REWARDS, TRANSITIONS, 2, 0.5)
    np.testing.assert_allclose(found.value, [[1.5, 4.5], [1.0, 3.0], [0.0, 0.0]])
    np.testing.assert_array_equal(found.policy[1], [0, 0])
    assert found.q.shape == (2, 2, 2)


def test_the_best_action_changes_with_the_steps_left():
    # Undiscounted, from the last step back: staying in state 0 pays 1, 1 + 1, 1 + 3; going there
    # 0, 3, 6. In state 1 staying pays 3, 6, 9; going 3, 3 + (1 + 3) / 2, 3 + (3 + 6) / 2.
    found = dp.finite_optimum(REWARDS, TRANSITIONS, 3)
    np.testing.assert_allclose(
        found.q, [[[4.0, 6.0], [9.0, 7.5]], [[2.0, 3.0], [6.0, 5.0]], [[1.0, 0.0], [3.0, 3.0]]]
    )
    np.testing.assert_array_equal(found.policy, [[1, 0], [1, 0], [0, 0]])
    np.testing.assert_allclose(found.value, [[6.0, 9.0], [3.0, 6.0], [1.0, 3.0], [0.0, 0.0]])


def test_with_one_step_left_the_myopic_policy_is_best():
    r, p = problem(8)
    found = dp.finite_optimum(r, p, 1, 0.9)
    np.testing.assert_array_equal(found.policy, [dp.myopic_policy(r)])
    np.testing.assert_allclose(found.value, [r.max(axis=-1), np.zeros(4)])


@given(st.integers(0, 10_000), st.floats(0, 0.97))
def test_optimum_is_that_of_brute_force(seed, discount):
    r, p = problem(seed, 3, 3)
    best = dp.optimum(r, p, discount)
    every = [dp.policy_value(r, p, np.array(pi), discount) for pi in product(range(3), repeat=3)]
    np.testing.assert_allclose(best.value, np.max(every, axis=0), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(best.q.max(axis=-1), best.value, rtol=1e-9, atol=1e-9)


@given(st.integers(0, 10_000))
def test_batches_are_separate_problems(seed):
    r, p = problem(seed, batch=(5,))
    policy = np.random.default_rng(seed).integers(3, size=(5, 4))
    batched = dp.optimum(r, p, 0.9)
    values = dp.policy_value(r, p, policy, 0.9)
    for b in range(5):
        np.testing.assert_allclose(batched.value[b], dp.optimum(r[b], p[b], 0.9).value)
        np.testing.assert_allclose(values[b], dp.policy_value(r[b], p[b], policy[b], 0.9))
    finite = dp.finite_optimum(r, p, 3, 0.9)
    for b in range(5):
        alone = dp.finite_optimum(r[b], p[b], 3, 0.9)
        np.testing.assert_array_equal(finite.policy[:, b], alone.policy)
        np.testing.assert_allclose(finite.value[:, b], alone.value)


@given(st.integers(0, 10_000))
def test_long_horizons_approach_the_stationary_values(seed):
    r, p = problem(seed)
    policy = np.random.default_rng(seed).dirichlet(np.ones(3), size=4)
    finite = dp.finite_policy_value(r, p, policy, 400, 0.9)
    np.testing.assert_allclose(finite, dp.policy_value(r, p, policy, 0.9), atol=1e-9)
    best = dp.finite_optimum(r, p, 400, 0.9).value[0]
    np.testing.assert_allclose(best, dp.optimum(r, p, 0.9).value, atol=1e-9)


def test_the_finite_optimum_is_that_of_brute_force():
    r, p = problem(3, 2, 2)
    best = -np.inf * np.ones(2)
    for first, second in product(product(range(2), repeat=2), repeat=2):
        later = dp.finite_policy_value(r, p, np.array(second), 1, 0.8)
        q = dp.action_value(r, p, later, 0.8)
        best = np.maximum(best, q[np.arange(2), list(first)])
    np.testing.assert_allclose(dp.finite_optimum(r, p, 2, 0.8).value[0], best)


def test_occupancy_by_hand():
    start = np.array([1.0, 0.0])
    share = dp.occupancy(np.array([1, 0]), REWARDS, TRANSITIONS, start, 4)
    np.testing.assert_allclose(share, [0.25, 0.75])


def test_a_slowly_chosen_tie_ends():
    r, p = np.zeros((3, 2)), np.full((3, 2, 3), 1 / 3)
    np.testing.assert_array_equal(dp.optimum(r, p, 0.99).policy, [0, 0, 0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"transitions": np.ones((2, 2, 2))}, "must sum to 1"),
        ({"transitions": np.ones((2, 2, 3)) / 3}, r"\(S, A, S\) wanted"),
        ({"rewards": np.full((2, 2), np.nan)}, "NaN"),
        ({"policy": np.array([0, 2])}, "outside 0 … 1"),
        ({"policy": np.array([0, 1, 1])}, "policy has shape"),
        ({"policy": np.array([[0.5, 0.4], [1, 0]])}, "policy has rows"),
        ({"discount": 1.0}, "discount is 1.0"),
        ({"discount": -0.1}, "discount is -0.1"),
    ],
)
def test_wrong_input_is_named(change, message):
    arguments = {
        "rewards": REWARDS,
        "transitions": TRANSITIONS,
        "policy": np.array([0, 0]),
        "discount": 0.5,
    }
    with pytest.raises(ValueError, match=message):
        dp.policy_value(**(arguments | change))


def test_a_horizon_is_needed_and_a_discount_above_one_is_refused():
    with pytest.raises(ValueError, match="at least one step"):
        dp.finite_optimum(REWARDS, TRANSITIONS, 0)
    with pytest.raises(ValueError, match=r"discount is 1\.1"):
        dp.finite_policy_value(REWARDS, TRANSITIONS, np.array([0, 0]), 2, 1.1)
    with pytest.raises(ValueError, match=r"discount is 1\.1"):
        dp.finite_optimum(REWARDS, TRANSITIONS, 2, 1.1)
