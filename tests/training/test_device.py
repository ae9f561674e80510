"""The device is chosen once, with a clear word when it cannot be had."""

import pytest
import torch

from promo_repro.training import resolve


@pytest.mark.parametrize(("present", "chosen"), [(False, "cpu"), (True, "cuda")])
def test_auto_takes_what_there_is(monkeypatch, present, chosen):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: present)
    assert resolve("auto") == chosen
    assert resolve("cpu") == "cpu"


def test_cuda_without_a_device_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="no CUDA device"):
        resolve("cuda")


def test_an_unknown_device_is_named():
    with pytest.raises(ValueError, match="unknown device 'tpu'"):
        resolve("tpu")
