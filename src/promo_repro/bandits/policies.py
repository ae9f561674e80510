"""Bandit policies: what each one computes from the history, and how it chooses.

The formulas work on arrays of any layout that broadcasts. The policy classes use them inside
`simulate`, on float32 arrays laid out (arms, replications).
"""

from dataclasses import dataclass

import numpy as np

from promo_repro.bandits import draws
from promo_repro.bandits.checks import as_counts, as_probabilities, as_reals, fraction, positive
from promo_repro.claims import formula


@formula("D1-F14", "D1-F27", "D1-N05", "eq-07-epsilon-greedy")
def epsilon_greedy_probabilities(values, epsilon):
    """Choice probabilities of ε-greedy: ε/N for each arm, and 1 − ε more for the greedy one.

    `values` (..., N) are the estimated rewards; equal largest values share the greedy part.
    The random arm may turn out to be the greedy one, so that one has 1 − ε + ε/N, not 1 − ε.
    """
    q = as_reals("values", values)
    epsilon = fraction("epsilon", epsilon)
    greedy = q == q.max(axis=-1, keepdims=True)
    return epsilon / q.shape[-1] + (1 - epsilon) * greedy / greedy.sum(axis=-1, keepdims=True)


@formula("eq-07-two-stages")
def two_stage_probabilities(values, epsilon):
    """Choice probabilities of ε-greedy as a list of cases: toss the coin, then choose.

    `values` (N,) with one largest entry. Checks `epsilon_greedy_probabilities` independently.
    """
    q, epsilon = as_reals("values", values), fraction("epsilon", epsilon)
    probabilities = np.zeros(len(q))
    for arm in range(len(q)):
        probabilities[arm] += epsilon * (1 / len(q))
    probabilities[int(q.argmax())] += 1 - epsilon
    return probabilities


@formula("eq-07-greedy-arm")
def greedy_arm_probability(values, epsilon, random_excludes_best=False):
    """Probability that ε-greedy chooses the best arm; the random branch may leave that arm out."""
    if random_excludes_best:
        return 1 - fraction("epsilon", epsilon)
    return float(epsilon_greedy_probabilities(values, epsilon).max())


@formula("eq-07-decayed-epsilon")
def decayed_epsilon(t, scale):
    """Exploration rate at decision t = 1, 2, …: min(1, scale / t)."""
    return np.minimum(1.0, positive("scale", scale) / np.asarray(t, dtype=float))


@formula("eq-07-softmax")
def softmax(values, temperature, axis=-1):
    """Boltzmann choice probabilities exp(q_a/τ) / Σ_b exp(q_b/τ) over `axis`.

    `values` are estimated rewards, `temperature` τ > 0 has their unit. The largest value is
    subtracted first, which changes nothing and keeps the exponentials from overflowing. A value
    of −∞ stands for an arm that is not on offer and gets probability 0.
    """
    q = np.asarray(values)
    largest = q.max(axis=axis, keepdims=True)
    if not np.isfinite(largest).all():
        raise ValueError("values contains NaN or infinity; softmax needs finite rewards")
    weights = np.exp((q - largest) / positive("temperature", temperature))
    return weights / weights.sum(axis=axis, keepdims=True)


@formula("eq-07-entropy-objective")
def entropy_objective(probabilities, values, temperature):
    """Expected reward plus temperature times entropy, Σ_a p_a q_a − τ Σ_a p_a ln p_a.

    Its maximiser over the simplex is `softmax(values, temperature)`. Shapes (..., N) → (...).
    """
    p = as_probabilities("probabilities", probabilities)
    q = as_reals("values", values)
    surprise = np.log(p, where=p > 0, out=np.zeros_like(p))  # p ln p is 0 at p = 0
    return (p * (q - positive("temperature", temperature) * surprise)).sum(axis=-1)


@formula("eq-07-ucb1")
def ucb1_index(means, pulls, plays):
    """UCB1's optimistic estimate, mean_a + √(2 ln plays / pulls_a); +∞ for an arm never pulled.

    `means` and `pulls` have one shape, `plays` (the number of decisions so far) broadcasts
    against it. For rewards in [0, 1] (Auer, Cesa-Bianchi and Fischer, 2002).
    """
    # `tiny` stands for ln 1 = 0, so that an unseen arm is infinitely attractive there too.
    exploration = np.maximum(2 * np.log(np.maximum(plays, 1)), np.finfo(np.float32).tiny)
    with np.errstate(divide="ignore"):
        return means + np.sqrt(np.asarray(exploration, dtype=np.asarray(means).dtype) / pulls)


