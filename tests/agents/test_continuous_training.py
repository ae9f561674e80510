"""The loop that trains DDPG and SAC."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from promo_repro.agents.continuous_case import TwoProducts
from promo_repro.agents.continuous_learning import PLAN, learn
from promo_repro.agents.continuous_training import Plan, ShopMarket, policy_values, train
from promo_repro.agents.ddpg import DDPG
from promo_repro.agents.replay import Replay
from promo_repro.agents.sac import SAC
from promo_repro.simulator import worlds

CASE = TwoProducts()
SHORT = replace(PLAN, steps=12, warmup=4, patience=0, batch=32, every=6)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


class Scripted:
    """One agent and one user; rewards are the time. Ends after three weeks, or is cut off."""

    agents = users = action = 1
    observation, device, dtype = 2, "cpu", torch.float32

    def __init__(self, ends):
        self.ends, self.time = ends, 0

    def reset(self, generator):
        self.week = 0
        return torch.tensor([[[0.0, 0.0]]])

    def step(self, action):
        self.time += 1
        self.week += 1
        reached = torch.tensor([[[float(self.week), float(self.time)]]])
        over = self.week == 3
        ended = torch.tensor([[float(over and self.ends[(self.time - 1) // 3])]])
        following = self.reset(None) if over else reached
        return following, torch.tensor([[float(self.time)]]), reached, ended


def test_memory_holds_one_termination_and_one_truncation_exactly():
    kept = []
    original = Replay.add

    def spy(self, *parts):
        kept.append([part.clone() for part in parts])
        original(self, *parts)

    agent = DDPG(1, 2, 1, generator(), discount=0.9)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Replay, "add", spy)
        plan = Plan(steps=6, batch=2, warmup=5, every=6)
        train(agent, Scripted([True, False]), plan, 0, lambda policy: torch.zeros(1))
    rows = [[part.ravel().tolist() for part in parts] for parts in kept]
    seen, reached = [row[0] for row in rows], [row[3] for row in rows]
    assert [row[2][0] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [row[4][0] for row in rows] == [0, 0, 1, 0, 0, 0]  # the second episode was cut off
    assert seen == [[0, 0], [1, 1], [2, 2], [0, 0], [1, 4], [2, 5]]
    # What a transition reached is the last observation, also where a new customer comes next.
    assert reached == [[1, 1], [2, 2], [3, 3], [1, 4], [2, 5], [3, 6]]


@pytest.mark.parametrize("kind", ["DDPG", "SAC"])
def test_same_seed_same_curve(kind):
    first, second = (learn(kind, CASE, agents=2, plan=SHORT, users=8) for _ in range(2))
    assert np.array_equal(first.shares, second.shares)
    assert first.interactions.tolist() == [48, 96]
    other = learn(kind, CASE, agents=2, plan=SHORT, users=8, seed=1)
    assert not np.array_equal(first.shares, other.shares)


def test_a_loss_that_is_not_finite_ends_the_training():
    class Broken(SAC):
        def update(self, *arguments, **options):
            return super().update(*arguments, **options) * float("nan")

    agent = Broken(1, 2, 1, generator(), discount=0.9)
    plan = Plan(steps=6, batch=2, warmup=2, every=3)
    with pytest.raises(FloatingPointError, match="a loss is not finite at step 3; lower the rates"):
        train(agent, Scripted([False, False]), plan, 0, lambda policy: torch.zeros(1))


def test_actor_waits_and_rates_fall():
    agent = DDPG(1, 2, 1, generator(), discount=0.9)
    start = agent.actor.weights[0].detach().clone()
    plan = Plan(steps=5, batch=2, warmup=1, patience=5, every=5)
    train(agent, Scripted([False, False]), plan, 0, lambda policy: torch.zeros(1))
    assert torch.equal(start, agent.actor.weights[0])
    assert agent.critic_step.param_groups[0]["lr"] == 0


def test_wrong_plans_are_refused():
    with pytest.raises(ValueError, match="must be at least 1"):
        Plan(steps=10, batch=0)
    with pytest.raises(ValueError, match=r"warmup is 10; it must lie in 1 … 9"):
        Plan(steps=10, warmup=10)
    with pytest.raises(ValueError, match="no agent 'TD3'; choose from DDPG, SAC"):
        learn("TD3", CASE, agents=1)


def test_shop_market_and_exact_values():
    world = worlds.personal_discounts(points=41)
    market = ShopMarket(world, 2, 4)
    seen = market.reset(generator())
    assert seen.shape == (2, 4, world.observation_size)
    action = torch.tensor([-1.0, 1.0, 0.0, 0.5]).reshape(1, 4, 1).repeat(2, 1, 1)
    assert market.discount(action)[0, :, 0].tolist() == pytest.approx([0, 0.4, 0.2, 0.32])
    following, reward, reached, ended = market.step(action)
    assert following.shape == reached.shape == (2, 4, world.observation_size)
    assert reward.shape == ended.shape == (2, 4)
    value = policy_values(world, market)
    nothing = value(lambda seen: torch.full((*seen.shape[:-1], 1), -1.0))
    expected = world.policy_value(world.standard_policies()["none"])
    assert nothing.tolist() == pytest.approx([expected, expected])


# Bandits and studies ------------------------------------------------------------------------------
