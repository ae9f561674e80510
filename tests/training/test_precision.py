"""Precision: the same code, fewer bits in the products, full precision in the weights."""

import pytest
import torch

from promo_repro.training.precision import autocast


def trained(precision):
    torch.manual_seed(0)
    layer = torch.nn.Linear(8, 1)
    optimiser = torch.optim.SGD(layer.parameters(), lr=0.1)
    x = torch.randn(256, 8)
    for _ in range(60):
        with autocast("cpu", precision):
            out = layer(x)
            loss = (out.float()[:, 0] - x.sum(dim=1)).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return layer.weight.detach(), out.dtype


def test_bfloat16_computes_with_16_bits_and_keeps_32():
    full, kind = trained("float32")
    assert kind == torch.float32
    half, kind = trained("bfloat16")
    assert kind == torch.bfloat16
    assert half.dtype == torch.float32
    assert not torch.equal(full, half)
    # bfloat16 has 8 significant bits; both have learnt that every weight is 1.
    assert half.tolist() == [pytest.approx([1.0] * 8, abs=0.02)]
    assert full.tolist() == [pytest.approx([1.0] * 8, abs=0.02)]


def test_cuda_takes_the_same_call():
    with pytest.warns(UserWarning, match="CUDA is not available"):
        context = autocast("cuda", "bfloat16")
    assert context.device == "cuda"
    assert context.fast_dtype == torch.bfloat16


def test_an_unknown_precision_is_named():
    with pytest.raises(ValueError, match="unknown precision 'float8'"):
        autocast("cpu", "float8")
