"""Factor analysis by maximum likelihood: common factors plus noise of each feature."""

from typing import NamedTuple

import numpy as np

from promo_repro.claims import formula
from promo_repro.profiles.checks import as_table, at_most
from promo_repro.profiles.components import covariance, eigen

SMALLEST_NOISE = 1e-6


class Factors(NamedTuple):
    """Loadings (p, k), noise variances (p,), the log-likelihood, and its value at every step."""

    mean: np.ndarray
    loadings: np.ndarray
    noise: np.ndarray
    log_likelihood: float
    history: np.ndarray


@formula("eq-02-factor-likelihood")
def factor_log_likelihood(sigma, loadings, noise) -> float:
    r"""Mean log-likelihood of a row under :math:`N(0, \Lambda\Lambda^\top + \Psi)`.

    `sigma` (p, p) is the sample covariance, `loadings` (p, k), `noise` (p,) positive:
    :math:`-\frac12 (p \log 2\pi + \log|C| + \operatorname{tr} C^{-1} S)`.
    """
    model = loadings @ loadings.T + np.diag(noise)
    _, log_det = np.linalg.slogdet(model)
    distance = np.trace(np.linalg.solve(model, sigma))
    return float(-0.5 * (len(sigma) * np.log(2 * np.pi) + log_det + distance))


@formula("eq-02-factor-weights")
def factor_weights(loadings, noise) -> np.ndarray:
    r"""Regression of the factors on the features, :math:`B = \Lambda^\top C^{-1}`, (k, p)."""
    model = loadings @ loadings.T + np.diag(noise)
    return np.linalg.solve(model, loadings).T


@formula("eq-02-factor-loadings")
def best_loadings(sigma, noise, k: int) -> np.ndarray:
    r"""Most likely loadings (p, k) for given noise variances (p,).

    With :math:`\Psi^{-1/2} S \Psi^{-1/2} = U \Theta U^\top`:
    :math:`\Lambda = \Psi^{1/2} U_k (\Theta_k - I)^{1/2}`, where negative differences count as 0.
    """
    root = np.sqrt(noise)
    theta, u = eigen(sigma / np.outer(root, root))
    return root[:, None] * u[:, :k] * np.sqrt(np.maximum(theta[:k] - 1, 0))


@formula("eq-02-factor-noise")
def best_noise(sigma, loadings) -> np.ndarray:
    r"""Noise variances that keep every feature's variance, :math:`\operatorname{diag}(S -
    \Lambda\Lambda^\top)`, (p,), not below `SMALLEST_NOISE`."""
    return np.maximum(np.diag(sigma) - (loadings**2).sum(axis=1), SMALLEST_NOISE)


@formula("D5-P31", "eq-02-factors")
def factor_analysis(table, k: int, steps: int = 2_000, tolerance: float = 1e-9) -> Factors:
    """Fit k factors to an (n, p) table by maximum likelihood.

    Alternates the best loadings for given noise and the noise that these loadings leave, until
    the mean log-likelihood of a row rises by less than `tolerance`.
    Raises `ValueError` for NaN and unless 1 <= k < p.
    """
    x = as_table("table", table)
    at_most("k", k, x.shape[1] - 1, "features less one")
    sigma = covariance(x)
    noise = np.diag(sigma) / 2
    history = []
    for _ in range(steps):
        loadings = best_loadings(sigma, noise, k)
        noise = best_noise(sigma, loadings)
        history.append(factor_log_likelihood(sigma, loadings, noise))
        if len(history) > 1 and history[-1] - history[-2] < tolerance:
            break
    return Factors(x.mean(axis=0), loadings, noise, history[-1], np.array(history))


@formula("D5-Q05", "eq-02-factor-scores")
def factor_scores(table, factors: Factors) -> np.ndarray:
    """Expected factors of each row given its features, (n, k)."""
    return (as_table("table", table) - factors.mean) @ factor_weights(
        factors.loadings, factors.noise
    ).T
