"""Deep deterministic policy gradient (Lillicrap et al., 2016), readable from top to bottom.

The actor μ gives one action for a state, the critic Q its value, and both have a slow copy (′) that
only the critic's target uses. Each line that is an equation of the chapter names it. Shapes: K
agents, B transitions, O features of the state, A actions; actions lie in [−1, 1].
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from promo_repro.agents.networks import MLP, frozen, soft_update
from promo_repro.agents.replay import Batch
from promo_repro.claims import formula

# Equations ----------------------------------------------------------------------------------------


@formula("eq-10-range")
def to_discount(action: Tensor, low: float, high: float, slack: float = 0.0) -> Tensor:
    """Discount of an action in [−1, 1], clip(c + (1 + slack) h a, low, high).

    c and h are the middle and half the width of the range. A tanh only approaches ±1; with a
    `slack` > 0 both ends of the range are reached by actions inside, each on a whole interval.
    """
    if not low < high:
        raise ValueError(f"the range of discounts is {low} to {high}; low must lie below high")
    if not slack >= 0:
        raise ValueError(f"slack is {slack}; it widens the range and cannot be negative")
    middle, half = (low + high) / 2, (high - low) / 2
    return (middle + (1 + slack) * half * action).clip(low, high)


@formula("eq-10-critic-target")
def critic_target(reward: Tensor, terminated: Tensor, following: Tensor, discount: float) -> Tensor:
    """Target of the critic, y = r + γ (1 − terminated) Q′(s′, μ′(s′)); all (K, B).

    `following` is the value of the next state. Where the episode was cut off but did not end,
    `terminated` is 0 and the future counts.
    """
    if not reward.shape == terminated.shape == following.shape:
        raise ValueError(
            f"shapes {tuple(reward.shape)}, {tuple(terminated.shape)} and "
            f"{tuple(following.shape)} of reward, end and next value differ; a broadcast would "
            "mix transitions"
        )
    return reward + discount * (1 - terminated) * following


@formula("eq-10-critic-loss")
def critic_loss(value: Tensor, target: Tensor) -> Tensor:
    """Mean squared error (Q(s, a) − y)² over the transitions of each agent, (K, B) → (K,)."""
    return (value - target).square().mean(dim=-1)


@formula("eq-10-actor-loss")
def actor_loss(value: Tensor) -> Tensor:
    """What the actor minimises, −mean Q(s, μ(s)) over the states of each agent, (K, B) → (K,)."""
    return -value.mean(dim=-1)


@formula("eq-10-policy-gradient")
def policy_gradient(policy_jacobian: Tensor, action_gradient: Tensor) -> Tensor:
    """Deterministic policy gradient, mean over states of ∇_θ μ(s)ᵀ ∇_a Q(s, a) at a = μ(s).

    `policy_jacobian` (B, A, P) for P parameters, `action_gradient` (B, A); result (P,).
    """
    return torch.einsum("bap,ba->p", policy_jacobian, action_gradient) / len(action_gradient)


# Networks of the agents ---------------------------------------------------------------------------


def value_of(critic: MLP, observation: Tensor, action: Tensor) -> Tensor:
    """Q(s, a) of each agent's critic, (K, B, O) and (K, B, A) → (K, B)."""
    return critic(torch.cat([observation, action], dim=-1))[..., 0]


class DDPG:
    """K agents, one actor and one critic each, trained on batches from a replay memory.

    `discount` γ; `noise` standard deviation of the exploration, in units of half the action range
    (more finds far optima, less disturbs near ones; 0.1 to 0.5); `tau` τ of the soft updates (0.005
    is slow and steady, 0.05 fast); `rates` of Adam for actor and critic.
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
        rates: tuple[float, float] = (1e-3, 1e-3),
        tau: float = 0.005,
        noise: float = 0.1,
        dtype: torch.dtype = torch.float32,
    ):
        if not 0 <= discount < 1:
            raise ValueError(f"discount is {discount}; the target needs a factor in [0, 1)")
        self.agents, self.actions = agents, action
        self.discount, self.tau, self.noise = discount, tau, noise
        # A small last layer starts the actor in the middle of the range, far from the flat ends of
        # tanh, where a gradient that vanishes could hold it.
        start = {"generator": generator, "dtype": dtype, "last": 0.01}
        self.actor = MLP(agents, (observation, *hidden, action), **start)
        self.critic = MLP(agents, (observation + action, *hidden, 1), **start)
        self.slow_actor, self.slow_critic = self.actor.copy(), self.critic.copy()
        self.actor_step = torch.optim.Adam(self.actor.parameters(), lr=rates[0], fused=True)
        self.critic_step = torch.optim.Adam(self.critic.parameters(), lr=rates[1], fused=True)
        self.optimisers = self.actor_step, self.critic_step

    def policy(self, observation: Tensor) -> Tensor:
        """The greedy action μ(s) in (−1, 1), (K, n, O) → (K, n, A)."""
        return torch.tanh(self.actor(observation))

    @torch.no_grad()
    def act(self, observation: Tensor, generator: torch.Generator) -> Tensor:
        """The greedy action plus normal noise, clipped to the action range after the noise."""
        action = self.policy(observation)
        noise = torch.empty_like(action).normal_(generator=generator)
        return (action + self.noise * noise).clip(-1, 1)

    @torch.no_grad()
    def target(self, batch: Batch) -> Tensor:
        """y for each transition, (K, B)."""
        following = torch.tanh(self.slow_actor(batch.following))
        following = value_of(self.slow_critic, batch.following, following)
        return critic_target(batch.reward, batch.terminated, following, self.discount)

    def update(
        self, batch: Batch, generator: torch.Generator | None = None, actor: bool = True
    ) -> Tensor:
        """One step of every agent's critic, actor and slow copies; the losses, (2, K).

        With `actor` false the actor waits, so that the critic first learns what actions are worth.
        """
        # Each agent's loss is a mean over its batch; their sum gives each its own gradient.
        error = critic_loss(  # eq-10-critic-loss
            value_of(self.critic, batch.observation, batch.action),
            self.target(batch),  # eq-10-critic-target
        )
        self.critic_step.zero_grad()
        error.sum().backward()
        self.critic_step.step()

        with frozen(self.critic.parameters()):  # eq-10-actor-loss
            action = self.policy(batch.observation)
            shortfall = actor_loss(value_of(self.critic, batch.observation, action))
            self.actor_step.zero_grad()
            shortfall.sum().backward()
        if actor:
            self.actor_step.step()

        for slow, online in ((self.slow_critic, self.critic), (self.slow_actor, self.actor)):
            soft_update(slow.parameters(), online.parameters(), self.tau)  # eq-10-soft-update
        return torch.stack([error, shortfall]).detach()
