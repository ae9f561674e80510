"""Weeks of customers a second: the batched shop against environments that step one customer each.

Both sides run the same world with the same random promotions on one thread and take turns. The
peers are Stable-Baselines3's `DummyVecEnv` with 8 and Gymnasium's `SyncVectorEnv` with 64 copies of
the customer written in plain Python; ours steps all customers at once. Seconds are CPU seconds per
million customer-weeks, new customers at the end of each episode included.
"""

import tracemalloc
from statistics import median

import gymnasium
import numpy as np
import torch
from stable_baselines3.common.vec_env import DummyVecEnv

from promo_repro.response import parameters
from promo_repro.simulator import ArrayShop, Shop, calibrated, worlds
from promo_repro.simulator.faces import ShopEnv
from tests.benchmarks.record import row, seconds, told, write

USERS = 4_096
SIZES = (4_096, 65_536, 1_000_000)
EPISODES = 4
PEER_STEPS = 26 * 15
REPEATS = 7
SEED = 1


def batched(make, world, users, episodes=EPISODES):
    """A task that plays `episodes` with `users` customers, and its number of customer-weeks."""
    shop = make(world, users)
    actions = np.random.default_rng(SEED).integers(world.actions, size=(8, users))
    if isinstance(shop, Shop):
        actions = torch.as_tensor(actions)
    shop.reset(np.random.default_rng(SEED))
    weeks = episodes * world.weeks

    def play():
        for week in range(weeks):
            shop.step(actions[week % 8])

    return play, weeks * users


def plain(vector, world):
    """A task that steps a peer's vector of plain customers, and its number of customer-weeks."""
    count = vector.num_envs
    actions = np.random.default_rng(SEED).integers(world.actions, size=(PEER_STEPS, count))
    vector.reset()

    def play():
        for action in actions:
            vector.step(action)

    return play, PEER_STEPS * count


def compare(task, size, package, ours, theirs):
    """One row: CPU seconds of both sides per million customer-weeks, in turn."""
    (own, own_weeks), (peer, peer_weeks) = ours, theirs
    own(), peer()  # warm up
    turns = [
        (1e6 * seconds(own)[0] / own_weeks, 1e6 * seconds(peer)[0] / peer_weeks)
        for _ in range(REPEATS)
    ]
    rate = 1e6 / median(mine for mine, _ in turns)
    return row(task, size, package, turns, own_customer_weeks_per_s=rate)


def scaling(make, name):
    """One row per number of users: CPU nanoseconds and peak bytes of a week per user."""
    for users in SIZES:
        # At least two million customer-weeks, so that the clock sees more than its own noise.
        episodes = max(1, 2_000_000 // (worlds.dormant().weeks * users))
        play, weeks = batched(make, worlds.dormant(), users, episodes)
        play()
        spent = min(seconds(play)[0] for _ in range(3)) / weeks
        tracemalloc.start()
        shop = make(worlds.dormant(), users)
        shop.reset_to(SEED)
        action = np.ones(users, np.int64)
        shop.step(action)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        yield {
            "task": f"scaling, {name}",
            "users": users,
            "own_cpu_ns_per_week": 1e9 * spent,
            "peak_bytes_per_user": peak / users,
        }


def run():
    """Measure, write `data/results/bench/simulator.json`, and yield one line per task."""
    torch.set_num_threads(1)
    rows = []
    cases = {"dormant": worlds.dormant(), "calibrated": calibrated(parameters.example(), "bread")}
    for name, world in cases.items():
        peers = {
            "stable_baselines3": DummyVecEnv([lambda w=world: ShopEnv(w)] * 8),
            "gymnasium": gymnasium.vector.SyncVectorEnv([lambda w=world: ShopEnv(w)] * 64),
        }
        for package, vector in peers.items():
            for make in (ArrayShop, Shop) if name == "dormant" else (ArrayShop,):
                what = "NumPy" if make is ArrayShop else "torch"
                ours = batched(make, world, USERS)
                size = f"{USERS:,} users against {vector.num_envs} environments"
                task = f"{name} world, {what}"
                rows.append(compare(task, size, package, ours, plain(vector, world)))
                yield told(rows[-1])
    for found in scaling(ArrayShop, "NumPy"):
        rows.append(found)
        yield (
            f"{found['users']:,} users: {found['own_cpu_ns_per_week']:.1f} ns a week, "
            f"{found['peak_bytes_per_user']:.0f} bytes per user"
        )
    yield write("simulator", rows, [SEED])
