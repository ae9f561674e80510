"""The loop that trains DDPG or SAC: act, remember, update, for K agents in K equal markets.

A market is what the loop plays in: `agents`, `users` n, `observation` and `action` widths,
`reset(generator) -> (K, n, O)` and `step(action) -> (observation, reward, reached, terminated)`,
where `reached` is the observation that the transition ended in, also at the end of an episode.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from promo_repro.agents.ddpg import to_discount
from promo_repro.agents.replay import Replay
from promo_repro.simulator import Shop, World


@dataclass(frozen=True)
class Plan:
    """How long and how hard to train; the unit of `steps` and `warmup` is a week of all users.

    Learning rates fall linearly to zero over the steps: the last policies would otherwise follow
    the noise of the last batches.
    `updates` are per step; `batch` transitions each. During `warmup` actions are uniform and
    nothing is learned; until `patience` only the critic learns. `every` steps the policy is
    evaluated.
    """

    steps: int
    batch: int = 256
    updates: int = 1
    warmup: int = 10
    patience: int = 0
    capacity: int = 100_000
    every: int = 100

    def __post_init__(self):
        if min(self.steps, self.batch, self.updates, self.capacity, self.every) < 1:
            raise ValueError("steps, batch, updates, capacity and every must be at least 1")
        if not 1 <= self.warmup < self.steps:
            raise ValueError(f"warmup is {self.warmup}; it must lie in 1 … {self.steps - 1}")


@dataclass(frozen=True)
class Curve:
    """`steps` (C,) at which the policy was evaluated, and what came out, `values` (C, K)."""

    steps: list[int]
    values: Tensor


def train(agent, market, plan: Plan, seed: int, evaluate: Callable[..., Tensor]) -> Curve:
    """Train in place and return the curve of `evaluate(policy) -> (K,)`; it uses no randomness.

    The market, the exploration and the replay each have a generator of their own, made from
    `seed`. Raises `FloatingPointError` as soon as a loss is NaN or infinite.
    """
    world, exploration, drawing = (
        torch.Generator(device=market.device).manual_seed(3 * seed + k) for k in range(3)
    )
    memory = Replay(
        market.agents, plan.capacity, market.observation, market.action, market.device, market.dtype
    )
    observation = market.reset(world)
    marks, values = [], []
    groups = [group for each in agent.optimisers for group in each.param_groups]
    rates = [group["lr"] for group in groups]
    for step in range(1, plan.steps + 1):
        for group, rate in zip(groups, rates, strict=True):
            group["lr"] = rate * (1 - step / plan.steps)
        if step <= plan.warmup:
            shape = market.agents, market.users, market.action
            uniform = torch.rand(*shape, generator=exploration, device=market.device)
            action = 2 * uniform.to(market.dtype) - 1
        else:
            action = agent.act(observation, exploration)
        following, reward, reached, terminated = market.step(action)
        memory.add(observation, action, reward, reached, terminated)
        observation = following
        if step > plan.warmup:
            for _ in range(plan.updates):
                batch = memory.sample(plan.batch, drawing)
                losses = agent.update(batch, drawing, actor=step > plan.patience)
        if step % plan.every == 0 or step == plan.steps:
            if step > plan.warmup and not bool(torch.isfinite(losses).all()):
                raise FloatingPointError(
                    f"a loss is not finite at step {step}; lower the rates or scale the reward"
                )
            marks.append(step)
            with torch.no_grad():
                values.append(evaluate(agent.policy))
    return Curve(marks, torch.stack(values))


class ShopMarket:
    """The simulator's shop with one continuous discount, K times with n users each.

    A discount is rounded to whole percents, as prices are; what rounds to zero is no offer.
    `scale` multiplies rewards; `range` holds the ends of the discounts.
    """

    action = 1

    def __init__(
        self,
        world: World,
        agents: int,
        users: int,
        *,
        range: tuple[float, float] = (0.0, 0.4),
        slack: float = 0.25,
        scale: float = 1.0,
        device="cpu",
        dtype: torch.dtype = torch.float32,
    ):
        self.shop = Shop(world, agents * users, device=device, dtype=dtype, continuous=True)
        self.agents, self.users, self.observation = agents, users, world.observation_size
        self.range, self.slack, self.scale = range, slack, scale
        self.device, self.dtype = device, dtype
        to_discount(torch.zeros(1), *range, slack)  # a range that is reversed is refused here

    def discount(self, action: Tensor) -> Tensor:
        """The discount, in whole percents, that an action in [−1, 1] stands for."""
        return (100 * to_discount(action, *self.range, self.slack)).round() / 100

    def reset(self, generator: torch.Generator) -> Tensor:
        return self._split(self.shop.reset(generator))

    def step(self, action: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        offered = self.discount(action).reshape(self.agents * self.users)
        observation, reward, terminated, _, info = self.shop.step(offered)
        reached = info.get("final_observation", observation)
        return (
            self._split(observation),
            self._split(self.scale * reward),
            self._split(reached),
            self._split(terminated.to(self.dtype)),
        )

    def _split(self, rows: Tensor) -> Tensor:
        return rows.unflatten(0, (self.agents, self.users))


def policy_values(world: World, market: ShopMarket) -> Callable[..., Tensor]:
    """Function that maps a policy to the exact value of each agent's greedy discounts, (K,).

    The discounts are those of the market, looked up in the world's grid of discounts.
    """
    seen = torch.as_tensor(world.features, dtype=market.dtype, device=market.device)
    depths = torch.tensor([each.depth for each in world.promotions], dtype=torch.float64)

    def evaluate(policy) -> Tensor:
        discount = market.discount(policy(seen.expand(market.agents, *seen.shape)))[..., 0]
        place = (discount.double().cpu()[..., None] - depths).abs().argmin(dim=-1)
        return torch.tensor([world.policy_value(each) for each in place.numpy()])

    return evaluate
