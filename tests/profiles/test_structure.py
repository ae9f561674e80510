"""Silhouette, nulls and stability."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score, silhouette_score

from promo_repro.profiles import components
from promo_repro.profiles import structure as s
from promo_repro.profiles.studies import planted_blobs

BLOBS = planted_blobs(3, 60, 3, 9.0)
LABELS = np.repeat([0, 1, 2], 60)


def test_silhouette_by_hand():
    distance = s.distances([[0.0], [1.0], [4.0], [6.0]])
    a = [(4 + 6) / 2, (3 + 5) / 2, (4 + 3) / 2, (6 + 5) / 2]
    wanted = np.mean([(a[0] - 1) / a[0], (a[1] - 1) / a[1], (a[2] - 2) / a[2], (a[3] - 2) / a[3]])
    assert s.silhouette(distance, [0, 0, 1, 1]) == pytest.approx(wanted)


@pytest.mark.parametrize("k", [2, 3, 7])
def test_silhouette_against_scikit_learn(rng, k):
    x = rng.standard_normal((80, 3))
    labels = rng.integers(0, k, 80)
    labels[0] = 99  # alone in its cluster
    assert s.silhouette(s.distances(x), labels) == pytest.approx(silhouette_score(x, labels))


def test_silhouette_refuses():
    distance = s.distances([[0.0], [1.0], [4.0]])
    for labels in ([0, 0, 0], [0, 1, 2]):
        with pytest.raises(ValueError, match="needs 2 to n - 1 clusters"):
            s.silhouette(distance, labels)
    assert s.silhouette(distance, [0, 0, 1]) == pytest.approx(np.mean([0.75, 2 / 3, 0]))


def test_gaussian_null_has_mean_and_covariance(rng):
    x = rng.exponential(size=(4_000, 2)) @ [[1, 2], [0, 1]] + 5
    drawn = s.gaussian_null(x, rng)
    assert drawn.shape == x.shape
    assert drawn.mean(axis=0) == pytest.approx(x.mean(axis=0), abs=0.2)
    assert np.cov(drawn.T) == pytest.approx(np.cov(x.T), rel=0.12)
    assert abs(((drawn - drawn.mean(0)) ** 3).mean(axis=0)[0]) < 0.3
    assert not np.allclose(drawn, s.gaussian_null(x, rng))
    few, seeded = x[:3], np.random.default_rng(1)
    drawn = s.gaussian_null(few, np.random.default_rng(1))
    sigma = components.covariance(few)
    wanted = seeded.multivariate_normal(few.mean(axis=0), sigma, 3, method="eigh")
    assert drawn == pytest.approx(wanted)


def test_copula_null_keeps_columns_and_correlation(rng):
    base = rng.standard_normal((3_000, 2)) @ [[1, 0.8], [0, 0.6]]
    x = np.exp(base)
    drawn = s.copula_null(x, rng)
    assert np.sort(drawn, axis=0) == pytest.approx(np.sort(x, axis=0))
    ranks = [np.argsort(np.argsort(t, axis=0), axis=0) for t in (x, drawn)]
    assert np.corrcoef(ranks[1].T)[0, 1] == pytest.approx(np.corrcoef(ranks[0].T)[0, 1], abs=0.04)
    assert (drawn != x).any()
    falling = np.column_stack([x[:, 0], -x[:, 0]])
    null = s.copula_null(falling, rng)
    assert null[:, 1] == pytest.approx(-null[:, 0])


def test_copula_null_keeps_clusters_that_one_column_shows():
    observed, drawn = s.silhouette_test(BLOBS, (3,), 3, null="copula")
    assert abs(s.null_excess(observed[0], drawn[:, 0])) < 0.02


def test_copula_null_of_few_rows():
    small = np.array([[1.0, 30.0], [2.0, 10.0], [3.0, 20.0], [9.0, 0.0]])
    drawn = s.copula_null(small, np.random.default_rng(0))
    assert np.isfinite(drawn).all()
    assert sorted(drawn[:, 0]) == [1, 2, 3, 9]


def test_silhouette_test_tells_blobs_from_a_heap():
    diamond = np.repeat([[0, 9], [9, 0], [0, -9], [-9, 0]], 40, axis=0)
    diamond = diamond + np.random.default_rng(0).standard_normal(diamond.shape)
    for null in ("normal", "copula"):
        observed, drawn = s.silhouette_test(diamond, (4, 5), 5, null=null)
        assert observed.shape == (2,)
        assert drawn.shape == (5, 2)
        assert s.null_excess(observed[0], drawn[:, 0]) > 0.05
    heap = np.random.default_rng(1).standard_normal((150, 3))
    observed, drawn = s.silhouette_test(heap, (3,), 10)
    assert s.null_excess(observed[0], drawn[:, 0]) < 0
    with pytest.raises(ValueError, match="no null 'uniform'"):
        s.silhouette_test(BLOBS, (3,), 2, null="uniform")


def test_null_excess():
    assert s.null_excess(0.5, [0.1, 0.4]) == pytest.approx(0.1)
    for bad in ([], [[0.1]], [np.nan]):
        with pytest.raises(ValueError, match="list of finite numbers"):
            s.null_excess(0.5, bad)


def test_cluster_refuses():
    with pytest.raises(ValueError, match="more clusters than points"):
        s.cluster(BLOBS[:3], 4)
    with pytest.raises(ValueError, match="NaN"):
        s.cluster([[np.nan]], 1)


def test_bootstrap_agreement():
    assert s.bootstrap_agreement(BLOBS, 3, 3).tolist() == [1, 1, 1]
    heap = np.random.default_rng(1).standard_normal((150, 3))
    assert s.bootstrap_agreement(heap, 5, 3).mean() < 0.9


def test_half_year_labels_use_the_first_model():
    line = BLOBS[:, :1]
    labels = s.half_year_labels(line, line, 3)
    assert labels[0].tolist() == labels[1].tolist()
    assert adjusted_rand_score(labels[0], LABELS) == 1
    first, second = s.half_year_labels(line, line + 9.0, 3)
    assert len(set(second)) == 2
    assert adjusted_rand_score(first, second) < 1


def test_agreement_interval():
    value, low, high = s.agreement_low(LABELS, LABELS)
    assert (value, low, high) == (1, 1, 1)
    other = np.random.default_rng(0).integers(0, 3, 180)
    value, low, high = s.agreement_low(LABELS, other)
    assert low < value < high
    assert abs(value) < 0.1


def test_shared_information():
    value, chance = s.shared_information(LABELS, LABELS, draws=20)
    assert value == pytest.approx(1)
    assert chance < 0.1
