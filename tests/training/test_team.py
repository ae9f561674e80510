"""Two processes over gloo take the steps of one: same gradients, same curve, same resumption."""

import subprocess
import sys

import pytest
import torch

from promo_repro.training.loop import CHECKPOINT, Setting, train
from promo_repro.training.team import Team, team
from tests.training.test_supervised import networks
from tests.training.two_processes import plain


def launch(folder, job):
    """Run `two_processes` under torchrun; return the exit code and what was said."""
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
         "-m", "tests.training.two_processes", str(folder), job],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    return done.returncode, done.stderr


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """The same training in one process."""
    return train(
        networks(Setting(seeds=2), loss=plain).run(4, False), tmp_path_factory.mktemp("one"), {}
    )


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """And in two."""
    folder = tmp_path_factory.mktemp("two")
    code, said = launch(folder, "whole")
    assert code == 0, said
    return folder


def same_curve(folder, one):
    curve = torch.load(folder / CHECKPOINT)["curve"]
    assert [step for step, _ in curve] == [step for step, _ in one]
    for (_, two), (_, alone) in zip(curve, one, strict=True):
        for name in ("loss", "error"):
            torch.testing.assert_close(two[name], alone[name], rtol=1e-5, atol=1e-6)


def test_gradients_are_those_of_the_whole_batch(two):
    found = [torch.load(two / f"{rank}.pt") for rank in range(2)]
    weights = torch.ones(3, requires_grad=True)
    x = torch.arange(12.0).reshape(4, 3)
    (x @ weights).square().mean().backward()
    for each in found:
        expected = (1 - weights.grad).detach()
        torch.testing.assert_close(each["weights"], expected, rtol=1e-6, atol=1e-6)
        assert each["any"]
        assert not each["none"]
    assert torch.equal(found[0]["weights"], found[1]["weights"])
    assert found[0]["items"] == [0, 1]
    assert found[1]["items"] == []


def test_the_curve_is_that_of_one_process(two, one):
    same_curve(two, one)


def test_a_stop_of_one_stops_all_and_all_resume(tmp_path, one):
    code, said = launch(tmp_path, "part")
    assert code != 0
    assert "Stopped after step 9 of 24" in said
    assert torch.load(tmp_path / CHECKPOINT)["step"] == 9
    code, said = launch(tmp_path, "rest")
    assert code == 0, said
    same_curve(tmp_path, one)


def test_alone_nothing_is_exchanged():
    alone = Team()
    x = torch.tensor([1.0, 2.0])
    alone.average([x])
    assert x.tolist() == [1, 2]
    assert alone.leads
    assert alone.any(True)
    assert not alone.any(False)
    assert alone.collect("x") == ["x"]
    assert alone.share(7, "users") == 7
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    alone.follow(optimiser)
    assert not optimiser._optimizer_step_pre_hooks


def test_without_torchrun_there_is_one_process(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with team("cuda") as group:
        assert group == Team()
    assert not torch.distributed.is_initialized()


def test_an_uneven_share_is_refused():
    assert Team(1, 2).share(8, "users") == 4
    with pytest.raises(ValueError, match="9 users cannot be shared evenly by 2 processes"):
        Team(1, 2).share(9, "users")
