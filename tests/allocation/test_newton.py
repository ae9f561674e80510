"""The smoothed dual: by hand, between its bounds, and its minimum against SciPy."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from promo_repro.allocation import Problem, dual, instance, newton, passes
from tests.allocation.conftest import problems


def test_smoothed_dual_by_hand():
    problem = Problem([[3.0, 1.0]], [[1.0, 1.0]], budget=2.0)
    block, coupling = problem.blocks[0], problem.coupling
    # At price 1 the promotions leave 2 and 0, none leaves 0.
    expected = 2.0 + 0.5 * np.log(np.exp(4) + 2)
    assert newton.smoothed_dual(block, coupling, np.array([1.0]), 0.5) == pytest.approx(expected)


@given(problems, st.integers(0, 1_000), st.floats(0.01, 1))
def test_it_lies_above_the_dual_by_at_most_its_temperature(problem, seed, temperature):
    block, coupling = problem.blocks[0], problem.coupling
    prices = np.random.default_rng(seed).exponential(1, len(coupling))
    exact = dual.dual_bound(passes.hard(block, coupling, prices).surplus, coupling.bounds, prices)
    smooth = newton.smoothed_dual(block, coupling, prices, temperature)
    most = problem.users * temperature * np.log(problem.promotions + 1)
    assert exact - 1e-9 <= smooth <= exact + most + 1e-9


def test_newton_reaches_the_minimum_that_scipy_finds():
    problem, temperature = instance(400, 3, seed=2), 0.3
    block, coupling = problem.blocks[0], problem.coupling
    unit, factors = dual.scales(block, coupling)
    scaled = coupling.scaled(factors)
    found = newton.minimise(block, scaled, np.zeros(len(scaled)), temperature, unit)
    assert found.converged

    def value(prices):
        return newton.smoothed_dual(block, scaled, prices, temperature * unit) / unit

    peer = minimize(value, found.prices + 0.3, bounds=[(0, None)] * len(scaled), method="L-BFGS-B")
    assert value(found.prices) <= peer.fun + 1e-3 * abs(peer.fun)


def test_the_prices_of_a_sample_are_near_those_of_all():
    problem = instance(8_000, 3, seed=5)
    unit, factors = dual.scales(problem.blocks[0], problem.coupling)
    near = newton.near_optimum(
        problem.blocks[0], problem.coupling.scaled(factors), unit, newton.sharp(problem.users)
    )
    exact = dual.solve(problem).prices / factors
    assert (abs(near.prices - exact) <= 3.5 * near.error + 0.02).all()
    assert (near.error > 0).all()
    assert (near.spread > 0).all()


def test_samples_are_spread_out_and_reproducible():
    some = newton.spread_out(100_000, 5_000)
    assert len(some) == pytest.approx(5_000, rel=0.05)
    assert np.bincount(some // 10_000, minlength=10).min() > 400
    assert (some == newton.spread_out(100_000, 5_000)).all()
    assert newton.spread_out(10, 100).tolist() == list(range(10))


def test_everything_stays_on_the_data_s_type():
    single = Problem(torch.rand(20, 2), torch.rand(20, 2), budget=2.0)
    value = newton.smoothed_dual(single.blocks[0], single.coupling, np.array([0.1]), 0.1)
    assert np.isfinite(value)
