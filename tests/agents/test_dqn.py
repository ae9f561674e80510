"""DQN: its equations, its loop, and Stable-Baselines3's on the same weights and batch."""

import gymnasium
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from stable_baselines3 import DQN as PeerDQN
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.type_aliases import ReplayBufferSamples

from promo_repro.agents.dqn import (
    DQN,
    Market,
    Plan,
    double_target,
    epsilon_greedy,
    policy_values,
    td_loss,
    td_target,
    train,
    unit,
    value_bound,
)
from promo_repro.agents.replay import Batch, Replay
from promo_repro.simulator import worlds


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def batch_of(agents, count, observation, actions, seed=0):
    g = generator(seed)
    return Batch(
        torch.randn(agents, count, observation, generator=g),
        torch.randint(actions, (agents, count, 1), generator=g).float(),
        torch.randn(agents, count, generator=g),
        torch.randn(agents, count, observation, generator=g),
        (torch.rand(agents, count, generator=g) < 0.3).float(),
    )


# Equations ----------------------------------------------------------------------------------------


def test_targets_worked_by_hand():
    reward, ended = torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 1.0]])
    slow = torch.tensor([[[1.0, 3.0, 2.0], [5.0, 6.0, 7.0]]])
    online = torch.tensor([[[9.0, 0.0, 1.0], [0.0, 1.0, 0.0]]])
    assert torch.allclose(td_target(reward, ended, slow, 0.9), torch.tensor([[3.7, 2.0]]))
    assert torch.allclose(
        double_target(reward, ended, slow, online, 0.9), torch.tensor([[1.9, 2.0]])
    )


@given(st.integers(0, 10_000))
def test_the_double_target_never_exceeds_the_other(seed):
    g = generator(seed)
    reward, ended = torch.randn(2, 5, generator=g), torch.zeros(2, 5)
    slow, online = (torch.randn(2, 5, 4, generator=g) for _ in range(2))
    plain = td_target(reward, ended, slow, 0.9)
    assert (double_target(reward, ended, slow, online, 0.9) <= plain + 1e-6).all()
    assert torch.allclose(double_target(reward, ended, slow, slow, 0.9), plain)


def test_targets_refuse_a_broadcast():
    with pytest.raises(ValueError, match="broadcast would mix"):
        td_target(torch.zeros(1, 4), torch.zeros(4, 1), torch.zeros(1, 4, 3), 0.9)
    with pytest.raises(ValueError, match="broadcast would mix"):
        double_target(
            torch.zeros(1, 4), torch.zeros(1, 4), torch.zeros(1, 3), torch.zeros(1, 4, 3), 0.9
        )


def test_loss_worked_by_hand():
    value, target = torch.tensor([[0.0, 3.0]]), torch.tensor([[0.5, 0.0]])
    assert td_loss(value, target).item() == pytest.approx((0.125 + 2.5) / 2)
    assert td_loss(value, target, 2.0).item() == pytest.approx((0.125 + 4.0) / 2)
    assert td_loss(value, target, float("inf")).item() == pytest.approx((0.125 + 4.5) / 2)
    one, three = torch.tensor([1.0]), torch.tensor([3.0])
    assert td_loss(one, three, float("inf")).item() == pytest.approx(2)
    assert td_loss(one, three).item() == pytest.approx(1.5)


def test_loss_has_the_clipped_error_as_gradient():
    error = torch.linspace(-3, 3, 13)[None].requires_grad_()
    (slope,) = torch.autograd.grad(td_loss(error, torch.zeros(1, 13), 0.8).sum(), error)
    assert torch.allclose(slope * 13, error.detach().clip(-0.8, 0.8), atol=1e-6)


def test_loss_refuses_shapes_and_thresholds():
    with pytest.raises(ValueError, match="every transition with every other"):
        td_loss(torch.zeros(1, 4), torch.zeros(4, 1))
    with pytest.raises(ValueError, match="positive threshold"):
        td_loss(torch.zeros(1, 4), torch.zeros(1, 4), 0.0)
    with pytest.raises(ValueError, match="positive threshold"):
        td_loss(torch.zeros(1, 4), torch.zeros(1, 4), float("nan"))


