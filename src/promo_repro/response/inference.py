"""Standard errors that allow for dependence within clusters: products, or households."""

import numpy as np

from promo_repro.claims import formula
from promo_repro.response.checks import as_reals


@formula("eq-05-cluster-sums")
def cluster_sums(scores, clusters):
    """Sum the scores of each cluster, Σ_{n in g} s_n: (N, P) and (N,) labels → (G, P)."""
    s = as_reals("scores", scores, ndim=2)
    _, positions = np.unique(np.asarray(clusters), return_inverse=True)
    if positions.shape != s.shape[:1]:
        raise ValueError(f"clusters has {positions.size} labels for {len(s)} rows of scores")
    sums = np.zeros((positions.max() + 1, s.shape[1]))
    np.add.at(sums, positions, s)
    return sums


@formula("eq-05-sandwich")
def clustered_covariance(information, scores, clusters):
    """Sandwich covariance A⁻¹ (G/(G−1) Σ_g s_g s_gᵀ) A⁻¹ of a maximum-likelihood estimate.

    `information` A (P, P) is minus the Hessian of the log-likelihood at the estimate, `scores`
    (N, P) its gradient by observation, `clusters` (N,) labels; s_g sums the scores of cluster g of
    G. Result (P, P). Raises `ValueError` for fewer than two clusters or a singular A.
    """
    a = as_reals("information", information, ndim=2)
    sums = cluster_sums(scores, clusters)
    g = len(sums)
    if g < 2:
        raise ValueError("clusters holds a single cluster; clustered errors need at least two")
    if np.linalg.matrix_rank(a) < len(a):
        raise ValueError(
            "information is singular: a regressor does not vary, or repeats others; remove it"
        )
    bread = np.linalg.inv(a)
    return bread @ (g / (g - 1) * sums.T @ sums) @ bread


@formula("eq-05-interval")
def interval(estimate, standard_error, z=1.96):
    """Normal confidence limits, estimate ∓ z · standard error, as a pair of arrays."""
    centre, half = np.asarray(estimate, float), z * np.asarray(standard_error, float)
    return centre - half, centre + half
