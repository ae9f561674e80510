"""Experiments of the chapter on DQN: what is learned, what each part is for, what losses minimise.

Shares are parts of the exact optimum of a simulated world, computed by dynamic programming.
"""

import json
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pandas as pd
import torch
from scipy import stats
from torch import Tensor

from promo_repro.agents.ddpg import DDPG
from promo_repro.agents.dqn import DQN, Curve, Market, Plan, policy_values, td_loss, train, unit
from promo_repro.claims import formula
from promo_repro.project import root
from promo_repro.simulator import World, logged_data
from promo_repro.simulator import dynamic_programming as dp

USERS = 256  # customers of each agent, all at once

# Learning -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Learned:
    """The agent, transitions at each evaluation (C,), and shares of the optimum (C, K)."""

    agent: DQN
    transitions: np.ndarray
    shares: np.ndarray


class OneCoin(DQN):
    """Explores as Stable-Baselines3 does: one coin decides for all users of an agent."""

    @torch.no_grad()
    def act(self, observation: Tensor, epsilon: float, generator: torch.Generator) -> Tensor:
        greedy = self.online(observation).argmax(dim=-1)
        coin = torch.rand(len(greedy), 1, generator=generator) < epsilon
        return torch.where(
            coin, torch.randint(self.actions, greedy.shape, generator=generator), greedy
        )


def learn(
    world: World,
    plan: Plan,
    *,
    agents: int = 1,
    users: int = USERS,
    seed: int = 0,
    kind: type[DQN] = DQN,
    scale: float | None = None,
    start: DQN | None = None,
    device="cpu",
    **options,
) -> Learned:
    """Train K agents in one batch on simulated purchases; evaluate their greedy policies exactly.

    Rewards are in units of the largest margin unless `scale` says otherwise. `start` are agents
    whose weights the new ones begin with; `options` go to the agents.
    """
    market = Market(
        world, agents, users, scale=unit(world) if scale is None else scale, device=device
    )
    generator = torch.Generator(device=device).manual_seed(seed)
    options = {"discount": world.discount} | options
    agent = kind(agents, market.observation, world.actions, generator, **options)
    if start is not None:
        for new, old in zip(agent.online.parameters(), start.online.parameters(), strict=True):
            new.data.copy_(old.data)
        agent.slow = agent.online.copy()
    curve: Curve = train(agent, market, plan, seed, policy_values(world, market))
    shares = curve.values.numpy() / world.optimal_value()
    return Learned(agent, np.array(curve.steps) * users, shares)


def arrival(values, level: float, held: int = 3) -> int | None:
    """Index of the first of `held` evaluations in a row of at least `level`, or None."""
    reached = np.asarray(values) >= level
    if len(reached) < held:
        return None
    runs = np.convolve(reached, np.ones(held, int), "valid") == held
    return int(runs.argmax()) if runs.any() else None


