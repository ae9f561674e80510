"""A compiled step equals the plain one, and the plain one is there when compiling fails."""

import pytest
import torch

from promo_repro.training.compiled import Compiled, rates_as_tensors
from tests.training.toy import Lines

MESSAGE = "runs uncompiled, because compiling it failed: "


def learner(backend=None, seed=0):
    """Lines whose step is one function of its data, as a compiled step has to be."""
    toy = Lines(seed=seed)

    def update(x, y):
        w, b = toy.weights.unbind(dim=1)
        loss = (w[:, None] * x + b[:, None] - y).square().mean(dim=1)
        toy.optimiser.zero_grad()
        loss.sum().backward()
        toy.optimiser.step()
        return loss.detach()

    return toy, update if backend is None else Compiled(update, toy.parts, backend=backend)


def run(toy, update, steps=6):
    losses = []
    for k in range(steps):
        for group in toy.optimiser.param_groups:
            rate = 0.1 * (1 - k / steps)
            group["lr"] = group["lr"].fill_(rate) if torch.is_tensor(group["lr"]) else rate
        x = torch.rand(2, 16, generator=toy.points)
        losses.append(update(x, 2 * x - 1))
    return torch.stack(losses)


@pytest.fixture(autouse=True)
def _fresh():
    torch._dynamo.reset()


def test_a_compiled_step_is_the_same_step():
    compilations = []

    def counting(graph, _inputs):
        compilations.append(graph)
        return graph.forward

    plain, compiled = learner(), learner(counting)
    rates_as_tensors(compiled[0].optimiser, "cpu")
    torch.testing.assert_close(run(*plain), run(*compiled), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(plain[0].weights, compiled[0].weights)
    once = len(compilations)
    assert once > 0
    run(*compiled)
    assert len(compilations) == once  # a new learning rate compiles nothing


def broken(_graph, _inputs):
    raise RuntimeError("no compiler here")


def test_without_a_compiler_the_plain_step_runs():
    plain, compiled = learner(), learner(broken)
    with pytest.warns(UserWarning, match=MESSAGE) as caught:
        losses = run(*compiled)
    assert len(caught) == 1
    assert "no compiler here" in str(caught[0].message)
    assert torch.equal(losses, run(*plain))
    assert torch.equal(plain[0].weights, compiled[0].weights)


def test_a_step_that_fails_half_way_is_undone():
    """The weights had moved when compiling failed: they move once, not twice."""
    plain, (toy, _) = learner(), learner()
    failed = []

    def half(x, y):
        if not failed:
            failed.append(True)
            with torch.no_grad():
                toy.weights += 1
            torch.rand(3, generator=toy.points)
            raise RuntimeError("half way")
        w, b = toy.weights.unbind(dim=1)
        return (w[:, None] * x + b[:, None] - y).square().mean(dim=1).detach()

    step = Compiled(half, toy.parts, backend="eager")
    x = torch.rand(2, 4, generator=torch.Generator().manual_seed(1))
    with pytest.warns(UserWarning, match=MESSAGE + "half way"):
        loss = step(x, x)
    assert torch.equal(loss, x.square().mean(dim=1))
    assert torch.equal(toy.weights, plain[0].weights)
    assert torch.equal(toy.points.get_state(), plain[0].points.get_state())


def test_a_mistake_of_the_step_is_not_blamed_on_compiling():
    toy = Lines()

    def wrong(x):
        raise ValueError("wrong shape")

    step = Compiled(wrong, toy.parts, backend="eager")
    with pytest.warns(UserWarning, match=MESSAGE), pytest.raises(ValueError, match="wrong shape"):
        step(torch.zeros(1))


def test_cuda_records_graphs(monkeypatch):
    asked = {}
    monkeypatch.setattr(torch, "compile", lambda f, **how: asked.update(how) or f)
    Compiled(lambda: None, dict, "cuda")
    assert asked == {"backend": "inductor", "mode": "reduce-overhead"}
    Compiled(lambda: None, dict, "cpu")
    assert asked == {"backend": "inductor", "mode": None}
