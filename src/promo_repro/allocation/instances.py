"""Allocation problems from one fixed generator: heavy-tailed values, correlated costs, ties."""

import numpy as np
import torch

from promo_repro.allocation.problem import Problem


def instance(
    users: int, promotions: int = 10, seed: int = 0, ties: bool = False, dtype=torch.float64
) -> Problem:
    """A budget and one stock per promotion, on simulated values and costs.

    Values are lognormal in the user and in the user's taste for the promotion, less what bothers
    everybody a little; costs grow with the square root of the value. The budget is 30 % of what
    an unconstrained allocation spends, and stocks are short enough that nearly all rows bind.
    `ties` rounds values and costs to whole numbers, so that many users tie.
    """
    rng = np.random.default_rng(seed)
    size = np.exp(rng.normal(0, 0.8, users))
    stored = np.float32 if dtype == torch.float32 else np.float64
    value, cost = (np.empty((promotions, users), dtype=stored) for _ in range(2))
    for k in range(promotions):
        worth = size * np.exp(rng.normal(0, 0.6, users))
        value[k] = 10 * worth - 2
        cost[k] = 2 * np.sqrt(worth) * np.exp(rng.normal(0, 0.4, users))
    if ties:
        np.round(value, out=value)
        np.round(cost, out=cost)
    best = value.argmax(axis=0)[None]
    gains = np.take_along_axis(value, best, axis=0) > 0
    spend = np.take_along_axis(cost, best, axis=0)[gains].sum(dtype=np.float64)
    stock = np.floor(users * np.linspace(0.15, 0.45, promotions) / promotions)
    v, c = torch.from_numpy(value).T, torch.from_numpy(cost).T
    return Problem(v.to(dtype), c.to(dtype), budget=float(0.3 * spend), stock=stock)
