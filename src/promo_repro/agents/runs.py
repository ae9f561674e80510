"""DQN, DDPG and SAC for the command `promo-repro train`: one agent for each seed, in one batch.

Agents, markets and plans are those of `dqn` and `continuous_learning`, and so is what happens in a
week; here a week is a step that can be saved, stopped and resumed.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from promo_repro.agents import continuous_learning, dqn
from promo_repro.agents.continuous_case import CaseMarket, TwoProducts
from promo_repro.agents.dqn import DQN
from promo_repro.agents.networks import MLP
from promo_repro.agents.replay import Batch, Replay
from promo_repro.simulator import worlds
from promo_repro.training.checkpoint import capture, restore
from promo_repro.training.compiled import Compiled, rates_as_tensors
from promo_repro.training.loop import Run, Setting
from promo_repro.training.precision import autocast
from promo_repro.training.seeding import generator

MARKS = 20
USERS = 256  # customers of each agent, all at once
SHARE = "share of the optimum"


class Weekly:
    """K agents in their market; a step is a week of all users.

    `weeks` is the length of an episode, and `measure(policy)` gives the metrics (K,) of the greedy
    policy. A subclass says how actions are chosen, what a batch teaches, and what moves in the
    market.
    """

    unit = "returns"

    def __init__(self, agent, market, plan, setting: Setting, *, action: int, weeks: int, measure):
        self.agent, self.market, self.plan, self.setting = agent, market, plan, setting
        self.action, self.measure = action, measure
        self.amount = market.agents * market.users / weeks  # an episode has one return
        self.batch = setting.team.share(plan.batch, "transitions of a batch")
        self.world, self.exploration, self.drawing = (
            generator(setting.seed, name, setting.team.rank, device=setting.device)
            for name in ("market", "exploration", "replay")
        )
        capacity = min(plan.capacity, plan.steps * market.users)
        place = market.device, market.dtype
        self.memory = Replay(market.agents, capacity, market.observation, action, *place)
        self.observation = market.reset(self.world)
        self.week = 0
        self.rates = [group["lr"] for group in self.groups()]
        setting.team.follow(*self.optimisers())
        self.update = self.learn
        if setting.compiled:
            self.update = Compiled(self.learn, self.learnt, setting.device)
            for each in self.optimisers():
                rates_as_tensors(each, setting.device)

    def choose(self) -> Tensor:
        """The actions (K, n) or (K, n, A) of this week."""
        raise NotImplementedError

    def learn(self, batch: Batch, patient: bool) -> Mapping[str, Tensor]:
        """One step on a batch, and of the policy as well unless `patient`; its metrics (K,)."""
        raise NotImplementedError

    def moving(self) -> tuple[object, tuple[str, ...]]:
        """Whatever holds the state of the market, and the names of what changes in it."""
        raise NotImplementedError

    def rate(self) -> float:
        """The learning rate of this week, as a part of the first."""
        return 1 - self.week / self.plan.steps

    def patient(self) -> bool:
        """Whether the policy waits this week, until its values are worth following."""
        return False

    @property
    def limits(self) -> Mapping[str, float]:
        return {}

    def step(self) -> Mapping[str, Tensor]:
        self.week += 1
        for group, first in zip(self.groups(), self.rates, strict=True):
            rate = first * self.rate()
            group["lr"] = rate if isinstance(group["lr"], float) else group["lr"].fill_(rate)
        metrics: Mapping[str, Tensor] = {}
        with autocast(self.setting.device, self.setting.precision):
            action = self.choose()
            following, reward, reached, terminated = self.market.step(action)
            rows = action.reshape(*reward.shape, self.action)
            self.memory.add(self.observation, rows, reward, reached, terminated)
            self.observation = following
            if self.week > self.plan.warmup:
                for _ in range(self.plan.updates):
                    batch = self.memory.sample(self.batch, self.drawing)
                    metrics = self.update(batch, self.patient())
        return metrics

    @torch.no_grad()
    def evaluate(self) -> Mapping[str, Tensor]:
        return {SHARE: self.measure(self.agent.policy)}

    # State -------------------------------------------------------------------------------------

    def optimisers(self) -> list[torch.optim.Optimizer]:
        return [v for v in vars(self.agent).values() if isinstance(v, torch.optim.Optimizer)]

    def groups(self) -> list[dict]:
        return [group for each in self.optimisers() for group in each.param_groups]

    def learnt(self) -> dict:
        """What a batch changes: networks, optimisers, and the generator that draws."""
        parts = {name: value for name, value in vars(self.agent).items() if _has_state(value)}
        parts = {n: v.parameters() if isinstance(v, MLP) else v for n, v in parts.items()}
        return parts | {"drawing": self.drawing}

    def parts(self) -> dict:
        """What a week changes, but for whole numbers."""
        holder, names = self.moving()
        moving = {name: getattr(holder, name) for name in names}
        return self.learnt() | {
            "world": self.world,
            "exploration": self.exploration,
            "memory": self.memory.rows,
            "observation": self.observation,
            **{name: value for name, value in moving.items() if isinstance(value, Tensor)},
        }

    def state_dict(self) -> dict:
        holder, names = self.moving()
        counters = {n: getattr(holder, n) for n in names if isinstance(getattr(holder, n), int)}
        counters |= {"weeks done": self.week, "added": self.memory.added}
        return {"parts": capture(self.parts()), "counters": counters}

    def load_state_dict(self, state: Mapping) -> None:
        restore(self.parts(), state["parts"])
        counters = dict(state["counters"])
        self.week, self.memory.added = counters.pop("weeks done"), counters.pop("added")
        for name, value in counters.items():
            setattr(self.moving()[0], name, value)


def _has_state(value) -> bool:
    return isinstance(value, MLP | Tensor | torch.optim.Optimizer)


class Promoting(Weekly):
    """DQN in the simulator's shop."""

    def choose(self) -> Tensor:
        epsilon = self.plan.exploration(self.week)
        return self.agent.act(self.observation, epsilon, self.exploration)

    def learn(self, batch: Batch, patient: bool) -> Mapping[str, Tensor]:
        loss, target = self.agent.update(batch)
        return {"loss": loss, "target": target}

    def moving(self):
        # The shop's own streams have an address: key, week and episode are all of their state.
        return self.market.shop, ("_type", "_state", "week", "steps", "episodes")

    def rate(self) -> float:
        return self.plan.rate(self.week)

    @property
    def limits(self) -> Mapping[str, float]:
        """No target can exceed what the largest reward, earned for ever, is worth."""
        rewards = self.memory.rows[:, :, self.market.observation + self.action]
        return {"target": dqn.value_bound(float(rewards.abs().max()), self.agent.discount)}


