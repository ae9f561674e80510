"""The documents' formulas: worked by hand, laws for all inputs, and clear refusals."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from promo_repro.bandits import rewards

counts = arrays(
    np.int64, st.tuples(st.integers(1, 4), st.integers(1, 5)), elements=st.integers(1, 99)
)
unit = st.floats(0, 1)


def by_enumeration(probabilities, values):
    """Total reward the long way: one term at a time, no array arithmetic."""
    return sum(p * r for row in probabilities for p, r in zip(row, values, strict=True))


def test_step_reward_by_hand():
    assert rewards.step_reward([0.5, 0.25, 0.25], [1, 2, 4]) == 2.0
    assert rewards.step_reward([[1, 0], [0, 1]], [3, -5]).tolist() == [3, -5]


def test_total_reward_by_hand_and_by_batches():
    p = [[0.5, 0.5], [0.25, 0.5]]
    assert rewards.total_reward(p, [2, 4]) == 5.5
    assert rewards.total_reward([p, np.zeros((2, 2))], [2, 4]).tolist() == [5.5, 0]


@given(arrays(float, (3, 4), elements=unit), arrays(float, 4, elements=st.floats(-5, 5)))
def test_total_reward_is_the_double_sum(p, r):
    assert rewards.total_reward(p, r) == pytest.approx(by_enumeration(p, r), abs=1e-12)


@pytest.mark.parametrize(
    ("p", "r", "message"),
    [
        ([0.5, 1.5], [1, 1], "probabilities has entries outside"),
        ([-0.1, 0.5], [1, 1], "probabilities has entries outside"),
        ([0.5, np.nan], [1, 1], "probabilities contains NaN"),
        ([0.5, 0.5], [1, np.inf], "rewards contains NaN"),
        ([0.5, 0.5], [1, 1, 1], "one per promotion"),
        ([], [], "probabilities is empty"),
        (0.5, [1.0], "one per promotion"),
    ],
)
def test_step_reward_refuses(p, r, message):
    with pytest.raises(ValueError, match=message):
        rewards.step_reward(p, r)


def test_total_reward_needs_a_time_axis():
    with pytest.raises(ValueError, match="time axis"):
        rewards.total_reward([0.5, 0.5], [1, 1])


def test_click_share_by_hand():
    assert rewards.click_share([10, 5, 5]).tolist() == [0.5, 0.25, 0.25]
    assert rewards.click_share([[1, 3], [2, 0]]).tolist() == [[0.25, 0.75], [1, 0]]


@given(counts)
def test_click_shares_sum_to_one_over_arms(clicks):
    shares = rewards.click_share(clicks)
    assert shares.sum(axis=-1) == pytest.approx(1)
    assert ((shares >= 0) & (shares <= 1)).all()


@given(counts)
def test_shares_of_all_users_sum_to_one_over_users_and_arms(clicks):
    shares = rewards.click_share_of_all_users(clicks)
    assert shares.sum() == pytest.approx(1)
    assert shares.shape == clicks.shape
    # Within a user the two readings are proportional.
    assert shares / shares.sum(axis=1, keepdims=True) == pytest.approx(rewards.click_share(clicks))


@given(counts, st.randoms(use_true_random=False))
def test_click_share_follows_a_relabelling_of_the_arms(clicks, random):
    order = list(range(clicks.shape[1]))
    random.shuffle(order)
    assert (rewards.click_share(clicks[:, order]) == rewards.click_share(clicks)[:, order]).all()


def test_click_shares_refuse():
    with pytest.raises(ValueError, match="0/0"):
        rewards.click_share([[1, 2], [0, 0]])
    with pytest.raises(ValueError, match="negative count"):
        rewards.click_share([2, -1])
    with pytest.raises(ValueError, match=r"users by promotions \(U, N\)"):
        rewards.click_share_of_all_users([1, 2])
    with pytest.raises(ValueError, match=r"users by promotions \(U, N\)"):
        rewards.click_share_of_all_users(np.ones((2, 2, 2)))


def test_click_probability_by_hand():
    assert rewards.click_probability([10, 5, 0], [100, 5, 8]).tolist() == [0.1, 1, 0]


@pytest.mark.parametrize(
    ("clicks", "impressions", "message"),
    [
        ([1], [0], "never shown"),
        ([2], [1], "exceeds impressions"),
        ([1, 1], [3], "differ in shape"),
        ([np.nan], [3], "clicks contains NaN"),
        ([1], [-3], "impressions contains a negative"),
    ],
)
def test_click_probability_refuses(clicks, impressions, message):
    with pytest.raises(ValueError, match=message):
        rewards.click_probability(clicks, impressions)


def test_recorded_reward_is_a_number_of_conversions():
    assert rewards.recorded_reward(10, 0.5) == 5
    assert rewards.recorded_reward([5, 7], [0.6, 0.7]) == pytest.approx([3, 4.9])
    with pytest.raises(ValueError, match="rate has entries outside"):
        rewards.recorded_reward(10, 50)
    with pytest.raises(ValueError, match="clicks contains a negative"):
        rewards.recorded_reward(-1, 0.5)


def test_mean_click_reward_weights_by_clicks():
    assert rewards.mean_click_reward([30, 10], [0.5, 0.9]) == pytest.approx(0.6)
    assert rewards.mean_click_reward([[10], [5]], [[0.5], [0.6]]) == pytest.approx([0.5, 0.6])
    with pytest.raises(ValueError, match="rates has entries outside"):
        rewards.mean_click_reward([1, 1], [0.5, 1.1])


def test_shares_with_missing_rows_by_hand():
    assert rewards.share_with_missing_rows([10, 5, 7], 0) == pytest.approx(10 / 22)
    assert rewards.share_with_missing_rows([10, 5, 7], 0, missing=8) == pytest.approx(1 / 3)
    assert rewards.share_with_missing_rows([10, 5, 7], 1, missing=3) == pytest.approx(1 / 5)
    with pytest.raises(ValueError, match="missing contains a negative"):
        rewards.share_with_missing_rows([10], 0, missing=-1)


def test_missing_clicks_by_hand():
    assert rewards.missing_clicks([10, 5, 7], 30) == 8
    assert rewards.missing_clicks([10, 5, 7], 20) == -2
    assert rewards.missing_clicks([[1, 2], [3, 4]], [3, 10]).tolist() == [0, 3]
    with pytest.raises(ValueError, match="total contains a negative"):
        rewards.missing_clicks([1], -1)


def test_attainable_rates_by_hand():
    assert rewards.attainable_rates([10, 5, 7], [0.5, 0.6, 0.7]) == pytest.approx([0.5, 0.6, 5 / 7])
    assert rewards.attainable_rates([1], [0.7]) == 1
    assert rewards.attainable_rates([1, 4], [0.2, 0.3]).tolist() == [0, 0.25]
    with pytest.raises(ValueError, match="contains a zero"):
        rewards.attainable_rates([0, 3], [0.1, 0.1])


def test_best_promotion_by_hand():
    assert rewards.best_promotion([1, 1, 1], [0.5, 0.6, 0.7]) == 2
    assert rewards.best_promotion([0.9, 0.1, 0.1], [0.5, 0.6, 0.7]) == 0
    assert rewards.best_promotion([0.3, 0.6], [0.5, 0.3]) == 1
    with pytest.raises(ValueError, match="two equal lists"):
        rewards.best_promotion([1, 1], [0.5])
    with pytest.raises(ValueError, match="two equal lists"):
        rewards.best_promotion([[1, 1]], [[0.5, 0.5]])


def test_identification_gap_by_hand():
    assert rewards.identification_gap([10, 5], [20, 50], [20, 50]) == 0
    assert rewards.identification_gap([10, 5], [20, 50], [40, 10]) == pytest.approx(0.4)
    assert rewards.identification_gap([10, 5], [20, 50], [40, 50]) == pytest.approx(0.25)


def test_weighted_history_by_hand():
    assert rewards.weighted_history([1, 2, 4], [0.5, 0.25, 0.25]) == 2
    assert rewards.weighted_history([[1, 2], [3, 4]], [1, -1]).tolist() == [-1, -1]
    assert rewards.weighted_history([[1, 2], [3, 4]], [[1, 0], [0, 1]]).tolist() == [1, 4]
    for history, weights in [([1, 2], [1]), (1.0, [1]), ([1], 1.0), ([1], [1, 2])]:
        with pytest.raises(ValueError, match="differ in their last axis"):
            rewards.weighted_history(history, weights)


def test_recency_weights_by_hand():
    assert rewards.recency_weights(3, 0.5) == pytest.approx(np.array([1, 2, 4]) / 7)
    assert rewards.recency_weights(4, 1).tolist() == [0.25] * 4
    assert rewards.recency_weights(1, 0.3).tolist() == [1]


@given(st.integers(1, 50), st.floats(0.01, 1))
def test_recency_weights_are_a_growing_distribution(steps, discount):
    weights = rewards.recency_weights(steps, discount)
    assert weights.shape == (steps,)
    assert weights.sum() == pytest.approx(1)
    assert (np.diff(weights) >= 0).all()


@pytest.mark.parametrize(
    ("steps", "discount", "message"),
    [
        (0, 0.5, "steps is 0; at least one"),
        (3, 0, re.escape("discount is 0; it must lie in (0, 1]")),
        (3, 1.1, "discount is 1.1"),
        (3, -0.5, "discount is -0.5"),
        (3, np.nan, "discount is nan"),
    ],
)
def test_recency_weights_refuse(steps, discount, message):
    with pytest.raises(ValueError, match=message):
        rewards.recency_weights(steps, discount)


def test_scalarised_reward_by_hand():
    assert rewards.scalarised_reward([[1, 3], [2, 0]], [0.25, 0.75]).tolist() == [2.5, 0.5]
    with pytest.raises(ValueError, match=re.escape("weights sum to 0.9, not to 1")):
        rewards.scalarised_reward([1, 3], [0.5, 0.4])
    with pytest.raises(ValueError, match=re.escape("weights sum to 1.5, not to 1")):
        rewards.scalarised_reward([1, 3], [0.5, 1.0])
    with pytest.raises(ValueError, match="weights has entries outside"):
        rewards.scalarised_reward([1, 3], [1.5, -0.5])


def test_enumerated_reward_by_hand():
    assert rewards.enumerated_reward([[0.5, 0.25]], [2, 4]) == 2
    assert rewards.enumerated_reward([[0.5, 0.5], [0, 0.25]], [2, 4]) == 4
    assert rewards.enumerated_reward([[1, 0], [0, 1.0]], [3, -1]) == 2
    with pytest.raises(ValueError, match="sum to more than 1"):
        rewards.enumerated_reward([[0.6, 0.6]], [1, 1])
    for p, r in [([0.5, 0.5], [1, 1]), ([[0.5, 0.5]], [1])]:
        with pytest.raises(ValueError, match="wanted"):
            rewards.enumerated_reward(p, r)


@given(arrays(float, (3, 2), elements=st.floats(0, 0.5)), arrays(float, 2, elements=unit))
def test_the_printed_sum_is_the_expectation_over_click_sequences(p, r):
    assert rewards.enumerated_reward(p, r) == pytest.approx(rewards.total_reward(p, r), abs=1e-12)


def test_sum_of_shares_by_hand():
    clicks = [[10, 5, 7], [3, 6, 2]]
    assert rewards.sum_of_shares(clicks, 0) == pytest.approx(1)
    assert rewards.sum_of_shares(clicks, 0, own=False) == pytest.approx(22 / 33)
    assert rewards.sum_of_shares(clicks, 1, own=False) == pytest.approx(11 / 33)


def test_the_best_promotion_has_the_largest_product():
    assert rewards.best_promotion([0.5, 0.4], [0.1, 0.15]) == 1


def test_weights_may_differ_between_users():
    found = rewards.weighted_history([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], [[0, 0, 1], [1, 0, 0]])
    np.testing.assert_allclose(found, [3.0, 4.0])
