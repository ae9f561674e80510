"""Principal components, each formula once: derived, as printed, and the traps of computing them.

Tables are (n, p): n households or products in rows, p features in columns.
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg import subspace_angles

from promo_repro.claims import formula
from promo_repro.profiles.checks import as_table, at_most


class Components(NamedTuple):
    """Directions W (p, k) with orthonormal columns, and all p variances, largest first."""

    mean: np.ndarray
    directions: np.ndarray
    variances: np.ndarray


@formula("D5-F01", "D5-F02", "D5-F05", "D5-F06", "eq-02-table")
def feature_vector(table, row: int) -> np.ndarray:
    """Row `row` of an (n, p) table as the column (p, 1) that the article writes, x_i or y_i."""
    return as_table("table", table)[row][:, None]


@formula("D5-P55", "eq-02-standardise")
def standardise(table) -> np.ndarray:
    r"""Columns with mean zero and variance one (divisor n), :math:`z_{ij} = (x_{ij}-\bar x_j)/s_j`.

    Raises `ValueError` for NaN and for a constant column, which has no variance to divide by.
    """
    x = as_table("table", table)
    spread = x.std(axis=0)
    constant = spread <= 1e-12 * np.abs(x).max(axis=0)
    if constant.any():
        columns = np.flatnonzero(constant).tolist()
        raise ValueError(f"columns {columns} are constant and cannot be standardised; drop them")
    return (x - x.mean(axis=0)) / spread


@formula("D5-P56", "D5-F12", "eq-02-covariance")
def covariance(table) -> np.ndarray:
    r"""Covariance :math:`\Sigma = \frac1n (X - 1\bar x^\top)^\top (X - 1\bar x^\top)`, (p, p)."""
    x = as_table("table", table)
    centred = x - x.mean(axis=0)
    return centred.T @ centred / len(x)


@formula("eq-02-one-pass")
def one_pass_covariance(table, dtype=np.float32) -> np.ndarray:
    r"""The same matrix as :math:`\frac1n X^\top X - \bar x \bar x^\top`, in arithmetic `dtype`.

    Equal on paper; when the means are large, two large numbers are subtracted and their rounding
    errors stay. `table` must not be centred before for the effect to be seen.
    """
    x = as_table("table", table).astype(dtype)
    mean = x.mean(axis=0, dtype=dtype)
    return x.T @ x / dtype(len(x)) - np.outer(mean, mean)


@formula("D5-P57", "eq-02-eigen")
def eigen(matrix) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues (p,) and eigenvectors (p, p, in columns) of a symmetric matrix, largest first."""
    values, vectors = np.linalg.eigh(as_table("matrix", matrix))
    return values[::-1], vectors[:, ::-1]


@formula("D5-P58", "D5-P30", "eq-02-pca")
def principal_components(table, k: int) -> Components:
    """The first k principal components of an (n, p) table, by SVD of the centred table.

    The table is centred here; standardise it before if its columns have different units.
    Raises `ValueError` for NaN and unless 1 <= k <= min(n, p).
    """
    x = as_table("table", table)
    at_most("k", k, min(x.shape), "rows or features")
    mean = x.mean(axis=0)
    _, singular, right = np.linalg.svd(x - mean, full_matrices=False)
    variances = np.zeros(x.shape[1])
    variances[: len(singular)] = singular**2 / len(x)
    return Components(mean, right[:k].T, variances)


@formula("D5-P59", "D5-F14", "D5-A28", "eq-02-scores")
def scores(table, directions) -> np.ndarray:
    """Reduced table Y = X W, (n, k), of a centred table X (n, p) and directions W (p, k)."""
    x, w = as_table("table", table), as_table("directions", directions)
    if x.shape[1] != w.shape[0]:
        raise ValueError(f"table {x.shape} and directions {w.shape} do not fit: X W needs p = p")
    return x @ w


@formula("eq-02-reconstruction")
def reconstruction_error(table, directions) -> float:
    r"""Squared error :math:`\lVert X - X W W^\top \rVert_F^2` of a centred copy of the table.

    `directions` (p, k) must have orthonormal columns; `ValueError` otherwise.
    """
    x, w = as_table("table", table), as_table("directions", directions)
    if not np.allclose(w.T @ w, np.eye(w.shape[1]), atol=1e-8):
        raise ValueError("directions are not orthonormal; the projection would be another one")
    centred = x - x.mean(axis=0)
    return float(np.sum((centred - centred @ w @ w.T) ** 2))


@formula("eq-02-eckart-young")
def discarded_variance(table, k: int) -> float:
    r"""Eckart-Young bound :math:`n \sum_{j>k} \lambda_j`: no rank-k table comes nearer.

    k from 0 (the whole sum of squares) to p.
    """
    x = as_table("table", table)
    if not 0 <= k <= x.shape[1]:
        raise ValueError(f"k is {k}; it must lie between 0 and the {x.shape[1]} features")
    values, _ = eigen(covariance(x))
    return float(len(x) * values[k:].sum())


@formula("D5-F07", "D5-F15", "eq-02-printed")
def printed_objective(y, x, w) -> float:
    r"""What the article minimises, :math:`\lVert Y - X W \rVert_F^2`, for given Y, X and W."""
    y, product = as_table("y", y), scores(x, w)
    if y.shape != product.shape:
        raise ValueError(f"Y is {y.shape} and X W is {product.shape}; they must have one shape")
    return float(np.sum((y - product) ** 2))


@formula("eq-02-regression")
def regression_directions(y, x) -> np.ndarray:
    """The W (p, m) that minimises the printed objective for given Y (n, m) and X (n, p)."""
    return np.linalg.lstsq(as_table("x", x), as_table("y", y), rcond=None)[0]


@formula("eq-02-share")
def explained_share(variances, k: int) -> float:
    r"""Share of the total variance in the first k components, :math:`\sum_{j\le k}\lambda_j /
    \sum_j \lambda_j`; `variances` (p,) are not negative and sorted, largest first."""
    v = np.asarray(variances, dtype=float)
    if v.ndim != 1 or not v.sum() > 0 or (v < -1e-9 * v.max()).any():
        raise ValueError("variances must be a list of non-negative numbers, not all zero")
    return float(v[: at_most("k", k, len(v), "components")].sum() / v.sum())


@formula("eq-02-angle")
def subspace_angle(first, second) -> float:
    """Largest principal angle, in radians, between the column spaces of two (p, k) matrices."""
    angles = subspace_angles(as_table("first", first), as_table("second", second))
    return float(angles.max())


def parallel_analysis(table, rng: np.random.Generator, draws: int = 50, quantile: float = 0.95):
    """Horn's parallel analysis: (eigenvalues, thresholds, kept), the first two (p,).

    Each draw permutes every column by itself, which keeps the columns and destroys their
    correlation. `kept` counts the leading eigenvalues above the thresholds.
    """
    z = standardise(table)
    found, _ = eigen(covariance(z))
    null = [eigen(covariance(rng.permuted(z, axis=0)))[0] for _ in range(draws)]
    limits = np.quantile(null, quantile, axis=0)
    above = found > limits
    kept = len(above) if above.all() else int(above.argmin())
    return found, limits, kept
