"""SAC: its densities by integration, its equations by hand, and against Stable-Baselines3."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from promo_repro.agents import sac
from promo_repro.agents.replay import Batch
from promo_repro.agents.sac import SAC
from tests.agents import continuous_peers as peers
from tests.agents.test_ddpg import batch


def agent(agents=1, seed=0, dtype=torch.float64, **options):
    options = {"discount": 0.9, "hidden": (16, 16), "tau": 0.1, "alpha": 0.3} | options
    return SAC(agents, 3, 2, torch.Generator().manual_seed(seed), dtype=dtype, **options)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


# Equations ----------------------------------------------------------------------------------------


@given(st.floats(-3, 3), st.floats(-2, 1))
def test_normal_density_against_torch(noise, log_std):
    both = torch.tensor([[noise, 0.3], [0.0, -1.0]], dtype=torch.float64)
    widths = torch.tensor([log_std, 0.2], dtype=torch.float64).expand(2, 2)
    u = both * widths.exp()  # mean zero
    expected = torch.distributions.Normal(0, widths.exp()).log_prob(u).sum(dim=-1)
    assert torch.allclose(sac.normal_log_density(both, widths), expected)


def test_the_tanh_correction_is_the_logarithm_of_the_slope_and_stays_finite():
    u = torch.linspace(-4, 4, 41, dtype=torch.float64)[:, None]
    assert torch.allclose(sac.tanh_correction(u), torch.log(1 - torch.tanh(u[:, 0]).square()))
    far = torch.tensor([[20.0], [-20.0]])  # single precision: the direct form is log 0
    assert torch.isinf(torch.log(1 - torch.tanh(far).square())).all()
    assert sac.tanh_correction(far).tolist() == pytest.approx([2 * math.log(2) - 40] * 2)
    assert sac.tanh_correction(torch.tensor([0.3, -0.7])) == pytest.approx(
        float(sac.tanh_correction(torch.tensor([0.3])) + sac.tanh_correction(torch.tensor([0.7])))
    )


@given(st.floats(-1.5, 1.5), st.floats(-1.5, 0.5))
def test_squashed_density_integrates_to_one(mean, log_std):
    log_std = torch.tensor([log_std], dtype=torch.float64)
    noise = torch.linspace(-9, 9, 20_001, dtype=torch.float64)[:, None]
    u = mean + log_std.exp() * noise
    density = sac.squashed_log_density(noise, log_std.expand_as(noise), u).exp()
    assert torch.trapezoid(density, torch.tanh(u[:, 0])) == pytest.approx(1, abs=1e-6)


def test_soft_values_and_losses_by_hand():
    values = torch.tensor([[[1.0, 5.0]], [[2.0, 3.0]]])
    log_density, alpha = torch.tensor([[0.5, -1.0]]), torch.tensor([[0.2]])
    assert sac.soft_value(values, log_density, alpha).tolist()[0] == pytest.approx([0.9, 3.2])
    assert sac.soft_actor_loss(values, log_density, alpha).tolist() == pytest.approx([-2.05])
    log_alpha = torch.tensor([0.7], requires_grad=True)
    loss = sac.temperature_loss(log_alpha, log_density, -2.0)
    assert loss.tolist() == pytest.approx([-0.7 * (-0.25 - 2)])
    loss.sum().backward()
    # The entropy 0.25 is above the wanted −2: the slope is positive and α falls.
    assert log_alpha.grad.tolist() == pytest.approx([2.25])


# The agent ----------------------------------------------------------------------------------------


def test_one_update_equals_stable_baselines():
    own = agent(dtype=torch.float32)
    # Its log(1 − tanh² u) loses digits where tanh saturates: a narrow policy stays clear of that.
    with torch.no_grad():
        own.actor.biases[-1][..., 2:] -= 1
    peer = peers.sac(own)
    # It adds 1e-6 inside the logarithm; ours needs no such guard.
    peer.actor.action_dist.epsilon = 0.0
    for seed in (0, 1):
        data = batch(seed=seed, dtype=torch.float32)
        action, log_density = own.draw(data.observation, generator(seed))
        theirs = peers.sac_log_density(peer, data.observation[0], seed)
        assert torch.allclose(action[0], theirs[0], atol=1e-5)
        assert torch.allclose(log_density[0], theirs[1].flatten(), atol=1e-5)
        alpha = own.log_alpha.detach().exp()[:, None]
        target = own.target(data, alpha, generator(seed))[0]
        assert torch.allclose(target, peers.sac_target(peer, data, alpha[0], seed), atol=1e-5)
        losses = own.update(data, generator(seed))
        theirs = peers.sac_update(peer, data, seed).to(losses)
        assert torch.allclose(losses[:, 0], theirs, atol=1e-5)
        for mine, other in zip(peers.sac_weights(own), peers.peer_sac_weights(peer), strict=True):
            assert torch.allclose(mine, other, atol=1e-5)


def test_agents_do_not_touch_each_other():
    both, data = agent(agents=2), batch(agents=2)
    both.update(data, generator())
    alone = agent(agents=2)
    changed = Batch(*(each.clone() for each in data.__dict__.values()))
    changed.reward[1] += 5
    alone.update(changed, generator())
    for mine, other in (
        (both.critics.weights[0][0], alone.critics.weights[0][0]),
        (both.critics.weights[0][2], alone.critics.weights[0][2]),
        (both.actor.weights[0][0], alone.actor.weights[0][0]),
        (both.log_alpha[0], alone.log_alpha[0]),
    ):
        assert torch.equal(mine, other)
    assert not torch.equal(both.critics.weights[0][1], alone.critics.weights[0][1])
    assert not torch.equal(both.critics.weights[0][3], alone.critics.weights[0][3])


def test_the_twins_learn_apart_and_the_smaller_counts():
    own = agent(agents=2)
    seen, action = batch(agents=2).observation, batch(agents=2).action
    values = own.values(own.critics, seen, action)
    assert values.shape == (2, 2, 32)
    assert not torch.allclose(values[0], values[1])
    alpha = torch.zeros(2, 1, dtype=torch.float64)
    data = batch(agents=2)
    target = own.target(data, alpha, generator())
    following, _ = own.draw(data.following, generator())
    least = own.values(own.slow_critics, data.following, following).amin(dim=0)
    expected = data.reward + 0.9 * (1 - data.terminated) * least
    assert torch.allclose(target, expected)


def test_slow_critics_move_slowly_and_critics_take_no_gradient_from_the_actor():
    own, data = agent(), batch()
    start = own.slow_critics.weights[0].clone()
    alpha = own.log_alpha.detach().exp()[:, None]
    draw = generator()
    own.draw(data.observation, draw)
    target = own.target(data, alpha, draw)
    error = (own.values(own.critics, data.observation, data.action) - target).square().mean()
    (expected,) = torch.autograd.grad(error, own.critics.weights[0])
    own.update(data, generator())
    assert torch.allclose(own.critics.weights[0].grad, expected)
    assert torch.allclose(
        own.slow_critics.weights[0], 0.9 * start + 0.1 * own.critics.weights[0].detach()
    )
    assert all(each.grad is None for each in own.slow_critics.parameters())


def test_a_waiting_actor_does_not_move():
    own = agent()
    start = own.actor.weights[0].detach().clone()
    own.update(batch(), generator(), actor=False)
    assert torch.equal(own.actor.weights[0], start)
    own.update(batch(), generator(), actor=True)
    assert not torch.equal(own.actor.weights[0], start)


def test_the_temperature_brings_the_entropy_to_what_is_wanted():
    own = agent(entropy=-1.0, rates=(1e-2, 1e-2, 3e-2), alpha=1.0)
    data = batch(size=64)
    draw = generator()
    for _ in range(200):
        own.update(data, draw)
    entropy = -own.draw(data.observation, draw)[1].mean().item()
    assert entropy == pytest.approx(-1.0, abs=0.3)


def test_policy_is_the_squashed_mean_and_acting_is_a_draw():
    own = agent()
    seen = batch().observation
    mean = own.actor(seen)[..., :2]
    assert torch.equal(own.policy(seen), torch.tanh(mean))
    action = own.act(seen, generator())
    assert torch.equal(action, own.draw(seen, generator())[0])
    assert not action.requires_grad
    assert action.abs().max() < 1


def test_wrong_agents_are_refused():
    with pytest.raises(ValueError, match="discount is 1"):
        agent(discount=1.0)
    with pytest.raises(ValueError, match="alpha is 0"):
        agent(alpha=0.0)
    assert agent().entropy == -2.0
