"""Soft actor-critic (Haarnoja et al., 2018), readable from top to bottom.

The policy is a normal distribution squashed by tanh, its entropy is part of the objective, two
critics guard against overestimation, and the weight α of the entropy is learned. Shapes as in
`ddpg`: K agents, B transitions, O features, A actions in [−1, 1].
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import softplus

from promo_repro.agents.ddpg import critic_loss, critic_target
from promo_repro.agents.networks import MLP, frozen, soft_update
from promo_repro.agents.replay import Batch
from promo_repro.claims import formula

LOG_STD = (-20.0, 2.0)


# Equations ----------------------------------------------------------------------------------------


@formula("eq-10-normal")
def normal_log_density(noise: Tensor, log_std: Tensor) -> Tensor:
    """log N(u; m, σ²) for u = m + σ ε, summed over the last axis: Σ [−ε²/2 − log σ − log √2π]."""
    return (-noise.square() / 2 - log_std - math.log(2 * math.pi) / 2).sum(dim=-1)


@formula("eq-10-tanh-correction")
def tanh_correction(u: Tensor) -> Tensor:
    """Σ log(1 − tanh² u) over the last axis, as Σ 2 (log 2 − u − softplus(−2u)).

    The logarithm of how much tanh shrinks volumes; the direct form is log 0 from |u| ≈ 9 in single
    precision, this one is right for every u.
    """
    return 2 * (math.log(2) - u - softplus(-2 * u)).sum(dim=-1)


@formula("eq-10-squashed")
def squashed_log_density(noise: Tensor, log_std: Tensor, u: Tensor) -> Tensor:
    """Log density of the action tanh u: that of u minus `tanh_correction`; (..., A) → (...)."""
    return normal_log_density(noise, log_std) - tanh_correction(u)


@formula("eq-10-soft-value")
def soft_value(values: Tensor, log_density: Tensor, alpha: Tensor) -> Tensor:
    """Value of a state for the soft policy, min over critics of Q(s, a) − α log π(a | s).

    `values` (2, K, B), `log_density` (K, B), `alpha` (K, 1); result (K, B).
    """
    return values.amin(dim=0) - alpha * log_density


@formula("eq-10-soft-actor-loss")
def soft_actor_loss(values: Tensor, log_density: Tensor, alpha: Tensor) -> Tensor:
    """What the soft actor minimises, mean of α log π − min Q; shapes as above, result (K,)."""
    return -soft_value(values, log_density, alpha).mean(dim=-1)


@formula("eq-10-temperature-loss")
def temperature_loss(log_alpha: Tensor, log_density: Tensor, entropy: float) -> Tensor:
    """−log α · mean(log π + H̄), (K,) and (K, B) → (K,); `entropy` H̄ is the wanted one.

    Its slope is negative, and α grows, while the entropy −log π lies below H̄.
    """
    return -log_alpha * (log_density + entropy).detach().mean(dim=-1)


# The agents ---------------------------------------------------------------------------------------


class SAC:
    """K agents with a stochastic actor, two critics and a temperature each.

    `entropy` H̄ is the wanted entropy in nats, −A unless given (lower explores less); `tau` and
    `rates` (actor, critics, temperature) as in `ddpg.DDPG`.
    """

    def __init__(
        self,
        agents: int,
        observation: int,
        action: int,
        generator: torch.Generator,
        *,
        discount: float,
        hidden: Sequence[int] = (64, 64),
        rates: tuple[float, float, float] = (1e-3, 1e-3, 1e-3),
        tau: float = 0.005,
        entropy: float | None = None,
        alpha: float = 1.0,
        dtype: torch.dtype = torch.float32,
    ):
        if not 0 <= discount < 1:
            raise ValueError(f"discount is {discount}; the target needs a factor in [0, 1)")
        if not alpha > 0:
            raise ValueError(f"alpha is {alpha}; its logarithm is learned, so it must be positive")
        self.agents, self.actions = agents, action
        self.discount, self.tau = discount, tau
        self.entropy = -float(action) if entropy is None else entropy
        self.actor = MLP(agents, (observation, *hidden, 2 * action), generator, dtype=dtype)
        # Both critics of all agents in one network: the first K are the first critics.
        self.critics = MLP(2 * agents, (observation + action, *hidden, 1), generator, dtype=dtype)
        self.slow_critics = self.critics.copy()
        place = {"device": generator.device, "dtype": dtype, "requires_grad": True}
        self.log_alpha = torch.full((agents,), math.log(alpha), **place)
        self.actor_step = torch.optim.Adam(self.actor.parameters(), lr=rates[0], fused=True)
        groups = (self.critics.parameters(), rates[1]), ([self.log_alpha], rates[2])
        self.critic_step = torch.optim.Adam(
            [{"params": parameters, "lr": rate} for parameters, rate in groups], fused=True
        )
        self.optimisers = self.actor_step, self.critic_step

    def policy(self, observation: Tensor) -> Tensor:
        """The greedy action tanh m(s), (K, n, O) → (K, n, A)."""
        return torch.tanh(self.actor(observation).chunk(2, dim=-1)[0])

    def draw(self, observation: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """An action from the policy and its log density, (K, n, A) and (K, n)."""
        mean, log_std = self.actor(observation).chunk(2, dim=-1)
        log_std = log_std.clip(*LOG_STD)
        noise = torch.empty_like(mean).normal_(generator=generator)
        u = mean + log_std.exp() * noise
        return torch.tanh(u), squashed_log_density(noise, log_std, u)  # eq-10-squashed

    @torch.no_grad()
    def act(self, observation: Tensor, generator: torch.Generator) -> Tensor:
        """An action drawn from the policy: exploration is part of it."""
        return self.draw(observation, generator)[0]

    def values(self, critics: MLP, observation: Tensor, action: Tensor) -> Tensor:
        """Q(s, a) of both critics, (2, K, B)."""
        pair = torch.cat([observation, action], dim=-1)
        return critics(torch.cat([pair, pair]))[..., 0].unflatten(0, (2, self.agents))

    @torch.no_grad()
    def target(self, batch: Batch, alpha: Tensor, generator: torch.Generator) -> Tensor:
        """y for each transition, (K, B), with the next action drawn from the current policy."""
        action, log_density = self.draw(batch.following, generator)
        values = self.values(self.slow_critics, batch.following, action)
        following = soft_value(values, log_density, alpha)  # eq-10-soft-value
        return critic_target(batch.reward, batch.terminated, following, self.discount)

    def update(self, batch: Batch, generator: torch.Generator, actor: bool = True) -> Tensor:
        """One step of temperature, critics, actor and slow critics; losses of critic, actor (2, K).

        As in `ddpg`, each agent's loss is a mean over its batch, and their sum gives each agent
        its own gradient.
        """
        action, log_density = self.draw(batch.observation, generator)
        alpha = self.log_alpha.detach().exp()[:, None]
        drift = temperature_loss(self.log_alpha, log_density, self.entropy)

        target = self.target(batch, alpha, generator)
        values = self.values(self.critics, batch.observation, batch.action)
        error = critic_loss(values, target).sum(dim=0) / 2
        # Temperature and critics share no parameter, so that one step moves both.
        self.critic_step.zero_grad()
        # eq-10-temperature-loss, and eq-10-critic-loss, half of it for each critic
        (drift + error).sum().backward()
        self.critic_step.step()

        with frozen(self.critics.parameters()):
            values = self.values(self.critics, batch.observation, action)
            shortfall = soft_actor_loss(values, log_density, alpha)  # eq-10-soft-actor-loss
            self.actor_step.zero_grad()
            shortfall.sum().backward()
        if actor:
            self.actor_step.step()

        soft_update(self.slow_critics.parameters(), self.critics.parameters(), self.tau)
        return torch.stack([error, shortfall]).detach()
