"""What DDPG and SAC learn in the case of two products; every result is simulated.

Several agents train side by side, each with its own weights and its own customers. The exact value
of what they have learnt is stated as a part of the value of the best policy.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from promo_repro.agents.continuous_case import CaseMarket, TwoProducts, profit
from promo_repro.agents.continuous_training import Plan, train
from promo_repro.agents.ddpg import DDPG
from promo_repro.agents.sac import SAC
from promo_repro.claims import formula
from promo_repro.training.seeding import generator

KINDS = {"DDPG": DDPG, "SAC": SAC}
USERS = 1_024
PLAN = Plan(steps=1_000, batch=2_048, warmup=20, patience=300, capacity=400_000, every=50)
# The actor is slower than its critic: at equal rates DDPG runs to the ends of the range. The noise
# of one purchase is far larger than what a discount changes, hence the large batches.
OPTIONS = {
    "DDPG": {"rates": (5e-4, 3e-3), "noise": 0.3},
    "SAC": {"rates": (1e-3, 3e-3, 1e-3), "alpha": 0.02, "entropy": -4.0},
}


@dataclass(frozen=True)
class Learned:
    """Interactions (C,) of one agent, `shares` (C, K) of the best value, and the policy.

    `policy` is `(p, y) -> (K, N, 2)` discounts.
    """

    interactions: np.ndarray
    shares: np.ndarray
    policy: Callable


def learn(
    kind: str,
    case: TwoProducts,
    *,
    agents: int,
    plan: Plan = PLAN,
    seed: int = 0,
    reward: str = "profit",
    separate: bool = False,
    users: int = USERS,
) -> Learned:
    """Train `agents` agents of a kind, "DDPG" or "SAC", and follow the profit of what they do.

    `reward` is what they are told to earn; `separate` gives each product an agent of its own.
    Raises `ValueError` for an unknown kind.
    """
    if kind not in KINDS:
        raise ValueError(f"no agent {kind!r}; choose from {', '.join(KINDS)}")
    market = CaseMarket(case, agents, users, reward=reward, separate=separate)
    agent = KINDS[kind](
        market.agents,
        market.observation,
        market.action,
        generator(seed, "weights"),
        discount=case.discount,
        tau=0.02,
        hidden=(32, 32),
        **OPTIONS[kind],
    )
    best = case.value(case.best)

    def both(policy):
        """The policy of both products, from one agent for each."""
        return lambda seen: torch.cat(policy(seen.repeat(2, 1, 1)).chunk(2), dim=-1)

    def discounts(policy):
        return case.discounts_of(both(policy) if separate else policy, agents)

    def evaluate(policy):
        return torch.as_tensor(case.value(discounts(policy)) / best)

    curve = train(agent, market, plan, seed, evaluate)
    return Learned(np.array(curve.steps) * users, curve.values.numpy(), discounts(agent.policy))


# Bandits ------------------------------------------------------------------------------------------


@formula("eq-10-bandit-statistics")
def bandit_statistics(x, arm, reward, arms: int):
    """Σ x xᵀ (R, A, d, d) and Σ r x (R, A, d) over the customers to whom each arm was shown.

    `x` (R, n, d), `arm` (R, n) integers, `reward` (R, n).
    """
    shown = (arm[..., None] == np.arange(arms)).astype(float)
    squares = np.einsum("rna,rni,rnj->raij", shown, x, x, optimize=True)
    return squares, np.einsum("rna,rni->rai", shown * reward[..., None], x, optimize=True)


@dataclass
class Seen:
    """What a linear bandit knows of each of its arms, one row for each customer who chooses."""

    inverse: np.ndarray
    theta: np.ndarray


def bandit_shares(
    case: TwoProducts, policy, *, runs: int, weeks: int, users: int, seed: int, levels: int = 9
) -> np.ndarray:
    """Part of the best value that a contextual bandit's final greedy discounts earn, (runs,).

    Each product has a bandit, whose arms are `levels` equally spaced discounts and whose context is
    (1, p, y). All customers of a week choose with what was known at its start; `policy` has
    `scores(seen, x, rng) -> (rows, arms)` and `ridge`. Customers, purchases and truncation are
    those of the market for DDPG and SAC.
    """
    rng = np.random.default_rng(seed)
    arms = np.linspace(0, case.deepest, levels)
    low, high = case.base
    shape = 2 * runs, users  # product A of every run, then product B
    squares = np.tile(np.eye(3) * policy.ridge, (2 * runs, levels, 1, 1))
    response = np.zeros((2 * runs, levels, 3))
    for week in range(weeks):
        if week % case.weeks == 0:
            base, previous = low + (high - low) * rng.random(shape), np.zeros(shape)
        inverse = np.linalg.inv(squares)
        theta = np.einsum("raij,raj->rai", inverse, response)
        x = np.stack([np.ones(shape), base, previous], axis=-1)
        seen = Seen(inverse.repeat(users, axis=0), theta.repeat(users, axis=0))
        arm = policy.scores(seen, x.reshape(-1, 3), rng).argmax(axis=1).reshape(shape)
        given = arms[arm]
        rival = np.roll(given, runs, axis=0)
        chance = base + case.response * given - case.memory * previous - case.rivalry * rival
        earned = profit(rng.random(shape) < chance, given, case.margin, case.paid)
        more = bandit_statistics(x, arm, earned, levels)
        squares, response = squares + more[0], response + more[1]
        previous = given
    theta = np.linalg.solve(squares, response[..., None])[..., 0].reshape(2, runs, levels, 3)

    def greedy(p, y):
        p, y = np.broadcast_arrays(p, np.broadcast_to(y, (runs, *np.shape(p))))
        x = np.stack([np.ones_like(p), p, y], axis=-1)  # (runs, N, product, 3)
        return arms[np.einsum("knpi,pkai->knpa", x, theta).argmax(axis=-1)]

    return case.share(greedy)


def forgetful(case: TwoProducts) -> TwoProducts:
    """The same case for customers who do not remember the last discount."""
    return replace(case, memory=0.0)
