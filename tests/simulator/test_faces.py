"""The Gymnasium faces pass the checkers, and Stable-Baselines3 trains on them unchanged."""

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

from promo_repro.simulator import ArrayShop, worlds
from promo_repro.simulator.faces import ShopEnv, ShopVectorEnv

CASES = [(worlds.dormant, False), (worlds.season, False), (worlds.personal_discounts, True)]


@pytest.mark.parametrize(("world", "continuous"), CASES)
@pytest.mark.filterwarnings("ignore::UserWarning")  # advice on infinite boxes, not an error
def test_gymnasium_checker(world, continuous):
    check_env(ShopEnv(world(), continuous), skip_render_check=True)


@pytest.mark.parametrize(("world", "continuous"), CASES)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_stable_baselines_checker(world, continuous):
    from stable_baselines3.common.env_checker import check_env as check

    check(ShopEnv(world(), continuous), skip_render_check=True)


def test_stable_baselines_trains_unchanged():
    from stable_baselines3 import DQN, SAC

    model = DQN("MlpPolicy", ShopEnv(worlds.dormant()), learning_starts=20, seed=0, device="cpu")
    model.learn(60)
    action, _ = model.predict(np.zeros(7, np.float32))
    assert 0 <= int(action) < 6
    env = ShopEnv(worlds.personal_discounts(), continuous=True)
    actor = SAC("MlpPolicy", env, learning_starts=20, seed=0, device="cpu")
    actor.learn(40)
    action, _ = actor.predict(np.zeros(7, np.float32))
    assert 0 <= float(action[0]) <= 1


def test_one_episode_ends_as_it_should():
    for world, ends in ((worlds.dormant(), False), (worlds.season(), True)):
        env = ShopEnv(world)
        env.reset(seed=1)
        flags = [env.step(0)[2:4] for _ in range(world.weeks)]
        assert flags[:-1] == [(False, False)] * (world.weeks - 1)
        assert flags[-1] == (ends, not ends)


def test_time_left_is_seen_only_where_time_ends():
    env = ShopEnv(worlds.season())
    first, _ = env.reset(seed=1)
    second = env.step(0)[0]
    assert (first[-1], second[-1]) == (1, np.float32(11 / 12))
    assert len(ShopEnv(worlds.dormant()).reset(seed=1)[0]) == 7


def test_vector_face_is_the_batched_shop():
    world = worlds.dormant()
    face = ShopVectorEnv(world, 50)
    assert face.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP
    observation, _ = face.reset(seed=7)
    shop = ArrayShop(world, 50)
    np.testing.assert_array_equal(observation, shop.reset(np.random.default_rng(7)))
    assert observation in face.observation_space
    rng = np.random.default_rng(0)
    for week in range(world.weeks + 3):
        action = rng.integers(6, size=50)
        observation, reward, terminated, truncated, info = face.step(action)
        expected = shop.step(action)
        np.testing.assert_array_equal(observation, expected[0])
        np.testing.assert_array_equal(reward, expected[1].astype(float))
        last = week == world.weeks - 1
        assert not terminated.any()
        assert truncated.all() == last
        assert ("final_obs" in info) == last
        if last:
            final = np.stack(list(info["final_obs"]))
            np.testing.assert_array_equal(final, expected[4]["final_observation"])
            assert (final != observation).any()


def test_a_seed_repeats_an_episode():
    env = ShopEnv(worlds.dormant())

    def profits():
        env.reset(seed=3)
        return [env.step(1)[1] for _ in range(20)]

    assert profits() == profits()
