"""Networks and replay memory: many agents at once equal one after the other."""

import pytest
import torch

from promo_repro.agents import networks
from promo_repro.agents.networks import MLP, frozen, soft_update
from promo_repro.agents.replay import Replay


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def as_torch(network, agent):
    """The network of one agent built from torch's layers."""
    layers = []
    for weight, bias in zip(network.weights, network.biases, strict=True):
        layer = torch.nn.Linear(weight.shape[1], weight.shape[2])
        layer.load_state_dict({"weight": weight[agent].T, "bias": bias[agent, 0]})
        layers += [layer, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def test_each_agent_is_a_network_of_its_own():
    network = MLP(3, (4, 8, 8, 2), generator())
    x = torch.randn(3, 5, 4, generator=generator(1))
    found = network(x)
    for agent in range(3):
        assert torch.allclose(found[agent], as_torch(network, agent)(x[agent]), atol=1e-6)
    found[1].sum().backward()
    assert all(each.grad[[0, 2]].abs().max() == 0 for each in network.parameters())
    assert network.weights[0].grad[1].abs().max() > 0


def test_start_of_the_weights():
    network = MLP(4, (100, 100, 3), generator(), last=0.01)
    first, second = (each.detach().abs().max() for each in network.weights)
    assert 0.09 < first <= 0.1
    assert 0.0009 < second <= 0.001
    assert network.biases[1].abs().max() <= 0.001
    assert len(network.parameters()) == 4
    twin = MLP(4, (100, 100, 3), generator(), last=0.01)
    assert torch.equal(network.weights[0], twin.weights[0])
    assert network.weights[0].detach().mean().abs() < 0.002


def test_activations():
    x = torch.randn(1, 6, 2, generator=generator())
    straight = MLP(1, (2, 5, 1), generator(), "identity")
    mixed = straight(0.5 * (x[:, :3] + x[:, 3:]))
    assert torch.allclose(mixed, 0.5 * (straight(x[:, :3]) + straight(x[:, 3:])), atol=1e-6)
    bent = MLP(1, (2, 5, 1), generator(), "tanh")
    by_hand = torch.tanh(x @ bent.weights[0] + bent.biases[0]) @ bent.weights[1] + bent.biases[1]
    assert torch.allclose(bent(x), by_hand)
    assert (straight(x) < 0).any()


def test_copy_shares_nothing():
    network = MLP(2, (2, 3, 1), generator())
    copy = network.copy()
    x = torch.randn(2, 4, 2, generator=generator())
    assert torch.equal(copy(x), network(x))
    with torch.no_grad():
        network.weights[0].add_(1)
    assert not torch.equal(copy(x), network(x))
    assert not any(each.requires_grad for each in copy.parameters())


def test_soft_update():
    target, online = [torch.tensor([0.0, 10.0])], [torch.tensor([1.0, 20.0])]
    soft_update(target, online, 0.25)
    assert torch.allclose(target[0], torch.tensor([0.25, 12.5]))
    soft_update(target, online, 1.0)
    assert torch.equal(target[0], online[0])
    for rate in (0.0, 1.1):
        with pytest.raises(ValueError, match=r"\(0, 1\]"):
            soft_update(target, online, rate)
    with pytest.raises(ValueError, match="zip"):
        soft_update(target, [], 0.5)


def test_frozen_parameters_get_no_gradient():
    network = MLP(1, (2, 3, 1), generator())
    x = torch.randn(1, 4, 2, generator=generator(), requires_grad=True)
    with frozen(network.parameters()):
        network(x).sum().backward()
    assert x.grad.abs().max() > 0
    assert all(each.grad is None and each.requires_grad for each in network.parameters())


def test_wrong_networks_are_refused():
    for agents, sizes in ((0, (2, 1)), (1, (2,)), (1, (2, 0))):
        with pytest.raises(ValueError, match="at least one agent"):
            MLP(agents, sizes, generator())
    with pytest.raises(ValueError, match="no activation 'swish'; choose from relu"):
        MLP(1, (2, 1), generator(), "swish")
    network = MLP(2, (3, 1), generator())
    for shape in ((2, 3), (1, 5, 3), (2, 5, 4)):
        with pytest.raises(ValueError, match=r"expected \(2, batch, 3\)"):
            network(torch.zeros(shape))
    assert set(networks.ACTIVATIONS) == {"relu", "tanh", "identity"}


# Replay -------------------------------------------------------------------------------------------


def transitions(first, count, agents=2):
    """Transitions whose numbers say who and when: reward 100 · agent + time."""
    reward = 100.0 * torch.arange(agents)[:, None] + torch.arange(first, first + count)
    part = reward[..., None]
    return part.repeat(1, 1, 3), -part, reward, part.repeat(1, 1, 3) + 0.5, (reward % 2)


def test_contents_over_a_scripted_episode():
    memory = Replay(2, 4, 3)
    memory.add(*transitions(0, 3))
    assert len(memory) == 3
    memory.add(*transitions(3, 3))
    assert len(memory) == 4
    # A ring of four: times 4 and 5 have replaced 0 and 1.
    assert memory.rows[0, :, 4].tolist() == [4, 5, 2, 3]
    assert memory.rows[1, :, 4].tolist() == [104, 105, 102, 103]
    drawn = memory.sample(200, generator())
    assert drawn.observation.shape == drawn.following.shape == (2, 200, 3)
    assert drawn.action.shape == (2, 200, 1)
    for agent in (0, 1):
        assert set(drawn.reward[agent].tolist()) == {100 * agent + t for t in (2, 3, 4, 5)}
    assert torch.equal(drawn.observation, drawn.reward[..., None].expand(-1, -1, 3))
    assert torch.equal(drawn.action[..., 0], -drawn.reward)
    assert torch.equal(drawn.following, drawn.observation + 0.5)
    assert torch.equal(drawn.terminated, drawn.reward % 2)
    assert not torch.equal(drawn.reward[0], drawn.reward[1] - 100)


def test_more_than_fits_keeps_the_latest():
    memory = Replay(2, 4, 3)
    memory.add(*transitions(0, 1))
    memory.add(*transitions(1, 9))
    assert sorted(memory.rows[0, :, 4].tolist()) == [6, 7, 8, 9]
    assert memory.added == 10


def test_wrong_transitions_are_refused():
    memory = Replay(2, 4, 3)
    with pytest.raises(ValueError, match="empty"):
        memory.sample(1, generator())
    observation, action, reward, following, ended = transitions(0, 3)
    with pytest.raises(ValueError, match=r"action has shape \(2, 3\)"):
        memory.add(observation, action[..., 0], reward, following, ended)
    with pytest.raises(ValueError, match=r"next observation has shape \(2, 2, 3\)"):
        memory.add(observation, action, reward, following[:, :2], ended)
    with pytest.raises(ValueError, match="observation has shape"):
        memory.add(observation, action, reward[..., None], following, ended)
    reward[1, 2] = float("nan")
    with pytest.raises(ValueError, match=r"^reward has NaN or infinity; nothing was stored"):
        memory.add(observation, action, reward, following, ended)
    assert memory.added == 0
    with pytest.raises(ValueError, match="must be ≥ 1"):
        Replay(1, 0, 3)
