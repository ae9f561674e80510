"""The loop: a resumed run is the uninterrupted one, and every failure leaves a good checkpoint."""

import errno
import os
import signal
import subprocess
import sys
import threading

import pytest
import torch

from promo_repro.training import checkpoint
from promo_repro.training.loop import CHECKPOINT, Run, train
from tests.training.toy import Lines, lines

SETTINGS = {"method": "toy"}


def same(a, b):
    assert [step for step, _ in a] == [step for step, _ in b]
    for (_, left), (_, right) in zip(a, b, strict=True):
        assert left.keys() == right.keys()
        assert all(torch.equal(left[name], right[name]) for name in left)


def test_the_curve_is_complete_and_learns(tmp_path):
    seen = []
    curve = train(lines(steps=150, every=40), tmp_path, SETTINGS, observers=[seen.append])
    assert [step for step, _ in curve] == [40, 80, 120, 150] == [mark.step for mark in seen]
    assert curve[-1][1]["slope"].tolist() == pytest.approx([2, 2], abs=0.3)
    assert all(mark.rate > 0 and mark.unit == "points" for mark in seen)
    assert curve[0][1]["loss"].dtype == torch.float64


def test_same_seed_same_curve_and_another_seed_another(tmp_path):
    first, second, other = (
        train(lines(seed=seed), tmp_path / name, SETTINGS)
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    same(first, second)
    assert not torch.equal(first[-1][1]["loss"], other[-1][1]["loss"])


class Stopping(Lines):
    """Asks to be stopped in the middle of a step, by a signal to its own process."""

    def __init__(self, at, number=signal.SIGINT, **options):
        super().__init__(**options)
        self.at, self.number = at, number

    def step(self):
        if self.done == self.at - 1:
            os.kill(os.getpid(), self.number)
        return super().step()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("at", [7, 20, 41])
def test_a_stopped_run_resumes_bit_for_bit(tmp_path, at, number):
    whole = train(lines(), tmp_path / "whole", SETTINGS)
    with pytest.raises(KeyboardInterrupt, match=f"Stopped after step {at} of 60; --resume"):
        train(Run(Stopping(at, number), 60, 20, True), tmp_path / "cut", SETTINGS)
    run = lines()
    resumed = train(run, tmp_path / "cut", SETTINGS, resume=True)
    same(whole, resumed)
    ends = (torch.load(tmp_path / name / CHECKPOINT) for name in ("whole", "cut"))
    states = [end["processes"][0] for end in ends]
    assert torch.equal(states[0]["weights"], states[1]["weights"])
    assert torch.equal(states[0]["points"], states[1]["points"])
    moments = [state["optimiser"]["state"][0] for state in states]
    assert all(torch.equal(moments[0][name], moments[1][name]) for name in moments[0])


def test_a_finished_run_is_not_trained_on(tmp_path):
    whole = train(lines(), tmp_path, SETTINGS)
    run = lines()
    same(whole, train(run, tmp_path, SETTINGS, resume=True))
    assert run.trainable.done == 60


def test_the_second_ctrl_c_does_not_wait(tmp_path):
    class Twice(Stopping):
        def step(self):
            os.kill(os.getpid(), signal.SIGINT)
            return super().step()

    run = Run(Twice(1), 60, 20, True)
    with pytest.raises(KeyboardInterrupt) as info:
        train(run, tmp_path, SETTINGS)
    assert str(info.value) == ""
    assert run.trainable.done == 0


def test_handlers_are_put_back(tmp_path):
    before = signal.getsignal(signal.SIGINT)
    train(lines(), tmp_path, SETTINGS)
    assert signal.getsignal(signal.SIGINT) is before


def test_other_threads_can_train(tmp_path):
    curves = []
    thread = threading.Thread(target=lambda: curves.append(train(lines(), tmp_path, SETTINGS)))
    thread.start()
    thread.join()
    assert len(curves[0]) == 3


def test_nan_stops_with_the_last_healthy_checkpoint(tmp_path):
    message = r"loss is nan at step 40 in seed 1 of the batch.*still holds the last healthy step"
    with pytest.raises(FloatingPointError, match=message):
        train(lines(breaks_at=25), tmp_path, SETTINGS)
    assert checkpoint.load(tmp_path / CHECKPOINT, SETTINGS)["step"] == 20
    same(
        train(lines(), tmp_path / "whole", SETTINGS),
        train(lines(), tmp_path, SETTINGS, resume=True),
    )


def test_nan_before_the_first_checkpoint_promises_none(tmp_path):
    with pytest.raises(FloatingPointError, match=r"diverged\. Lower the learning rate"):
        train(lines(breaks_at=1), tmp_path, SETTINGS)
    assert not (tmp_path / CHECKPOINT).exists()


def test_a_stop_does_not_save_a_broken_state(tmp_path):
    with pytest.raises(FloatingPointError, match="loss is nan at step 30"):
        train(Run(Stopping(30, breaks_at=25), 60, 20, True), tmp_path, SETTINGS)
    assert checkpoint.load(tmp_path / CHECKPOINT, SETTINGS)["step"] == 20


def test_an_exploding_value_is_caught(tmp_path):
    with pytest.raises(FloatingPointError, match=r"slope is .* at step 40 .*beyond 1\.7"):
        train(lines(limits={"slope": 1.7}), tmp_path, SETTINGS)
    assert checkpoint.load(tmp_path / CHECKPOINT, SETTINGS)["step"] == 20

    class Exploding(Lines):
        def evaluate(self):
            return {"slope": self.weights[:, 0] * 1e9}

    with pytest.raises(FloatingPointError, match=r"beyond 1e\+06"):
        train(Run(Exploding(), 60, 20, True), tmp_path / "b", SETTINGS)


def test_a_full_disk_ends_the_run_and_it_can_go_on(tmp_path, monkeypatch):
    fsync, calls = os.fsync, []

    def full(file):
        calls.append(file)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(file)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device"):
        train(lines(), tmp_path, SETTINGS)
    assert checkpoint.load(tmp_path / CHECKPOINT, SETTINGS)["step"] == 20
    same(
        train(lines(), tmp_path / "whole", SETTINGS),
        train(lines(), tmp_path, SETTINGS, resume=True),
    )


def test_a_killed_process_leaves_a_checkpoint_that_resumes(tmp_path):
    """No handler runs when a process is killed: only what was saved before counts."""
    code = (
        "import os, sys; from pathlib import Path; from tests.training.toy import lines;"
        "from promo_repro.training.loop import train;"
        "kill = lambda mark: mark.step == 40 and os.kill(os.getpid(), 9);"
        "train(lines(), Path(sys.argv[1]), {'method': 'toy'}, observers=[kill])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], timeout=120)
    assert done.returncode == -9
    assert checkpoint.load(tmp_path / CHECKPOINT, SETTINGS)["step"] == 20
    same(
        train(lines(), tmp_path / "whole", SETTINGS),
        train(lines(), tmp_path, SETTINGS, resume=True),
    )


def test_the_marks_fit_into_the_run():
    for every in (0, 61):
        with pytest.raises(ValueError, match=f"every is {every}; it must lie in 1 … 60"):
            Run(Lines(), 60, every, True)


def test_a_run_of_several_processes_is_not_resumed_by_one(tmp_path):
    train(lines(), tmp_path, SETTINGS)
    state = torch.load(tmp_path / CHECKPOINT)
    del state["format"], state["settings"]
    checkpoint.save(tmp_path / CHECKPOINT, state | {"processes": state["processes"] * 2}, SETTINGS)
    with pytest.raises(ValueError, match="written by 2 processes; resume with as many"):
        train(lines(), tmp_path, SETTINGS, resume=True)
