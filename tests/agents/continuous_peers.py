"""Stable-Baselines3's DDPG and SAC with the weights of one of our agents, updated on our batch."""

import gymnasium
import numpy as np
import torch
from stable_baselines3 import DDPG, SAC
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.type_aliases import ReplayBufferSamples
from torch.nn.functional import mse_loss


class Nowhere(gymnasium.Env):
    """Spaces of the right size; nobody acts in it."""

    def __init__(self, observation, action):
        self.observation_space = gymnasium.spaces.Box(-10, 10, (observation,), np.float32)
        self.action_space = gymnasium.spaces.Box(-1, 1, (action,), np.float32)

    def reset(self, *, seed=None, options=None):
        return self.observation_space.sample(), {}

    def step(self, action):
        return self.observation_space.sample(), 0.0, False, False, {}


class OneBatch:
    """A replay buffer that always hands out the same batch."""

    def __init__(self, data):
        ended, reward = (each[0][:, None] for each in (data.terminated, data.reward))
        self.data = ReplayBufferSamples(
            data.observation[0], data.action[0], data.following[0], ended, reward
        )

    def sample(self, *_args, **_kwargs):
        return self.data


def layers(module):
    return [each for each in module.modules() if isinstance(each, torch.nn.Linear)]


def load(module, network, agent=0):
    """Copy the weights of one agent's network into the linear layers of a module."""
    with torch.no_grad():
        for layer, weight, bias in zip(
            layers(module), network.weights, network.biases, strict=True
        ):
            layer.weight.copy_(weight[agent].T)
            layer.bias.copy_(bias[agent, 0])


def flat(layers_of):
    return [part for layer in layers_of for part in (layer.weight, layer.bias)]


def _peer(kind, own, rate, hidden=None, **options):
    observation = own.actor.sizes[0]
    peer = kind(
        "MlpPolicy",
        Nowhere(observation, own.actions),
        learning_rate=rate,
        gamma=own.discount,
        tau=own.tau,
        policy_kwargs={"net_arch": list(own.actor.sizes[1:-1])},
        device="cpu",
        **options,
    )
    peer.set_logger(Logger(None, []))
    return peer


def ddpg(own, rate=1e-3):
    peer = _peer(DDPG, own, rate)
    for module, network in (
        (peer.actor, own.actor),
        (peer.actor_target, own.slow_actor),
        (peer.critic, own.critic),
        (peer.critic_target, own.slow_critic),
    ):
        load(module, network)
    return peer


def ddpg_target(peer, data):
    with torch.no_grad():
        following = data.following[0]
        value = peer.critic_target(following, peer.actor_target(following))[0][:, 0]
        return data.reward[0] + (1 - data.terminated[0]) * peer.gamma * value


def ddpg_update(peer, data):
    """One gradient step of `DDPG.train`: losses (critic, actor) and gradients (actor, critic).

    The critic's gradients are taken as it steps: the actor's loss adds to them afterwards, since
    Stable-Baselines3 does not freeze the critic and clears it at its next step only.
    """
    of_critic = []

    def record(*_):
        of_critic.extend(part.grad.clone() for part in flat(layers(peer.critic)))

    hook = peer.critic.optimizer.register_step_pre_hook(record)
    observation, action = data.observation[0], data.action[0]
    with torch.no_grad():
        error = mse_loss(peer.critic(observation, action)[0][:, 0], ddpg_target(peer, data))
    peer.replay_buffer = OneBatch(data)
    # Its policy noise on the target is TD3's; DDPG switches it off.
    assert peer.target_policy_noise < 1e-6 or peer.target_noise_clip == 0
    peer.train(gradient_steps=1, batch_size=len(action))
    hook.remove()
    values = peer.logger.name_to_value
    shortfall = torch.tensor(values["train/actor_loss"])
    peer.logger.name_to_value.clear()
    peer.logger.name_to_count.clear()
    gradients = [part.grad for part in flat(layers(peer.actor))] + of_critic
    return torch.stack([error, shortfall.to(error)]), gradients


