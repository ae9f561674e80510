"""Are there clusters at all? Silhouettes against a null, and stability of the partition."""

from collections.abc import Sequence

import numpy as np
from scipy.spatial.distance import pdist, squareform
from scipy.stats import norm
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from promo_repro.claims import formula
from promo_repro.profiles.checks import as_table, at_most
from promo_repro.profiles.components import standardise


def cluster(table, k: int, seed: int = 0, starts: int = 5) -> KMeans:
    """scikit-learn's K-means, fitted; `ValueError` for NaN and for more clusters than rows."""
    x = as_table("table", table)
    at_most("k", k, len(x), "rows: there cannot be more clusters than points")
    return KMeans(k, n_init=starts, random_state=seed).fit(x)


def distances(table) -> np.ndarray:
    """Euclidean distances between all rows, (n, n)."""
    return squareform(pdist(as_table("table", table)))


@formula("eq-02-silhouette")
def silhouette(distance, labels) -> float:
    r"""Mean silhouette :math:`(b_i - a_i) / \max(a_i, b_i)` from distances (n, n).

    :math:`a_i` is the mean distance to the others of the own cluster, :math:`b_i` the smallest
    mean distance to another cluster; a point alone in its cluster counts 0.
    Raises `ValueError` unless there are 2 to n - 1 clusters.
    """
    found, own = np.unique(np.asarray(labels), return_inverse=True)
    n, k = len(own), len(found)
    if not 2 <= k < n:
        raise ValueError(f"{k} clusters of {n} rows; a silhouette needs 2 to n - 1 clusters")
    member = np.eye(k)[own]
    size = member.sum(axis=0)
    total = np.asarray(distance) @ member
    rows = np.arange(n)
    a = total[rows, own] / np.maximum(size[own] - 1, 1)
    mean = total / size
    mean[rows, own] = np.inf
    b = mean.min(axis=1)
    return float(np.where(size[own] > 1, (b - a) / np.maximum(a, b), 0.0).mean())


@formula("eq-02-null")
def gaussian_null(table, rng: np.random.Generator) -> np.ndarray:
    """A table of the same size from the normal distribution with the same mean and covariance."""
    x = as_table("table", table)
    return rng.multivariate_normal(x.mean(axis=0), np.cov(x.T, bias=True), len(x), method="eigh")


@formula("eq-02-copula-null")
def copula_null(table, rng: np.random.Generator) -> np.ndarray:
    """A table with exactly the same columns, coupled like the ranks of a normal distribution.

    Each column keeps its values, skewness and ties included, and is reordered by the ranks of a
    Gaussian whose correlations are those of the table's normal scores. It has no clusters that
    the single columns do not have.
    """
    x = as_table("table", table)
    n = len(x)
    ordinal = x.argsort(axis=0, kind="stable").argsort(axis=0)
    normal_scores = norm.ppf((ordinal + 0.5) / n)
    drawn = gaussian_null(normal_scores, rng)
    return np.take_along_axis(np.sort(x, axis=0), drawn.argsort(axis=0).argsort(axis=0), axis=0)


NULLS = {"normal": gaussian_null, "copula": copula_null}


def silhouettes(table, ks: Sequence[int], seed: int = 0, starts: int = 5) -> np.ndarray:
    """Mean silhouette of the K-means partition for each number of clusters, (len(ks),)."""
    distance = distances(table)
    return np.array([silhouette(distance, cluster(table, k, seed, starts).labels_) for k in ks])


def silhouette_test(
    table, ks: Sequence[int], draws: int = 19, seed: int = 0, null: str = "normal", starts: int = 5
):
    """Silhouettes of the table, (len(ks),), and of `draws` tables of the null, (draws, len(ks)).

    `null` is "normal" (`gaussian_null`) or "copula" (`copula_null`); `ValueError` for another.
    """
    if null not in NULLS:
        raise ValueError(f"no null {null!r}; choose from {', '.join(NULLS)}")
    rng = np.random.default_rng(seed)
    null = [silhouettes(NULLS[null](table, rng), ks, seed, starts) for _ in range(draws)]
    return silhouettes(table, ks, seed, starts), np.array(null)


@formula("eq-02-excess")
def null_excess(observed: float, null) -> float:
    """Observed statistic less the largest of the null draws.

    Positive means significant at level 1 / (draws + 1).
    """
    values = np.asarray(null, dtype=float)
    if values.ndim != 1 or not np.isfinite(values).all() or not len(values):
        raise ValueError("null must be a list of finite numbers")
    return float(observed - values.max())


def bootstrap_agreement(table, k: int, draws: int = 10, seed: int = 0, starts: int = 5):
    """Adjusted Rand index between the partition and those learnt on bootstrap samples, (draws,).

    Each bootstrap model labels all rows of the table.
    """
    x = as_table("table", table)
    rng = np.random.default_rng(seed)
    base = cluster(x, k, seed, starts).labels_
    found = []
    for draw in range(draws):
        sample = x[rng.integers(0, len(x), len(x))]
        found.append(adjusted_rand_score(base, cluster(sample, k, seed + draw, starts).predict(x)))
    return np.array(found)


def half_year_labels(first, second, k: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Clusters of the same households in two periods, both by the model of the first period.

    Both tables (n, p) are scaled by the first one's means and deviations.
    """
    a, b = as_table("first", first), as_table("second", second)
    model = cluster(standardise(a), k, seed)
    return model.labels_, model.predict((b - a.mean(axis=0)) / a.std(axis=0))


def agreement_low(first, second, seed: int = 0, draws: int = 200) -> tuple[float, float, float]:
    """Adjusted Rand index of two labellings and its 95 % interval over households."""
    a, b = np.asarray(first), np.asarray(second)
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, len(a), (draws, len(a)))
    low, high = np.quantile([adjusted_rand_score(a[r], b[r]) for r in rows], [0.025, 0.975])
    return float(adjusted_rand_score(a, b)), float(low), float(high)


def shared_information(labels, attribute, seed: int = 0, draws: int = 200) -> tuple[float, float]:
    """Normalised mutual information of two labellings, and the 95 % point when shuffled."""
    rng = np.random.default_rng(seed)
    other = np.asarray(attribute)
    null = [normalized_mutual_info_score(labels, rng.permutation(other)) for _ in range(draws)]
    return float(normalized_mutual_info_score(labels, other)), float(np.quantile(null, 0.95))
