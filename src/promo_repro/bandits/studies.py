"""The measured quantities that the chapter's verdicts rest on.

Each function takes its seed and is the whole experiment, so that a verdict can be traced to one
call. All results are simulated.
"""

from math import comb

import numpy as np

from promo_repro.bandits.checks import as_reals, fraction, positive_integer
from promo_repro.bandits.contextual import (
    LinearHistory,
    linear_uncertainty,
    ridge_estimate,
    simulate_contextual,
)
from promo_repro.bandits.environments import BernoulliArms
from promo_repro.bandits.policies import EpsilonGreedy, Thompson
from promo_repro.bandits.rewards import scalarised_reward
from promo_repro.bandits.simulation import simulate
from promo_repro.claims import formula


def stream(seed):
    """The random generator of all studies: SFC64, NumPy's fastest."""
    return np.random.Generator(np.random.SFC64(seed))


@formula("eq-07-uniform-regret")
def uniform_regret(means, horizon):
    """Expected regret of choosing at random, T (max_a μ_a − mean_a μ_a); `means` (N,)."""
    mu = as_reals("means", means)
    return float(positive_integer("horizon", horizon) * (mu.max() - mu.mean()))


def final_regret(policy, rates, horizon, replications, seed, **options):
    """Mean cumulative pseudo-regret of `policy` at the horizon."""
    arms = BernoulliArms(rates)
    result = simulate(policy, arms, horizon, replications, stream(seed), **options)
    return float(result.mean_regret[-1])


def relative_regret_interval(policy, rates, horizon, replications, seed, **options):
    """Mean and half-width of the 95 % interval of `relative_regret`."""
    result = simulate(policy, BernoulliArms(rates), horizon, replications, stream(seed), **options)
    random = uniform_regret(rates, horizon)
    return float(result.mean_regret[-1] / random), float(result.half_width[-1] / random)


def relative_regret(policy, rates, horizon, replications, seed, **options):
    """Regret as a part of what random choice loses: 1 is no learning, 0 a known best arm."""
    return relative_regret_interval(policy, rates, horizon, replications, seed, **options)[0]


def late_relative_regret(policy, rates, horizon, replications, seed):
    """Relative regret in the last fifth of the run: what the policy still loses after learning."""
    start = horizon - horizon // 5
    result = simulate(
        policy,
        BernoulliArms(rates),
        horizon,
        replications,
        stream(seed),
        checkpoints=[start, horizon],
    )
    lost = result.mean_regret[1] - result.mean_regret[0]
    return float(lost / uniform_regret(rates, horizon - start))


def gain_over_extremes(epsilon, rates, horizon, replications, seed):
    """Regret that ε-greedy saves against the better of never and always exploring (ε 0 and 1)."""

    def regret(rate):
        return final_regret(EpsilonGreedy(rate), rates, horizon, replications, seed)

    return min(regret(0.0), regret(1.0)) - regret(epsilon)


def gain_over(policy, rival, rates, horizon, replications, seed):
    """Regret that `policy` saves against `rival`, in rewards; negative when the rival is better."""
    return final_regret(rival, rates, horizon, replications, seed) - final_regret(
        policy, rates, horizon, replications, seed
    )


def cost_of_batches(policy, rates, horizon, replications, update_every, seed):
    """Regret with updates every `update_every` decisions, over regret with updates after each."""
    batched = final_regret(policy, rates, horizon, replications, seed, update_every=update_every)
    return batched / final_regret(policy, rates, horizon, replications, seed)


def online_gain(policy, rates, learn_until, horizon, replications, seed):
    """Regret per decision saved after `learn_until` by learning on instead of freezing the arm.

    The frozen shop keeps the arm of the highest mean at `learn_until`. `rates` (T, N) may change.
    Raises `ValueError` unless 0 < learn_until < horizon.
    """
    if not 0 < learn_until < horizon:
        raise ValueError(f"learn_until is {learn_until}; it must lie between 0 and the horizon")
    rates = np.broadcast_to(rates, (horizon, np.shape(rates)[-1]))
    online = simulate(
        policy,
        BernoulliArms(rates),
        horizon,
        replications,
        stream(seed),
        checkpoints=[learn_until, horizon],
    )
    trained = simulate(
        policy, BernoulliArms(rates[:learn_until]), learn_until, replications, stream(seed)
    )
    kept = (trained.successes / np.maximum(trained.pulls, 1)).argmax(axis=1)
    later = rates[learn_until:]
    frozen_loss = (later.max(axis=1, keepdims=True) - later)[:, kept].sum(axis=0).mean()
    online_loss = online.mean_regret[1] - online.mean_regret[0]
    return float((frozen_loss - online_loss) / (horizon - learn_until))


def online_batch_gap(observations, features, seed, left_out=0):
    """Largest difference between online and refitted ridge estimates of the same history.

    The online estimate sees `observations` one by one; the refit solves for all of them at once,
    without the last `left_out`.
    """
    rng = stream(seed)
    contexts = rng.standard_normal((observations, features))
    rewards = rng.standard_normal(observations)
    seen = LinearHistory(1, 1, features, 1.0)
    for x, reward in zip(contexts, rewards, strict=True):
        seen.record(np.zeros(1, int), x[None], np.array([reward]))
    kept = observations - left_out
    refit = ridge_estimate(contexts[:kept], rewards[:kept], 1.0)
    return float(np.abs(seen.theta[0, 0] - refit).max())


