"""Several processes that train one model together, started by `torchrun`.

Every process holds the same weights and its own part of each batch. The gradients are averaged
before every step, so that the steps are those of one process with the whole batch.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True)
class Team:
    """This process, number `rank` of `size`. Alone, every method is the identity."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process is the one that writes files and reports."""
        return self.rank == 0

    def share(self, count: int, what: str) -> int:
        """How many of `count` things are this process's; raises `ValueError` if it is uneven."""
        if count % self.size:
            raise ValueError(f"{count} {what} cannot be shared evenly by {self.size} processes")
        return count // self.size

    def average(self, tensors: Iterable[Tensor]) -> None:
        """Replace tensors by their mean over the processes, in one exchange."""
        tensors = list(tensors)
        if self.size == 1 or not tensors:
            return
        flat = torch.cat([each.reshape(-1) for each in tensors])
        dist.all_reduce(flat)
        flat /= self.size
        for each, mean in zip(tensors, flat.split([t.numel() for t in tensors]), strict=True):
            each.copy_(mean.view_as(each))

    def follow(self, *optimisers: torch.optim.Optimizer) -> None:
        """Average the gradients over the processes before every step of these optimisers."""
        if self.size == 1:
            return

        def before(optimiser, _args, _kwargs):
            groups = optimiser.param_groups
            weights = (weight for group in groups for weight in group["params"])
            self.average(weight.grad for weight in weights if weight.grad is not None)

        for optimiser in optimisers:
            optimiser.register_step_pre_hook(before)

    def any(self, happened: bool) -> bool:
        """Whether it happened in any of the processes."""
        if self.size == 1:
            return happened
        flag = torch.tensor(float(happened))
        dist.all_reduce(flag, dist.ReduceOp.MAX)
        return bool(flag)

    def collect(self, item: Any) -> list[Any]:
        """What every process holds, in order of rank; an empty list in all but the leader."""
        if self.size == 1:
            return [item]
        items = [None] * self.size if self.leads else None
        dist.gather_object(item, items)
        return items or []


@contextmanager
def team(device: str = "cpu") -> Iterator[Team]:
    """Join the other processes if `torchrun` started this one, and leave them at the end.

    Gloo carries tensors of the CPU and everything that is no tensor, NCCL those of CUDA; each
    process on a computer takes the GPU of its local rank.
    """
    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        yield Team()
        return
    if device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("cpu:gloo,cuda:nccl" if device == "cuda" else "gloo")
    try:
        yield Team(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()
