"""The measured quantities that the chapter's verdicts rest on, one function each."""

from collections.abc import Iterable, Sequence
from itertools import product
from typing import Literal

import numpy as np
import pandas as pd
import torch
from scipy.signal import find_peaks
from scipy.stats import gaussian_kde, rankdata, spearmanr

from promo_repro.claims import formula
from promo_repro.datasets.features import bootstrap
from promo_repro.profiles import components, kmeans
from promo_repro.profiles.checks import as_table

# K-means ---------------------------------------------------------------------------------------


def as_tensor(table) -> torch.Tensor:
    """A finite table (n, p) as a float64 tensor."""
    return torch.from_numpy(np.ascontiguousarray(as_table("table", table)))


@formula("eq-02-brute-force")
def best_partition(table, k: int) -> float:
    """Smallest within-cluster sum of squares over *all* labellings of at most ten rows."""
    x = as_tensor(table)
    if len(x) > 10:
        raise ValueError(f"{len(x)} rows have {k}^{len(x)} labellings; at most ten rows are tried")
    labels = torch.tensor(list(product(range(k), repeat=len(x))))
    member = torch.nn.functional.one_hot(labels, k).to(x.dtype)
    size = member.sum(dim=1).clamp(min=1)
    sums = member.transpose(1, 2) @ x
    return float(((x**2).sum() - (sums**2).sum(-1).div(size).sum(-1)).min())


def lloyd_optimum(table, k: int, starts: int = 50, seed: int = 0) -> float:
    """Smallest inertia that Lloyd's algorithm reaches from `starts` k-means++ starts."""
    generator = torch.Generator().manual_seed(seed)
    return float(kmeans.fit(as_tensor(table), k, generator, starts).inertia)


def final_inertias(table, k: int, start: Literal["random", "++"], starts: int, seed: int = 0):
    """Inertia at which Lloyd's algorithm stops, for each of many starts, (starts,)."""
    draw = {"random": kmeans.random_start, "++": kmeans.plus_plus_start}[start]
    x, generator = as_tensor(table), torch.Generator().manual_seed(seed)
    return kmeans.lloyd(x, draw(x, k, generator, starts)).inertia.numpy()


@formula("D5-P51", "D5-A21", "eq-02-stuck")
def stuck_share(inertias, best: float, tolerance: float = 0.01) -> float:
    """Share of runs that end more than `tolerance` (relative) above the best known inertia."""
    values = np.asarray(inertias, dtype=float)
    return float((values > best * (1 + tolerance)).mean())


def largest_rise(table, k: int, starts: int = 20, seed: int = 0, backwards: bool = False) -> float:
    """Largest relative rise of the objective in any step of any run of Lloyd's algorithm.

    Zero or less: the descent is monotone. `backwards` reads the runs from their end.
    """
    x, generator = as_tensor(table), torch.Generator().manual_seed(seed)
    history = kmeans.lloyd(x, kmeans.random_start(x, k, generator, starts)).history
    steps = torch.diff(history.flip(0) if backwards else history, dim=0)
    return float((steps / history[-1]).max())


def steps_to_rest(table, k: int, limit: int = 300, seed: int = 0) -> bool:
    """Whether ten random starts all come to rest, no label changing, within `limit` steps."""
    x, generator = as_tensor(table), torch.Generator().manual_seed(seed)
    return kmeans.lloyd(x, kmeans.random_start(x, k, generator, 10), limit).converged


@formula("D5-P53", "eq-02-nearer")
def share_moved_nearer(x, old, new) -> float:
    """Share of rows (n, p) that are nearer to the new centre than to the old one, both (p,)."""
    x, old, new = (np.asarray(v, dtype=float) for v in (x, old, new))
    return float((((x - new) ** 2).sum(1) < ((x - old) ** 2).sum(1)).mean())


@formula("eq-02-bisector")
def share_beyond_bisector(x, old, new) -> float:
    """The same share by geometry: rows on the new centre's side of the plane half-way."""
    x, old, new = (np.asarray(v, dtype=float) for v in (x, old, new))
    return float(((x - (old + new) / 2) @ (new - old) > 0).mean())


