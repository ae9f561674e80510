"""K-means in PyTorch: many starts at once, on the device and in the precision of the data.

Shapes: x is (n, p), centres are (..., k, p), labels (..., n); `...` are independent starts.
"""

from typing import NamedTuple

import torch

from promo_repro.claims import formula
from promo_repro.profiles.checks import at_most


class Fit(NamedTuple):
    """Result of Lloyd's algorithm for each start; `history` (steps + 1, ...) holds the inertia."""

    centres: torch.Tensor
    labels: torch.Tensor
    inertia: torch.Tensor
    history: torch.Tensor
    converged: bool

    def best(self) -> "Fit":
        """The start with the smallest inertia."""
        i = self.inertia.argmin()
        return Fit(
            self.centres[i], self.labels[i], self.inertia[i], self.history[:, i], self.converged
        )


def _data(x, k: int) -> torch.Tensor:
    if x.ndim != 2 or not x.is_floating_point():
        raise ValueError(f"x is {tuple(x.shape)} {x.dtype}; expected a real table (n, p)")
    if not torch.isfinite(x).all():
        raise ValueError("x has NaN or infinity; drop or fill such rows first")
    at_most("k", k, len(x), "rows: there cannot be more clusters than points")
    return x


@formula("eq-02-distance")
def squared_distances(x, centres):
    r""":math:`\lVert x_i - \mu_k \rVert^2`, (..., n, k), never negative.

    One product of matrices for all starts: :math:`(x, \lVert x \rVert^2, 1) \cdot (-2\mu, 1,
    \lVert \mu \rVert^2)`. Both are shifted by the mean of x first, so that the expanded square
    loses no digits.
    """
    shift = x.mean(dim=0)
    x, centres = x - shift, centres - shift
    row = torch.cat([x, (x**2).sum(1, keepdim=True), torch.ones_like(x[:, :1])], dim=1)
    squares = (centres**2).sum(-1, keepdim=True)
    centre = torch.cat([-2 * centres, torch.ones_like(squares), squares], dim=-1)
    return (centre @ row.T).clamp_(min=0).transpose(-1, -2)


@formula("eq-02-nearest")
def nearest(x, centres):
    r"""Squared distance :math:`\min_k \lVert x_i - \mu_k \rVert^2` to the nearest centre, and its
    index, both (..., n); the first one of equally near ones."""
    return squared_distances(x, centres).min(dim=-1)


@formula("D5-P52", "eq-02-assign")
def assign(x, centres):
    """Index of the nearest centre of each row, (..., n)."""
    return nearest(x, centres).indices


@formula("D5-F11", "eq-02-centroid")
def centroids(x, labels, k: int):
    r"""Means of the clusters, :math:`\mu_k = |N_k|^{-1} \sum_{i \in N_k} x_i`, (..., k, p).

    As printed: a cluster without a row is 0/0, and comes out as NaN.
    """
    member = x.new_zeros(*labels.shape[:-1], k, len(x)).scatter_(-2, labels.unsqueeze(-2), 1.0)
    return member @ x / member.sum(dim=-1, keepdim=True)


@formula("D5-F03", "D5-F10", "eq-02-inertia")
def inertia(x, centres):
    r"""The objective :math:`\sum_i \min_k \lVert x_i - \mu_k \rVert^2`, (...)."""
    return nearest(x, centres).values.sum(dim=-1)


@formula("eq-02-partition-cost")
def partition_cost(x, labels, k: int):
    """Sum of squared distances of rows (n, p) to the mean of their cluster; empty ones add 0."""
    means = centroids(x, labels, k)
    return ((x - torch.gather(means, -2, _index(labels, x))) ** 2).sum(dim=(-1, -2))


def _index(labels, x):
    return labels.unsqueeze(-1).expand(*labels.shape, x.shape[-1])


def fill_empty(distance, labels, k: int):
    """Labels (starts, n) in which each empty cluster got the row farthest from its own centre.

    `distance` (starts, n) holds the squared distances to the own centres. With several empty
    clusters, the i-th gets the i-th farthest row. The objective cannot rise.
    """
    empty = labels.new_ones(len(labels), k).scatter_(1, labels, 0)
    start, cluster = torch.nonzero(empty, as_tuple=True)
    if not len(start):
        return labels
    rank = empty.cumsum(dim=-1)[start, cluster] - 1
    far = distance.argsort(dim=-1, descending=True)
    labels = labels.clone()
    labels[start, far[start, rank]] = cluster
    return labels


def random_start(x, k: int, generator, starts: int = 1):
    """k different rows of x as centres, drawn uniformly, (starts, k, p)."""
    _data(x, k)
    keys = torch.rand(starts, len(x), generator=generator, device=x.device)
    return x[keys.argsort(dim=1)[:, :k]]


def plus_plus_start(x, k: int, generator, starts: int = 1):
    """k rows of x as centres by D² sampling (k-means++), (starts, k, p).

    Each next centre is a row drawn with probability proportional to its squared distance from
    the centres so far. Rows that are all covered already are drawn uniformly.
    """
    _data(x, k)
    first = torch.randint(len(x), (starts,), generator=generator, device=x.device)
    centres = x[first].unsqueeze(1)
    for _ in range(k - 1):
        nearest = squared_distances(x, centres).min(dim=-1).values
        weight = torch.where(nearest.sum(dim=-1, keepdim=True) > 0, nearest, 1.0)
        drawn = torch.multinomial(weight, 1, generator=generator).squeeze(1)
        centres = torch.cat([centres, x[drawn].unsqueeze(1)], dim=1)
    return centres


def lloyd(x, centres, steps: int = 300) -> Fit:
    """Lloyd's algorithm from given centres (starts, k, p), or (k, p) for one start.

    Assign, fill empty clusters, take means; stop when no label changes or after `steps`.
    Each step computes the distances once, for the labels and the objective alike.
    Raises `ValueError` for NaN in x, and for more clusters than rows.
    """
    k = centres.shape[-2]
    _data(x, k)
    single = centres.ndim == 2
    centres = centres.unsqueeze(0) if single else centres
    distance, labels = nearest(x, centres)
    history, converged = [distance.sum(dim=-1)], False
    for _ in range(steps):
        before = fill_empty(distance, labels, k)
        means = centroids(x, before, k)
        centres = torch.where(torch.isnan(means), centres, means)
        distance, labels = nearest(x, centres)
        history.append(distance.sum(dim=-1))
        if converged := torch.equal(before, labels):
            break
    result = Fit(centres, labels, history[-1], torch.stack(history), converged)
    return result.best() if single else result


def fit(x, k: int, generator, starts: int = 10, steps: int = 300) -> Fit:
    """The best of several runs of Lloyd's algorithm, each started by k-means++."""
    return lloyd(x, plus_plus_start(x, k, generator, starts), steps).best()
