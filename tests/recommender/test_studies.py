"""Measured quantities: by hand, at their limits, and wrong input."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from promo_repro.recommender import protocol, studies
from promo_repro.recommender.encoders import Recipe


def test_reported_finds_one_row():
    rows = pd.DataFrame({"method": ["a", "b"], "metric": "ndcg", "lo": [0.1, 0.2], "hi": 0.3})
    assert studies.reported(rows, "b") == 0.2
    assert studies.reported(rows, "a", "ndcg", "hi") == 0.3
    with pytest.raises(ValueError, match="0 rows for 'c'"):
        studies.reported(rows, "c")


def test_click_gain_by_hand():
    p, q = 0.05, 0.03
    expected = (p - q) - 1.96 * np.sqrt((p * (1 - p) + q * (1 - q)) / 1_000)
    assert studies.click_gain_low([50], [30], 1_000) == pytest.approx(expected)
    twice = studies.click_gain_low([50, 50], [30, 30], 1_000)
    assert twice == pytest.approx((p - q) - (p - q - expected) / np.sqrt(2))
    for learned, chance in (([11], [1]), ([-1], [1]), ([1], [11]), ([1], [-1])):
        with pytest.raises(ValueError, match="clicks must lie"):
            studies.click_gain_low(learned, chance, 10)
    assert studies.click_gain_low([10], [0], 10) == 1
    assert studies.click_gain_low([0], [10], 10) == -1


def test_impressions_needed_by_hand():
    p, q = 0.2, 0.3
    assert studies.impressions_needed(0.2, 0.5) == pytest.approx(
        2.8**2 * (p * (1 - p) + q * (1 - q)) / 0.1**2
    )
    for rate, gain in (
        (0, 0.1), (1, 0.1), (0.5, 1), (0.5, 1.2), (0.1, 0), (0.1, -1), (1, -0.5), (1.5, -0.5),
        (-0.2, -2),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="must lie in"):
            studies.impressions_needed(rate, gain)


def test_share_of_gain_by_hand():
    short, full, base = np.array([[2.0, 4], [4, 6], [1, 1]])
    assert studies.share_of_gain(short, full, base) == pytest.approx(0.5)
    gap = np.array([2.0, np.nan])
    assert studies.share_of_gain(gap, full, base) == pytest.approx(1 / 3)
    assert studies.share_of_gain(short, gap, np.array([1.0, 0])) == pytest.approx(1)
    assert studies.share_of_gain(short, full, np.array([1.0, np.nan])) == pytest.approx(1 / 3)


def test_training_cost_by_hand():
    assert studies.training_cost(10, 20, 5, 100) == 30
    for k in range(4):
        numbers = [10, 20, 5, 100]
        numbers[k] = 0
        with pytest.raises(ValueError, match="must be positive"):
            studies.training_cost(*numbers)
    assert studies.training_cost(1, 1, 1, 1) == 3


def test_calibration_by_hand():
    assert studies.calibration([0.0, 0, 0, 0], [1, 0, 0, 1]) == 1
    assert studies.calibration([0.0, np.log(3)], [0, 1]) == pytest.approx(1.25)
    for logits, labels in (([0.0], [0]), ([0.0, 0.0], [1])):
        with pytest.raises(ValueError, match="at least one purchase"):
            studies.calibration(logits, labels)


def test_lists_and_groups():
    ranked = np.array([[0, 1, 2], [2, 1, 0], [0, 1, 3]])
    assert studies.distinct_lists(ranked) == 2
    assert studies.distinct_groups(ranked, ["a", "a", "b", "c"]).tolist() == [2, 2, 2]
    first = np.random.default_rng(0).random((8, 20))
    second = first.copy()
    second[:2] = -second[:2]
    assert studies.changed_lists(first, second) == 0.25


def test_fewer_bits_keep_fewer_lists():
    rng = np.random.default_rng(0)
    states, weights = rng.normal(size=(60, 6)).astype("f4"), rng.normal(size=(40, 6)).astype("f4")
    kept = [studies.lists_kept(states, weights, np.zeros(40, "f4"), b) for b in (32, 16, 3)]
    assert kept[0] == 1
    assert kept[0] >= kept[1] > kept[2]


def test_filled_share():
    assert studies.filled_share(np.array([[1, 0], [2, 3]])) == 0.75
    assert studies.filled_share(sparse.csr_matrix([[1, 0], [0, 0]])) == 0.25


def test_more_items_take_longer():
    assert studies.response_seconds(200_000, 32) > studies.response_seconds(100, 32)


def test_a_deep_encoder_costs_more_than_counting(small_shop):
    part = protocol.split(small_shop, 24, 30)
    recipe = Recipe("dense", width=8, epochs=20)
    assert studies.cost_over_counting("training", part, recipe) > 20
    assert studies.cost_over_counting("deployment", part, recipe) > 0
    with pytest.raises(ValueError, match="no stage 'x'"):
        studies.cost_over_counting("x", part, recipe)


def test_superposition():
    x = np.random.default_rng(0).poisson(1.0, (20, 8))
    assert studies.superposition_gap("EASE", x) < 1e-12
    assert studies.superposition_gap("neighbours", x) < 1e-12
    assert studies.superposition_gap("deep", x) > 0.01
    with pytest.raises(ValueError, match="no model 'x'"):
        studies.superposition_gap("x", x)


def test_demographic_features_lean_to_the_group(small_shop):
    part = protocol.split(small_shop, 24, 30)
    kinds = np.where(part.households % 2 == 0, "25-34", "65+")
    people = pd.DataFrame(
        {"household_id": part.households, "age": kinds, "income": "50K", "household_size": "1"}
    ).iloc[:30]
    features = studies.demographic_features(part, people)
    assert (features[30:] == 0).all()
    assert features[0, :12, 0].mean() > features[0, 12:, 0].mean()
    assert features[1, :12, 0].mean() < features[1, 12:, 0].mean()


def test_deal_segments_are_thirds(small_shop):
    part = protocol.split(small_shop, 24, 30)
    segments = studies.deal_segments(part)
    assert np.bincount(segments).tolist() == pytest.approx([13, 13, 13], abs=2)
    deals = [part.deals[part.start[u] : part.start[u + 1]].sum() for u in range(40)]
    sizes = [part.baskets[part.start[u] : part.start[u + 1]].sum() for u in range(40)]
    share = np.array(deals) / np.array(sizes)
    assert share[segments == 0].max() <= share[segments == 2].min()


def test_back_propagation_is_the_derivative():
    assert studies.finite_difference_gap(0) < 1e-8
    assert studies.finite_difference_gap(0, 0.5) > 1e-4