def update_of(table, k: int, cluster: int, seed: int = 0):
    """Rows, old and new centre of one cluster in the first Lloyd step from a random start."""
    x, generator = as_tensor(table), torch.Generator().manual_seed(seed)
    centres = kmeans.random_start(x, k, generator)[0]
    labels = kmeans.assign(x, centres)
    rows = labels == cluster
    return x[rows].numpy(), centres[cluster].numpy(), x[rows].mean(dim=0).numpy()


def assignment_excess(table, k: int, seed: int = 0, swaps: int = 200, best: bool = True) -> float:
    """Smallest change of the objective, centres held, when one row is given to another centre.

    Positive: no single reassignment improves on the nearest centre. With `best=False` rows are
    assigned to a random centre first, so improvements exist.
    """
    x, generator = as_tensor(table), torch.Generator().manual_seed(seed)
    d = kmeans.squared_distances(x, kmeans.random_start(x, k, generator)[0])
    label = d.argmin(1) if best else torch.randint(k, (len(x),), generator=generator)
    rows = torch.randint(len(x), (swaps,), generator=generator)
    other = (label[rows] + torch.randint(1, k, (swaps,), generator=generator)) % k
    return float((d[rows, other] - d[rows, label[rows]]).min())


def centroid_gap(rows, centroid) -> float:
    r"""Gradient norm of :math:`\sum_i \lVert x_i - \mu \rVert^2` at a proposed centroid, per row.

    Zero at the minimum. NaN for a cluster without rows, where the printed mean is 0/0.
    """
    x, mu = torch.as_tensor(rows), torch.as_tensor(centroid).clone().requires_grad_()
    ((x - mu) ** 2).sum().backward()
    return float(mu.grad.norm() / len(x)) if len(x) else float("nan")


def printed_centroid_gap(rows, k: int = 1) -> float:
    """`centroid_gap` at the printed mean of the first of k clusters when all rows are in the last.

    With k = 1 the cluster has rows; with k = 2 the first cluster is empty.
    """
    x = torch.as_tensor(np.asarray(rows, dtype=float))
    mu = kmeans.centroids(x, torch.full((len(x),), k - 1), k)[0]
    return centroid_gap(x, mu)


def clusters_found(table, k: int, seed: int = 0) -> int:
    """Number of clusters with at least one row after Lloyd's algorithm from k random rows."""
    x, generator = as_tensor(table), torch.Generator().manual_seed(seed)
    return len(kmeans.lloyd(x, kmeans.random_start(x, k, generator)[0]).labels.unique())


def inertia_at(table, rows: Sequence[int]) -> float:
    """The K-means objective when these rows of the table are the centres, and stay so."""
    x = as_tensor(table)
    return float(kmeans.inertia(x, x[list(rows)]))


def planted_blobs(k: int, rows: int, features: int, distance: float, seed: int = 0) -> np.ndarray:
    """k round normal clusters of `rows` rows each, centres `distance` apart on a line of a grid."""
    rng = np.random.default_rng(seed)
    centres = np.zeros((k, features))
    centres[:, 0] = distance * np.arange(k)
    return np.repeat(centres, rows, axis=0) + rng.standard_normal((k * rows, features))


def modes(values, grid: int = 400) -> int:
    """Number of peaks of a kernel density estimate with Silverman's bandwidth.

    A peak counts if it rises above its surroundings by a twentieth of the highest density.
    """
    v = np.asarray(values, dtype=float)
    at = np.linspace(v.min(), v.max(), grid)
    height = gaussian_kde(v, "silverman")(at)
    return len(find_peaks(height, prominence=0.05 * height.max())[0])


# Principal components --------------------------------------------------------------------------


def directions(table, k: int) -> np.ndarray:
    """First k principal directions of a table, (p, k)."""
    return components.principal_components(table, k).directions


