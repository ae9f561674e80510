"""Studies of the chapter: checks of the core, exact values, data whose truth is known."""

from dataclasses import replace

import numpy as np
import torch

from promo_repro.simulator.dynamic_programming import as_probabilities
from promo_repro.simulator.experiments import Log, Trial, ab_test, logged_data
from promo_repro.simulator.scalar import Customer
from promo_repro.simulator.shop import ArrayShop, Shop
from promo_repro.simulator.streams import Stream
from promo_repro.simulator.world import World

OFTEN = 300  # visits of a state from which on frequencies are compared with probabilities


def random_actions(world: World, users: int, key: int):
    """Random promotions for an episode, (weeks, users), from the stream of exploration."""
    stream = Stream(key, "exploration")
    uniforms = [stream.uniforms(week, 1, users)[0] for week in range(world.weeks)]
    return (np.array(uniforms) * world.actions).astype(int)


def episode(shop, actions, key: int):
    """Profits and states after each week, two (weeks, users) arrays, of one episode."""
    shop.reset_to(key)
    rewards, states = [], []
    for action in actions:
        _, reward, _, _, info = shop.step(action)
        rewards.append(np.asarray(reward))
        states.append(np.asarray(info["next_state"]))
    return np.array(rewards), np.array(states)


def _gap(first, second):
    """Largest difference of profit in dollars, and how many states differ."""
    return float(np.abs(first[0] - second[0]).max()), int((first[1] != second[1]).sum())


def plain_gap(world: World, users: int, key: int):
    """The batched core against one plain customer per user, on the same uniforms.

    Returns the largest difference of profit in dollars and the number of states that differ.
    """
    shop, actions = ArrayShop(world, users, np.float64), random_actions(world, users, key)
    batched = episode(shop, actions, key)
    arrivals = Stream(key, "customers").uniforms(0, 1, users)[0].tolist()
    customers = [Customer(world) for _ in range(users)]
    for customer, uniform in zip(customers, arrivals, strict=True):
        customer.begin(uniform)
    stream, rewards, states = Stream(key), [], []
    for week, action in enumerate(actions):
        uniforms = stream.uniforms(week, 2 + (len(world.prices) > 1), users)[[0, 1, -1]]
        taken = zip(customers, action.tolist(), uniforms.T.astype(float).tolist(), strict=True)
        rewards.append([customer.step(a, u)[0] for customer, a, u in taken])
        states.append([customer.state for customer in customers])
    return _gap(batched, (np.array(rewards), np.array(states)))


def torch_gap(world: World, users: int, key: int, device: str):
    """The core in torch against the core in NumPy, both in double precision; as `plain_gap`."""
    actions = random_actions(world, users, key)
    first = episode(ArrayShop(world, users, np.float64), actions, key)
    shop = Shop(world, users, device, torch.float64)
    shop.reset_to(key)
    rewards, states = [], []
    for action in torch.as_tensor(actions, device=device):
        _, reward, _, _, info = shop.step(action)
        rewards.append(reward.cpu().numpy())
        states.append(info["next_state"].cpu().numpy())
    return _gap(first, (np.array(rewards), np.array(states)))


def split_gap(world: World, sizes, key: int):
    """One batch against its parts of `sizes` users; as `plain_gap`."""
    actions = random_actions(world, sum(sizes), key)
    whole = episode(ArrayShop(world, sum(sizes)), actions, key)
    parts = []
    for first, size in zip(np.cumsum([0, *sizes]), sizes, strict=False):
        shop = ArrayShop(world, size, first_user=int(first))
        parts.append(episode(shop, actions[:, first : first + size], key))
    joined = [np.concatenate(arrays, axis=1) for arrays in zip(*parts, strict=True)]
    return _gap(whole, joined)


def simulated_value(world: World, policy, users: int, generator):
    """Mean discounted profit of an episode over `users` customers, and its standard error."""
    probabilities = as_probabilities(policy, (world.states, world.actions))
    log = logged_data(world, probabilities, users, world.weeks, generator)
    profit = log.reward @ world.discount ** np.arange(world.weeks)
    return float(profit.mean()), float(profit.std(ddof=1) / np.sqrt(users))


def shares_of_optimum(world: World) -> dict[str, float]:
    """What each standard policy earns, as a part of the optimum."""
    best = world.optimal_value()
    return {
        name: world.policy_value(policy) / best
        for name, policy in world.standard_policies().items()
    }


def myopic_shares(world: World, field: str, values) -> np.ndarray:
    """The myopic policy's part of the optimum with one field of the world changed, (n,)."""
    changed = [replace(world, **{field: value}) for value in values]
    return np.array([shares_of_optimum(each)["myopic"] for each in changed])


def propensity_scores(log: Log, behaviour) -> np.ndarray:
    """Frequency of each action in each often visited state against its stated probability.

    Differences in units of their standard error, one for each state and action; standard normal if
    the stated propensities are true.
    """
    pi = np.asarray(behaviour)
    visits = np.bincount(log.state.ravel(), minlength=len(pi))[:, None]
    taken = np.zeros(pi.shape)
    np.add.at(taken, (log.state.ravel(), log.action.ravel()), 1)
    often = (visits >= OFTEN)[:, 0]
    chance, n = pi[often], visits[often]
    return ((taken[often] - n * chance) / np.sqrt(n * chance * (1 - chance))).ravel()


def difference_in_means(trial: Trial):
    """Mean profit of the treated less that of the others, and its standard error."""
    groups = trial.profit[trial.treated], trial.profit[~trial.treated]
    error = np.sqrt(sum(group.var(ddof=1) / len(group) for group in groups))
    return float(groups[0].mean() - groups[1].mean()), float(error)


def trials(world: World, treatment, control, leaks, users: int, weeks: int, seed: int):
    """One A/B test for each degree of interference: what is true, and what the test says."""
    rows = []
    for number, leak in enumerate(leaks):
        generator = np.random.default_rng([seed, number])
        trial = ab_test(world, treatment, control, users, weeks, generator, leak)
        found, error = difference_in_means(trial)
        rows.append(
            {
                "interference": leak,
                "true effect": trial.effect,
                "expected difference": trial.difference,
                "difference": found,
                "low": found - 1.96 * error,
                "high": found + 1.96 * error,
            }
        )
    return rows