class Discounting(Weekly):
    """DDPG or SAC in D3's case of two products."""

    def choose(self) -> Tensor:
        if self.week > self.plan.warmup:
            return self.agent.act(self.observation, self.exploration).to(self.market.dtype)
        shape = (*self.observation.shape[:2], self.action)
        place = {"device": self.market.device, "dtype": self.market.dtype}
        return 2 * torch.rand(shape, generator=self.exploration, **place) - 1

    def learn(self, batch: Batch, patient: bool) -> Mapping[str, Tensor]:
        critic, actor = self.agent.update(batch, self.drawing, actor=not patient)
        return {"critic loss": critic, "actor loss": actor}

    def patient(self) -> bool:
        return self.week <= self.plan.patience

    def moving(self):
        return self.market, ("base", "previous", "week")


# What the command trains --------------------------------------------------------------------------


def dqn_run(setting: Setting) -> Run:
    """Chapter 9's agent among the dormant customers, measured against their exact optimum."""
    world = worlds.dormant()
    plan = dqn.Plan(steps=8_000 if setting.full else 2_000, epsilon=(1.0, 0.05), fade=0.4)
    users = setting.team.share(USERS, "users")
    market = dqn.Market(world, setting.seeds, users, scale=dqn.unit(world), device=setting.device)
    sizes = setting.seeds, market.observation, world.actions
    agent = DQN(*sizes, weights(setting), discount=world.discount)
    value, best = dqn.policy_values(world, market), world.optimal_value()
    trainable = Promoting(
        agent,
        market,
        plan,
        setting,
        action=1,
        weeks=world.weeks,
        measure=lambda policy: value(policy) / best,
    )
    return Run(trainable, plan.steps, plan.steps // MARKS, simulated=True)


def ddpg_run(setting: Setting) -> Run:
    """Chapter 10's DDPG on the case of two products, measured against its closed form."""
    return two_products("DDPG", setting)


def sac_run(setting: Setting) -> Run:
    """Chapter 10's SAC on the same case."""
    return two_products("SAC", setting)


def two_products(kind: str, setting: Setting) -> Run:
    """Chapter 10's agents of a kind on the case of two products, or (full) four times as long."""
    case, plan = TwoProducts(), continuous_learning.PLAN
    if setting.full:
        plan = replace(plan, steps=4 * plan.steps, patience=4 * plan.patience)
    users = setting.team.share(continuous_learning.USERS, "users")
    market = CaseMarket(case, setting.seeds, users, device=setting.device)
    agent = continuous_learning.KINDS[kind](
        setting.seeds,
        market.observation,
        market.action,
        weights(setting),
        discount=case.discount,
        tau=0.02,
        hidden=(32, 32),
        **continuous_learning.OPTIONS[kind],
    )
    best = case.value(case.best)

    def measure(policy) -> Tensor:
        # The case is valued in NumPy, so that its observations are born on the CPU.
        here = case.discounts_of(lambda seen: policy(seen.to(market.device)).cpu(), setting.seeds)
        return torch.as_tensor(case.value(here) / best)

    trainable = Discounting(
        agent, market, plan, setting, action=market.action, weeks=case.weeks, measure=measure
    )
    return Run(trainable, plan.steps, plan.steps // MARKS, simulated=True)


def weights(setting: Setting) -> torch.Generator:
    """The generator of the first weights: the same in every process."""
    return generator(setting.seed, "weights", device=setting.device)