def angle_after_rescaling(table, factors, k: int, scaled: bool) -> float:
    """Angle between the principal subspaces before and after a change of units.

    `factors` (p,) multiply the columns; directions are compared in the units of the analysis:
    standard deviations if `scaled`, the original units otherwise.
    """
    x = as_table("table", table)
    f = np.asarray(factors, dtype=float)
    if scaled:
        return components.subspace_angle(
            directions(components.standardise(x), k), directions(components.standardise(x * f), k)
        )
    return components.subspace_angle(directions(x, k), directions(x * f, k) / f[:, None])


def covariance_ranking(table) -> float:
    """Rank correlation of covariances with correlations, in absolute value, over feature pairs."""
    x = as_table("table", table)
    upper = np.triu_indices(x.shape[1], 1)
    found = np.abs(components.covariance(x))[upper]
    wanted = np.abs(components.covariance(components.standardise(x)))[upper]
    return float(spearmanr(found, wanted).statistic)


def printed_moment_error(table) -> float:
    """Largest departure from mean 0 and variance 1 after the printed standardisation.

    Taken at its word, division by zero included: NaN if a column is constant.
    """
    x = as_table("table", table)
    with np.errstate(invalid="ignore", divide="ignore"):
        z = (x - x.mean(axis=0)) / x.std(axis=0)
    return float(max(np.abs(z.mean(axis=0)).max(), np.abs(z.var(axis=0) - 1).max()))


def largest_score(table) -> float:
    """Largest absolute entry of the standardised table, in standard deviations."""
    return float(np.abs(components.standardise(table)).max())


def correlation_gap(table, scaled: bool) -> float:
    """Largest difference between the covariance of a table, scaled or not, and correlations."""
    x = components.standardise(table) if scaled else as_table("table", table)
    return float(np.abs(components.covariance(x) - np.corrcoef(np.asarray(table).T)).max())


def eigen_residual(matrix) -> float:
    r"""Largest entry of :math:`A - V \Lambda V^\top` for the decomposition of `eigen`."""
    values, vectors = components.eigen(matrix)
    return float(np.abs(matrix - (vectors * values) @ vectors.T).max())


def score_gap(table, k: int) -> float:
    r"""Largest difference, signs aside, of X W from :math:`U_k S_k` of the centred table."""
    x = as_table("table", table)
    left, singular, _ = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    found = components.scores(x, directions(x, k))
    return float(np.abs(np.abs(found) - np.abs(left[:, :k] * singular[:k])).max())


@formula("D5-F16", "D5-F17", "eq-02-variance-of-y")
def variance_of_y(table, k: int, reading: Literal["features", "reduced"]) -> float:
    """Total variance of Y: the product's features themselves, or their reduction to k numbers."""
    x = as_table("table", table)
    y = {"features": x, "reduced": components.scores(x, directions(x, k))}[reading]
    return float(np.trace(components.covariance(y)))


Method = Literal["one pass", "two passes", "svd"]


def float32_angle(table, shift: float, k: int, method: Method) -> float:
    """Angle between k components computed in float32 and the float64 SVD of the same numbers.

    The columns get the mean `shift` and are rounded to float32 first, for both sides. "one pass"
    subtracts the product of means from the mean of products, "two passes" centres first and then
    multiplies, "svd" centres and decomposes.
    """
    rounded = (components.standardise(table) + shift).astype(np.float32)
    exact = directions(rounded, k)
    centred = (rounded - rounded.mean(axis=0, dtype=np.float64)).astype(np.float32)
    if method == "one pass":
        sigma = components.one_pass_covariance(rounded, np.float32)
        found = components.eigen(sigma)[1][:, :k]
    elif method == "two passes":
        found = components.eigen(centred.T @ centred / np.float32(len(centred)))[1][:, :k]
    elif method == "svd":
        found = np.linalg.svd(centred, full_matrices=False)[2][:k].T
    else:
        raise ValueError(f"no method {method!r}; choose 'one pass', 'two passes' or 'svd'")
    return components.subspace_angle(exact, found)


