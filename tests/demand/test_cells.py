"""Cells against torch, gradients against autograd and finite differences."""

import pytest
import torch

from promo_repro.demand import cells
from promo_repro.demand.cells import CellParameters

B, D, H, T = 3, 2, 6, 7


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(3)


def drawn(generator, *shape):
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def parameters(generator, gates):
    return CellParameters(
        drawn(generator, gates * H, D),
        drawn(generator, gates * H, H),
        drawn(generator, gates * H),
        drawn(generator, gates * H),
    )


def copied(module, p):
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    with torch.no_grad():
        for name, value in zip(names, p, strict=True):
            getattr(module, name).copy_(value)
    return module


def test_lstm_cell_equals_torch(generator):
    p = parameters(generator, 4)
    peer = copied(torch.nn.LSTMCell(D, H, dtype=torch.float64), p)
    x, h, c = drawn(generator, B, D), drawn(generator, B, H), drawn(generator, B, H)
    for own, other in zip(cells.lstm_cell(x, h, c, p), peer(x, (h, c)), strict=True):
        assert torch.allclose(own, other, atol=1e-12, rtol=0)


def test_gru_cell_equals_torch(generator):
    p = parameters(generator, 3)
    peer = copied(torch.nn.GRUCell(D, H, dtype=torch.float64), p)
    x, h = drawn(generator, B, D), drawn(generator, B, H)
    assert torch.allclose(cells.gru_cell(x, h, p), peer(x, h), atol=1e-12, rtol=0)


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_encoder_equals_torch_in_single_precision(generator, kind):
    own = cells.Recurrent(kind, D, H, generator)
    peer = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[kind](D, H, batch_first=True)
    with torch.no_grad():
        for name, value in zip(peer._flat_weights_names, own.parameters_of_cell, strict=True):
            getattr(peer, name).copy_(value)
    x = torch.randn(B, T, D, generator=generator)
    assert torch.allclose(own(x), peer(x)[0][:, -1], atol=1e-6, rtol=0)


def test_new_weights_are_bounded_and_the_forget_gate_is_open(generator):
    net = cells.Recurrent("lstm", D, H, generator)
    assert net.W.abs().max() <= H**-0.5
    assert net.W.min() < 0 < net.W.max()
    assert net.b[H : 2 * H].tolist() == [1] * H
    assert net.b[:H].abs().max() <= H**-0.5
    with pytest.raises(ValueError, match="kind is 'rnn'"):
        cells.Recurrent("rnn", D, H, generator)


@pytest.fixture
def unrolled(generator):
    p = parameters(generator, 4)
    x, out = drawn(generator, T, B, D), drawn(generator, T, B, H)
    return x, drawn(generator, B, H), drawn(generator, B, H), p, out


def test_backward_equals_autograd(unrolled):
    x, h0, c0, p, out = unrolled
    leaves = [t.clone().requires_grad_() for t in (x, h0, c0, *p[:3])]
    states = cells.lstm_forward(*leaves[:3], CellParameters(*leaves[3:], p.b_u))
    (states * out).sum().backward()
    own = cells.lstm_backward(x, h0, c0, p, out)
    for name, leaf in zip(("x", "h0", "c0", "W", "U", "b"), leaves, strict=True):
        assert torch.allclose(getattr(own, name), leaf.grad, atol=1e-11, rtol=1e-9), name


def test_backward_needs_a_gradient_for_every_step(unrolled):
    x, h0, c0, p, out = unrolled
    with pytest.raises(ValueError, match="shorter"):
        cells.lstm_backward(x, h0, c0, p, out[:-1])


def test_backward_equals_finite_differences(unrolled):
    x, h0, c0, p, out = unrolled
    own = cells.lstm_backward(x, h0, c0, p, out)

    def loss(p):
        return (cells.lstm_forward(x, h0, c0, p) * out).sum()

    for name in ("W", "U", "b"):
        for index in (0, 7, -1):
            step = torch.zeros_like(getattr(p, name))
            step.view(-1)[index] = 1e-6
            moved = [loss(p._replace(**{name: getattr(p, name) + s * step})) for s in (1, -1)]
            slope = (moved[0] - moved[1]) / 2e-6
            assert getattr(own, name).view(-1)[index] == pytest.approx(slope.item(), rel=1e-6)


def test_carousel_by_hand_and_against_autograd(unrolled):
    f = torch.tensor([0.5, 1.0, 0.2], dtype=torch.float64)
    assert cells.carousel(f).tolist() == pytest.approx([0.1, 0.2, 0.2, 1])
    assert cells.carousel(torch.ones(50)).tolist() == [1] * 51
    # With U = 0 the gates do not depend on the state, so the carousel is all there is.
    x, h0, c0, p, _ = unrolled
    p = p._replace(U=torch.zeros_like(p.U))
    c, h = c0.clone().requires_grad_(), h0
    first, gates = c, []
    for step in x:
        gates.append(torch.sigmoid((step @ p.W.mT + p.b + p.b_u)[:, H : 2 * H]))
        h, c = cells.lstm_cell(step, h, c, p)
    c.sum().backward()
    assert torch.allclose(cells.carousel(torch.stack(gates))[0], first.grad)


@pytest.mark.parametrize("gate", [-0.1, 1.1, float("nan")])
def test_carousel_refuses(gate):
    with pytest.raises(ValueError, match="between 0 and 1"):
        cells.carousel(torch.tensor([0.5, gate]))


@pytest.mark.parametrize("gate", [0.0, 1.0])
def test_carousel_takes_closed_and_open_gates(gate):
    assert cells.carousel(torch.tensor([gate])).tolist() == [gate, 1]


def test_cells_take_any_leading_axes(generator):
    for kind, gates in (("lstm", 4), ("gru", 3)):
        p = parameters(generator, gates)
        x, h, c = (drawn(generator, 2, B, size) for size in (D, H, H))
        if kind == "lstm":
            whole, part = (
                cells.lstm_cell(x, h, c, p)[0],
                cells.lstm_cell(x[1, 2], h[1, 2], c[1, 2], p)[0],
            )
        else:
            whole, part = cells.gru_cell(x, h, p), cells.gru_cell(x[1, 2], h[1, 2], p)
        assert torch.allclose(whole[1, 2], part)


@pytest.mark.parametrize("kind", ["lstm", "gru"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_device_and_dtype_are_those_of_the_input(generator, kind, dtype):
    encoder = cells.Recurrent(kind, D, H, generator).to("meta", dtype)
    state = encoder(torch.empty(B, T, D, device="meta", dtype=dtype))
    assert (state.device.type, state.dtype, tuple(state.shape)) == ("meta", dtype, (B, H))
    p = encoder.parameters_of_cell
    if kind == "lstm":
        zero = torch.zeros(B, H, device="meta", dtype=dtype)
        x = torch.empty(T, B, D, device="meta", dtype=dtype)
        out = cells.lstm_forward(x, zero, zero, p)
        gradients = cells.lstm_backward(x, zero, zero, p, out)
        assert {g.device.type for g in gradients} == {"meta"}
        assert {g.dtype for g in gradients} == {dtype}
