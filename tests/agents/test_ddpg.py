"""DDPG: its equations by hand, by finite differences, and against Stable-Baselines3."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from promo_repro.agents import ddpg
from promo_repro.agents.ddpg import DDPG
from promo_repro.agents.replay import Batch
from tests.agents import continuous_peers as peers


def batch(agents=1, size=32, observation=3, action=2, seed=0, dtype=torch.float64):
    draw = torch.Generator().manual_seed(seed)
    place = {"generator": draw, "dtype": dtype}
    return Batch(
        torch.randn(agents, size, observation, **place),
        2 * torch.rand(agents, size, action, **place) - 1,
        torch.randn(agents, size, **place),
        torch.randn(agents, size, observation, **place),
        (torch.rand(agents, size, **place) < 0.3).to(dtype),
    )


def agent(agents=1, seed=0, dtype=torch.float64, **options):
    options = {"discount": 0.9, "hidden": (16, 16), "tau": 0.1} | options
    return DDPG(agents, 3, 2, torch.Generator().manual_seed(seed), dtype=dtype, **options)


# Equations ----------------------------------------------------------------------------------------


def test_both_ends_of_the_range_are_reached():
    action = torch.tensor([-1.0, -0.9, 0.0, 0.5, 0.9, 1.0], dtype=torch.float64)
    tight = ddpg.to_discount(action, 0.1, 0.5)
    assert tight.tolist() == pytest.approx([0.1, 0.12, 0.3, 0.4, 0.48, 0.5])
    wide = ddpg.to_discount(action, 0.1, 0.5, 0.25)
    assert wide.tolist() == pytest.approx([0.1, 0.1, 0.3, 0.425, 0.5, 0.5])
    # A tanh never reaches its ends in exact arithmetic; with slack it need not.
    inside = torch.tanh(torch.tensor([-2.0, 2.0], dtype=torch.float64))
    assert ddpg.to_discount(inside, 0.0, 0.4, 0.25).tolist() == [0.0, 0.4]


def test_wrong_ranges_are_refused():
    zero = torch.zeros(1)
    for low, high in ((0.4, 0.0), (0.2, 0.2), (float("nan"), 0.4)):
        with pytest.raises(ValueError, match="low must lie below high"):
            ddpg.to_discount(zero, low, high)
    with pytest.raises(ValueError, match=r"slack is -0\.1"):
        ddpg.to_discount(zero, 0.0, 0.4, -0.1)


def test_terminated_masks_the_future_and_truncated_does_not():
    reward, following = torch.tensor([[1.0, 1.0]]), torch.tensor([[10.0, 10.0]])
    terminated = torch.tensor([[0.0, 1.0]])  # the first row was cut off, the second ended
    assert ddpg.critic_target(reward, terminated, following, 0.5).tolist() == [[6.0, 1.0]]


def test_shapes_that_would_broadcast_are_refused():
    with pytest.raises(ValueError, match="a broadcast would mix transitions"):
        ddpg.critic_target(torch.zeros(2, 3), torch.zeros(2, 3), torch.zeros(2, 3, 1), 0.9)


def test_losses_by_hand():
    value, target = torch.tensor([[1.0, 2.0], [0.0, 0.0]]), torch.tensor([[2.0, 4.0], [3.0, 0.0]])
    assert ddpg.critic_loss(value, target).tolist() == [2.5, 4.5]
    assert ddpg.actor_loss(value).tolist() == [-1.5, 0.0]


@given(st.integers(0, 1000))
def test_policy_gradient_against_finite_differences_and_autograd(seed):
    draw = torch.Generator().manual_seed(seed)
    place = {"generator": draw, "dtype": torch.float64}
    states, theta = torch.randn(5, 3, **place), torch.randn(3, 2, **place)
    best = torch.randn(5, 2, **place)

    def mean_value(weights):
        return -(torch.tanh(states @ weights) - best).square().sum(dim=1).mean()

    action = torch.tanh(states @ theta)
    jacobian = torch.autograd.functional.jacobian(lambda w: torch.tanh(states @ w), theta)
    found = ddpg.policy_gradient(jacobian.flatten(2), -2 * (action - best)).reshape(3, 2)
    step = 1e-6
    for i in range(3):
        for j in range(2):
            nudge = torch.zeros_like(theta)
            nudge[i, j] = step
            slope = (mean_value(theta + nudge) - mean_value(theta - nudge)) / (2 * step)
            assert found[i, j] == pytest.approx(float(slope), abs=1e-7)
    weights = theta.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(mean_value(weights), weights)
    assert torch.allclose(found, gradient)


# The agent ----------------------------------------------------------------------------------------


def test_one_update_equals_stable_baselines():
    own, data = agent(dtype=torch.float32), batch(dtype=torch.float32)
    peer = peers.ddpg(own)
    action = own.policy(data.observation)[0]
    assert torch.allclose(action, peer.actor(data.observation[0]), atol=1e-5)
    assert torch.allclose(own.target(data)[0], peers.ddpg_target(peer, data), atol=1e-5)
    # Two updates, so that the soft copies have left their start.
    for seed in (0, 1):
        data = batch(seed=seed, dtype=torch.float32)
        losses = own.update(data)
        theirs, gradients = peers.ddpg_update(peer, data)
        assert torch.allclose(losses[:, 0], theirs, atol=1e-5)
        for mine, other in zip(peers.ddpg_gradients(own), gradients, strict=True):
            assert torch.allclose(mine, other, atol=1e-5)
    for mine, other in zip(peers.ddpg_weights(own), peers.peer_weights(peer), strict=True):
        assert torch.allclose(mine, other, atol=1e-5)


def test_the_actor_step_is_the_policy_gradient():
    own, data = agent(), batch()
    with torch.no_grad():
        before = own.critic.copy()
    own.update(data)
    first = own.actor.weights[0]
    # The actor's gradient was taken at the old actor and the new critic.
    fresh = agent()
    value = ddpg.value_of(own.critic, data.observation, fresh.policy(data.observation))
    (expected,) = torch.autograd.grad(ddpg.actor_loss(value).sum(), fresh.actor.weights[0])
    assert torch.allclose(first.grad, expected, atol=1e-12)
    assert not torch.equal(before.weights[0], own.critic.weights[0])


def test_agents_do_not_touch_each_other():
    both, data = agent(agents=2), batch(agents=2)
    both.update(data)
    alone = agent(agents=2)
    changed = Batch(*(each.clone() for each in data.__dict__.values()))
    changed.reward[1] += 5
    alone.update(changed)
    assert torch.equal(both.critic.weights[0][0], alone.critic.weights[0][0])
    assert not torch.equal(both.critic.weights[0][1], alone.critic.weights[0][1])


def test_slow_copies_move_slowly_and_take_no_gradient():
    own = agent()
    start = own.slow_critic.weights[0].clone()
    own.update(batch())
    expected = 0.9 * start + 0.1 * own.critic.weights[0].detach()
    assert torch.allclose(own.slow_critic.weights[0], expected)
    slow = (*own.slow_critic.parameters(), *own.slow_actor.parameters())
    assert all(each.grad is None and not each.requires_grad for each in slow)


def test_the_critic_takes_no_gradient_from_the_actor():
    own, data = agent(), batch()
    error = ddpg.critic_loss(
        ddpg.value_of(own.critic, data.observation, data.action), own.target(data)
    )
    (expected,) = torch.autograd.grad(error.sum(), own.critic.weights[0])
    own.update(data)
    assert torch.allclose(own.critic.weights[0].grad, expected, atol=1e-12)


def test_a_waiting_actor_does_not_move():
    own = agent()
    start = own.actor.weights[0].detach().clone()
    own.update(batch(), actor=False)
    assert torch.equal(own.actor.weights[0], start)
    own.update(batch(), actor=True)
    assert not torch.equal(own.actor.weights[0], start)


def test_exploration_is_clipped_and_has_its_width():
    own = agent(noise=0.2)
    seen = torch.zeros(1, 20_000, 3, dtype=torch.float64)
    action = own.act(seen, torch.Generator().manual_seed(1))
    assert action.std(dim=1).tolist()[0] == pytest.approx([0.2, 0.2], rel=0.03)
    wild = agent(noise=5.0).act(seen, torch.Generator().manual_seed(1))
    assert wild.min() == -1
    assert wild.max() == 1
    again = own.act(seen, torch.Generator().manual_seed(1))
    assert torch.equal(action, again)
    quiet = agent(noise=0.0)
    assert torch.equal(quiet.act(seen, torch.Generator()), quiet.policy(seen))


def test_wrong_agents_are_refused():
    for discount in (1.0, -0.1, float("nan")):
        with pytest.raises(ValueError, match="discount is"):
            agent(discount=discount)
    assert np.isclose(agent(discount=0.0).discount, 0)