def test_every_user_tosses_a_coin_of_his_own():
    value = torch.zeros(40_000, 4)
    value[:, 2] = 1
    chosen = epsilon_greedy(value, 0.4, generator())
    shares = torch.bincount(chosen, minlength=4) / len(chosen)
    assert shares == pytest.approx(torch.tensor([0.1, 0.1, 0.7, 0.1]), abs=0.01)
    assert (epsilon_greedy(value, 0.0, generator()) == 2).all()
    by_week = epsilon_greedy(torch.eye(3).expand(500, 3, 3), 0.5, generator())
    explored = (by_week != torch.arange(3)).float()
    # Coins of one week differ: it is neither all greedy nor all explored.
    assert (explored.mean(dim=1) % 1 > 0).float().mean() > 0.2


def test_the_last_axis_holds_the_promotions():
    value = torch.rand(2, 5, 3, generator=generator())
    assert torch.equal(epsilon_greedy(value, 0.0, generator()), value.argmax(dim=2))
    explored = epsilon_greedy(value.expand(100, 2, 5, 3), 1.0, generator())
    assert explored.shape == (100, 2, 5)
    assert sorted(explored.unique().tolist()) == [0, 1, 2]


def test_epsilon_is_a_probability():
    for wrong in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="lies in"):
            epsilon_greedy(torch.zeros(2, 3), wrong, generator())


def test_bound_on_values():
    assert value_bound(2.0, 0.75) == pytest.approx(8.0)
    for wrong in (1.0, -0.1):
        with pytest.raises(ValueError, match="factor in"):
            value_bound(1.0, wrong)
    assert value_bound(2.0, 0.0) == 2.0


# One update against the peer ----------------------------------------------------------------------


class Nowhere(gymnasium.Env):
    def __init__(self, observation, actions):
        self.observation_space = gymnasium.spaces.Box(-10, 10, (observation,), np.float32)
        self.action_space = gymnasium.spaces.Discrete(actions)

    def reset(self, *, seed=None, options=None):
        return self.observation_space.sample(), {}


class OneBatch:
    def __init__(self, batch):
        self.data = ReplayBufferSamples(
            batch.observation[0],
            batch.action[0].long(),
            batch.following[0],
            batch.terminated[0][:, None],
            batch.reward[0][:, None],
        )

    def sample(self, *_args, **_kwargs):
        return self.data


def peer_of(agent, rate):
    peer = PeerDQN(
        "MlpPolicy",
        Nowhere(agent.online.sizes[0], agent.actions),
        learning_rate=rate,
        gamma=agent.discount,
        policy_kwargs={"net_arch": list(agent.online.sizes[1:-1])},
        device="cpu",
    )
    peer.set_logger(Logger(None, []))
    for module, network in ((peer.q_net, agent.online), (peer.q_net_target, agent.slow)):
        load(module, network)
    return peer


def linear(module):
    return [each for each in module.modules() if isinstance(each, torch.nn.Linear)]


def load(module, network):
    with torch.no_grad():
        for layer, weight, bias in zip(
            linear(module), network.weights, network.biases, strict=True
        ):
            layer.weight.copy_(weight[0].T)
            layer.bias.copy_(bias[0, 0])


