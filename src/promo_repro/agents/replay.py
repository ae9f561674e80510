"""Replay memory of many agents: each keeps and draws its own transitions, all in one tensor."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Transitions (s, a, r, s', terminated) of K agents, B each.

    `observation` and `following` (K, B, O), `action` (K, B, A), `reward` and `terminated` (K, B);
    `terminated` is 1 where the episode really ended and 0 elsewhere, also where it was cut off.
    """

    observation: Tensor
    action: Tensor
    reward: Tensor
    following: Tensor
    terminated: Tensor


class Replay:
    """The last `capacity` transitions of each of `agents` agents.

    A transition is one row of one tensor, so that a batch is one gather.
    """

    def __init__(
        self,
        agents: int,
        capacity: int,
        observation: int,
        action: int = 1,
        device="cpu",
        dtype: torch.dtype = torch.float32,
    ):
        if min(agents, capacity, observation, action) < 1:
            raise ValueError(
                "agents, capacity and the widths of observation and action must be ≥ 1"
            )
        self.agents, self.capacity = agents, capacity
        self.widths = (observation, action, 1, observation, 1)
        self.rows = torch.zeros(agents, capacity, sum(self.widths), device=device, dtype=dtype)
        self.first = capacity * torch.arange(agents, device=device)[:, None]
        self.added = 0

    def __len__(self) -> int:
        return min(self.added, self.capacity)

    def add(self, observation, action, reward, following, terminated) -> None:
        """Store n transitions of each agent, shapes as in `Batch`; the oldest make room.

        `following` is the observation that the transition reached: the final one of an episode,
        not the first of the next. Raises `ValueError` for a wrong shape and for NaN or infinity.
        """
        count = reward.shape[1] if reward.ndim == 2 else -1
        parts = {
            "observation": observation,
            "action": action,
            "reward": reward[..., None],
            "next observation": following,
            "terminated": terminated[..., None],
        }
        for (name, part), width in zip(parts.items(), self.widths, strict=True):
            if part.shape != (self.agents, count, width):
                raise ValueError(
                    f"{name} has shape {tuple(part.shape)}; expected ({self.agents}, n, {width}) "
                    "for agents, transitions and values, with one n for all parts"
                )
        rows = torch.cat([part.to(self.rows) for part in parts.values()], dim=2)
        if not bool(torch.isfinite(rows).all()):
            broken = [name for name, part in parts.items() if not torch.isfinite(part).all()]
            raise ValueError(f"{', '.join(broken)} has NaN or infinity; nothing was stored")
        rows = rows[:, -self.capacity :]
        place = (self.added + count - rows.shape[1] + torch.arange(rows.shape[1])) % self.capacity
        self.rows[:, place.to(rows.device)] = rows
        self.added += count

    def sample(self, count: int, generator: torch.Generator) -> Batch:
        """`count` transitions for each agent, drawn uniformly with replacement."""
        if not len(self):
            raise ValueError("the replay memory is empty; add transitions before drawing")
        drawn = torch.randint(
            len(self), (self.agents, count), generator=generator, device=self.rows.device
        )
        # Rows of all agents in one list: selecting by one index is faster than by two.
        rows = self.rows.flatten(0, 1).index_select(0, (self.first + drawn).flatten())
        observation, action, reward, following, terminated = rows.view(
            self.agents, count, -1
        ).split(self.widths, dim=2)
        return Batch(observation, action, reward[..., 0], following, terminated[..., 0])