def interval(values, level: float = 0.95) -> tuple[float, float, float]:
    """Mean of independent values and the ends of its Student interval."""
    values = np.asarray(values, dtype=float)
    half = stats.t.ppf((1 + level) / 2, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5
    return float(values.mean()), float(values.mean() - half), float(values.mean() + half)


def surely_above(values) -> float:
    """Lower end of the 95 % interval of the mean."""
    return interval(values)[1]


def surely_below(values) -> float:
    """Upper end of the 95 % interval of the mean."""
    return interval(values)[2]


def least(values) -> float:
    """The smallest value: what every one of some runs reaches."""
    return float(np.min(values))


def gain(learned, baseline: float) -> float:
    """What learned shares surely have more than a baseline: lower end of the interval."""
    return interval(np.asarray(learned, dtype=float) - baseline)[1]


# Stored results -----------------------------------------------------------------------------------


def stored(name: str) -> dict:
    """A committed result of this chapter, `data/results/09_dqn/<name>.json`."""
    path = root() / "data" / "results" / "09_dqn" / f"{name}.json"
    return json.loads(path.read_text())


def rows_of(record: dict) -> pd.DataFrame:
    """The rows of a stored result as a table."""
    return pd.DataFrame(record["rows"])


def reported(rows: pd.DataFrame, method: str, metric: str, column: str = "value") -> float:
    """One number of a stored result; raises `LookupError` for an unknown row."""
    found = rows.loc[(rows["method"] == method) & (rows["metric"] == metric), column]
    if len(found) != 1:
        raise LookupError(f"{len(found)} rows for {method!r}, {metric!r}")
    return float(found.iloc[0])


def shown(rows: pd.DataFrame, method: str, metric: str) -> str:
    """One row of a stored result as text, with its interval if it is an estimate."""
    value, low, high, n = (reported(rows, method, metric, c) for c in ("value", "lo", "hi", "n"))
    return f"{value:.3f}" if n == 1 else f"{value:.3f} ({low:.3f} to {high:.3f})"


# What can be had without learning to look ahead --------------------------------------------------


def share(world: World, policy) -> float:
    """Value of a policy, (S,) promotions or (S, A) probabilities, as a part of the optimum."""
    return world.policy_value(policy) / world.optimal_value()


def share_seeing(world: World, seen: str) -> float:
    """Best share of a value that knows "nothing", the customer's "type", or the whole "state"."""
    if seen == "state":
        return share(world, world.optimal_policy)
    policies = world.standard_policies()
    return share(world, policies[{"nothing": "uniform", "type": "segment-best"}[seen]])


def share_from_rewards(world: World) -> float:
    """Share of the policy that knows the mean reward of every promotion in every state.

    It is where learning from records of promotion and reward ends: they do not tell what follows.
    """
    return share(world, dp.myopic_policy(world.rewards))


def share_of_softmax(world: World, temperature: float) -> float:
    """Share of a shop that draws from the softmax of the optimal values, in dollars."""
    q = world.optimum.q.reshape(world.states, world.actions) / temperature
    p = np.exp(q - q.max(axis=1, keepdims=True))
    return share(world, p / p.sum(axis=1, keepdims=True))


def share_of_classifier(world: World) -> float:
    """Share of a classifier that predicts the promotion of a sale, from an even test, exactly.

    Cross-entropy is least at the frequencies of the labels; here those are proportional to the
    probability of a purchase, and the largest is chosen.
    """
    bought = world.outcome[..., 1].sum(axis=-1).reshape(world.states, world.actions)
    return share(world, bought.argmax(axis=1))


def from_test(world: World, transitions: int, kind: str, seed: int) -> np.ndarray:
    """The policy that a test with so many customer-weeks selects, (S,).

    "uniform" and "segment-best" try each promotion on a sixth of the customers for a whole episode;
    "myopic" draws a promotion for each customer and week and takes the best mean profit seen in
    each state, none where nothing was seen.
    """
    rng = np.random.default_rng(seed)
    everybody = np.ones(world.states, int)
    if kind == "myopic":
        log = logged_data(
            world,
            np.full((world.states, world.actions), 1 / world.actions),
            transitions // world.weeks,
            world.weeks,
            rng,
        )
        place = (log.state * world.actions + log.action).ravel()
        size = world.states * world.actions
        seen = np.bincount(place, minlength=size)
        total = np.bincount(place, weights=log.reward.ravel(), minlength=size)
        mean = np.where(seen, total / np.maximum(seen, 1), -np.inf)
        mean = mean.reshape(world.states, world.actions)
        mean[np.isinf(mean).all(axis=1), 0] = 0.0
        return mean.argmax(axis=1)
    users = transitions // world.weeks // world.actions
    weights = world.discount ** np.arange(world.weeks)
    earned, types = [], []
    for action in range(world.actions):
        log = logged_data(world, action * everybody, users, world.weeks, rng)
        earned.append(log.reward @ weights)
        types.append(log.state[:, 0] // world.levels)
    if kind == "uniform":
        return everybody * int(np.argmax([each.mean() for each in earned]))
    if kind != "segment-best":
        raise ValueError(f"no test {kind!r}; choose uniform, segment-best or myopic")
    by_type = [
        [value[who == k].mean() for value, who in zip(earned, types, strict=True)]
        for k in range(len(world.weight))
    ]
    return np.argmax(by_type, axis=1).repeat(world.levels)


def tested_shares(world: World, transitions: int, kind: str, seeds) -> np.ndarray:
    """Shares of the policies that independent tests of one size select."""
    return np.array([share(world, from_test(world, transitions, kind, s)) for s in seeds])


# What the printed losses minimise -----------------------------------------------------------------


@formula("D1-F16")
def printed_policy_loss(values: Tensor) -> Tensor:
    """The printed loss of the policy network, −log Σ_a exp Q_a; (..., A) → (...)."""
    return -torch.logsumexp(values, dim=-1)


@formula("D1-F18")
def printed_value_loss(values: Tensor, rewards: Tensor, promotions: int) -> Tensor:
    """The printed loss of the value network, (1/N) Σ_t (R − Q)²; `values`, `rewards` (T,)."""
    return (rewards - values).square().sum() / promotions


@formula("eq-09-policy-gradient-loss")
def policy_loss(values: Tensor, action: int, advantage: float) -> Tensor:
    """What a policy loss needs: −A log p_a with p the softmax of the values (..., A)."""
    return -advantage * torch.log_softmax(values, dim=-1)[..., action]


def drift(values, rate: float, steps: int, printed: bool = True) -> np.ndarray:
    """How far gradient descent moves the values, (A,), under one of the two policy losses.

    The other one is `policy_loss` for the promotion of the largest value, with advantage 1.
    """
    start = torch.tensor(values, dtype=torch.float64)
    moved = start.clone().requires_grad_()
    for _ in range(steps):
        loss = printed_policy_loss(moved) if printed else policy_loss(moved, int(start.argmax()), 1)
        (slope,) = torch.autograd.grad(loss, moved)
        moved = (moved - rate * slope).detach().requires_grad_()
    return (moved.detach() - start).numpy()


def total_drift(values, rate: float, steps: int, printed: bool = True) -> float:
    """Sum of the drift of all values: zero for a loss that only shifts probability."""
    return float(drift(values, rate, steps, printed).sum())


def best_value(rewards, promotions: int) -> float:
    """The value at which the printed value loss of one promotion is least, by Newton's step."""
    rewards = torch.tensor(rewards, dtype=torch.float64)

    def loss(value):
        return printed_value_loss(value.expand_as(rewards), rewards, promotions)

    start = torch.zeros((), dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(loss(start), start, create_graph=True)
    (curvature,) = torch.autograd.grad(slope, start)
    return float((start - slope / curvature).detach())


def fitted_value(example, discount: float, state: int, bootstrap: bool = True) -> float:
    """Largest value of a state after repeatedly fitting a table to targets by least squares.

    With `bootstrap` the targets are those of DQN; without, the rewards alone, as printed.
    """
    rewards, transitions = example.rewards, example.transitions
    q = np.zeros_like(rewards)
    for _ in range(2_000):
        q = rewards + bootstrap * discount * transitions @ q.max(axis=1)
    return float(q[state].max())


def best_constant(samples, delta: float) -> float:
    """The number at which the Huber loss to some samples is least, by bisection on its slope."""
    y = torch.tensor(samples, dtype=torch.float64)
    low, high = float(y.min()), float(y.max())
    for _ in range(60):
        middle = torch.tensor((low + high) / 2, dtype=torch.float64, requires_grad=True)
        (slope,) = torch.autograd.grad(td_loss(middle.expand_as(y), y, delta), middle)
        place = float(middle.detach())
        low, high = (place, high) if slope < 0 else (low, place)
    return low


def huber_bias(probability: float, profit: float, cost: float, delta: float) -> float:
    """Least point of the Huber loss less the mean, for a promotion that sells with a probability.

    It earns `profit` − `cost` if it sells and −`cost` otherwise.
    """
    sold = round(1_000 * probability)
    samples = np.r_[np.full(sold, profit - cost), np.full(1_000 - sold, -cost)]
    return best_constant(samples, delta) - float(samples.mean())


# D2's objective -----------------------------------------------------------------------------------


@formula("D2-F14")
def printed_objective(returns) -> float:
    """D2's loss, minus the sum of all returns r over users and purchases; any shape."""
    return -float(np.sum(returns))


def least_loss(returns, own: bool) -> float:
    """The least printed loss over promotions; `returns` (users, purchases, promotions).

    With `own` parameters every user gets the promotion that is best for him; otherwise one
    promotion is chosen for all.
    """
    by_user = np.asarray(returns, dtype=float).sum(axis=1)
    losses = (
        [printed_objective(by_user.max(axis=1))]
        if own
        else [printed_objective(by_user[:, a]) for a in range(by_user.shape[1])]
    )
    return min(losses)


def chosen_offers(values, costs, budget: float) -> int:
    """Number of the best set of offers within a budget, as a binary number, by enumeration."""
    values, costs = np.asarray(values, float), np.asarray(costs, float)
    sets = (np.arange(2 ** len(values))[:, None] >> np.arange(len(values))) & 1
    return int(np.where(sets @ costs <= budget, sets @ values, -np.inf).argmax())


# Networks, operations, change ---------------------------------------------------------------------


def trained_networks(kind: str) -> int:
    """How many networks an optimiser trains: one in "dqn", actor and critic in "ddpg"."""
    generator = torch.Generator().manual_seed(0)
    if kind == "dqn":
        return len([DQN(1, 2, 3, generator, discount=0.9).optimiser])
    return len(DDPG(1, 2, 3, generator, discount=0.9).optimisers)


def multiply_adds(sizes, plan: Plan, users: int) -> float:
    """Multiply-adds of training one agent.

    Each update passes a batch forward three times (two targets, one value) and once backward,
    which costs two passes; each step passes the users once.
    """
    network = sum(a * b for a, b in pairwise(sizes))
    return float(network * plan.steps * (5 * plan.updates * plan.batch + users))


def changed(world: World, name: str) -> World:
    """The world after the market has moved.

    "dearer": manufacturers no longer pay for price cuts; "reversed": the most price-sensitive
    customers become the least sensitive ones.
    """
    if name == "same":
        return world
    if name == "dearer":
        return replace(world, name="dearer", funding=0.0)
    if name == "reversed":
        return replace(world, name="reversed", slope=world.slope[::-1].copy())
    raise ValueError(f"no change {name!r}; choose same, dearer or reversed")


def stale_share(world: World, name: str) -> float:
    """What the policy that was optimal before a change earns after it, as a part of the optimum."""
    return share(changed(world, name), world.optimal_policy)


def newcomers(world: World, between: bool) -> World:
    """The world with other customers: "between" the types it has, or beyond them."""
    order = np.array([0.5, 0.5, 0.0]), np.array([0.0, 0.5, 0.5]), np.array([0.25, 0.5, 0.25])
    beyond = np.array([1.5, -0.5, 0.0]), np.array([0.0, -0.5, 1.5]), np.array([2.0, -1.0, 0.0])
    mix = np.stack(order if between else beyond)
    log_odds = mix @ np.log(world.odds)
    return replace(
        world,
        name="newcomers",
        odds=np.exp(log_odds),
        slope=mix @ world.slope,
        weight=np.full(3, 1 / 3),
    )


def seen_by(world: World, trained_on: World) -> np.ndarray:
    """Observations of a world's states with the standardisation of another one, (S, O)."""
    seen = world.features.copy()
    for column, name in enumerate(("odds", "visit", "slope", "attention")):
        old, new = getattr(trained_on, name), getattr(world, name)
        if name == "odds":
            old, new = np.log(old + 1e-12), np.log(new + 1e-12)
        centre = trained_on.weight @ old
        spread = np.sqrt(trained_on.weight @ (old - centre) ** 2)
        standard = (new - centre) / spread if spread > 1e-9 else np.zeros_like(new)
        seen[:, column] = standard.repeat(world.levels)
    return seen


def shares_elsewhere(agent: DQN, world: World, trained_on: World) -> np.ndarray:
    """Shares of the greedy policies of trained agents among customers of another world, (K,)."""
    seen = torch.as_tensor(seen_by(world, trained_on), dtype=torch.float32)
    chosen = agent.policy(seen.expand(agent.agents, *seen.shape)).numpy()
    return np.array([share(world, policy) for policy in chosen])
