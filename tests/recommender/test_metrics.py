"""Metrics: by hand, against scikit-learn, laws, and the paired bootstrap against its theory."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import ndcg_score

from promo_repro.recommender import metrics


def test_top_k_by_hand_with_ties_to_the_left():
    s = np.array([[1.0, 3, 3, 0], [2, 2, 2, 2]])
    assert metrics.top_k(s, 2).tolist() == [[1, 2], [0, 1]]
    assert metrics.top_k(s, 3).tolist() == [[1, 2, 0], [0, 1, 2]]


@given(arrays(float, (4, 7), elements=st.integers(-3, 3).map(float)), st.integers(1, 7))
@settings(deadline=None)
def test_top_k_is_a_stable_sort(s, k):
    assert (metrics.top_k(s, k) == np.argsort(-s, axis=1, kind="stable")[:, :k]).all()


def test_top_k_refuses_nan_and_too_long_lists():
    with pytest.raises(ValueError, match="scores hold NaN"):
        metrics.top_k([[1.0, np.nan]], 1)
    for k in (0, 3):
        with pytest.raises(ValueError, match="k = "):
            metrics.top_k([[1.0, 2.0]], k)
    with pytest.raises(ValueError, match="two axes"):
        metrics.top_k([1.0, 2.0], 1)


def test_recall_by_hand():
    assert metrics.recall_at_k([1, 0, 1], 4) == 0.5
    assert metrics.recall_at_k([[1, 1, 1], [0, 0, 1]], [3, 2]).tolist() == [1, 0.5]
    assert metrics.recall_ceiling([4, 10, 20], 10).tolist() == [1, 1, 0.5]
    assert metrics.recall_ceiling(1, 10) == 1
    for function in (lambda: metrics.recall_at_k([0], 0), lambda: metrics.recall_ceiling([0], 3)):
        with pytest.raises(ValueError, match="relevant holds 0"):
            function()


def test_ndcg_by_hand():
    half, third = 1 / np.log2(3), 0.5
    assert metrics.ndcg_at_k([1, 0, 1], 2) == pytest.approx((1 + third) / (1 + half))
    assert metrics.ndcg_at_k([0, 0, 1], 1) == pytest.approx(third)
    assert metrics.ndcg_at_k([1, 1, 1], 9) == pytest.approx(1)
    with pytest.raises(ValueError, match="relevant holds 0"):
        metrics.ndcg_at_k([0], 0)


def test_ndcg_against_scikit_learn():
    rng = np.random.default_rng(1)
    scores, target = rng.normal(size=(30, 25)), rng.random((30, 25)) < 0.3
    target[:, 0] = True
    ours = metrics.evaluate(scores, target, np.zeros_like(target), k=7)["ndcg"]
    theirs = [ndcg_score(t[None], s[None], k=7) for t, s in zip(target, scores, strict=True)]
    assert ours == pytest.approx(theirs, abs=1e-12)


def test_novel_items_are_judged_without_the_seen_ones():
    scores = np.array([[5.0, 4, 3, 2]])
    target, seen = np.array([[1, 0, 0, 1]], bool), np.array([[1, 0, 0, 0]], bool)
    found = metrics.evaluate(scores, target, seen, k=3)
    assert found["recall"][0] == 0.5
    assert found["novel_recall"][0] == 1
    assert found["novel_ndcg"][0] == pytest.approx(0.5)


def test_a_household_without_target_has_no_value():
    target = np.array([[0, 0], [1, 0]], bool)
    found = metrics.evaluate(np.ones((2, 2)), target, target, k=1)
    assert np.isnan(found["recall"]).tolist() == [True, False]
    assert np.isnan(found["novel_ndcg"]).all()
    with pytest.raises(ValueError, match="differ"):
        metrics.evaluate(np.ones((2, 3)), target, target)


def test_paired_interval_by_theory():
    rng = np.random.default_rng(2)
    a, b = rng.normal(0.3, 1, 500), rng.normal(0, 1, 500)
    mean, low, high = metrics.paired_interval(a, b, resamples=2_000)
    error = (a - b).std() / np.sqrt(500)
    assert mean == pytest.approx((a - b).mean())
    assert low == pytest.approx(mean - 1.96 * error, abs=0.2 * error)
    assert high == pytest.approx(mean + 1.96 * error, abs=0.2 * error)
    _, low_half, high_half = metrics.paired_interval(a, b, resamples=2_000, level=0.5)
    assert high_half - low_half == pytest.approx(2 * 0.6745 * error, rel=0.1)
    assert metrics.gain_low(a, b) == metrics.paired_interval(a, b)[1]
    assert metrics.gain_high(a, b) == metrics.paired_interval(a, b)[2]


def test_paired_interval_uses_the_pairs():
    level = np.arange(50.0)
    assert metrics.paired_interval(level + 1, level) == (1, 1, 1)
    with_gaps = np.where(level < 10, np.nan, level)
    assert metrics.paired_interval(with_gaps + 1, level) == (1, 1, 1)
    assert metrics.paired_interval(level, 0 * level, seed=1) != metrics.paired_interval(
        level, 0 * level, seed=2
    )
    with pytest.raises(ValueError, match="no household"):
        metrics.paired_interval([np.nan], [1.0])
    for a, b in (([1.0], [1.0, 2.0]), ([[1.0]], [[1.0]])):
        with pytest.raises(ValueError, match="each household"):
            metrics.paired_interval(a, b)