@formula("eq-07-ucb1-bound")
def ucb1_regret_bound(means, horizon):
    """Upper bound on UCB1's expected regret, 8 Σ_a ln(T)/Δ_a + (1 + π²/3) Σ_a Δ_a over Δ_a > 0."""
    rates = as_probabilities("means", means)
    gaps = rates.max() - rates
    gaps = gaps[gaps > 0]
    return float((8 * np.log(positive("horizon", horizon)) / gaps).sum()) + (
        1 + np.pi**2 / 3
    ) * float(gaps.sum())


@formula("eq-07-beta-posterior")
def beta_posterior(successes, pulls):
    """Parameters (1 + successes, 1 + failures) of the Beta posterior under a uniform prior."""
    s, n = as_counts("successes", successes), as_counts("pulls", pulls)
    if s.shape != n.shape:
        raise ValueError(f"successes {s.shape} and pulls {n.shape} differ in shape")
    if (s > n).any():
        raise ValueError("successes exceeds pulls; a Bernoulli arm gains at most one a pull")
    return 1 + s, 1 + n - s


@formula("eq-07-pseudo-regret")
def pseudo_regret(pulls, means):
    """Expected reward lost against always playing the best arm, Σ_a Δ_a N_a.

    `pulls` (..., N) counts, `means` (N,) true expected rewards; the result (...) is never
    negative and has the unit of `means`.
    """
    n, mu = np.atleast_1d(as_counts("pulls", pulls)), as_reals("means", means)
    if n.shape[-1:] != mu.shape:
        raise ValueError(f"means {mu.shape} needs one value per arm of pulls {n.shape}")
    return n @ (mu.max() - mu)


@dataclass(frozen=True)
class EpsilonGreedy:
    """Choose the best mean so far, and with probability ε an arm at random."""

    epsilon: float = 0.1

    def __post_init__(self):
        fraction("epsilon", self.epsilon)

    def rate(self, t):
        return self.epsilon

    def choose(self, seen, t, rng):
        arms = draws.first_argmax(seen.means())
        coin = rng.random(arms.size)
        epsilon = self.rate(t)
        exploring = np.flatnonzero(coin < epsilon)
        # Given that it fell below ε, the coin is uniform on [0, ε): it also picks the arm.
        picks = (coin[exploring] * (seen.arms / max(epsilon, 1e-300))).astype(np.intp)
        arms[exploring] = np.minimum(picks, seen.arms - 1)  # rounding may reach the end
        return arms


@dataclass(frozen=True)
class DecayedEpsilonGreedy(EpsilonGreedy):
    """ε-greedy whose exploration rate at decision t is min(1, scale/t)."""

    epsilon: float = 1.0
    scale: float = 100.0

    def __post_init__(self):
        positive("scale", self.scale)

    def rate(self, t):
        return float(decayed_epsilon(t, self.scale))


@dataclass(frozen=True)
class Softmax:
    """Choose each arm with its Boltzmann probability (exact: by inverse distribution function)."""

    temperature: float = 0.02

    def __post_init__(self):
        positive("temperature", self.temperature)

    def choose(self, seen, t, rng):
        return draws.categorical(softmax(seen.means(), self.temperature, axis=0), rng)


@dataclass(frozen=True)
class UCB1:
    """Choose the largest upper confidence bound; each arm is pulled once before any is again.

    With `discount` < 1 past pulls fade by this factor each decision, with `window` only that
    many latest pulls count: two forms for rates that change (Garivier and Moulines, 2011).
    """

    discount: float = 1.0
    window: int | None = None

    def __post_init__(self):
        _check_memory(self.discount, self.window)

    def choose(self, seen, t, rng):
        index = ucb1_index(seen.success_rates(), seen.pulls, seen.plays)
        return draws.first_argmax(seen.worth(index))


@dataclass(frozen=True)
class Thompson:
    """Draw each arm's rate from its Beta posterior and choose the best draw.

    `discount` and `window` as for `UCB1`.
    """

    discount: float = 1.0
    window: int | None = None

    def __post_init__(self):
        _check_memory(self.discount, self.window)

    def choose(self, seen, t, rng):
        # The pulls of a discounted history may round to just below its successes.
        failures = np.maximum(seen.pulls - seen.successes, 0)
        rates = draws.beta(seen.successes, failures, rng)
        return draws.first_argmax(seen.worth(rates))


def _check_memory(discount, window):
    if not 0 < discount <= 1:
        raise ValueError(f"discount is {discount}; it must lie in (0, 1]")
    if window is not None and window < 1:
        raise ValueError(f"window is {window}; it must be at least 1, or None for no window")
    if discount < 1 and window is not None:
        raise ValueError("give either discount or window, not both")
