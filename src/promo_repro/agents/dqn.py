"""Deep Q-learning (Mnih et al., 2015), readable from top to bottom.

A network Q gives the value of every promotion in a state, a slow copy Q′ the values behind the
targets, a replay memory the transitions. Each line that is an equation of the chapter names it.
Shapes: K agents that share nothing but the loop, n users or B transitions each, O features of the
state, A promotions.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from promo_repro.agents.networks import MLP, soft_update
from promo_repro.agents.replay import Batch, Replay
from promo_repro.claims import formula
from promo_repro.simulator import Shop, World

# Equations ----------------------------------------------------------------------------------------


@formula("eq-09-target")
def td_target(reward: Tensor, terminated: Tensor, slow: Tensor, discount: float) -> Tensor:
    """Target of a transition, y = r + γ (1 − terminated) max_b Q′(s′, b), (K, B).

    `slow` (K, B, A) are the values of the next state under the slow network; `reward` and
    `terminated` (K, B). Where an episode was cut off but did not end, `terminated` is 0 and the
    future counts.
    """
    _same_transitions(reward, terminated, slow)
    return reward + discount * (1 - terminated) * slow.amax(dim=-1)


@formula("eq-09-double-target")
def double_target(
    reward: Tensor, terminated: Tensor, slow: Tensor, online: Tensor, discount: float
) -> Tensor:
    """Target of double DQN (van Hasselt et al., 2016), r + γ (1 − terminated) Q′(s′, b*), (K, B).

    b* = argmax_b Q(s′, b): the online network, `online` (K, B, A), chooses, the slow one scores.
    """
    _same_transitions(reward, terminated, slow)
    best = online.argmax(dim=-1, keepdim=True)
    return reward + discount * (1 - terminated) * slow.gather(-1, best)[..., 0]


@formula("eq-09-loss")
def td_loss(value: Tensor, target: Tensor, delta: float = 1.0) -> Tensor:
    """Huber loss of each agent, mean of e²/2, or of δ (|e| − δ/2) where |e| > δ; (K, B) → (K,).

    e = Q(s, a) − y. With `delta` infinite it is half the mean squared error.
    """
    if value.shape != target.shape:
        raise ValueError(
            f"value {tuple(value.shape)} and target {tuple(target.shape)} differ in shape; a "
            "broadcast would compare every transition with every other"
        )
    if not delta > 0:
        raise ValueError(f"delta is {delta}; the Huber loss needs a positive threshold")
    error = value - target
    if delta == float("inf"):
        return error.square().mean(dim=-1) / 2
    return F.huber_loss(value, target, reduction="none", delta=delta).mean(dim=-1)


@formula("eq-09-epsilon-greedy")
def epsilon_greedy(value: Tensor, epsilon: float, generator: torch.Generator) -> Tensor:
    """Promotion for each user: with probability ε any, else the best; (..., A) → (...).

    Every user tosses a coin of his own. One coin for all would make whole weeks random.
    """
    if not 0 <= epsilon <= 1:
        raise ValueError(f"epsilon is {epsilon}; a probability lies in [0, 1]")
    greedy = value.argmax(dim=-1)
    here = {"generator": generator, "device": value.device}
    explores = torch.rand(greedy.shape, **here) < epsilon
    return torch.where(explores, torch.randint(value.shape[-1], greedy.shape, **here), greedy)


@formula("eq-09-bound")
def value_bound(largest_reward: float, discount: float) -> float:
    """No policy earns more than R/(1 − γ) in size if no reward exceeds R."""
    if not 0 <= discount < 1:
        raise ValueError(f"discount is {discount}; a bound needs a factor in [0, 1)")
    return largest_reward / (1 - discount)


def _same_transitions(reward: Tensor, terminated: Tensor, slow: Tensor) -> None:
    if not reward.shape == terminated.shape == slow.shape[:-1]:
        raise ValueError(
            f"shapes {tuple(reward.shape)}, {tuple(terminated.shape)} and {tuple(slow.shape)} of "
            "reward, end and next values do not fit; a broadcast would mix transitions"
        )


# Agents -------------------------------------------------------------------------------------------


class DQN:
    """K agents, one Q network each, trained on batches from a replay memory.

    `discount` γ; `rate` of Adam (1e-3 to 4e-3; the last digits of the policy come from letting it
    fall); `tau` τ of the slow network (0.005 is slow and steady, 0.05 fast); `double` lets the
    online network choose the next promotion; `delta` of the Huber loss, in units of the reward
    (errors beyond it are pulled towards the median instead of the mean).
    """

    def __init__(
        self,
        agents: int,
        observation: int,
        actions: int,
        generator: torch.Generator,
        *,
        discount: float,
        hidden: Sequence[int] = (64, 64),
        rate: float = 3e-3,
        tau: float = 0.02,
        double: bool = True,
        delta: float = 1.0,
        dtype: torch.dtype = torch.float32,
    ):
        if not 0 <= discount < 1:
            raise ValueError(f"discount is {discount}; the target needs a factor in [0, 1)")
        self.agents, self.actions = agents, actions
        self.discount, self.tau, self.double, self.delta = discount, tau, double, delta
        self.online = MLP(agents, (observation, *hidden, actions), generator, dtype=dtype)
        self.slow = self.online.copy()
        self.optimiser = torch.optim.Adam(self.online.parameters(), lr=rate, fused=True)

    @torch.no_grad()
    def policy(self, observation: Tensor) -> Tensor:
        """The promotion of largest value, (K, n, O) → (K, n).

        It is read from the slow network: an average of weights carries less of the noise of the
        last batches than the weights themselves.
        """
        return self.slow(observation).argmax(dim=-1)

    @torch.no_grad()
    def act(self, observation: Tensor, epsilon: float, generator: torch.Generator) -> Tensor:
        """The promotion to offer while learning, (K, n, O) → (K, n)."""
        return epsilon_greedy(self.online(observation), epsilon, generator)

    @torch.no_grad()
    def target(self, batch: Batch) -> Tensor:
        """y for each transition, (K, B)."""
        slow = self.slow(batch.following)
        if self.double:
            online = self.online(batch.following)
            return double_target(batch.reward, batch.terminated, slow, online, self.discount)
        return td_target(batch.reward, batch.terminated, slow, self.discount)

    def value(self, batch: Batch) -> Tensor:
        """Q(s, a) of the promotions in the batch, (K, B)."""
        return self.online(batch.observation).gather(-1, batch.action.long())[..., 0]

    def update(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """One step of every agent and its slow copy; loss and mean |target|, (K,) each."""
        target = self.target(batch)  # eq-09-target or eq-09-double-target
        loss = td_loss(self.value(batch), target, self.delta)  # eq-09-loss
        self.optimiser.zero_grad()
        # Each agent's loss is a mean over its batch; their sum gives each its own gradient.
        loss.sum().backward()
        self.optimiser.step()
        soft_update(self.slow.parameters(), self.online.parameters(), self.tau)  # eq-10-soft-update
        return loss.detach(), target.abs().mean(dim=-1)


# The loop -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Plan:
    """How long and how hard to train; the unit of `steps` and `warmup` is a week of all users.

    `updates` per step, on `batch` transitions each: updates · batch / users is how often a
    transition is used. During `warmup` promotions are random and nothing is learned. ε falls
    linearly from the first to the second `epsilon` during the part `fade` of the steps, the
    learning rate to zero over all steps, unless `steady`. Every `every` steps the policy is
    evaluated.
    """

    steps: int
    batch: int = 1024
    updates: int = 2
    warmup: int = 20
    capacity: int = 300_000
    epsilon: tuple[float, float] = (1.0, 0.1)
    fade: float = 0.5
    steady: bool = False
    every: int = 100

    def __post_init__(self):
        if min(self.steps, self.batch, self.updates, self.capacity, self.every) < 1:
            raise ValueError("steps, batch, updates, capacity and every must be at least 1")
        if not 1 <= self.warmup < self.steps:
            raise ValueError(f"warmup is {self.warmup}; it must lie in 1 … {self.steps - 1}")
        if not 0 < self.fade <= 1:
            raise ValueError(f"fade is {self.fade}; it is a part of the steps, in (0, 1]")

    def exploration(self, step: int) -> float:
        """ε in a step."""
        if step <= self.warmup:
            return 1.0
        first, last = self.epsilon
        return first + (last - first) * min(1.0, step / (self.fade * self.steps))

    def rate(self, step: int) -> float:
        """The learning rate in a step, as a part of the first."""
        return 1.0 if self.steady else 1 - step / self.steps


@dataclass(frozen=True)
class Curve:
    """`steps` (C,) at which the policy was evaluated, and what came out, `values` (C, K)."""

    steps: list[int]
    values: Tensor


class Market:
    """The simulator's shop K times, with n users each; rewards are multiplied by `scale`."""

    def __init__(
        self,
        world: World,
        agents: int,
        users: int,
        *,
        scale: float = 1.0,
        device="cpu",
        dtype: torch.dtype = torch.float32,
    ):
        self.shop = Shop(world, agents * users, device=device, dtype=dtype)
        self.agents, self.users, self.scale = agents, users, scale
        self.observation, self.device, self.dtype = world.observation_size, device, dtype

    def reset(self, generator: torch.Generator) -> Tensor:
        """First observations of new customers, (K, n, O)."""
        return self._split(self.shop.reset(generator))

    def step(self, action: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """One week: the next observation to act on, reward, observation reached, terminated.

        The observation that a transition reached is the final one at the end of an episode, where
        the next one to act on belongs to a new customer.
        """
        observation, reward, terminated, _, info = self.shop.step(action.reshape(-1))
        reached = info.get("final_observation", observation)
        parts = observation, self.scale * reward, reached, terminated.to(self.dtype)
        return tuple(self._split(part) for part in parts)

    def _split(self, rows: Tensor) -> Tensor:
        return rows.unflatten(0, (self.agents, self.users))


def train(agent: DQN, market, plan: Plan, seed: int, evaluate: Callable[..., Tensor]) -> Curve:
    """Train in place and return the curve of `evaluate(policy) -> (K,)`; it uses no randomness.

    Market, exploration and replay each have a generator of their own, made from `seed`. Raises
    `FloatingPointError` when a loss is NaN or infinite, and when targets exceed what any policy
    could earn.
    """
    world, exploration, drawing = (
        torch.Generator(device=market.device).manual_seed(3 * seed + k) for k in range(3)
    )
    memory = Replay(
        market.agents, plan.capacity, market.observation, 1, market.device, market.dtype
    )
    largest = torch.zeros((), device=market.device)
    first_rates = [group["lr"] for group in agent.optimiser.param_groups]
    observation = market.reset(world)
    marks, values = [], []
    for step in range(1, plan.steps + 1):
        action = agent.act(observation, plan.exploration(step), exploration)  # eq-09-epsilon-greedy
        following, reward, reached, terminated = market.step(action)
        memory.add(observation, action[..., None], reward, reached, terminated)
        largest = torch.maximum(largest, reward.abs().max())
        observation = following
        if step > plan.warmup:
            for group, rate in zip(agent.optimiser.param_groups, first_rates, strict=True):
                group["lr"] = rate * plan.rate(step)
            for _ in range(plan.updates):
                loss, size = agent.update(memory.sample(plan.batch, drawing))
        if step % plan.every == 0 or step == plan.steps:
            if step > plan.warmup:
                _watch(step, loss, size, value_bound(float(largest), agent.discount))
            marks.append(step)
            values.append(evaluate(agent.policy))
    return Curve(marks, torch.stack(values))


def _watch(step: int, loss: Tensor, size: Tensor, bound: float) -> None:
    """Stop a run that has gone astray, with the reason."""
    if not bool(torch.isfinite(loss).all()):
        raise FloatingPointError(
            f"the loss is not finite at step {step}; lower the rate or scale the reward"
        )
    if float(size.max()) > bound:
        raise FloatingPointError(
            f"targets average {float(size.max()):.3g} at step {step}, but no policy earns more "
            f"than {bound:.3g}: the values explode; lower the rate or the tau of the slow network"
        )


def unit(world: World) -> float:
    """Factor that makes the margin of the dearest product the unit of reward."""
    return 1 / (world.margin * float(world.prices.max()))


def policy_values(world: World, market: Market) -> Callable[..., Tensor]:
    """Function that maps a policy to the exact value of each agent's greedy promotions, (K,)."""
    seen = torch.as_tensor(world.features, dtype=market.dtype, device=market.device)
    seen = seen.expand(market.agents, *seen.shape)

    def evaluate(policy) -> Tensor:
        chosen = policy(seen).cpu().numpy()
        return torch.tensor([world.policy_value(each) for each in chosen], dtype=torch.float64)

    return evaluate
