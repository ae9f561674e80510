"""Poisson pseudo-maximum likelihood with product and week effects, clustered by product.

n products, T weeks, K regressors. The product effects are concentrated out: given the others, the
maximising effect makes a product's fitted units sum to its observed ones.
"""

from dataclasses import dataclass

import numpy as np

from promo_repro.claims import formula
from promo_repro.response.checks import as_counts, as_prices, as_reals
from promo_repro.response.inference import clustered_covariance
from promo_repro.response.newton import maximise


@formula("eq-05-concentrated-mean")
def concentrated_mean(units, linear):
    """Fitted units with each product's effect at its maximum, Y_i exp(η_it) / Σ_s exp(η_is).

    `units` (n, T), Y_i their row sums, `linear` η (n, T) without the product effects.
    """
    y, eta = as_counts("units", units, ndim=2), as_reals("linear", linear, ndim=2)
    if y.shape != eta.shape:
        raise ValueError(f"units {y.shape} and linear {eta.shape} differ in shape")
    weights = np.exp(eta - eta.max(axis=1, keepdims=True))
    return y.sum(axis=1, keepdims=True) * weights / weights.sum(axis=1, keepdims=True)


@formula("eq-05-poisson-likelihood")
def concentrated_log_likelihood(units, linear):
    """Poisson log-likelihood of `units` with the product effects at their maximum, constants out.

    Equals Σ_it y_it log μ_it up to what does not depend on η; terms with y = 0 are zero.
    """
    mean = concentrated_mean(units, linear)
    y = np.asarray(units, float)
    return float((y[y > 0] * np.log(mean[y > 0])).sum())


@formula("eq-05-poisson-score")
def product_scores(units, regressors, linear):
    """Score of each product, Σ_t x_it (y_it − μ_it): `regressors` (n, T, K) → (n, K)."""
    residual = np.asarray(units, float) - concentrated_mean(units, linear)
    return np.einsum("nt,ntk->nk", residual, regressors)


@formula("eq-05-poisson-information")
def poisson_information(units, regressors, linear):
    """Minus the Hessian, Σ_i Y_i Var_i(x): (K, K); weeks have the weights μ_it / Y_i."""
    mean = concentrated_mean(units, linear)
    total = mean.sum(axis=1)
    x = as_reals("regressors", regressors, ndim=3)
    sold = total > 0
    weighted = np.einsum("nt,ntk->nk", mean[sold], x[sold])
    second = np.einsum("nt,ntk,ntl->kl", mean[sold], x[sold], x[sold], optimize=True)
    return second - (weighted / total[sold, None]).T @ weighted


@dataclass(frozen=True)
class PoissonFit:
    """A fit: `slopes` (K,) with clustered `covariance` (K, K), `weeks` (T,) effects (mean zero)."""

    slopes: np.ndarray
    covariance: np.ndarray
    weeks: np.ndarray

    @property
    def standard_errors(self) -> np.ndarray:
        return np.sqrt(np.diag(self.covariance))


def fit(units, regressors, cluster=None) -> PoissonFit:
    """Poisson PML of `units` (n, T) on `regressors` (n, T, K) with row and week effects.

    `cluster` (n,) labels of the rows (each row by default). Raises `ValueError` for NaN, negative
    units, or a regressor that does not vary within products after the week effects.
    """
    y, x = as_counts("units", units, ndim=2), as_reals("regressors", regressors, ndim=3)
    if x.shape[:2] != y.shape:
        raise ValueError(f"regressors {x.shape} do not fit units {y.shape}: (n, T, K) wanted")
    n, periods, k = x.shape
    weeks = np.broadcast_to(np.eye(periods)[:, 1:], (n, periods, periods - 1))
    full = np.concatenate([x, weeks], axis=2)
    _require_variation(y, full)
    beta = maximise(
        lambda b: concentrated_log_likelihood(y, full @ b),
        lambda b: (
            product_scores(y, full, full @ b).sum(axis=0),
            poisson_information(y, full, full @ b),
        ),
        np.zeros(full.shape[2]),
        tolerance=1e-12,
    )
    linear = full @ beta
    covariance = clustered_covariance(
        poisson_information(y, full, linear),
        product_scores(y, full, linear),
        np.arange(n) if cluster is None else cluster,
    )
    effects = np.concatenate([[0.0], beta[k:]])
    return PoissonFit(beta[:k], covariance[:k, :k], effects - effects.mean())


def _require_variation(units, regressors) -> None:
    """Raise unless the regressors vary within products and do not repeat one another."""
    flat = np.zeros(units.shape)
    curvature = poisson_information(units, regressors, flat)
    moments = np.einsum("nt,ntk->k", concentrated_mean(units, flat), np.square(regressors))
    if (moments == 0).any() or np.linalg.eigvalsh(
        curvature / np.sqrt(np.outer(moments, moments))
    ).min() < 1e-9:
        raise ValueError(
            "a regressor has zero variance within products, beside the week effects: its slope "
            "is not identified; remove it"
        )


@formula("eq-05-cross-section")
def cross_section_slope(units, prices):
    """Naive elasticity: slope of log units on log price over all product-weeks with a sale.

    `units` and `prices` (n, T), no effects of products or weeks. Returns the least-squares slope
    and its standard error clustered by product.
    """
    y, p = as_counts("units", units, ndim=2), as_prices("prices", prices)
    sold = y > 0
    if np.unique(p[sold]).size < 2:
        raise ValueError("prices has zero variance: no slope can be estimated")
    x, z = np.log(p[sold]), np.log(y[sold])
    x, z = x - x.mean(), z - z.mean()
    slope = x @ z / (x @ x)
    products = np.nonzero(sold)[0]
    variance = clustered_covariance([[x @ x]], (x * (z - slope * x))[:, None], products)
    return float(slope), float(np.sqrt(variance[0, 0]))
