"""The measured quantities behind the verdicts on tabular learning; every result is simulated.

A `world` has `rewards` (S, A) and `transitions` (S, A, S), such as those of `examples` and of the
simulator. Each function is a whole experiment: its arguments fix its result.
"""

from functools import partial

import numpy as np

from promo_repro.agents import tabular
from promo_repro.claims import formula
from promo_repro.simulator import dynamic_programming as dp


@formula("eq-08-fading")
def fading_exploration(visits, scale=100.0):
    """Exploration rate in a state seen `visits` times, scale / (scale + visits).

    It falls to zero, yet its sum over the visits is infinite: every action is tried for ever, and
    the policy becomes greedy.
    """
    return scale / (scale + np.asarray(visits, dtype=float))


def exploring_values(world, discount, epsilon):
    """The fixed point of SARSA with a constant ε, (S, A)."""
    backup = partial(
        tabular.bellman_exploring,
        rewards=world.rewards, transitions=world.transitions, discount=discount, epsilon=epsilon,
    )  # fmt: skip
    return tabular.fixed_point(backup, np.zeros(np.shape(world.rewards)))[0]


def run(world, discount, rule, steps, replications, seed, **options):
    """`tabular.learn` with a generator made from `seed`."""
    return tabular.learn(
        world.rewards, world.transitions, discount, rule,
        steps=steps, replications=replications, rng=np.random.default_rng(seed), **options,
    )  # fmt: skip


def distance(tables, target):
    """Largest error of an entry, averaged over replications, relative to the largest |target|."""
    return float(np.abs(tables - target).mean(axis=-3).max() / np.abs(target).max())


def distance_to_optimum(world, discount, rule, steps, replications, seed, **options):
    """How far the learned tables are from Q*, see `distance`."""
    learned = run(world, discount, rule, steps, replications, seed, **options)
    return distance(learned.q, dp.optimum(world.rewards, world.transitions, discount).q)


def distance_to_exploring(world, discount, rule, steps, replications, seed, epsilon):
    """How far the learned tables are from the values of the best policy that explores so much."""
    learned = run(world, discount, rule, steps, replications, seed, epsilon=epsilon)
    return distance(learned.q, exploring_values(world, discount, epsilon))


def policy_share(world, discount, policy, start):
    """Value of a policy from the start distribution, as a part of the optimal policy's.

    `policy` is (S,) or (S, A), `start` (S,) are probabilities.
    """
    problem = world.rewards, world.transitions
    value = dp.policy_value(*problem, policy, discount)
    return float(start @ value / (start @ dp.optimum(*problem, discount).value))


def shares_of_behaviour(world, discount, q, epsilon, start):
    """`policy_share` of a table's greedy policy and of its ε-greedy one."""
    behaviours = q.argmax(axis=1), tabular.exploring_policy(q, epsilon)
    return tuple(policy_share(world, discount, policy, start) for policy in behaviours)


def shares_of_tables(world, discount, tables, start):
    """`policy_share` of the greedy policy of each table, (..., S, A) → (...)."""
    greedy = tables.argmax(axis=-1)
    flat = greedy.reshape(-1, greedy.shape[-1])
    known, where = np.unique(flat, axis=0, return_inverse=True)
    shares = np.array([policy_share(world, discount, policy, start) for policy in known])
    return shares[where.ravel()].reshape(greedy.shape[:-1])


def learned_shares(world, discount, rule, steps, replications, seed, start, **options):
    """`policy_share` of the greedy policy of each learned table, (R,)."""
    learned = run(world, discount, rule, steps, replications, seed, **options)
    return shares_of_tables(world, discount, learned.q, start)


def learned_share(*arguments, **options):
    """Mean over the replications of `learned_shares`."""
    return float(learned_shares(*arguments, **options).mean())


def constant_share(world, discount, start):
    """`policy_share` of the best promotion among those that are always the same."""
    states, actions = np.shape(world.rewards)
    return max(
        policy_share(world, discount, np.full(states, action), start) for action in range(actions)
    )


def gain_over_constant(world, discount, rule, steps, replications, seed, start, **options):
    """What the learned policy gains over the best constant promotion, in parts of the optimum."""
    share = learned_share(world, discount, rule, steps, replications, seed, start, **options)
    return share - constant_share(world, discount, start)


def myopic_share(world, discount, start):
    """`policy_share` of the policy that takes the largest immediate reward."""
    return policy_share(world, discount, dp.myopic_policy(world.rewards), start)


def start_value(world, discount, policy, state):
    """Value of a policy, (S,) or (S, A), for a customer who begins in `state`."""
    return float(dp.policy_value(world.rewards, world.transitions, policy, discount)[state])


def optimum_by_policies(world, discount, state):
    """Optimal value of `state`, by policy iteration with linear solves."""
    return float(dp.optimum(world.rewards, world.transitions, discount).value[state])


def optimum_by_sweeps(world, discount, state):
    """Optimal value of `state`, by optimality backups alone."""
    backup = partial(
        tabular.bellman_optimality,
        rewards=world.rewards, transitions=world.transitions, discount=discount,
    )  # fmt: skip
    return float(tabular.fixed_point(backup, np.zeros(np.shape(world.rewards)))[0][state].max())


def contraction_ratios(world, discount, epsilon, pairs, seed):
    """Operator → (largest ratio among random pairs of tables, ratio for tables one unit apart)."""
    states, actions = np.shape(world.rewards)
    problem = {
        "rewards": world.rewards, "transitions": world.transitions, "discount": discount
    }  # fmt: skip
    random = np.full((states, actions), 1 / actions)
    operators = {
        "optimality": partial(tabular.bellman_optimality, **problem),
        "exploring": partial(tabular.bellman_exploring, **problem, epsilon=epsilon),
        "random policy": partial(tabular.bellman_expectation, **problem, policy=random),
    }
    tables = np.random.default_rng(seed).normal(size=(pairs, 2, states, actions))
    return {
        name: (
            max(tabular.contraction_ratio(backup, *pair) for pair in tables),
            tabular.contraction_ratio(backup, tables[0, 0], tables[0, 0] + 1),
        )
        for name, backup in operators.items()
    }


def shares_in_shop(world, steps, replications, seed):
    """Policy → (part of the optimum, half-width of its 95 % interval or None where it is exact).

    `world` is one of the simulator's: its standard policies, then Q-learning from random
    promotions and SARSA from its own ε-greedy ones with ε = 0.2.
    """
    shares = {
        name: (policy_share(world, world.discount, policy, world.start), None)
        for name, policy in world.standard_policies().items()
    }
    for rule, epsilon in (("q-learning", 1.0), ("sarsa", 0.2)):
        learned = learned_shares(
            world, world.discount, rule, steps, replications, seed, world.start,
            epsilon=epsilon, power=0.6, episode=world.weeks,
        )  # fmt: skip
        half = 1.96 * learned.std(ddof=1) / replications**0.5
        shares[f"{rule}, ε = {epsilon:g}"] = float(learned.mean()), float(half)
    return shares
