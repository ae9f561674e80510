"""Bellman operators, dynamic programming and tabular learning on finite worlds.

A world is S states (what the customer remembers) and A promotions: `rewards` (S, A) is the
expected reward of a step, `transitions` (S, A, S) has rows that sum to one, and `discount` γ lies
in [0, 1). Tables of action values have shape (..., S, A); the leading axes are replications.
"""

from dataclasses import dataclass

import numpy as np

from promo_repro.claims import formula
from promo_repro.simulator import dynamic_programming as dp

RULES = ("q-learning", "sarsa")


def as_rate(name, value):
    """A probability as a float in [0, 1]."""
    if not 0 <= value <= 1:
        raise ValueError(f"{name} is {value}; it must lie in [0, 1]")
    return float(value)


@formula("eq-08-expectation")
def bellman_expectation(q, rewards, transitions, policy, discount):
    """One backup under a policy, r(s, a) + γ Σ_s' P(s' | s, a) Σ_a' π(a' | s') q(s', a').

    `policy` (S, A) holds the probability of each action; `q` and the result are (..., S, A).
    """
    return dp.action_value(rewards, transitions, (policy * np.asarray(q)).sum(axis=-1), discount)


@formula("eq-08-optimality")
def bellman_optimality(q, rewards, transitions, discount):
    """One backup under the best continuation, r(s, a) + γ Σ_s' P(s' | s, a) max_a' q(s', a')."""
    return dp.action_value(rewards, transitions, np.max(q, axis=-1), discount)


@formula("eq-08-soft-optimality")
def bellman_exploring(q, rewards, transitions, discount, epsilon):
    """One backup under ε-greedy on q itself: the max becomes (1 − ε) max + ε mean.

    Its fixed point is what SARSA with a constant ε converges to, the values of the best policy
    among those that give each action at least ε/A.
    """
    epsilon = as_rate("epsilon", epsilon)
    worth = (1 - epsilon) * np.max(q, axis=-1) + epsilon * np.mean(q, axis=-1)
    return dp.action_value(rewards, transitions, worth, discount)


@formula("eq-08-epsilon-policy")
def exploring_policy(q, epsilon):
    """Action probabilities of ε-greedy, ε/A + (1 − ε) for the first of the largest values.

    Shapes (..., S, A) → (..., S, A). The random action may be the greedy one, which therefore has
    1 − ε + ε/A and not 1 − ε.
    """
    q, epsilon = np.asarray(q, dtype=float), as_rate("epsilon", epsilon)
    greedy = np.arange(q.shape[-1]) == q.argmax(axis=-1, keepdims=True)
    return epsilon / q.shape[-1] + (1 - epsilon) * greedy


@formula("eq-08-contraction")
def contraction_ratio(backup, first, second):
    """How far apart two tables are after a backup, relative to before, in the largest entry.

    `backup` maps a table to a table; a γ-contraction never gives more than γ.
    """
    before = np.abs(np.subtract(first, second)).max()
    if not before > 0:
        raise ValueError("the two tables are equal: their distance cannot shrink")
    return float(np.abs(backup(first) - backup(second)).max() / before)


def fixed_point(backup, start, tolerance=1e-12, most=100_000):
    """Apply a backup until no entry moves by more than `tolerance`; the table and the sweeps.

    Raises `ValueError` when `most` sweeps do not suffice, as for a backup that is no contraction.
    """
    table = np.asarray(start, dtype=float)
    for sweep in range(1, most + 1):
        following = backup(table)
        moved = np.abs(following - table).max()
        table = following
        if moved <= tolerance:
            return table, sweep
    raise ValueError(f"no fixed point within {most:,} sweeps; is the discount below one?")


def value_iteration(rewards, transitions, discount, sweeps):
    """Tables after 0, 1, …, `sweeps` optimality backups of the zero table, (sweeps + 1, S, A)."""
    tables = [np.zeros(np.shape(rewards))]
    for _ in range(sweeps):
        tables.append(bellman_optimality(tables[-1], rewards, transitions, discount))
    return np.stack(tables)


def action_values(rewards, transitions, policy, discount):
    """Action values (S, A) of a policy, (S,) actions or (S, A) probabilities, in closed form."""
    value = dp.policy_value(rewards, transitions, policy, discount)
    return dp.action_value(np.asarray(rewards), np.asarray(transitions), value, discount)


def policy_iteration(rewards, transitions, discount):
    """Policies (K, S) from the myopic one to an optimal one, each greedy to the one before."""
    policies = [dp.myopic_policy(rewards)]
    while True:
        q = action_values(rewards, transitions, policies[-1], discount)
        kept = np.take_along_axis(q, policies[-1][:, None], axis=1)[:, 0]
        # A tie must not change the action, or two equally good policies could alternate for ever.
        better = np.where(q.max(axis=1) > kept + 1e-10, q.argmax(axis=1), policies[-1])
        if (better == policies[-1]).all():
            return np.stack(policies)
        policies.append(better)


@formula("eq-08-foresight-loss")
def myopic_loss(rewards, transitions, discount):
    """Largest value lost, over the states, by taking the largest immediate reward for ever."""
    myopic = dp.policy_value(rewards, transitions, dp.myopic_policy(rewards), discount)
    return float((dp.optimum(rewards, transitions, discount).value - myopic).max())


@formula("eq-08-influence")
def influence(transitions):
    """How much a promotion can move the customer: the largest total variation, over the states,
    between the next-state distributions of two promotions. Zero in a contextual bandit."""
    p = np.asarray(transitions, dtype=float)
    return float(np.abs(p[:, :, None] - p[:, None]).sum(axis=-1).max() / 2)