@formula("D5-F13", "D5-F18", "eq-02-order")
def kept_share(table, k: int, order: Literal["largest", "smallest"]) -> float:
    """Share of the variance in k eigenvectors taken from one end of the list of eigenvalues."""
    values, _ = components.eigen(components.covariance(table))
    if order not in ("largest", "smallest"):
        raise ValueError(f"no order {order!r}; choose 'largest' or 'smallest'")
    return components.explained_share(values, len(values)) * float(
        (values[:k] if order == "largest" else values[-k:]).sum() / values.sum()
    )


Reading = Literal["regression", "reduced", "free"]


@formula("D5-A22", "eq-02-readings")
def printed_minimum(table, k: int, reading: Reading) -> float:
    """Smallest value of the printed PCA objective under one reading of its X and Y.

    "regression": Y is the table and X its first k columns, given; W by least squares.
    "reduced": X is the table and Y = X W its reduction, as the second section says; any W.
    "free": Y is the table and X any (n, k) matrix, chosen too: the best rank-k table.
    """
    x = as_table("table", table) - np.mean(table, axis=0)
    if reading == "regression":
        given = x[:, :k]
        return components.printed_objective(x, given, components.regression_directions(x, given))
    if reading == "reduced":
        w = np.random.default_rng(0).standard_normal((x.shape[1], k))
        return components.printed_objective(components.scores(x, w), x, w)
    if reading == "free":
        w = directions(x, k)
        return components.printed_objective(x, components.scores(x, w), w.T)
    raise ValueError(f"no reading {reading!r}; choose 'regression', 'reduced' or 'free'")


Symbol = Literal["eigenvectors", "feature vectors", "no part"]


@formula("D5-F08", "eq-02-sigma")
def error_with_sigma(table, k: int, reading: Symbol) -> float:
    """Reconstruction error, as a share of all variance, for a reading of the unused symbol σ.

    "eigenvectors": σ are eigenvectors of the covariance, and span what W spans.
    "feature vectors": σ are k rows of the table, made orthonormal.
    "no part": σ is minimised over, but stands nowhere; W is what least squares makes of k columns.
    """
    x = as_table("table", table) - np.mean(table, axis=0)
    total = components.discarded_variance(x, 0)
    if reading == "no part":
        return printed_minimum(x, k, "regression") / total
    if reading == "eigenvectors":
        basis = components.eigen(components.covariance(x))[1][:, :k]
    elif reading == "feature vectors":
        basis = np.linalg.qr(x[:k].T)[0]
    else:
        raise ValueError(f"no reading {reading!r} of sigma")
    return components.reconstruction_error(x, basis) / total


def components_needed(table, share: float) -> int:
    """Smallest number of principal components that hold this share of the variance."""
    values, _ = components.eigen(components.covariance(table))
    return int(np.searchsorted(np.cumsum(values) / values.sum(), share - 1e-12) + 1)


def components_kept(table, seed: int = 0, draws: int = 20) -> int:
    """Number of components that `parallel_analysis` keeps."""
    return components.parallel_analysis(table, np.random.default_rng(seed), draws)[2]


def shuffled_columns(table, seed: int = 0) -> np.ndarray:
    """The table with every column permuted by itself: same columns, no relation."""
    return np.random.default_rng(seed).permuted(as_table("table", table), axis=0)


# Cost of a model --------------------------------------------------------------------------------


@formula("D5-A07", "eq-02-cost")
def cost_ratio(
    model: Literal["linear", "neighbours"], features: int, reduced: int, rows: int
) -> float:
    """Multiplications per prediction with reduction, over those without.

    Reduction costs `features · reduced`. A linear model costs one multiplication a feature, a
    search for neighbours one a feature and stored row.
    """
    if not 1 <= reduced <= features or rows < 1:
        raise ValueError(f"cannot reduce {features} features to {reduced} for {rows} rows")
    each = {"linear": 1, "neighbours": rows}[model]
    return (features * reduced + each * reduced) / (each * features)