def test_target_loss_and_step_are_those_of_the_peer():
    agent = DQN(1, 7, 6, generator(), discount=0.95, rate=1e-3, double=False, tau=1e-9)
    with torch.no_grad():  # a slow network that lags behind
        for each in agent.slow.parameters():
            each.add_(0.1 * torch.randn(each.shape, generator=generator(3)))
    batch = batch_of(1, 64, 7, 6)
    peer = peer_of(agent, 1e-3)
    data = OneBatch(batch).data
    with torch.no_grad():
        following = peer.q_net_target(data.next_observations).max(dim=1).values[:, None]
        target = data.rewards + (1 - data.dones) * peer.gamma * following
        value = peer.q_net(data.observations).gather(1, data.actions)
    assert torch.allclose(agent.target(batch), target.T, atol=1e-6)
    assert torch.allclose(agent.value(batch).detach(), value.T, atol=1e-6)

    peer.replay_buffer = OneBatch(batch)
    peer.train(gradient_steps=1, batch_size=64)
    loss, size = agent.update(batch)
    assert loss.item() == pytest.approx(F.smooth_l1_loss(value, target).item(), abs=1e-6)
    assert size.item() == pytest.approx(target.abs().mean().item(), abs=1e-6)
    for layer, weight, bias in zip(
        linear(peer.q_net), agent.online.weights, agent.online.biases, strict=True
    ):
        assert torch.allclose(layer.weight.T, weight[0], atol=1e-6)
        assert torch.allclose(layer.bias, bias[0, 0], atol=1e-6)


def test_replay_keeps_what_the_peer_keeps():
    """A scripted episode with one termination and one truncation, in both memories."""
    observation = np.arange(12, dtype=np.float32).reshape(6, 2)
    peer = ReplayBuffer(
        8,
        gymnasium.spaces.Box(-99, 99, (2,), np.float32),
        gymnasium.spaces.Discrete(3),
        device="cpu",
        handle_timeout_termination=True,
    )
    own = Replay(1, 8, 2)
    script = [(0, 1, False, False), (1, 2, False, True), (2, 0, False, False), (3, 1, True, False)]
    for k, action, ended, cut in script:
        reward = k / 2
        info = {"TimeLimit.truncated": cut and not ended}
        peer.add(
            observation[k][None], observation[k + 1][None], np.array([[action]]),
            np.array([reward]), np.array([ended or cut]), [info],
        )  # fmt: skip
        own.add(
            torch.tensor(observation[k])[None, None],
            torch.full((1, 1, 1), float(action)),
            torch.full((1, 1), reward),
            torch.tensor(observation[k + 1])[None, None],
            torch.full((1, 1), float(ended)),
        )
    data = peer._get_samples(np.arange(4))
    rows = own.rows[0, :4]
    expected = torch.cat(
        [data.observations, data.actions.float(), data.rewards, data.next_observations, data.dones],
        dim=1,
    )
    assert torch.equal(rows, expected)
    assert rows[:, -1].tolist() == [0, 0, 0, 1]


def test_agents_in_one_batch_learn_as_alone():
    both = DQN(2, 3, 4, generator(), discount=0.9)
    batch = batch_of(2, 16, 3, 4)
    alone = []
    for k in range(2):
        agent = DQN(1, 3, 4, generator(), discount=0.9)
        for name in ("online", "slow"):
            for one, all_of_them in zip(
                getattr(agent, name).parameters(), getattr(both, name).parameters(), strict=True
            ):
                one.data.copy_(all_of_them.data[k : k + 1])
        alone.append(agent)
    for _ in range(3):
        both.update(batch)
    for k, agent in enumerate(alone):
        part = Batch(*(getattr(batch, name)[k : k + 1] for name in batch.__dataclass_fields__))
        for _ in range(3):
            agent.update(part)
        for one, all_of_them in zip(
            agent.online.parameters(), both.online.parameters(), strict=True
        ):
            assert torch.allclose(one[0], all_of_them[k], atol=1e-6)


# The loop -----------------------------------------------------------------------------------------


def small(seed=0, agents=2, steps=60, **options):
    world = worlds.memoryless()
    market = Market(world, agents, 32, scale=unit(world))
    agent = DQN(
        agents, market.observation, world.actions, generator(seed), discount=world.discount,
        **options,
    )  # fmt: skip
    plan = Plan(steps, batch=64, updates=2, warmup=5, every=20)
    return train(agent, market, plan, seed, policy_values(world, market)), agent, world


