"""Conditional logit with an outside option: probabilities, likelihood, and a Newton fit.

N choice situations, J alternatives with intercepts, K further features. Alternative 0 is the base
of utility zero: the outside option, or the first alternative of a panel without one.
"""

from dataclasses import dataclass

import numpy as np

from promo_repro.claims import formula
from promo_repro.response.checks import as_fractions, as_prices, as_reals
from promo_repro.response.inference import clustered_covariance
from promo_repro.response.newton import maximise
from promo_repro.response.parameters import SEGMENTS, CategoryResponse


@formula("eq-05-logit")
def choice_probabilities(utilities):
    """Probability of each alternative, exp(V_j) / (1 + Σ_k exp(V_k)); the base has the rest.

    `utilities` (..., J) of the alternatives other than the base; same shape out. Safe for large
    utilities. Raises `ValueError` for NaN or infinity.
    """
    v = as_reals("utilities", utilities)
    top = np.maximum(v.max(axis=-1, keepdims=True), 0)
    weights = np.exp(v - top)
    return weights / (np.exp(-top) + weights.sum(axis=-1, keepdims=True))


@formula("eq-05-utility")
def utilities(
    category: CategoryResponse, segment, share, rate, price_ratio, display=0.0, mailer=0.0
):
    """Utilities of the products of a fitted category; V_j of `promo_repro.response.parameters`.

    `segment` (...) indices into `SEGMENTS`, `share` (..., J) initial shares, `rate` (...) of buying
    the category on a trip, `price_ratio` (..., J) price over median regular price, `display` and
    `mailer` (..., J) flags or shares. Result (..., J).
    """
    s, r = as_prices("share", share), as_prices("rate", rate)
    z = np.asarray(segment)
    if z.dtype.kind not in "iu" or (z < 0).any() or (z >= len(SEGMENTS)).any():
        raise ValueError(f"segment has entries other than 0, 1, 2, the positions in {SEGMENTS}")
    return (
        category.intercept
        + category.loyalty * np.log(s)
        + category.rate * np.log(r)[..., None]
        + category.price[z][..., None] * np.log(as_prices("price_ratio", price_ratio))
        + category.display * as_fractions("display", display)
        + category.mailer * as_fractions("mailer", mailer)
    )


@formula("eq-05-logit-elasticity")
def own_price_elasticity(slope, probability):
    """Elasticity of a product's purchase probability in its own price, β (1 − P_j).

    `slope` β is that of the log price; both arguments broadcast.
    """
    return as_reals("slope", slope) * (1 - as_fractions("probability", probability))


@dataclass(frozen=True)
class Choices:
    """N observed choices: `features` (N, J, K), `choice` (N,) in 0 … J, `cluster` (N,) labels."""

    features: np.ndarray
    choice: np.ndarray
    cluster: np.ndarray

    def __post_init__(self):
        n, j, _ = as_reals("features", self.features, ndim=3).shape
        picked = np.asarray(self.choice)
        if picked.shape != (n,) or np.shape(self.cluster) != (n,):
            raise ValueError(f"choice and cluster need one entry for each of {n} situations")
        if picked.dtype.kind not in "iu" or (picked < 0).any() or (picked > j).any():
            raise ValueError(f"choice has entries other than 0 (the base) to {j}")

    def only(self, columns) -> "Choices":
        """The same choices with these features alone."""
        return Choices(self.features[:, :, list(columns)], self.choice, self.cluster)


def relative_to_first(features, choice, cluster) -> Choices:
    """Choices without an outside option: the first of J alternatives becomes the base.

    `features` (N, J, K), `choice` (N,) in 0 … J−1. Only differences of utilities matter, so the
    first alternative's features are taken off the others'.
    """
    x = as_reals("features", features, ndim=3)
    return Choices(x[:, 1:] - x[:, :1], np.asarray(choice), np.asarray(cluster))


@formula("eq-05-log-likelihood")
def log_likelihoods(vector, data: Choices):
    """Log-probability of each observed choice, (N,); `vector` (J+K,) is [intercepts, slopes]."""
    v = _utilities(vector, data)
    top = np.maximum(v.max(axis=1), 0)
    log_sum = top + np.log(np.exp(-top) + np.exp(v - top[:, None]).sum(axis=1))
    chosen = np.take_along_axis(
        np.concatenate([np.zeros((len(v), 1)), v], axis=1), data.choice[:, None], axis=1
    )
    return chosen[:, 0] - log_sum


@formula("eq-05-scores")
def scores(vector, data: Choices):
    """Gradient of each log-likelihood, Σ_j (y_nj − P_nj) [e_j, x_nj]: (N, J+K)."""
    residual = -choice_probabilities(_utilities(vector, data))
    rows = np.flatnonzero(data.choice > 0)
    residual[rows, data.choice[rows] - 1] += 1
    slopes = np.einsum("nj,njk->nk", residual, data.features)
    return np.concatenate([residual, slopes], axis=1)


@formula("eq-05-information")
def information(vector, data: Choices):
    """Minus the Hessian of the log-likelihood, Σ_n Var_P[e_j, x_nj]: (J+K, J+K)."""
    p, x = choice_probabilities(_utilities(vector, data)), data.features
    mean = np.einsum("nj,njk->nk", p, x)
    intercepts = np.diag(p.sum(axis=0)) - p.T @ p
    cross = np.einsum("nj,njk->jk", p, x) - p.T @ mean
    weighted = (p[:, :, None] * x).reshape(-1, x.shape[2])
    slopes = weighted.T @ x.reshape(-1, x.shape[2]) - mean.T @ mean
    return np.block([[intercepts, cross], [cross.T, slopes]])


@dataclass(frozen=True)
class LogitFit:
    """A fit: `vector` (J+K,), its clustered `covariance`, and the total `log_likelihood`."""

    vector: np.ndarray
    covariance: np.ndarray
    log_likelihood: float

    @property
    def standard_errors(self) -> np.ndarray:
        return np.sqrt(np.diag(self.covariance))


def fit(data: Choices) -> LogitFit:
    """Maximise the likelihood of the choices.

    The log-likelihood is concave, so the maximum is the only one. Raises `ValueError` if a feature
    does not vary or an alternative is never chosen: then no maximum exists.
    """
    j, k = data.features.shape[1:]
    if (np.ptp(data.features.reshape(-1, k), axis=0) == 0).any():
        raise ValueError("a feature has zero variance: its slope is not identified; remove it")
    never = np.setdiff1d(np.arange(j + 1), data.choice)
    if never.size:
        raise ValueError(f"alternatives {never.tolist()} are never chosen; leave them out")
    vector = maximise(
        lambda v: log_likelihoods(v, data).sum(),
        lambda v: (scores(v, data).sum(axis=0), information(v, data)),
        np.zeros(j + k),
    )
    covariance = clustered_covariance(information(vector, data), scores(vector, data), data.cluster)
    return LogitFit(vector, covariance, float(log_likelihoods(vector, data).sum()))


def _utilities(vector, data: Choices):
    v = as_reals("vector", vector, ndim=1)
    j, k = data.features.shape[1:]
    if len(v) != j + k:
        raise ValueError(f"vector has {len(v)} entries for {j} intercepts and {k} slopes")
    return v[:j] + data.features @ v[j:]
