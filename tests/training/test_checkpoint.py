"""Checkpoints: exact, atomic, and refused with a reason when they do not fit."""

import errno
import os
import resource
import signal

import pytest
import torch

from promo_repro.training import checkpoint

SETTINGS = {"method": "toy", "seed": 0}


def parts():
    weights = torch.randn(3, 2, requires_grad=True)
    optimiser = torch.optim.Adam([weights], lr=0.1)
    weights.square().sum().backward()
    optimiser.step()
    return {
        "weights": weights,
        "pair": [torch.randn(2), torch.arange(3)],
        "optimiser": optimiser,
        "schedule": torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.1, total_steps=9),
        "draw": torch.Generator().manual_seed(5),
    }


def test_every_kind_of_part_comes_back_exactly(tmp_path):
    torch.manual_seed(0)
    old, new = parts(), parts()
    torch.rand(7, generator=old["draw"])
    checkpoint.save(tmp_path / "c.pt", {"parts": checkpoint.capture(old)}, SETTINGS)
    read = checkpoint.load(tmp_path / "c.pt", SETTINGS)["parts"]
    assert not torch.equal(old["weights"], new["weights"])
    checkpoint.restore(new, read)
    assert torch.equal(old["weights"], new["weights"])
    assert new["weights"].requires_grad
    assert all(map(torch.equal, old["pair"], new["pair"]))
    assert torch.equal(torch.rand(5, generator=old["draw"]), torch.rand(5, generator=new["draw"]))
    for each in (old, new):
        each["optimiser"].zero_grad()
        each["weights"].sum().backward()
        each["optimiser"].step()
        each["schedule"].step()
    assert torch.equal(old["weights"], new["weights"])
    assert old["schedule"].get_last_lr() == new["schedule"].get_last_lr()


def test_other_parts_are_refused():
    old = checkpoint.capture({"a": torch.zeros(2)})
    with pytest.raises(ValueError, match="holds a, and the run has b"):
        checkpoint.restore({"b": torch.zeros(2)}, old)
    with pytest.raises(
        ValueError, match=r"a in the checkpoint does not fit.*\(2,\), expected \(3,\)"
    ):
        checkpoint.restore({"a": torch.zeros(3)}, old)
    with pytest.raises(ValueError, match="a in the checkpoint does not fit"):
        checkpoint.restore({"a": [torch.zeros(2)]}, checkpoint.capture({"a": [torch.zeros(2)] * 2}))


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no checkpoint .*start without --resume"):
        checkpoint.load(tmp_path / "c.pt", SETTINGS)


@pytest.mark.parametrize("keep", [0, 100, -20])
def test_a_damaged_file_is_refused(tmp_path, keep):
    path = tmp_path / "c.pt"
    checkpoint.save(path, {"x": torch.zeros(1000)}, SETTINGS)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match="damaged"):
        checkpoint.load(path, SETTINGS)


def test_a_foreign_file_is_refused(tmp_path):
    path = tmp_path / "c.pt"
    torch.save({"model": 1}, path)
    with pytest.raises(ValueError, match="another version"):
        checkpoint.load(path, SETTINGS)
    torch.save([1, 2], path)
    with pytest.raises(ValueError, match="damaged"):
        checkpoint.load(path, SETTINGS)


def test_other_settings_are_named(tmp_path):
    path = tmp_path / "c.pt"
    checkpoint.save(path, {}, SETTINGS)
    with pytest.raises(ValueError, match=r"\(seed is 1, was 0\); resume with those"):
        checkpoint.load(path, SETTINGS | {"seed": 1})


@pytest.fixture
def small_files():
    """No file may grow beyond a megabyte: the system then refuses to write, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def test_a_failed_write_leaves_the_last_checkpoint(tmp_path, small_files):
    path = tmp_path / "c.pt"
    checkpoint.save(path, {"x": torch.arange(5)}, SETTINGS)
    with pytest.raises(OSError, match=r"could not be written.*the one before it is intact") as info:
        checkpoint.save(path, {"x": torch.zeros(2**20)}, SETTINGS)
    assert info.value.errno == errno.EFBIG
    assert checkpoint.load(path, SETTINGS)["x"].tolist() == [0, 1, 2, 3, 4]
    assert os.listdir(tmp_path) == ["c.pt"]


def test_a_full_disk_is_said(tmp_path, monkeypatch):
    path = tmp_path / "c.pt"
    checkpoint.save(path, {"x": torch.arange(5)}, SETTINGS)

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device"):
        checkpoint.save(path, {"x": torch.zeros(5)}, SETTINGS)
    assert checkpoint.load(path, SETTINGS)["x"].tolist() == [0, 1, 2, 3, 4]
    assert os.listdir(tmp_path) == ["c.pt"]


def test_an_error_that_is_not_the_disks_stays_itself(tmp_path):
    with pytest.raises(AttributeError):
        checkpoint.save(tmp_path / "c.pt", {"x": lambda: 0}, SETTINGS)
    assert os.listdir(tmp_path) == []
