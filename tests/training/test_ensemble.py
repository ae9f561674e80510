"""An ensemble is its members: same outputs, same gradients, same steps, one batch."""

import pytest
import torch
from torch import nn

from promo_repro.training.ensemble import Ensemble


class Dropping(nn.Module):
    """A layer with a buffer and explicit dropout, as the forecasting nets have."""

    def __init__(self, generator):
        super().__init__()
        self.layer = nn.Linear(3, 2)
        self.register_buffer("shift", torch.randn(2, generator=generator))
        with torch.no_grad():
            for each in self.parameters():
                each.copy_(torch.randn(each.shape, generator=generator))

    def forward(self, x, generator=None):
        y = torch.tanh(self.layer(x)) + self.shift
        if generator is not None:
            y = y * (torch.rand(y.shape, generator=generator) > 0.5)
        return y


def modules(count=3):
    return [Dropping(torch.Generator().manual_seed(k)) for k in range(count)]


def test_outputs_and_steps_are_those_of_the_members():
    alone, x = modules(), torch.randn(3, 8, 3, generator=torch.Generator().manual_seed(9))
    together = Ensemble(modules())
    torch.testing.assert_close(
        together(x), torch.stack([m(part) for m, part in zip(alone, x, strict=True)])
    )
    optimiser = torch.optim.Adam(together.parameters(), lr=0.1)
    singles = [torch.optim.Adam(m.parameters(), lr=0.1) for m in alone]
    for _ in range(5):
        optimiser.zero_grad()
        together(x).square().mean(dim=(1, 2)).sum().backward()
        together.clip_gradients(0.5)
        optimiser.step()
        for module, single, part in zip(alone, singles, x, strict=True):
            single.zero_grad()
            module(part).square().mean().backward()
            nn.utils.clip_grad_norm_(module.parameters(), 0.5)
            single.step()
    for own, member in zip(alone, together.members(), strict=True):
        for name, value in own.state_dict().items():
            torch.testing.assert_close(member.state_dict()[name], value)


def test_clipping_leaves_short_gradients_alone():
    nets = Ensemble(modules())
    for each in nets.parameters():
        each.grad = torch.full_like(each, 1e-3)
        each.grad[1] = 100.0
    nets.clip_gradients(1.0)
    norms = torch.stack([each.grad.flatten(1).norm(dim=1) for each in nets.parameters()]).norm(
        dim=0
    )
    assert norms.tolist() == pytest.approx([1e-3 * 8**0.5, 1.0, 1e-3 * 8**0.5], rel=1e-4)


def test_members_drop_out_apart():
    nets = Ensemble([modules(1)[0] for _ in range(2)])
    x = torch.ones(1, 64, 3).expand(2, -1, -1)
    first, second = nets(x, generator=torch.Generator().manual_seed(0))
    assert not torch.equal(first == 0, second == 0)


def test_members_are_copies():
    nets = Ensemble(modules())
    nets.members()[0].layer.weight.data.zero_()
    assert nets.weights["layer.weight"][0].abs().min() > 0


def test_an_ensemble_has_members():
    with pytest.raises(ValueError, match="no module"):
        Ensemble([])
