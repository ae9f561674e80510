"""DBSCAN against its definition and scikit-learn."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.cluster import DBSCAN

from promo_repro.profiles import density as d

LINE = np.array([[0.0], [1.0], [2.0], [10.0], [11.0], [12.0], [30.0]])


def test_line_by_hand():
    assert d.dbscan(LINE, 1.0, 2).tolist() == [0, 0, 0, 1, 1, 1, -1]
    # Only the middles are core with three points; the ends are border points.
    assert d.dbscan(LINE, 1.0, 3).tolist() == [0, 0, 0, 1, 1, 1, -1]
    assert d.dbscan(LINE, 1.0, 4).tolist() == [-1] * 7
    assert d.dbscan(LINE, 0.5, 1).tolist() == list(range(7))
    assert d.dbscan(LINE, 0.5, 2).tolist() == [-1] * 7
    assert set(d.dbscan(LINE, 100.0, 2)) == {0}


def test_core_points():
    graph = sparse.csr_array(np.array([[1, 1, 0], [1, 1, 1], [0, 1, 1]]))
    assert d.core_points(graph, 3).tolist() == [False, True, False]
    assert d.core_points(graph, 2).all()


@pytest.mark.parametrize(("radius", "points"), [(0.3, 4), (0.5, 8), (0.8, 12)])
def test_core_and_noise_agree_with_scikit_learn(rng, radius, points):
    x = rng.standard_normal((300, 2))
    own = d.dbscan(x, radius, points)
    peer = DBSCAN(eps=radius, min_samples=points).fit(x)
    core = peer.core_sample_indices_
    pairs = set(zip(own[core], peer.labels_[core], strict=True))
    assert len(pairs) == len(set(own[core])) == len(set(peer.labels_[core]))
    assert ((own == -1) == (peer.labels_ == -1)).all()
    for row in np.flatnonzero((own != -1) & ~np.isin(np.arange(300), core)):
        near = core[np.linalg.norm(x[core] - x[row], axis=1).argmin()]
        assert own[row] == own[near]


def test_neighbour_distances():
    assert d.neighbour_distances(LINE, 1).tolist() == [1, 1, 1, 1, 1, 1, 18]
    assert d.neighbour_distances(LINE, 2).tolist() == [1, 1, 2, 2, 2, 2, 19]
    with pytest.raises(ValueError, match="k is 7"):
        d.neighbour_distances(LINE, 7)


def test_sizeable_clusters():
    labels = np.array([0] * 6 + [1] * 3 + [-1])
    assert d.sizeable_clusters(labels, 0.05) == 2
    assert d.sizeable_clusters(labels, 0.3) == 2
    assert d.sizeable_clusters(labels, 0.31) == 1
    assert d.sizeable_clusters(labels, 0.7) == 0
    assert d.sizeable_clusters([0, 0, -1, -1], 0.5) == 1
    assert d.sizeable_clusters([0] * 6 + [-1] * 4, 0.05) == 1
    assert d.sizeable_clusters([0, 0, -1, -1, -1], 0.05) == 0
    assert d.sizeable_clusters([-1, -1], 0.05) == 0


def test_planted_blobs_are_found_and_one_heap_is_one():
    rng = np.random.default_rng(0)
    blobs = np.concatenate([rng.normal((12 * i, 0), 1, (100, 2)) for i in range(3)])
    assert d.most_clusters(blobs, share=0.2) == 3
    assert d.most_clusters(rng.standard_normal((300, 2)), share=0.2) == 1
    radius, clusters, noise = d.best_radius(blobs, share=0.2)
    assert clusters == 3
    assert radius > 0
    assert noise < 0.5
    grid, counts, shares = d.cluster_counts(blobs, radii=5)
    assert grid.shape == counts.shape == shares.shape == (5,)
    assert (np.diff(shares) <= 0).all()


def test_refusals():
    with pytest.raises(ValueError, match="radius is 0"):
        d.dbscan(LINE, 0, 2)
    with pytest.raises(ValueError, match="min_points is 8"):
        d.dbscan(LINE, 1, 8)
    with pytest.raises(ValueError, match="NaN"):
        d.dbscan([[np.nan]], 1, 1)
