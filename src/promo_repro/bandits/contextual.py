"""Bandits that see the customer before they choose: LinUCB and linear Thompson sampling.

Each promotion has a linear model of its own ("disjoint"; Li, Chu, Langford and Schapire, 2010).
Shapes: R replications, K promotions, d features.
"""

from dataclasses import dataclass

import numpy as np

from promo_repro.bandits.checks import as_probabilities, positive, positive_integer
from promo_repro.bandits.simulation import Result, checkpoint_marks
from promo_repro.claims import formula


@formula("eq-07-sherman-morrison")
def sherman_morrison(inverse, x):
    """(A + x xᵀ)⁻¹ from A⁻¹ for symmetric A: A⁻¹ − (A⁻¹x)(A⁻¹x)ᵀ / (1 + xᵀA⁻¹x).

    `inverse` (..., d, d), `x` (..., d); d² operations instead of d³.
    """
    v = np.einsum("...ij,...j->...i", inverse, x)
    growth = 1 + np.einsum("...i,...i->...", x, v)
    return inverse - v[..., :, None] * v[..., None, :] / growth[..., None, None]


@formula("eq-07-uncertainty")
def linear_uncertainty(inverse, x):
    """Standard deviation of the estimate xᵀθ̂ for unit noise, √(xᵀA⁻¹x).

    `inverse` (..., d, d), `x` (..., d); the result has the broadcast shape (...).
    """
    return np.sqrt(np.einsum("...i,...ij,...j->...", x, inverse, x))


@formula("eq-07-linucb")
def linucb_index(theta, inverse, x, alpha):
    """LinUCB's optimistic estimate xᵀθ̂ + α √(xᵀA⁻¹x).

    `theta` (..., K, d), `inverse` (..., K, d, d), `x` (..., d), `alpha` ≥ 0; result (..., K).
    """
    if not alpha >= 0:
        raise ValueError(f"alpha is {alpha}; the width of the bound cannot be negative")
    x = np.asarray(x)[..., None, :]
    return np.einsum("...i,...i->...", x, theta) + alpha * linear_uncertainty(inverse, x)


@formula("eq-07-ridge")
def ridge_estimate(contexts, rewards, ridge):
    """Ridge regression (λI + XᵀX)⁻¹Xᵀy by direct solution: the whole history at once.

    `contexts` (T, d), `rewards` (T,), `ridge` λ > 0; result (d,).
    """
    x = np.asarray(contexts, dtype=float)
    return np.linalg.solve(positive("ridge", ridge) * np.eye(x.shape[1]) + x.T @ x, x.T @ rewards)


@dataclass(frozen=True)
class SegmentShop:
    """Customers who are mixtures of segments; promotions that work differently in each.

    `rates` (d, K): click rate of promotion k in pure segment i. A customer's context is a point of
    the d-simplex drawn from a Dirichlet distribution with parameter `concentration` (d,) or a
    number; the click probability of promotion k is contextᵀ rates[:, k].
    """

    rates: np.ndarray
    concentration: float | np.ndarray = 0.5

    def __post_init__(self):
        rates = as_probabilities("rates", self.rates)
        if rates.ndim != 2:
            raise ValueError(f"rates has shape {rates.shape}; expected (segments, promotions)")
        object.__setattr__(self, "rates", rates)

    def contexts(self, count, rng):
        """`count` customers, (count, d)."""
        return rng.dirichlet(np.broadcast_to(self.concentration, len(self.rates)), count)


class LinearHistory:
    """Ridge statistics of all promotions: `inverse` (R, K, d, d), `theta` (R, K, d)."""

    def __init__(self, replications, arms, features, ridge):
        self.inverse = np.tile(np.eye(features) / ridge, (replications, arms, 1, 1))
        self.response = np.zeros((replications, arms, features))
        self.theta = np.zeros_like(self.response)

    def record(self, arm, x, reward):
        """Add one decision per replication: `arm` (R,), context `x` (R, d), `reward` (R,)."""
        at = np.arange(len(arm)), arm
        self.inverse[at] = sherman_morrison(self.inverse[at], x)
        self.response[at] += reward[:, None] * x
        self.theta[at] = np.einsum("rij,rj->ri", self.inverse[at], self.response[at])


@dataclass(frozen=True)
class LinUCB:
    """Choose the promotion with the largest upper bound of its linear estimate."""

    alpha: float = 0.3
    ridge: float = 1.0

    def __post_init__(self):
        if not self.alpha >= 0:
            raise ValueError(f"alpha is {self.alpha}; it cannot be negative")
        positive("ridge", self.ridge)

    def scores(self, seen, x, rng):
        return linucb_index(seen.theta, seen.inverse, x, self.alpha)


@dataclass(frozen=True)
class LinearThompson:
    """Draw each promotion's estimate from its posterior and choose the best draw.

    Only the estimate xᵀθ matters, and under a normal posterior it is normal too, with standard
    deviation `scale` · √(xᵀA⁻¹x): no need to draw the whole θ.
    """

    scale: float = 0.3
    ridge: float = 1.0

    def __post_init__(self):
        positive("scale", self.scale)
        positive("ridge", self.ridge)

    def scores(self, seen, x, rng):
        means = linucb_index(seen.theta, seen.inverse, x, 0.0)
        spread = self.scale * linear_uncertainty(seen.inverse, x[:, None, :])
        return means + spread * rng.standard_normal(means.shape)


def intercept_only(contexts):
    """Features (R, 1) of a policy that ignores who the customer is."""
    return np.ones((len(contexts), 1))


def simulate_contextual(
    policy, shop, horizon, replications, rng, *, features=None, checkpoints=None
):
    """Run a contextual policy in independent replications; returns a `Result`.

    `features` maps the contexts (R, d) to what the policy sees, by default the contexts themselves.
    Regret is measured against the best promotion for each customer.
    """
    horizon = positive_integer("horizon", horizon)
    replications = positive_integer("replications", replications)
    marks = checkpoint_marks(checkpoints, horizon)
    customers, noise, choice = rng.spawn(3)
    see = features or (lambda contexts: contexts)
    arms = shop.rates.shape[1]
    width = see(shop.contexts(1, rng)).shape[1]
    seen = LinearHistory(replications, arms, width, policy.ridge)
    rows = np.arange(replications)
    regret = np.zeros(replications)
    pulls, successes = np.zeros((2, replications, arms))
    curve = []
    for t in range(1, horizon + 1):
        contexts = shop.contexts(replications, customers)
        rates = contexts @ shop.rates
        x = see(contexts)
        arm = policy.scores(seen, x, choice).argmax(axis=1)
        clicked = (noise.random(replications) < rates[rows, arm]).astype(float)
        seen.record(arm, x, clicked)
        pulls[rows, arm] += 1
        successes[rows, arm] += clicked
        regret += rates.max(axis=1) - rates[rows, arm]
        if t in marks:
            curve.append(regret.copy())
    return Result(marks, np.stack(curve, axis=1), pulls, successes)
