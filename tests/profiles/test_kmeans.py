"""K-means: laws of the two steps, peers, starts, empty clusters, bad input."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans

from promo_repro.profiles import kmeans as km


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def data(seed=0, n=120, p=3):
    return torch.randn(n, p, generator=generator(seed), dtype=torch.float64)


LINE = torch.tensor([[0.0], [1.0], [5.0], [6.0], [10.0]], dtype=torch.float64)


def test_distances_by_hand_and_in_float32_far_from_zero():
    x = torch.tensor([[0.0, 0.0], [3.0, 4.0]])
    assert km.squared_distances(x, x).tolist() == [[0, 25], [25, 0]]
    many = km.squared_distances(x, torch.stack([x, x + 1]))
    assert many.shape == (2, 2, 2)
    assert many[1].tolist() == [[2, 41], [13, 2]]
    far = km.squared_distances(x + 10_000, x + 10_000)
    assert far.tolist() == [[0, 25], [25, 0]]
    assert (km.squared_distances(data().float(), data().float()) >= 0).all()


def test_assign_takes_the_nearest_and_the_first_of_equals():
    assert km.assign(LINE, LINE[[0, 2]]).tolist() == [0, 0, 1, 1, 1]
    assert km.assign(LINE, LINE[[1, 1]]).tolist() == [0] * 5


def test_centroids_inertia_and_cost_by_hand():
    labels = torch.tensor([0, 0, 1, 1, 1])
    means = km.centroids(LINE, labels, 2)
    assert means.tolist() == [[0.5], [7.0]]
    assert float(km.inertia(LINE, means)) == pytest.approx(14.5)
    assert float(km.inertia(LINE, LINE[[0, 2]])) == pytest.approx(27)
    assert float(km.partition_cost(LINE, labels, 2)) == 14.5
    other = torch.tensor([0, 1, 1, 1, 1])
    assert km.partition_cost(LINE, torch.stack([labels, other]), 2).tolist() == [14.5, 41]
    empty = km.centroids(LINE, labels, 3)
    assert empty[:2].tolist() == means.tolist()
    assert torch.isnan(empty[2]).all()
    assert float(km.partition_cost(LINE, labels, 3)) == 14.5


def test_empty_clusters_get_the_farthest_rows():
    centres = torch.tensor([[0.0], [50.0], [60.0]], dtype=torch.float64)
    assert km.assign(LINE, centres).tolist() == [0] * 5
    both = km.fill_empty(*km.nearest(LINE, torch.stack([centres, LINE[:3]])), 3)
    assert both.tolist() == [[0, 0, 0, 2, 1], [0, 1, 2, 2, 2]]
    fit = km.lloyd(LINE, centres)
    assert sorted(fit.labels.bincount().tolist()) == [1, 2, 2]
    assert float(fit.inertia) == pytest.approx(1.0)


@pytest.mark.parametrize("k", [2, 5, 9])
def test_same_start_same_inertia_as_scikit_learn(k):
    x = data(3, 400, 6)
    start = km.random_start(x, k, generator(1))[0]
    own = km.lloyd(x, start)
    peer = KMeans(k, init=start.numpy(), n_init=1, tol=0, max_iter=500).fit(x.numpy())
    assert float(own.inertia) == pytest.approx(peer.inertia_, rel=1e-5)
    assert own.converged
    assert own.labels.tolist() == peer.labels_.tolist()


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 12), st.sampled_from(["random", "++"]))
def test_descent_is_monotone(seed, k, start):
    x = data(seed, 40, 2)
    draw = km.random_start if start == "random" else km.plus_plus_start
    fit = km.lloyd(x, draw(x, k, generator(seed), 4))
    assert (torch.diff(fit.history, dim=0) <= 1e-9).all()
    assert fit.converged
    assert fit.inertia == pytest.approx(km.inertia(x, fit.centres))
    # At rest each centre is the mean of its rows.
    assert km.centroids(x, fit.labels, k).numpy() == pytest.approx(fit.centres.numpy())


def test_starts_run_at_once_as_they_run_alone():
    x = data()
    starts = km.plus_plus_start(x, 4, generator(), 3)
    together = km.lloyd(x, starts)
    alone = [float(km.lloyd(x, start).inertia) for start in starts]
    assert together.inertia.numpy() == pytest.approx(alone)
    best = together.best()
    assert float(best.inertia) == pytest.approx(min(alone))
    assert best.centres.shape == (4, 3)
    assert best.history[-1] == best.inertia


def test_starts_are_different_rows():
    x = data()
    for draw in (km.random_start, km.plus_plus_start):
        starts = draw(x, 5, generator(), 7)
        assert starts.shape == (7, 5, 3)
        for start in starts:
            assert len(torch.unique(start, dim=0)) == 5
            assert all((row == x).all(dim=1).any() for row in start)
        assert torch.equal(starts, draw(x, 5, generator(), 7))


def test_plus_plus_prefers_far_rows():
    x = torch.cat([torch.zeros(99, 1), torch.full((1, 1), 50.0)]).double()
    starts = km.plus_plus_start(x, 2, generator(), 20)
    assert (starts.max(dim=1).values == 50).all()
    # When all is covered, the next centre is drawn uniformly instead of 0/0.
    assert km.plus_plus_start(torch.zeros(5, 1), 3, generator()).shape == (1, 3, 1)


def test_limit_of_steps():
    fit = km.lloyd(data(), km.random_start(data(), 6, generator(2)), 1)
    assert not fit.converged
    assert len(fit.history) == 2


def test_best_of_many_starts_finds_planted_clusters():
    x = torch.cat([data(i, 30, 2) * 0.1 + 10 * i for i in range(4)])
    fit = km.fit(x, 4, generator(), 20)
    assert sorted(fit.labels.bincount().tolist()) == [30] * 4


def test_float32_stays_float32():
    x = data().float()
    fit = km.fit(x, 3, generator())
    assert fit.centres.dtype == torch.float32


def test_refusals():
    x = data(n=5)
    for bad, message in (
        (torch.full((5, 2), np.nan), "NaN"),
        (torch.zeros(5), "expected a real table"),
        (torch.zeros(5, 2, dtype=torch.int64), "expected a real table"),
    ):
        with pytest.raises(ValueError, match=message):
            km.random_start(bad, 2, generator())
    for draw in (km.random_start, km.plus_plus_start, km.fit):
        with pytest.raises(ValueError, match="k is 6; it must lie between 1 and the 5 rows"):
            draw(x, 6, generator())
    with pytest.raises(ValueError, match="more clusters than points"):
        km.lloyd(x, torch.zeros(6, 3).double())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_device_and_dtype_are_those_of_the_input(dtype):
    x = torch.empty(7, 3, device="meta", dtype=dtype)
    centres = torch.empty(2, 4, 3, device="meta", dtype=dtype)
    labels = torch.empty(2, 7, device="meta", dtype=torch.int64)
    made = (
        km.squared_distances(x, centres),
        km.inertia(x, centres),
        km.centroids(x, labels, 4),
        km.partition_cost(x, labels, 4),
    )
    assert {(m.device.type, m.dtype) for m in made} == {("meta", dtype)}
    assert km.assign(x, centres).device.type == "meta"