def own_parts(network, what):
    return [
        what(part) for pair in zip(network.weights, network.biases, strict=True) for part in pair
    ]


def as_layer(tensor):
    """(in, out) or (1, out) of the first agent as torch's (out, in) or (out,)."""
    return tensor[0].T if tensor.shape[1] > 1 else tensor[0, 0]


def ddpg_gradients(own):
    found = own_parts(own.actor, lambda each: as_layer(each.grad))
    found += own_parts(own.critic, lambda each: as_layer(each.grad))
    return found


def ddpg_weights(own):
    networks = own.actor, own.critic, own.slow_actor, own.slow_critic
    return [part for each in networks for part in own_parts(each, as_layer)]


def peer_weights(peer):
    modules = peer.actor, peer.critic, peer.actor_target, peer.critic_target
    return [part for each in modules for part in flat(layers(each))]


def sac(own, rate=1e-3):
    peer = _peer(SAC, own, rate, ent_coef="auto", target_entropy=own.entropy)
    actions = own.actions
    *trunk, head = zip(own.actor.weights, own.actor.biases, strict=True)
    inner = layers(peer.actor.latent_pi)
    with torch.no_grad():
        for layer, (weight, bias) in zip(inner, trunk, strict=True):
            layer.weight.copy_(weight[0].T)
            layer.bias.copy_(bias[0, 0])
        ends = (peer.actor.mu, slice(actions)), (peer.actor.log_std, slice(actions, None))
        for layer, part in ends:
            layer.weight.copy_(head[0][0].T[part])
            layer.bias.copy_(head[1][0, 0][part])
        peer.log_ent_coef.copy_(own.log_alpha)
    for which in (0, 1):
        load(peer.critic.q_networks[which], own.critics, which * own.agents)
        load(peer.critic_target.q_networks[which], own.slow_critics, which * own.agents)
    return peer


def sac_log_density(peer, observation, seed):
    """Actions and their log density as the peer draws them."""
    torch.manual_seed(seed)
    return peer.actor.action_log_prob(observation)


def sac_target(peer, data, alpha, seed):
    with torch.no_grad():
        action, log_density = sac_log_density(peer, data.following[0], seed)
        values = torch.cat(peer.critic_target(data.following[0], action), dim=1).amin(dim=1)
        following = values - alpha * log_density.flatten()
        return data.reward[0] + (1 - data.terminated[0]) * peer.gamma * following


def sac_update(peer, data, seed):
    """One gradient step of `SAC.train` with its draws fixed; losses (critic, actor)."""
    peer.replay_buffer = OneBatch(data)
    torch.manual_seed(seed)
    peer.train(gradient_steps=1, batch_size=data.reward.shape[1])
    values = peer.logger.name_to_value
    losses = torch.tensor([values["train/critic_loss"], values["train/actor_loss"]])
    values.clear()
    peer.logger.name_to_count.clear()
    return losses


def sac_weights(own):
    """Actor, both critics, both slow critics and log α of the first agent."""
    *trunk, head = zip(own.actor.weights, own.actor.biases, strict=True)
    actions = own.actions
    found = [as_layer(part) for pair in trunk for part in pair]
    for cut in (slice(actions), slice(actions, None)):
        found += [head[0][0].T[cut], head[1][0, 0][cut]]
    for network in (own.critics, own.slow_critics):
        for which in (0, own.agents):
            pairs = zip(network.weights, network.biases, strict=True)
            found += [as_layer(part[which : which + 1]) for pair in pairs for part in pair]
    return [*found, own.log_alpha]


def peer_sac_weights(peer):
    modules = [peer.actor.latent_pi, peer.actor.mu, peer.actor.log_std]
    modules += [*peer.critic.q_networks, *peer.critic_target.q_networks]
    return [*(part for each in modules for part in flat(layers(each))), peer.log_ent_coef]
