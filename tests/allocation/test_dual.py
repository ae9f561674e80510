"""The dual bound: by hand, above every allocation, and attained at the optimal prices."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promo_repro.allocation import Problem, dual, passes, rules, solve
from tests.allocation.conftest import problems


def test_dual_bound_by_hand():
    assert dual.dual_bound(3.0, [2.0, 5.0], [0.5, 0.2]) == pytest.approx(5.0)
    assert dual.dual_bound(3.0, [], []) == 3.0


@given(problems, st.integers(0, 1_000))
def test_no_allocation_exceeds_the_bound_of_any_prices(problem, seed):
    rng = np.random.default_rng(seed)
    prices = rng.exponential(1, len(problem.coupling))
    surplus = passes.hard(problem.blocks[0], problem.coupling, prices).surplus
    bound = dual.dual_bound(surplus, problem.coupling.bounds, prices)
    for choice in (rules.at_random(problem, rng), rules.greedy(problem)):
        assert rules.value_of(problem, choice) <= bound + 1e-9


@given(problems)
def test_the_optimal_prices_attain_it(problem):
    result = solve(problem, "dual")
    surplus = passes.hard(problem.blocks[0], problem.coupling, result.prices).surplus
    bound = dual.dual_bound(surplus, problem.coupling.bounds, result.prices)
    assert bound == pytest.approx(result.bound, abs=1e-9)
    assert bound == pytest.approx(result.objective, abs=1e-8 * max(1, result.objective))


def test_scales_put_rows_on_one_scale():
    problem = Problem(np.full((10, 2), 50.0), np.full((10, 2), 1e4), budget=3e4, stock=[4, 4])
    unit, factors = dual.scales(problem.blocks[0], problem.coupling)
    assert unit > 0
    assert (factors > 0).all()
    assert dual.solve(problem).objective == pytest.approx(150)
