"""The long short-term memory cell and the gated recurrent unit, written out.

Parameters are named as in `torch.nn.LSTMCell` and `GRUCell`: W maps the input x, U the previous
state h; the gates are stacked along the first axis, i, f, g, o for the LSTM and r, z, n for the
GRU. Device and dtype are those of the inputs; leading axes are batches.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from promo_repro.claims import formula


class CellParameters(NamedTuple):
    """Weights of one cell: W (G·H, D), U (G·H, H), b and b_u (G·H,), with G gates."""

    W: Tensor
    U: Tensor
    b: Tensor
    b_u: Tensor


@formula("eq-04-lstm")
def lstm_cell(x: Tensor, h: Tensor, c: Tensor, p: CellParameters) -> tuple[Tensor, Tensor]:
    r"""One step of the LSTM: from input x (..., D) and state h, c (..., H) to the next state.

    .. math::
        i, f, o = \sigma(W x + U h + b), \quad g = \tanh(W x + U h + b), \quad
        c' = f \odot c + i \odot g, \quad h' = o \odot \tanh c'
    """
    i, f, g, o = _gates(x, h, p).chunk(4, dim=-1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


@formula("eq-04-gru")
def gru_cell(x: Tensor, h: Tensor, p: CellParameters) -> Tensor:
    r"""One step of the GRU: from input x (..., D) and state h (..., H) to the next state.

    .. math::
        r, z = \sigma(W x + U h + b), \quad n = \tanh(W_n x + b_n + r \odot (U_n h + b_{u,n})),
        \quad h' = (1 - z) \odot n + z \odot h

    This is the variant of cuDNN, which resets after the product with U.
    """
    size = h.shape[-1]
    left, right = linear(x, p.W, p.b), linear(h, p.U, p.b_u)
    r, z = torch.sigmoid((left + right)[..., : 2 * size]).chunk(2, dim=-1)
    n = torch.tanh(left[..., 2 * size :] + r * right[..., 2 * size :])
    return torch.lerp(n, h, z)


def _gates(x, h, p):
    return linear(x, p.W, p.b) + linear(h, p.U, p.b_u)


@formula("eq-04-carousel")
def carousel(forget: Tensor) -> Tensor:
    r"""How much of an error at step T arrives at each earlier cell state along the cell alone.

    .. math:: \partial c_T / \partial c_t = \prod_{s=t+1}^{T} f_s

    with the gates held fixed. `forget` (T, ...) holds f_1 to f_T; returns (T + 1, ...), for t = 0
    to T; the last is one. Raises `ValueError` for gates outside [0, 1].
    """
    if not bool(((forget >= 0) & (forget <= 1)).all()):
        raise ValueError("forget gates must lie between 0 and 1")
    one = torch.ones_like(forget[:1])
    return torch.cat([one, forget.flip(0)]).cumprod(0).flip(0)


class Gradients(NamedTuple):
    """Gradients of a loss with respect to the weights, the inputs and the first state."""

    W: Tensor
    U: Tensor
    b: Tensor
    x: Tensor
    h0: Tensor
    c0: Tensor


def lstm_forward(x: Tensor, h: Tensor, c: Tensor, p: CellParameters) -> Tensor:
    """Run the LSTM over x (T, B, D) from the state h, c (B, H); returns all h, (T, B, H)."""
    outputs = []
    for step in x:
        h, c = lstm_cell(step, h, c, p)
        outputs.append(h)
    return torch.stack(outputs)


@formula("eq-04-bptt")
def lstm_backward(
    x: Tensor, h0: Tensor, c0: Tensor, p: CellParameters, dh_out: Tensor
) -> Gradients:
    """Back-propagation through time by hand: gradients of L when ∂L/∂h_t is `dh_out` (T, B, H).

    Runs the recursion of the chapter backwards; no automatic differentiation is used.
    """
    h, c, tape = h0, c0, []
    for step in x:
        i, f, g, o = _gates(step, h, p).chunk(4, dim=-1)
        i, f, g, o = torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)
        previous, h_in = c, h
        c = f * previous + i * g
        h = o * torch.tanh(c)
        tape.append((step, h_in, previous, c, i, f, g, o))
    dh, dc = torch.zeros_like(h0), torch.zeros_like(c0)
    dW, dU, db = torch.zeros_like(p.W), torch.zeros_like(p.U), torch.zeros_like(p.b)
    dx = []
    for (step, h_in, previous, c, i, f, g, o), out in zip(
        reversed(tape), dh_out.flip(0), strict=True
    ):
        dh = dh + out
        dc = dc + dh * o * (1 - torch.tanh(c) ** 2)
        delta = torch.cat(
            [
                dc * g * i * (1 - i),
                dc * previous * f * (1 - f),
                dc * i * (1 - g**2),
                dh * torch.tanh(c) * o * (1 - o),
            ],
            dim=-1,
        )
        dW, dU, db = dW + delta.mT @ step, dU + delta.mT @ h_in, db + delta.sum(0)
        dx.append(delta @ p.W)
        dh, dc = delta @ p.U, dc * f
    return Gradients(dW, dU, db, torch.stack(dx[::-1]), dh, dc)


class Recurrent(nn.Module):
    """An encoder: runs a cell over (B, T, D) from a zero state and returns the last h, (B, H).

    `kind` is "lstm" or "gru". Weights are uniform in ±1/√H, as usual, drawn from `generator`; the
    forget gate of the LSTM starts open, with bias 1.
    """

    def __init__(self, kind: str, inputs: int, hidden: int, generator: torch.Generator):
        super().__init__()
        if kind not in ("lstm", "gru"):
            raise ValueError(f"kind is {kind!r}; choose 'lstm' or 'gru'")
        self.kind, self.hidden = kind, hidden
        gates = (4 if kind == "lstm" else 3) * hidden
        bound = hidden**-0.5

        def drawn(*shape):
            return nn.Parameter((torch.rand(*shape, generator=generator) * 2 - 1) * bound)

        self.W, self.U = drawn(gates, inputs), drawn(gates, hidden)
        self.b, self.b_u = drawn(gates), nn.Parameter(torch.zeros(gates))
        if kind == "lstm":
            with torch.no_grad():
                self.b[hidden : 2 * hidden] = 1.0

    @property
    def parameters_of_cell(self) -> CellParameters:
        return CellParameters(self.W, self.U, self.b, self.b_u)

    def forward(self, x: Tensor) -> Tensor:
        p = self.parameters_of_cell
        h = x.new_zeros(*x.shape[:-2], self.hidden)
        c = h
        for step in x.unbind(-2):
            if self.kind == "lstm":
                h, c = lstm_cell(step, h, c, p)
            else:
                h = gru_cell(step, h, p)
        return h
