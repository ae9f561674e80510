"""Pairs: the log-odds correction on simulated purchases, and learners that learn."""

import numpy as np
import pytest
import torch

from promo_repro.recommender import pointwise, protocol


def test_corrected_logit_by_hand():
    assert pointwise.corrected_logit(1.0, 1.0) == 1
    assert pointwise.corrected_logit([0.0, 2.0], [0.5, 0.1]) == pytest.approx(
        [np.log(0.5), 2 + np.log(0.1)]
    )
    for rate in (0, -0.1, 1.1, np.nan):
        with pytest.raises(ValueError, match=r"rate must lie in \(0, 1\]"):
            pointwise.corrected_logit(0.0, rate)


def test_correction_restores_the_true_rate():
    rng = np.random.default_rng(0)
    bought = rng.random((400, 500)) < 0.03
    pairs = pointwise.sample_pairs(
        bought, np.zeros_like(bought), rng, unseen_rate=0.1, seen_rate=1.0
    )
    sampled = pairs.labels.mean()
    assert sampled > 0.2
    odds = np.log(sampled / (1 - sampled))
    assert 1 / (1 + np.exp(-pointwise.corrected_logit(odds, 0.1))) == pytest.approx(0.03, rel=0.05)


def test_sampling_keeps_positives_and_each_rate():
    rng = np.random.default_rng(1)
    target, seen = rng.random((2, 300, 300)) < np.array([0.05, 0.5])[:, None, None]
    pairs = pointwise.sample_pairs(target, seen, rng, unseen_rate=0.1, seen_rate=0.4)
    assert pairs.labels.sum() == target.sum()
    negative = ~pairs.labels
    known = seen[pairs.rows, pairs.columns]
    for kept, among, rate in (
        (negative & known, ~target & seen, 0.4),
        (negative & ~known, ~target & ~seen, 0.1),
    ):
        assert kept.sum() / among.sum() == pytest.approx(rate, rel=0.05)
        assert set(pairs.rates[kept]) == {rate}


@pytest.fixture(scope="module")
def parts(small_shop):
    return protocol.split(small_shop, 20, 26), protocol.split(small_shop, 26, 30)


def test_features_see_only_the_past(parts, small_shop):
    past, _ = parts
    features = pointwise.behaviour_features(past)
    assert features.shape == (*past.target.shape, 10)
    assert np.isfinite(features).all()
    assert features[..., 0] == pytest.approx(np.log1p(past.history.toarray()))
    future = protocol.shuffled_future(small_shop, 20, np.random.default_rng(0))
    assert (pointwise.behaviour_features(protocol.split(future, 20, 26)) == features).all()


def test_every_learner_beats_chance_on_a_later_window(parts):
    past, later = parts
    pairs = pointwise.training_pairs(past, np.random.default_rng(0), rate=0.5)
    x = pointwise.behaviour_features(past)[pairs.rows, pairs.columns]
    new = pointwise.behaviour_features(later)
    learners = (
        pointwise.logistic(x, pairs.labels),
        pointwise.linear_svm(x, pairs.labels),
        pointwise.mlp(x, pairs.labels, torch.Generator().manual_seed(0), epochs=30, batch=128),
        pointwise.boosted(x, pairs.labels),
    )
    bought = later.target.toarray() > 0
    for score in learners:
        odds = score(new)
        assert odds.shape == bought.shape
        assert odds[bought].mean() > odds[~bought].mean() + 0.2


def test_the_network_depends_on_its_generator_only():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(200, 3)), rng.random(200) < 0.5
    runs = [pointwise.mlp(x, y, torch.Generator().manual_seed(s), epochs=2)(x) for s in (0, 0, 1)]
    assert (runs[0] == runs[1]).all()
    assert (runs[0] != runs[2]).any()


def test_an_adaptive_machine_learns_opposite_segments():
    rng = np.random.default_rng(3)
    x, segments = rng.normal(size=(600, 1)), rng.integers(0, 2, 600)
    y = np.where(segments == 0, x[:, 0] > 0, x[:, 0] < 0)
    shared = pointwise.linear_svm(x, y)
    own = pointwise.linear_svm(x, y, segments)
    assert ((own(x, segments) > 0) == y).mean() > 0.95
    assert ((shared(x) > 0) == y).mean() < 0.7


def test_a_constant_feature_stays_zero():
    assert pointwise.standardised(np.array([[3.0, 5]]), np.array([3.0, 1]), np.array([0.0, 2])) == (
        pytest.approx(np.array([[0, 2]]))
    )


def test_scores_in_parts_are_the_scores_of_the_whole():
    x = np.random.default_rng(0).random((7, 400_000, 2))
    weights = np.arange(7.0)[:, None]
    in_parts = pointwise._in_parts(lambda part, w: w * part.sum(axis=-1))
    assert (in_parts(x, weights) == weights * x.sum(axis=-1)).all()
