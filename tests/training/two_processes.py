"""What `test_team` starts with torchrun: trains in two processes, and writes what came out."""

import os
import signal
import sys
from pathlib import Path

import torch

from promo_repro.training.loop import Setting, train
from promo_repro.training.team import team
from tests.training.test_supervised import networks


def main(folder: Path, job: str) -> None:
    torch.set_num_threads(1)
    with team() as group:
        if job == "whole":
            exchange(folder, group)
        run = networks(Setting(seeds=2, team=group), loss=plain).run(4, False)
        if job == "part" and group.rank == 1:
            run.trainable.step = stopping(run.trainable.step)
        train(run, folder, {}, resume=job == "rest", team=group)


def exchange(folder: Path, group) -> None:
    """One step on half of four rows each, and the smaller exchanges."""
    weights = torch.ones(3, requires_grad=True)
    optimiser = torch.optim.SGD([weights], lr=1.0)
    group.follow(optimiser)
    x = torch.arange(12.0).reshape(4, 3)[2 * group.rank : 2 * group.rank + 2]
    (x @ weights).square().mean().backward()
    optimiser.step()
    found = {
        "weights": weights.detach(),
        "any": group.any(group.rank == 1),
        "none": group.any(False),
        "items": group.collect(group.rank),
    }
    torch.save(found, folder / f"{group.rank}.pt")


def plain(nets, rows, _dropout):
    x, y = rows
    return (nets(x)[..., 0] - y).square().mean(dim=1)


def stopping(step):
    """The step, asked to stop by a signal in its ninth call."""
    calls = []

    def wrapped():
        calls.append(None)
        if len(calls) == 9:
            os.kill(os.getpid(), signal.SIGINT)
        return step()

    return wrapped


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
