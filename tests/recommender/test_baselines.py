"""Baselines: by hand, against their definitions, fallbacks and bad input."""

import numpy as np
import pytest
from scipy import sparse

from promo_repro.recommender import baselines
from promo_repro.recommender.metrics import top_k


def test_decay_by_hand():
    assert baselines.decay([0, 4, 8, 12], 4).tolist() == [1, 0.5, 0.25, 0.125]
    assert baselines.decay(1, 0.5) == 0.25
    for half_life in (0, -1):
        with pytest.raises(ValueError, match="half_life is"):
            baselines.decay(1, half_life)


def test_frequency_orders_by_count_and_then_by_popularity():
    scores = baselines.frequency(sparse.csr_matrix([[0, 2, 1, 0]]), [3, 0, 0, 9])
    assert scores[0] == pytest.approx([0.0003, 2, 1, 0.0009])
    assert top_k(scores, 4).tolist() == [[1, 2, 3, 0]]


def test_an_empty_history_falls_back_on_popularity():
    popularity = np.array([3.0, 9, 1])
    assert top_k(baselines.frequency(np.zeros((1, 3)), popularity), 3).tolist() == [[1, 0, 2]]
    for counts, p in (([[1.0]], [-1.0]), ([[np.nan]], [1.0]), ([[1.0]], [np.nan])):
        with pytest.raises(ValueError, match="must be numbers"):
            baselines.frequency(np.array(counts), p)


def test_item_cosine_by_hand():
    x = np.array([[1.0, 2, 0], [2, 0, 0]])
    expected = 2 / (np.sqrt(5) * 2 + 1)
    assert baselines.item_cosine(x, 1.0) == pytest.approx(
        np.array([[0, expected, 0], [expected, 0, 0], [0, 0, 0]])
    )
    assert baselines.item_cosine(x)[0, 1] == pytest.approx(1 / np.sqrt(5))
    assert baselines.item_cosine(x, 0.5)[1, 0] == pytest.approx(2 / (np.sqrt(5) * 2 + 0.5))
    # A cosine does not depend on the scale of the purchases.
    assert baselines.item_cosine(x / 10)[0, 1] == pytest.approx(1 / np.sqrt(5))
    with pytest.raises(ValueError, match="shrink is"):
        baselines.item_cosine(x, -0.1)


def test_item_knn_keeps_the_nearest():
    x = np.random.default_rng(0).poisson(1.0, (30, 8)).astype(float)
    similarity = baselines.item_cosine(x, 10.0)
    assert baselines.item_knn(x, 50) == pytest.approx(x @ similarity)
    nearest = similarity * (similarity == similarity.max(axis=0))
    assert baselines.item_knn(x, 1) == pytest.approx(x @ nearest)


def test_ease_is_ridge_regression_of_each_item_on_the_others():
    x = np.random.default_rng(1).poisson(1.0, (40, 5)).astype(float)
    weights = baselines.ease_weights(x.T @ x, 3.0)
    assert (np.abs(baselines.ease_weights(x.T @ x, 0.5)) > np.abs(weights)).any()
    assert np.diag(weights).tolist() == [0] * 5
    for j in range(5):
        others = np.delete(x, j, axis=1)
        ridge = np.linalg.solve(others.T @ others + 3.0 * np.eye(4), others.T @ x[:, j])
        assert np.delete(weights[:, j], j) == pytest.approx(ridge)
    assert baselines.ease(x, 3.0) == pytest.approx(x @ weights)
    for regularisation in (0, -1, np.nan):
        with pytest.raises(ValueError, match="regularisation is"):
            baselines.ease_weights(x.T @ x, regularisation)


def test_trusted_neighbours_follow_whom_they_trust():
    early = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]])
    late = np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]])
    # Household 0 now buys what household 1 bought early, and so on around the circle.
    assert baselines.trusted_neighbours(early, late, 1).tolist() == [
        [0, 0, 1],
        [1, 0, 0],
        [0, 1, 0],
    ]