@formula("D5-Q04", "eq-02-lstm")
def lstm_parameters(inputs: int, hidden: int) -> int:
    """Weights and biases of one LSTM layer (PyTorch's two biases), 4 h (d + h + 2)."""
    if inputs < 1 or hidden < 1:
        raise ValueError(f"inputs {inputs} and hidden {hidden} must be at least 1")
    return 4 * hidden * (inputs + hidden + 2)


def counted_parameters(inputs: int, hidden: int) -> int:
    """The same, counted on the layer itself."""
    return sum(p.numel() for p in torch.nn.LSTM(inputs, hidden).parameters())


def lstm_saving(inputs: int, reduced: int, hidden: int) -> float:
    """Share of an LSTM layer's parameters saved when its inputs are reduced."""
    return 1 - lstm_parameters(reduced, hidden) / lstm_parameters(inputs, hidden)


# Interests and rules ----------------------------------------------------------------------------


@formula("eq-02-tag-hits")
def tag_hits(first, second) -> np.ndarray:
    """Share of each household's tags (n, m) that are among its tags of another period, (n,)."""
    a, b = np.asarray(first), np.asarray(second)
    return (a[:, :, None] == b[:, None, :]).any(axis=2).mean(axis=1)


@formula("eq-02-ranking")
def ranking_auc(scores, wanted, eligible) -> np.ndarray:
    """For each household, how often a wanted item is scored above an unwanted one; ties half.

    All arguments are (n, items); only `eligible` items count. NaN where a household has no
    wanted or no unwanted item among them.
    """
    s, w, e = np.asarray(scores, float), np.asarray(wanted, bool), np.asarray(eligible, bool)
    rank = rankdata(np.where(e, s, -np.inf), axis=1) - (~e).sum(axis=1, keepdims=True)
    positive = (w & e).sum(axis=1)
    negative = (~w & e).sum(axis=1)
    above = (rank * (w & e)).sum(axis=1) - positive * (positive + 1) / 2
    pairs = positive * negative
    return np.divide(above, pairs, out=np.full(len(s), np.nan), where=pairs > 0)


def rule_scores(bought) -> np.ndarray:
    """Score of each category for each household: mean confidence of the rules that it triggers.

    `bought` (n, items) is boolean. The rules A → B are all pairs; a household triggers those
    whose A it bought.
    """
    b = np.asarray(bought, dtype=float)
    together = b.T @ b
    rule = together / np.maximum(np.diag(together)[:, None], 1)
    return b @ rule / np.maximum(b.sum(axis=1, keepdims=True), 1)


def mean_interval(values, seed: int = 0) -> tuple[float, float, float]:
    """Mean over households, those with NaN left out, and its 95 % bootstrap interval."""
    v = np.asarray(values, dtype=float)
    return bootstrap(np.mean, v[~np.isnan(v)], seed=seed)


def mean_low(values, seed: int = 0) -> float:
    """Lower end of `mean_interval`."""
    return mean_interval(values, seed)[1]


def lifts_above_one(lifts) -> float:
    """Share of lifts that are greater than one."""
    return float((np.asarray(lifts) > 1).mean())


# Text against diagram ---------------------------------------------------------------------------


@formula("D5-C09", "eq-02-edges")
def edges_drawn(
    edges: Iterable[tuple[str, str]], sources: Sequence[str], targets: Sequence[str]
) -> int:
    """How many of the arrows from every source to every target a diagram draws directly."""
    return len(set(product(sources, targets)) & set(edges))


def smallest(values: Sequence[float]) -> float:
    """The smallest of several measured values: above a bound, all of them are."""
    return float(np.min(values))


def known_share(ids, known) -> float:
    """Share of the households `ids` that are among those of whom attributes are `known`."""
    return float(np.isin(ids, known).mean())


def numeric_attributes(table: pd.DataFrame, columns: Sequence[str]) -> int:
    """How many of these columns hold numbers, so that they have a mean and a variance."""
    return sum(pd.api.types.is_numeric_dtype(table[name]) for name in columns)