def block_order_gap(policy, rates, horizon, replications, seed, extra=0):
    """Largest difference of pulls when `extra` further replications run beside the first ones."""
    alone = simulate(policy, BernoulliArms(rates), horizon, replications, stream(seed))
    beside = simulate(policy, BernoulliArms(rates), horizon, replications + extra, stream(seed))
    return float(np.abs(beside.pulls[:replications] - alone.pulls).max())


def objectives_at_optimum(objectives, weight):
    """Both objectives of the promotion that maximises their weighted sum.

    `objectives` (N, 2), `weight` in [0, 1] of the second one; returns a pair.
    """
    values = as_reals("objectives", objectives)
    weight = fraction("weight", weight)
    best = np.argmax([scalarised_reward(row, [1 - weight, weight]) for row in values])
    return tuple(float(x) for x in values[best])


def objective_change(objectives, weight):
    """Change of the first objective when the second gets `weight` instead of none."""
    return objectives_at_optimum(objectives, weight)[0] - objectives_at_optimum(objectives, 0.0)[0]


def context_gain(policy, shop, horizon, replications, seed, features):
    """Regret that `policy` saves when it sees the customer rather than `features` of him alone."""
    blind = simulate_contextual(
        policy, shop, horizon, replications, stream(seed), features=features
    )
    seeing = simulate_contextual(policy, shop, horizon, replications, stream(seed))
    return float(blind.mean_regret[-1] - seeing.mean_regret[-1])


@formula("eq-07-belief-states")
def belief_states(arms, horizon):
    """Number of different histories (successes and failures of each arm) after `horizon` pulls.

    C(T + 2N − 1, 2N − 1): the exactly optimal policy has to rank choices in each of them.
    """
    n, t = positive_integer("arms", arms), positive_integer("horizon", horizon)
    return comb(t + 2 * n - 1, 2 * n - 1)


@formula("eq-07-index-evaluations")
def index_evaluations(arms, horizon):
    """Number of indices that a policy such as UCB1 computes in `horizon` decisions, N · T."""
    return positive_integer("arms", arms) * positive_integer("horizon", horizon)


@formula("eq-07-logit-demand")
def purchase_probability(prices, midpoint, slope):
    """Logistic demand: probability of a purchase at each price, 1 / (1 + exp((p − m)/s)).

    `midpoint` m is the price at which half the customers buy, `slope` s > 0 has the same unit.
    """
    p = as_reals("prices", prices)
    if not slope > 0:
        raise ValueError(f"slope is {slope}; demand must fall with the price")
    return 1 / (1 + np.exp((p - midpoint) / slope))


def pricing_share(prices, midpoints, slope, horizon, replications, seed, discount=1.0):
    """Revenue of Thompson sampling over price points, as a part of the best price's revenue.

    `midpoints` lists the demand's midpoint in equally long phases: one entry is a stationary
    market. Demand is simulated; the best price is the best of each phase.
    """
    phase = np.arange(horizon) * len(midpoints) // horizon
    demand = np.stack([purchase_probability(prices, m, slope) for m in midpoints])[phase]
    arms = BernoulliArms(demand, prices)
    policy = Thompson(discount=discount)
    lost = simulate(policy, arms, horizon, replications, stream(seed)).mean_regret[-1]
    return float(1 - lost / arms.means.max(axis=1).sum())


def grid_share(prices, midpoint, slope):
    """Revenue of the best price of a grid, as a part of the best of all prices."""
    p = as_reals("prices", prices)
    everywhere = np.linspace(0, 3 * max(p.max(), midpoint), 30_001)

    def best(candidates):
        return (candidates * purchase_probability(candidates, midpoint, slope)).max()

    return float(best(p) / best(everywhere))


def labelling_errors(select, concentration, labels, replications, seed, pool=20, noise=0.4):
    """Mean squared error of a response model after `labels` labels, one per replication (R,).

    Each step offers `pool` customers (Dirichlet contexts with parameters `concentration` (d,)), of
    whom one is labelled: at "random", or the most "uncertain" (largest posterior variance of his
    response). The error is measured on customers in which all segments count alike.
    """
    if select not in ("random", "uncertain"):
        raise ValueError(f"select is {select!r}; choose 'random' or 'uncertain'")
    rng = stream(seed)
    d = len(concentration)
    truth = rng.uniform(0.05, 0.6, (replications, d))
    seen = LinearHistory(replications, 1, d, 1.0)
    rows = np.arange(replications)
    for _ in range(labels):
        offered = rng.dirichlet(concentration, (replications, pool))
        doubt = linear_uncertainty(seen.inverse, offered)
        chosen = doubt.argmax(axis=1) if select == "uncertain" else 0
        x = offered[rows, chosen]
        response = np.einsum("rd,rd->r", x, truth) + noise * rng.standard_normal(replications)
        seen.record(np.zeros(replications, int), x, response)
    return np.square(seen.theta[:, 0] - truth).mean(axis=1)


def labels_saved(concentration, labels, replications, seed):
    """Part of random labelling's error that uncertainty sampling avoids; negative if worse."""
    errors = [
        labelling_errors(select, concentration, labels, replications, seed).mean()
        for select in ("random", "uncertain")
    ]
    return float(1 - errors[1] / errors[0])