def test_same_seed_same_curve():
    first, again, other = (small(seed)[0].values for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_learns_without_memory():
    """Customers who remember nothing: the optimum is what earns most this week."""
    curve, _, world = small(steps=400)
    assert curve.steps[-1] == 400
    assert (curve.values[-1] / world.optimal_value() > 0.93).all()


def test_market_hands_over_the_last_observation():
    world = worlds.season()
    market = Market(world, 2, 4, scale=0.5)
    observation = market.reset(generator())
    assert observation.shape == (2, 4, 8)
    nothing = torch.zeros(2, 4, dtype=torch.int64)
    for week in range(world.weeks):
        following, _, reached, terminated = market.step(nothing)
        last = week == world.weeks - 1
        assert bool((terminated == last).all())
        assert torch.equal(following, reached) != last
    assert (reached[..., -1] == 0).all()
    assert (following[..., -1] == 1).all()


def test_market_scales_rewards():
    world = worlds.memoryless()
    action = torch.ones(1, 2_000, dtype=torch.int64)
    rewards = []
    for scale in (1.0, 0.25):
        market = Market(world, 1, 2_000, scale=scale)
        market.reset(generator())
        rewards.append(market.step(action)[1])
    assert torch.allclose(rewards[0] / 4, rewards[1])
    assert unit(world) == pytest.approx(1 / 2.5)


def test_schedules():
    plan = Plan(100, warmup=5, epsilon=(1.0, 0.2), fade=0.5)
    assert [plan.exploration(s) for s in (5, 25, 50, 100)] == pytest.approx([1, 0.6, 0.2, 0.2])
    assert [plan.rate(s) for s in (1, 50, 100)] == pytest.approx([0.99, 0.5, 0])
    assert Plan(100, steady=True).rate(99) == 1


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"steps": 0}, "at least 1"),
        ({"steps": 10, "batch": 0}, "at least 1"),
        ({"steps": 10, "warmup": 10}, "warmup"),
        ({"steps": 30, "fade": 0.0}, "fade"),
    ],
)
def test_plans_that_cannot_be(options, word):
    with pytest.raises(ValueError, match=word):
        Plan(**options)


def test_a_discount_of_one_is_refused():
    with pytest.raises(ValueError, match="discount is 1"):
        DQN(1, 2, 2, generator(), discount=1.0)


class Broken(Market):
    def step(self, action):
        observation, reward, reached, terminated = super().step(action)
        return observation, reward * float("nan"), reached, terminated


def test_nan_and_explosion_end_the_run_with_the_reason():
    world = worlds.memoryless()
    plan = Plan(40, batch=16, warmup=5, every=10, steady=True)
    agent = DQN(1, 7, 6, generator(), discount=0.95)
    with pytest.raises(ValueError, match="reward has NaN"):
        train(agent, Broken(world, 1, 16), plan, 0, lambda policy: torch.zeros(1))

    def run(**options):
        agent = DQN(1, 7, 6, generator(), discount=0.95, **options)
        market = Market(world, 1, 16, scale=0.4)
        train(agent, market, plan, 0, lambda policy: torch.zeros(1))

    with pytest.raises(FloatingPointError, match="values explode"):
        run(rate=10.0, tau=1.0)
    with pytest.raises(FloatingPointError, match="not finite"):
        run(rate=1e25, tau=1.0)


def test_tensors_stay_on_the_device_of_the_agent():
    """On the meta device nothing is computed; a tensor from elsewhere would raise."""
    agent = DQN(2, 3, 4, generator(), discount=0.9)
    for network in (agent.online, agent.slow):
        network.weights = [each.detach().to("meta") for each in network.weights]
        network.biases = [each.detach().to("meta") for each in network.biases]
    batch = Batch(
        *(getattr(batch_of(2, 8, 3, 4), name).to("meta") for name in Batch.__dataclass_fields__)
    )
    assert agent.target(batch).device.type == "meta"
    assert td_loss(agent.value(batch), agent.target(batch)).shape == (2,)
