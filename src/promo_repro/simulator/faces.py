"""Gymnasium faces: the plain customer as an `Env`, the batched shop as a `VectorEnv`."""

from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode

from promo_repro.simulator.scalar import Customer
from promo_repro.simulator.shop import ArrayShop
from promo_repro.simulator.world import World


def spaces_of(world: World, continuous: bool):
    """Observation and action space of one customer."""
    size = world.observation_size
    observations = gymnasium.spaces.Box(-np.inf, np.inf, (size,), np.float32)
    if continuous:
        return observations, gymnasium.spaces.Box(0.0, 1.0, (1,), np.float32)
    return observations, gymnasium.spaces.Discrete(world.actions)


class ShopEnv(gymnasium.Env):
    """One customer, computed in plain Python; a new customer at each `reset`."""

    metadata: ClassVar[dict[str, Any]] = {"render_modes": []}

    def __init__(self, world: World, continuous: bool = False):
        self.world, self.continuous = world, continuous
        self.customer = Customer(world, continuous)
        self.observation_space, self.action_space = spaces_of(world, continuous)
        self._features = world.features.astype(np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.customer.begin(self.np_random.random())
        return self._observe(), {}

    def step(self, action):
        if self.continuous:
            (action,) = action
        profit, over = self.customer.step(action, self.np_random.random(3).tolist())
        ends = self.world.horizon
        return self._observe(), profit, over and ends, over and not ends, {}

    def _observe(self):
        seen = self._features[self.customer.state]
        if not self.world.horizon:
            return seen.copy()
        return np.append(seen, np.float32(1 - self.customer.week / self.world.weeks))


class ShopVectorEnv(gymnasium.vector.VectorEnv):
    """All customers at once; they are replaced in the step in which their episode ends.

    The last observations of an episode stand in `info["final_obs"]`, one row per customer.
    """

    metadata: ClassVar[dict[str, Any]] = {
        "render_modes": [],
        "autoreset_mode": AutoresetMode.SAME_STEP,
    }

    def __init__(self, world: World, num_envs: int, continuous: bool = False, **limits):
        self.shop = ArrayShop(world, num_envs, continuous=continuous, **limits)
        self.num_envs = num_envs
        self.single_observation_space, self.single_action_space = spaces_of(world, continuous)
        batch = gymnasium.vector.utils.batch_space
        self.observation_space = batch(self.single_observation_space, num_envs)
        self.action_space = batch(self.single_action_space, num_envs)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self.shop.reset(self.np_random), {}

    def step(self, actions):
        observation, reward, terminated, truncated, info = self.shop.step(actions)
        said = {"bought": info["bought"], "_bought": np.ones(self.num_envs, bool)}
        if "final_observation" in info:
            said["final_obs"] = np.empty(self.num_envs, object)
            said["final_obs"][:] = list(info["final_observation"])
            said["_final_obs"] = np.ones(self.num_envs, bool)
        return observation, reward.astype(np.float64), terminated, truncated, said
