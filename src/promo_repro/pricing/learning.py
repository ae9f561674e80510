"""Pricing as a bandit: Thompson sampling over a demand curve, and over the prices one by one.

K prices, G candidate curves, R independent runs. A customer arrives, sees one price, buys or not.
"""

from dataclasses import dataclass

import numpy as np

from promo_repro.claims import formula
from promo_repro.response.checks import as_fractions, as_prices, as_reals


@formula("eq-05-demand-curve")
def purchase_probability(ratio, level, slope):
    """Probability of a purchase, 1 / (1 + exp(−(a + β log r))), at the price ratio r.

    `level` a is the log odds at the regular price (r = 1), `slope` β that of the log price.
    """
    r = np.log(as_prices("ratio", ratio))
    return 1 / (1 + np.exp(-(as_reals("level", level) + as_reals("slope", slope) * r)))


def curves(ratio, levels, slopes):
    """All curves of a grid of levels and slopes at the K prices: (G, K)."""
    a, b = np.meshgrid(levels, slopes, indexing="ij")
    return purchase_probability(np.asarray(ratio), a.ravel()[:, None], b.ravel()[:, None])


@formula("eq-05-curve-posterior")
def log_posterior(log_prior, demand, shown, bought):
    """Log posterior of G curves, up to a constant, after sales at the K prices: (..., G).

    `demand` (G, K) purchase probabilities, `shown` and `bought` (..., K) counts of customers:
    log π(g) + Σ_k [y_k log q_gk + (n_k − y_k) log(1 − q_gk)].
    """
    q = as_fractions("demand", demand)
    if ((q == 0) | (q == 1)).any():
        raise ValueError("demand has entries of 0 or 1: a single sale would rule out a curve")
    n, y = as_reals("shown", shown), as_reals("bought", bought)
    if (y < 0).any() or (y > n).any():
        raise ValueError("bought must lie between zero and shown")
    return log_prior + y @ np.log(q).T + (n - y) @ np.log1p(-q).T


@dataclass(frozen=True)
class CurveThompson:
    """Draw a curve from its posterior and charge its best price. `demand` (G, K)."""

    demand: np.ndarray

    def choose(self, margins, shown, bought, rng):
        log_weight = log_posterior(0.0, self.demand, shown, bought)
        drawn = (log_weight + rng.gumbel(size=log_weight.shape)).argmax(axis=1)
        return (self.demand * margins).argmax(axis=1)[drawn]


@dataclass(frozen=True)
class CurveGreedy:
    """Charge the price that is best for the posterior mean of the curves. `demand` (G, K)."""

    demand: np.ndarray

    def choose(self, margins, shown, bought, rng):
        log_weight = log_posterior(0.0, self.demand, shown, bought)
        weight = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
        return ((weight @ self.demand) * margins).argmax(axis=1)


@dataclass(frozen=True)
class PriceThompson:
    """A beta posterior for each price by itself, no curve between them."""

    def choose(self, margins, shown, bought, rng):
        return (rng.beta(1 + bought, 1 + shown - bought) * margins).argmax(axis=1)


@formula("eq-05-pricing-regret")
def price_regret(margins, demand, choice):
    """Expected profit lost by each charged price against the best one, max_k m_k q_k − m_a q_a."""
    gain = as_reals("margins", margins) * as_fractions("demand", demand)
    return gain.max() - gain[np.asarray(choice)]


@dataclass(frozen=True)
class Learning:
    """Cumulative regret of R runs at the checkpoints, (R, P), and the last counts (R, K)."""

    checkpoints: np.ndarray
    regret: np.ndarray
    shown: np.ndarray

    def interval(self, z=1.96):
        """Mean regret and the half-width of its 95 % interval at each checkpoint."""
        spread = self.regret.std(axis=0, ddof=1) / np.sqrt(len(self.regret))
        return self.regret.mean(axis=0), z * spread


def simulate(rule, margins, demand, customers, runs, rng, batch=10) -> Learning:
    """Regret of a pricing rule while it learns, in R runs at once.

    `margins` (K,) dollars earned by a sale at each price, `demand` (K,) the true purchase
    probabilities. The price may change after every `batch` customers.
    """
    m, q = as_reals("margins", margins, ndim=1), as_fractions("demand", demand)
    if m.shape != q.shape:
        raise ValueError(f"margins {m.shape} and demand {q.shape} differ in shape")
    if customers < batch or runs < 2:
        raise ValueError("give at least one batch of customers and two runs")
    shown, bought = np.zeros((2, runs, len(m)))
    total, path = np.zeros(runs), []
    rows = np.arange(runs)
    for _ in range(customers // batch):
        k = rule.choose(m, shown, bought, rng)
        shown[rows, k] += batch
        bought[rows, k] += rng.binomial(batch, q[k])
        total = total + batch * price_regret(m, q, k)
        path.append(total)
    steps = batch * np.arange(1, len(path) + 1)
    return Learning(steps, np.stack(path, axis=1), shown)
