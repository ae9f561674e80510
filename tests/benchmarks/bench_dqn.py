"""DQN against Stable-Baselines3: CPU time to 95 % of the optimum, samples, many seeds at once.

Both sides learn from the same simulated dormant customers, on one thread, in turn, with rewards in
units of the largest margin. Every 12,800 transitions the greedy policy is evaluated exactly, off
the clock; an agent has arrived at the first of three evaluations in a row of at least 95 % of the
optimum. The peer runs a preset tuned by hand, since its defaults do not arrive, on sixteen
customers stepped in one NumPy call, and is given up when it has taken sixteen times as long: the
ratio is then a lower bound. Many seeds at once are compared at the peer's defaults: one update on
32 transitions for every four customer-weeks, environment included.
"""

import time
from contextlib import suppress
from dataclasses import replace

import numpy as np
import torch
from stable_baselines3 import DQN as PeerDQN
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv

from promo_repro.agents.dqn import DQN, Market, Plan, policy_values, train, unit
from promo_repro.agents.dqn_runs import PLAN
from promo_repro.agents.dqn_studies import USERS, arrival
from promo_repro.simulator import ArrayShop, worlds
from promo_repro.simulator.faces import ShopEnv, spaces_of
from tests.benchmarks.record import row, told, write

SEEDS = range(5)
PEER_ENVS = 16
# Tuned by hand on a promotion world of the same size: the defaults do not arrive. Exploration falls
# to 5 % over 200,000 transitions (2 % of ten million).
PEER = {
    "learning_rate": 1e-3,
    "batch_size": 256,
    "target_update_interval": 1_000,
    "exploration_fraction": 0.02,
    "train_freq": 1,
    "gradient_steps": 1,
}
PEER_HORIZON = 10_000_000  # what the exploration fraction refers to; runs are stopped long before
EVERY = 12_800
SHARE, HELD = 0.95, 3
OWN_PLAN = replace(PLAN, every=EVERY // USERS)
GIVE_UP = 16  # a run of the peer ends when it has taken so many times as long as ours


class PeerShop(VecEnv):
    """The shop for Stable-Baselines3: sixteen customers in NumPy, faster than sixteen objects."""

    def __init__(self, world, customers, scale):
        self.shop, self.scale = ArrayShop(world, customers), scale
        super().__init__(customers, *spaces_of(world, continuous=False))

    def seed(self, seed=None):
        self.generator = np.random.default_rng(seed)

    def reset(self):
        return self.shop.reset(self.generator)

    def step_async(self, actions):
        self.actions = actions

    def step_wait(self):
        observation, reward, terminated, truncated, info = self.shop.step(self.actions)
        infos = [{} for _ in range(self.num_envs)]
        if "final_observation" in info:
            for each, final, cut in zip(infos, info["final_observation"], truncated, strict=True):
                each.update({"terminal_observation": final, "TimeLimit.truncated": bool(cut)})
        return observation, self.scale * reward, terminated | truncated, infos

    def close(self):
        pass

    def get_attr(self, name, indices=None):
        return [None] * self.num_envs

    def set_attr(self, name, value, indices=None):
        raise NotImplementedError

    def env_method(self, name, *arguments, indices=None, **options):
        raise NotImplementedError

    def env_is_wrapped(self, wrapper, indices=None):
        return [False] * self.num_envs


class Clock:
    """CPU seconds and share of the optimum at each evaluation; evaluating costs nothing."""

    def __init__(self, evaluate):
        self.evaluate = evaluate
        self.seconds, self.shares = [], []
        self.off, self.start = 0.0, time.process_time()

    def __call__(self, policy):
        now = time.process_time()
        self.seconds.append(now - self.start - self.off)
        share = self.evaluate(policy)
        self.shares.append(float(share))
        self.off += time.process_time() - now
        return share

    def arrival(self):
        """Number of the first of three evaluations in a row that reach the share, or None."""
        return arrival(self.shares, SHARE, HELD)


class Watch(BaseCallback):
    """Evaluates the peer as our loop evaluates itself; ends on arrival, or after some seconds."""

    def __init__(self, clock, features, patience):
        super().__init__()
        self.clock, self.patience = clock, patience
        self.features = torch.as_tensor(features, dtype=torch.float32)

    def _on_step(self):
        if self.num_timesteps % EVERY:
            return True
        self.clock(self._policy)
        return self.clock.arrival() is None and self.clock.seconds[-1] < self.patience

    def _policy(self):
        with torch.no_grad():
            return self.model.q_net(self.features).argmax(dim=1).numpy()


def peer_run(world, seed, patience):
    """The clock of a tuned Stable-Baselines3 DQN; it has `patience` CPU seconds to arrive."""
    optimum = world.optimal_value()
    market = PeerShop(world, PEER_ENVS, unit(world))
    market.seed(seed)
    model = PeerDQN("MlpPolicy", market, gamma=world.discount, seed=seed, device="cpu", **PEER)
    clock = Clock(lambda policy: world.policy_value(policy()) / optimum)
    model.learn(PEER_HORIZON, callback=Watch(clock, world.features, patience))
    return clock


def own_run(world, seed):
    """The clock of one of our agents; it ends on arrival."""
    optimum = world.optimal_value()
    market = Market(world, 1, USERS, scale=unit(world))
    generator = torch.Generator().manual_seed(seed)
    agent = DQN(1, market.observation, world.actions, generator, discount=world.discount)
    value = policy_values(world, market)
    clock = Clock(lambda policy: value(policy)[0] / optimum)

    def evaluate(policy):
        found = clock(policy)[None]
        if clock.arrival() is not None:
            raise StopIteration
        return found

    with suppress(StopIteration):
        train(agent, market, OWN_PLAN, seed, evaluate)
    return clock


def arrived(clock):
    """CPU seconds until an agent had arrived; all of its seconds if it never did."""
    mark = clock.arrival()
    return clock.seconds[-1 if mark is None else mark]


def own_many(world, seed):
    """CPU seconds per update of one of 32 agents, customers included."""
    steps, agents = 300, 32
    market = Market(world, agents, 4, scale=unit(world))
    generator = torch.Generator().manual_seed(seed)
    agent = DQN(
        agents, market.observation, world.actions, generator, discount=world.discount, double=False
    )
    plan = Plan(steps, batch=32, updates=1, warmup=25, capacity=100_000, every=steps)
    start = time.process_time()
    train(agent, market, plan, seed, lambda policy: torch.zeros(agents))
    return (time.process_time() - start) / ((steps - plan.warmup) * agents)


def peer_many(world, seed):
    """CPU seconds per update of one of the peer's agents with its defaults."""
    transitions = 1_500
    model = PeerDQN(
        "MlpPolicy", ShopEnv(world), gamma=world.discount, seed=seed, device="cpu",
        buffer_size=100_000,
    )  # fmt: skip
    start = time.process_time()
    model.learn(transitions)
    return (time.process_time() - start) / model._n_updates


def race(seed):
    """The clocks of both sides, ours first."""
    torch.set_num_threads(1)
    world = worlds.dormant()
    own = own_run(world, seed)
    return own, peer_run(world, seed, GIVE_UP * own.seconds[-1])


def many(seed):
    """CPU seconds of an agent-update on both sides."""
    torch.set_num_threads(1)
    world = worlds.dormant()
    return own_many(world, seed), peer_many(world, seed)


def rows_of(pairs, updates):
    """The rows of the record from the clocks of some races and the seconds of some updates."""
    name = "stable-baselines3"
    return [
        row(
            "CPU time to 95 % of the optimum, held",
            "dormant world, one agent",
            name,
            [(arrived(own), arrived(peer)) for own, peer in pairs],
            own_arrived=[own.arrival() is not None for own, _ in pairs],
            peer_arrived=[peer.arrival() is not None for _, peer in pairs],
            own_transitions=[transitions_to(own) for own, _ in pairs],
            peer_transitions=[transitions_to(peer) for _, peer in pairs],
            peer_last=[peer.shares[-1] for _, peer in pairs],
            peer_best=[max(peer.shares) for _, peer in pairs],
            peer_preset=PEER,
        ),
        row(
            "replayed samples, whole loop",
            f"batches of {OWN_PLAN.batch} against {PEER['batch_size']}",
            name,
            [
                (per(own, OWN_PLAN.updates * OWN_PLAN.batch / USERS), per(peer, peer_replays()))
                for own, peer in pairs
            ],
        ),
        row(
            "transitions, whole loop",
            f"{USERS} customers against {PEER_ENVS}",
            name,
            [(per(own, 1), per(peer, 1)) for own, peer in pairs],
        ),
        row(
            "agent-updates, whole loop, 32 agents at once against one",
            "batch 32, four transitions an update",
            name,
            updates,
        ),
    ]


def run():
    """Measure, write `data/results/bench/dqn.json`, and yield one line per task."""
    rows = rows_of([race(seed) for seed in SEEDS], [many(seed) for seed in SEEDS])
    for found in rows:
        yield told(found)
    yield write("dqn", rows, SEEDS)


def transitions_to(clock):
    """Transitions until an agent had arrived; all of its transitions if it never did."""
    mark = clock.arrival()
    return EVERY * (len(clock.seconds) if mark is None else mark + 1)


def per(clock, uses):
    """CPU seconds per transition of a run, over its number of `uses`."""
    return clock.seconds[-1] / (EVERY * len(clock.seconds) * uses)


def peer_replays():
    """How often the peer uses a transition."""
    return PEER["gradient_steps"] * PEER["batch_size"] / (PEER["train_freq"] * PEER_ENVS)
