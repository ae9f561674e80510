"""One pass: against a double loop, derivatives against differences, ties against brute force."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from promo_repro.allocation import Problem, Row, passes
from promo_repro.allocation.reference import arrays
from tests.allocation.conftest import problems, small, with_rows

seeds = st.integers(0, 5_000)


def random_prices(coupling, seed):
    rng = np.random.default_rng(seed)
    low, high = coupling.sign_bounds()
    return np.clip(rng.normal(0, 1, len(coupling)), low, high)


def reduced(problem, prices):
    v, c, group = arrays(problem)
    return v - np.tensordot(prices, problem.coupling.coefficients(v, c, group), 1)


def test_reduced_values_by_hand():
    v, c = torch.tensor([[5.0, 1.0], [2.0, 8.0]]), torch.tensor([[2.0, 1.0], [1.0, 3.0]])
    tables = np.array([[[1.0], [0.5]], [[2.0], [2.0]], [[0.0], [0.0]]])
    assert passes.reduced_values(v, c, tables).tolist() == [[0, -2], [-0.5, 1.5]]
    tables[2] = 0.5
    assert passes.reduced_values(v, c, tables).tolist() == [[-2.5, -2.5], [-1.5, -2.5]]
    by_group = np.repeat(tables, 2, axis=2)
    by_group[0, :, 1] = 0
    group = torch.tensor([0, 1])
    assert passes.reduced_values(v, c, by_group, group).tolist() == [[-2.5, -1.5], [-1.5, -2.0]]


@given(seeds, seeds)
def test_hard_pass_is_the_double_loop(seed, prices):
    problem = with_rows(seed)
    p = random_prices(problem.coupling, prices)
    r = reduced(problem, p)
    found = passes.hard(problem.blocks[0], problem.coupling, p)
    best = r.argmax(axis=1)
    top = r[np.arange(len(r)), best]
    assert found.surplus == pytest.approx(np.maximum(top, 0).sum())
    assert (found.choice == np.where(top > 0, best, -1)).all()
    v, c, group = arrays(problem)
    x = np.zeros_like(v)
    x[np.arange(len(r))[top > 0], best[top > 0]] = 1
    assert found.value == pytest.approx((v * x).sum())
    usage = np.tensordot(problem.coupling.coefficients(v, c, group), x, 2)
    assert found.usage == pytest.approx(usage)


@given(seeds, seeds)
def test_soft_pass_has_the_derivatives_it_claims(seed, prices):
    problem, temperature = with_rows(seed), 0.3
    block, coupling = problem.blocks[0], problem.coupling
    p = random_prices(coupling, prices)
    at = passes.soft(block, coupling, p, temperature)
    r = reduced(problem, p) / temperature
    with_none = np.column_stack([r, np.zeros(len(r))])
    top = with_none.max(axis=1)
    logs = top + np.log(np.exp(with_none - top[:, None]).sum(axis=1))
    assert at.value == pytest.approx(temperature * logs.sum())
    gradient, hessian = -at.usage, at.hessian(temperature)
    for i in range(len(p)):
        step = np.zeros(len(p))
        step[i] = 1e-5
        up, down = (passes.soft(block, coupling, p + s, temperature) for s in (step, -step))
        assert (up.value - down.value) / 2e-5 == pytest.approx(gradient[i], rel=1e-5, abs=1e-4)
        slope = (down.usage - up.usage) / 2e-5
        assert slope == pytest.approx(hessian[i], rel=1e-4, abs=1e-3 * (1 + abs(hessian).max()))


@given(seeds, seeds)
def test_soft_pass_without_temperature_is_the_hard_one(seed, prices):
    problem = with_rows(seed)
    p = random_prices(problem.coupling, prices)
    sharp = passes.soft(problem.blocks[0], problem.coupling, p, 1e-12)
    hard = passes.hard(problem.blocks[0], problem.coupling, p)
    assert sharp.value == pytest.approx(hard.surplus)
    assert sharp.usage == pytest.approx(hard.usage, abs=1e-9)


@given(seeds, seeds)
def test_users_beyond_their_distance_keep_their_choice(seed, prices):
    problem = with_rows(seed)
    coupling, rng = problem.coupling, np.random.default_rng(prices)
    p, radius = random_prices(coupling, prices), rng.uniform(0, 0.5, len(coupling))
    block = problem.blocks[0]
    distance, chosen = passes.ties(block, coupling, p, radius)
    plain = passes.hard(block, coupling, p)
    assert (chosen.choice == plain.choice).all()
    assert chosen.usage == pytest.approx(plain.usage)
    allowed = passes.candidates(block, coupling, p, radius)
    low, high = coupling.sign_bounds()
    for _ in range(20):
        moved = np.clip(p + rng.uniform(-1, 1, len(p)) * radius, low, high)
        then = passes.hard(block, coupling, moved).choice
        kept = distance.numpy() > 1
        assert (then[kept] == plain.choice[kept]).all()
        some = then >= 0
        assert allowed[some, then[some]].all()


def test_distance_by_hand():
    # One promotion, worth 3 at cost 1, price 1: the choice changes when the price reaches 3.
    problem = small(0, users=1, promotions=1)
    block = passes.Block(torch.tensor([[3.0]]), torch.tensor([[1.0]]))
    distance, _ = passes.ties(block, problem.coupling, [1.0, 0.0], [0.5, 0.0])
    assert distance.tolist() == [4.0]
    distance, _ = passes.ties(block, problem.coupling, [1.0, 0.5], [0.5, 0.25])
    assert distance.tolist() == [2.0]


def test_promotions_without_value_are_far_from_every_tie():
    # At price zero of their stock they tie with none; crowds of them must not be left open.
    value, cost = torch.tensor([[0.0], [-1.0], [2.0]]), torch.ones(3, 1)
    coupling = Problem(value, cost, budget=1.0, stock=[1.0]).coupling
    block = passes.Block(value, cost)
    distance, _ = passes.ties(block, coupling, [0.0, 0.0], [0.5, 0.5])
    assert distance.tolist() == [np.inf, np.inf, 2.0]
    allowed = passes.candidates(block, coupling, [0.0, 0.0], [3.0, 3.0])
    assert allowed[:, 0].tolist() == [False, False, True]
    assert passes.soft(block, coupling, np.zeros(2), 1e-3).usage == pytest.approx([1, 1])


def test_rows_that_ask_for_promotions_leave_those_without_value_open():
    block = passes.Block(torch.tensor([[0.0]]), torch.ones(1, 1))
    for row in (
        Row("spend", "cost", ">=", 1.0),
        Row("worth", "value", "<=", 1.0),
        Row("apart", "count", "<=", 1.0, promotions=[-1.0]),
        Row("between", "count", "<=", 1.0, groups=[-1.0]),
    ):
        coupling = Problem(block.value, block.cost, rows=(row,)).coupling
        assert not coupling.only_takes
        assert passes.candidates(block, coupling, [0.0], [1.0]).all()


def test_infinite_radii_allow_everything():
    problem = small(3)
    prices = np.zeros(len(problem.coupling))
    assert passes.candidates(problem.blocks[0], problem.coupling, prices, prices + np.inf).all()


@given(problems)
def test_passes_over_parts_add_up(problem):
    p = random_prices(problem.coupling, 1)
    whole = passes.hard(problem.blocks[0], problem.coupling, p)
    index = torch.arange(problem.users)
    half = problem.users // 2
    parts = [problem.blocks[0].take(i) for i in (index[:half], index[half:])]
    first, second = (
        (passes.hard(part, problem.coupling, p) for part in parts if len(part))
        if (half)
        else (whole, None)
    )
    total = first + second if second else first
    assert total.surplus == pytest.approx(whole.surplus)
    assert (total.choice == whole.choice).all()
    soft = passes.soft(problem.blocks[0], problem.coupling, p, 0.2)
    summed = [passes.soft(part, problem.coupling, p, 0.2) for part in parts if len(part)]
    together = summed[0] + summed[1] if len(summed) == 2 else summed[0]
    assert together.value == pytest.approx(soft.value)
    assert together.first == pytest.approx(soft.first)
