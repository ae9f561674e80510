"""Bandit or decision process: exact values on small cases."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promo_repro.bandits import horizon

# State 0 fresh, 1 tired of promotions. Action 0 waits, action 1 sends a coupon.
REWARDS = np.array([[0.0, 1.0], [0.0, 0.2]])
TIRING = np.array([[[1.0, 0], [0, 1]], [[1, 0], [0, 1]]])
FREE = np.full((2, 2, 2), 0.5)


def test_policy_value_by_hand():
    # Always send: 1 once, then 0.2 for ever.
    value = horizon.policy_value(REWARDS, TIRING, [1, 1], 0.5)
    assert value == pytest.approx([1 + 0.5 * 0.4, 0.4])
    # Send when fresh, wait when tired: 1, 0, 1, 0, ...
    value = horizon.policy_value(REWARDS, TIRING, [1, 0], 0.5)
    assert value == pytest.approx([4 / 3, 2 / 3])
    assert horizon.policy_value(REWARDS, TIRING, [1, 0], 0).tolist() == [1, 0]


def test_myopic_policy_takes_the_largest_reward():
    assert horizon.myopic_policy([[0, 1, 0.5], [3, 2, 1]]).tolist() == [1, 0]


def test_optimal_policy_by_hand():
    policy, value = horizon.optimal_policy(REWARDS, TIRING, 0.9)
    assert policy.tolist() == [1, 0]
    assert value == pytest.approx([1 / 0.19, 0.9 / 0.19])


def test_value_of_foresight_by_hand():
    gain = horizon.value_of_foresight(REWARDS, TIRING, 0.5)
    assert gain == pytest.approx(2 / 3 - 0.4)
    assert horizon.value_of_foresight(REWARDS, TIRING, 0.0) == 0


@given(st.integers(1, 3), st.integers(1, 3), st.integers(0, 2**32), st.floats(0, 0.95))
def test_a_bandit_needs_no_foresight(states, actions, seed, discount):
    rng = np.random.default_rng(seed)
    rewards = rng.normal(size=(states, actions))
    moves = np.repeat(rng.dirichlet(np.ones(states), (states, 1)), actions, axis=1)
    assert horizon.value_of_foresight(rewards, moves, discount) == pytest.approx(0, abs=1e-9)


@given(st.integers(0, 2**32), st.floats(0, 0.95))
def test_foresight_is_never_harmful(seed, discount):
    rng = np.random.default_rng(seed)
    rewards = rng.normal(size=(3, 2))
    moves = rng.dirichlet(np.ones(3), (3, 2))
    policy, value = horizon.optimal_policy(rewards, moves, discount)
    for _ in range(3):
        other = rng.integers(0, 2, 3)
        assert (horizon.policy_value(rewards, moves, other, discount) <= value + 1e-9).all()
    assert horizon.policy_value(rewards, moves, policy, discount) == pytest.approx(value)


@pytest.mark.parametrize(
    ("rewards", "transitions", "discount", "message"),
    [
        (REWARDS, FREE[:1], 0.5, "does not fit rewards"),
        (REWARDS[0], FREE, 0.5, "does not fit rewards"),
        (REWARDS, FREE * 0.9, 0.5, "do not sum to 1"),
        (REWARDS, FREE, 1.0, "discount is 1.0"),
        (REWARDS, FREE, -0.1, "discount is -0.1"),
        (REWARDS * np.nan, FREE, 0.5, "rewards contains NaN"),
    ],
)
def test_bad_input_is_refused(rewards, transitions, discount, message):
    with pytest.raises(ValueError, match=message):
        horizon.policy_value(rewards, transitions, [0, 0], discount)
