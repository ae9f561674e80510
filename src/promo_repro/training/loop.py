"""The loop that trains anything: step, watch, report, save; and go on after a stop.

What is trained is a `Trainable`. The rooms above provide them, with a leading axis K for the seeds
that are trained in one batch.
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from promo_repro.training import checkpoint
from promo_repro.training.team import Team

CHECKPOINT = "checkpoint.pt"
LARGEST = 1e6  # a loss beyond this has exploded: losses here are of order one


class Trainable(Protocol):
    """What the loop trains. Metrics are named tensors (K,), one value for each seed.

    `unit` names what a step works through, and `amount` says how many of them: the returns, say,
    that it completes. `limits` are the largest values that a metric can have in a healthy run,
    where that is known.
    """

    unit: str
    amount: float
    limits: Mapping[str, float]

    def step(self) -> Mapping[str, Tensor]:
        """Take one step and return its losses."""

    def evaluate(self) -> Mapping[str, Tensor]:
        """Measure what has been learnt, without drawing from the generators of the training."""

    def state_dict(self) -> Mapping[str, Any]:
        """Return everything that the next step depends on."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Return to a state."""


@dataclass(frozen=True)
class Setting:
    """What the user chose: how large, how many seeds from which on, where and how to compute."""

    full: bool = False
    seeds: int = 1
    seed: int = 0
    device: str = "cpu"
    precision: str = "float32"
    compiled: bool = False
    team: Team = field(default_factory=Team)


@dataclass(frozen=True)
class Run:
    """A trainable with the length of its training: `steps`, measured and saved every `every`.

    `simulated` says whether what it is trained and measured on is a simulation.
    """

    trainable: Trainable
    steps: int
    every: int
    simulated: bool

    def __post_init__(self):
        if not 1 <= self.every <= self.steps:
            raise ValueError(f"every is {self.every}; it must lie in 1 … {self.steps}, the steps")


@dataclass(frozen=True)
class Mark:
    """What is known at a step: metrics (K,), and how much the run gets through in a second."""

    step: int
    metrics: Mapping[str, Tensor]
    rate: float
    unit: str


Curve = list[tuple[int, dict[str, Tensor]]]
Observer = Callable[[Mark], None]


def train(
    run: Run,
    folder: Path,
    settings: Mapping[str, Any],
    *,
    resume: bool = False,
    observers: Sequence[Observer] = (),
    team: Team | None = None,
) -> Curve:
    """Train to the end and return the curve: step and metrics (K,) wherever it was measured.

    The checkpoint in `folder` holds everything, so that a run that was stopped and resumed has the
    curve of one that was not. Raises `FloatingPointError` when a metric is NaN or has exploded,
    `OSError` when a checkpoint cannot be written, and `KeyboardInterrupt` after Ctrl-C; in each
    case the checkpoint is that of a healthy step, and the message says of which.
    """
    team = team or Team()
    path = folder / CHECKPOINT
    done, curve = _resumed(run, path, settings, team) if resume else (0, [])
    losses: Mapping[str, Tensor] = {}
    began, counted = time.perf_counter(), done
    with _stop_asked() as asked:
        while done < run.steps:
            losses = run.trainable.step()
            done += 1
            stopped = team.any(asked())
            if done % run.every == 0 or done == run.steps:
                metrics = _measured(run, losses, team)
                _check(metrics, run.trainable.limits, done, path)
                curve.append((done, metrics))
                spent = max(time.perf_counter() - began, 1e-9)
                rate = (done - counted) * run.trainable.amount * team.size / spent
                for observe in observers:
                    observe(Mark(done, metrics, rate, run.trainable.unit))
                _save(run, path, settings, done, curve, team)
                began, counted = time.perf_counter(), done
            elif stopped:
                _check(losses, run.trainable.limits, done, path)
                _save(run, path, settings, done, curve, team)
            if stopped and done < run.steps:
                raise KeyboardInterrupt(
                    f"Stopped after step {done:,} of {run.steps:,}; --resume goes on from there."
                )
    return curve


def _measured(run: Run, losses: Mapping[str, Tensor], team: Team) -> dict[str, Tensor]:
    """Losses, averaged over the processes, and evaluation, as double-precision CPU tensors."""
    losses = {name: each.detach().clone() for name, each in losses.items()}
    team.average(losses.values())
    with torch.no_grad():
        found = {**losses, **run.trainable.evaluate()}
    return {name: each.detach().to("cpu", torch.float64) for name, each in found.items()}


def _check(metrics, limits: Mapping[str, float], step: int, path: Path) -> None:
    for name, values in metrics.items():
        limit = limits.get(name, LARGEST)
        wrong = ~(values.abs() <= limit)  # true for NaN as well
        if bool(wrong.any()):
            place = int(wrong.nonzero()[0, 0])
            raise FloatingPointError(
                f"{name} is {float(values[place]):.4g} at step {step:,} in seed {place} of the "
                f"batch, beyond {limit:.4g}: the training diverged. "
                + (f"{path} still holds the last healthy step. " if path.is_file() else "")
                + "Lower the learning rate or the scale of the data, and start anew"
            )


def _save(run, path, settings, step, curve, team) -> None:
    states = team.collect(run.trainable.state_dict())
    if team.leads:
        state = {"step": step, "curve": curve, "processes": states}
        checkpoint.save(path, state, settings)


def _resumed(run, path, settings, team) -> tuple[int, Curve]:
    state = checkpoint.load(path, settings)
    if len(state["processes"]) != team.size:
        raise ValueError(
            f"{path} was written by {len(state['processes'])} processes; resume with as many"
        )
    run.trainable.load_state_dict(state["processes"][team.rank])
    return state["step"], [(step, dict(metrics)) for step, metrics in state["curve"]]


@contextmanager
def _stop_asked() -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C, or the signal that ends a job, wait for the end of the step; the second does not.

    Half a step would leave a state that no uninterrupted run has.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set  # only the main thread may handle signals
        return

    def ask(number, frame):
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