@formula("eq-08-foresight-bound")
def foresight_bound(rewards, transitions, discount):
    """Upper bound of `myopic_loss`, γ δ (max V* − min V*) / (1 − γ) with δ the influence."""
    spread = np.ptp(dp.optimum(rewards, transitions, discount).value)
    return float(discount * influence(transitions) * spread / (1 - discount))


@formula("eq-08-truncation")
def truncation_error(discount, horizon, largest):
    """Largest part of a discounted sum that lies at step `horizon` or later, γ^H R / (1 − γ).

    `largest` R bounds the absolute reward of a step.
    """
    if horizon < 0:
        raise ValueError(f"horizon is {horizon}; it counts steps and cannot be negative")
    gamma = dp.as_discount(discount)
    return gamma**horizon * abs(largest) / (1 - gamma)


@formula("eq-08-lifetime")
def lifetime_value(rewards, survival):
    """Expected undiscounted sum of rewards when the customer stays with probability `survival`.

    `rewards` (..., T) are those of a customer who is still there. The lifetime L is geometric,
    Pr(L > t) = survival^t, and the sum over lifetimes of Pr(L = l) times the first l rewards is
    evaluated as such: that it equals the discounted sum is what the chapter shows.
    """
    r, stay = np.asarray(rewards, dtype=float), as_rate("survival", survival)
    length = np.arange(1, r.shape[-1] + 1)
    ends = stay ** (length - 1) * (1 - stay)
    ends[-1] = stay ** (length[-1] - 1)  # rewards that are not listed are zero: live on or not
    return (np.cumsum(r, axis=-1) * ends).sum(axis=-1)


@formula("eq-08-return")
def discounted_return(rewards, discount):
    """Discounted sum of a reward sequence, Σ_t γ^t r_t with t from zero; (..., T) → (...)."""
    r = np.asarray(rewards, dtype=float)
    return r @ as_rate("discount", discount) ** np.arange(r.shape[-1])


@formula("eq-08-learning-rate")
def learning_rate(visits, power):
    """Step size of the n-th update of an entry, n^−power; `visits` n ≥ 1 has any shape.

    For a power in (1/2, 1] the steps sum to infinity and their squares do not, which is what
    convergence with probability one asks for.
    """
    if not 0.5 < power <= 1:
        raise ValueError(f"power is {power}; convergence needs it in (1/2, 1]")
    return np.asarray(visits, dtype=float) ** -power


@formula("eq-08-q-learning", "eq-08-sarsa")
def learning_target(reward, following, next_action, discount, rule):
    """What one transition says about an action value: r + γ max q(s', ·) or r + γ q(s', a').

    `reward` (R,), `following` (R, A) the values of the next state, `next_action` (R,) the action
    taken there. The first is Q-learning, the second SARSA; they differ only when a' explores.
    """
    if rule not in RULES:
        raise ValueError(f"rule is {rule!r}; choose one of {', '.join(RULES)}")
    onward = (
        following.max(axis=1)
        if rule == "q-learning"
        else np.take_along_axis(following, next_action[:, None], axis=1)[:, 0]
    )
    return reward + discount * onward


@dataclass(frozen=True)
class Learned:
    """Tables (R, S, A) at the end, and the same at each of `steps` (C,): `history` (C, R, S, A)."""

    q: np.ndarray
    steps: np.ndarray
    history: np.ndarray
    visits: np.ndarray


def learn(
    rewards, transitions, discount, rule, *, steps, replications, rng,
    epsilon=0.1, power=0.7, noise=0.0, checkpoints=(), start=None, episode=None,
):  # fmt: skip
    """Q-learning or SARSA in `replications` independent shops at once, one customer in each.

    `epsilon` is a number, or a function of the number of visits to the present state (R,). A step
    earns the expected reward plus normal `noise`. A customer starts in a state drawn from `start`
    (S,), uniformly by default; after `episode` steps the next one arrives, or never by default.
    His future is cut off but not worthless, so the last target still looks ahead. Memory is
    replications × S × A floats for each checkpoint.
    """
    r, p = dp.as_problem(rewards, transitions)
    states, actions = r.shape
    cumulative = p.cumsum(axis=-1)
    rows = np.arange(replications)
    q, visits = (np.zeros((replications, states, actions)) for _ in range(2))
    state = rng.choice(states, replications, p=start)
    action = rng.integers(actions, size=replications)
    marks, history = np.unique([*checkpoints, steps]), []
    for step in range(1, steps + 1):
        uniform, coin = rng.random((2, replications))
        reward = r[state, action] + noise * rng.standard_normal(replications)
        reached = (uniform[:, None] > cumulative[state, action]).sum(axis=1).clip(max=states - 1)
        rate = epsilon(visits[rows, reached].sum(axis=1)) if callable(epsilon) else epsilon
        following = q[rows, reached]
        exploring = rng.integers(actions, size=replications)
        next_action = np.where(coin < rate, exploring, following.argmax(axis=1))
        target = learning_target(reward, following, next_action, discount, rule)
        visits[rows, state, action] += 1
        q[rows, state, action] += learning_rate(visits[rows, state, action], power) * (
            target - q[rows, state, action]
        )
        state, action = reached, next_action
        if episode and step % episode == 0:
            state = rng.choice(states, replications, p=start)
            action = rng.integers(actions, size=replications)
        if step == marks[len(history)]:
            history.append(q.copy())
    return Learned(q, marks, np.stack(history), visits)
