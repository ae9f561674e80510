"""The optimum: equal to HiGHS on every kind of small problem, and the laws of linear programmes."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from promo_repro.allocation import Infeasible, Problem, Row, dual, frontier, instance, solve, solver
from promo_repro.allocation.reference import arrays
from tests.allocation.conftest import KINDS, problems, small, with_rows

METHODS = ("dual", "highs")
seeds = st.integers(0, 10_000)


def best_value(problem):
    return solve(problem, "dual").objective


def close(a, b, tolerance=1e-9):
    return abs(a - b) <= tolerance * max(1.0, abs(a), abs(b))


@pytest.mark.parametrize("kind", KINDS)
def test_thirty_small_problems_of_each_kind_equal_highs(kind, tiny_sizes):
    for seed in range(30):
        problem = small(
            seed, kind, users=1 if seed == 0 else None, promotions=1 if seed == 1 else 0
        )
        mine, theirs = solve(problem, "dual"), solve(problem, "highs")
        assert close(mine.objective, theirs.objective), seed
        assert mine.violation <= 1e-9
        assert abs(mine.gap) <= 1e-8
        assert len(mine.fractional) <= len(problem.coupling)


def test_problems_with_further_rows_equal_highs(tiny_sizes):
    infeasible = 0
    for seed in range(60):
        problem = with_rows(seed)
        try:
            theirs = solve(problem, "highs")
        except Infeasible:
            infeasible += 1
            with pytest.raises(Infeasible):
                solve(problem, "dual")
            continue
        mine = solve(problem, "dual")
        assert close(mine.objective, theirs.objective), seed
        assert len(mine.fractional) <= len(problem.coupling)
    assert 0 < infeasible < 60


@pytest.mark.parametrize("ties", [False, True])
def test_a_larger_instance_takes_every_step(ties):
    problem = instance(30_000, seed=3, ties=ties)
    result = solve(problem)
    assert result.method == "dual"
    assert result.status == "optimal"
    assert abs(result.gap) < 1e-12
    assert result.violation < 1e-12
    assert sum(price > 1e-9 for price in result.duals.values()) >= 8


@pytest.mark.parametrize("method", METHODS)
def test_complementary_slackness_both_ways(method):
    for seed in range(20):
        problem = small(seed)
        result = solve(problem, method)
        v, c, _ = arrays(problem)
        a = problem.coupling.coefficients(v, c)
        x = np.eye(problem.promotions + 1)[result.choice][:, :-1]
        x[result.fractional.users] = result.fractional.shares
        slack = problem.coupling.bounds - np.tensordot(a, x, 2)
        assert result.prices * slack == pytest.approx(0, abs=1e-7)
        reduced = v - np.tensordot(result.prices, a, 1)
        best = np.maximum(reduced.max(axis=1), 0)
        assert (x * (best[:, None] - reduced)).max() < 1e-7  # only the best is given
        assert (best * (1 - x.sum(axis=1))).max() < 1e-7  # who gains something gets something


@given(problems, seeds)
def test_weak_duality_at_any_prices(problem, seed):
    prices = np.random.default_rng(seed).exponential(1, len(problem.coupling))
    surplus = dual.passes.hard(problem.blocks[0], problem.coupling, prices).surplus
    bound = dual.dual_bound(surplus, problem.coupling.bounds, prices)
    assert bound >= best_value(problem) - 1e-9


def test_dual_bound_by_hand():
    assert dual.dual_bound(3.0, [2.0, 5.0], [0.5, 0.2]) == 5.0


@given(problems, st.integers(0, 4))
def test_value_is_monotone_and_concave_in_each_bound(problem, which):
    bounds = problem.coupling.bounds
    row = which % len(bounds)
    step = 0.3 * max(bounds[row], 1.0)
    values, prices = [], []
    for times in range(3):
        moved = bounds.copy()
        moved[row] += times * step
        result = solve(replace(problem, budget=moved[0], stock=moved[1:]), "dual")
        values.append(result.objective)
        prices.append(result.prices[row])
    gain, second = np.diff(values)
    small_error = 1e-8 * max(1.0, abs(values[2]))
    assert gain >= second - small_error
    assert second >= -small_error
    # The price lies between the slopes on its two sides, and falls along the bound.
    assert prices[0] * step >= gain - small_error
    assert gain >= prices[1] * step - small_error
    assert prices[1] * step >= second - small_error


@given(problems, seeds)
def test_order_of_users_and_promotions_does_not_matter(problem, seed):
    rng = np.random.default_rng(seed)
    users, ks = rng.permutation(problem.users), rng.permutation(problem.promotions)
    v, c, _ = arrays(problem)
    moved = Problem(
        v[users][:, ks], c[users][:, ks], problem.budget, problem.coupling.bounds[1:][ks]
    )
    assert close(best_value(moved), best_value(problem))


@given(problems)
def test_doubling_users_and_bounds_doubles_the_value(problem):
    v, c, _ = arrays(problem)
    b = problem.coupling.bounds
    twice = Problem(np.tile(v, (2, 1)), np.tile(c, (2, 1)), 2 * b[0], 2 * b[1:])
    one, two = solve(problem, "dual"), solve(twice, "dual")
    assert close(two.objective, 2 * one.objective)
    # The old prices prove the new optimum too.
    surplus = dual.passes.hard(twice.blocks[0], twice.coupling, one.prices).surplus
    assert close(dual.dual_bound(surplus, twice.coupling.bounds, one.prices), two.objective, 1e-8)


@given(problems, st.floats(0.1, 10))
def test_units_scale_values_and_prices(problem, factor):
    v, c, _ = arrays(problem)
    b = problem.coupling.bounds
    one = solve(problem, "dual")
    richer = Problem(factor * v, c, b[0], b[1:])
    assert close(best_value(richer), factor * one.objective)
    surplus = dual.passes.hard(richer.blocks[0], richer.coupling, factor * one.prices).surplus
    bound = dual.dual_bound(surplus, b, factor * one.prices)
    assert close(bound, factor * one.objective, 1e-8)
    dearer = Problem(v, factor * c, factor * b[0], b[1:])
    assert close(best_value(dearer), one.objective)
    cheaper_price = one.prices / np.r_[factor, np.ones(len(b) - 1)]
    surplus = dual.passes.hard(dearer.blocks[0], dearer.coupling, cheaper_price).surplus
    assert close(
        dual.dual_bound(surplus, dearer.coupling.bounds, cheaper_price), one.objective, 1e-8
    )


@given(problems, seeds)
def test_a_further_promotion_never_hurts(problem, seed):
    rng = np.random.default_rng(seed)
    v, c, _ = arrays(problem)
    b = problem.coupling.bounds
    more = Problem(
        np.column_stack([v, rng.normal(1, 2, len(v))]),
        np.column_stack([c, rng.exponential(1, len(v))]),
        b[0],
        np.r_[b[1:], 3],
    )
    assert best_value(more) >= best_value(problem) - 1e-9


@given(problems)
def test_without_bounds_everybody_gets_the_best(problem):
    v, c, _ = arrays(problem)
    free = solve(Problem(v, c), "dual")
    assert free.objective == pytest.approx(np.maximum(v.max(axis=1), 0).sum())
    assert free.duals == {}
    # A budget of zero buys what costs nothing.
    nothing = solve(Problem(v, c, budget=0.0), "dual").objective
    assert nothing == pytest.approx(np.where(c == 0, np.maximum(v, 0), 0).max(axis=1).sum())


def test_nothing_is_given_when_everything_hurts():
    result = solve(small(5, "negative"), "dual")
    assert (result.choice == -1).all()
    assert result.objective == 0


@given(problems)
def test_whole_allocations_lie_just_below_the_linear_programme(problem):
    linear, whole = solve(problem, "dual"), solve(problem, "integer")
    v, c, _ = arrays(problem)
    m = len(problem.coupling)
    assert whole.objective <= linear.objective + 1e-7
    assert linear.objective <= whole.objective + m * max(v.max(), 0) + 1e-7
    # The rounded choice keeps all rows and is worth no more than the best whole one.
    rows = np.arange(problem.users)[linear.choice >= 0]
    x = np.zeros_like(v)
    x[rows, linear.choice[rows]] = 1
    usage = np.tensordot(problem.coupling.coefficients(v, c), x, 2)
    assert problem.coupling.violation(usage) <= 1e-9
    assert (v * x).sum() <= whole.objective + 1e-7


def test_the_sizes_of_chunks_change_nothing(monkeypatch):
    problem = instance(3_000, seed=1)
    one = solve(problem, "dual")
    monkeypatch.setattr("promo_repro.allocation.problem.CHUNK", 257)
    other = solve(problem, "dual")
    assert close(one.objective, other.objective, 1e-12)
    assert (one.choice == other.choice).mean() > 0.999


def test_single_precision_data_agree_to_rounding():
    double = instance(5_000, seed=2)
    single = Problem(
        double.value.float(), double.cost.float(), double.budget, double.coupling.bounds[1:]
    )
    assert close(best_value(double), best_value(single), 1e-6)


def test_equal_users_share_a_stock():
    problem = Problem(np.full((10, 1), 2.0), np.ones((10, 1)), budget=3.5)
    result = solve(problem, "dual")
    assert result.objective == pytest.approx(7)
    assert len(result.fractional) == 1
    assert result.fractional.shares.sum() == pytest.approx(0.5)
    assert (result.choice == 0).sum() == 3


def test_per_user_limit():
    value = np.array([[3.0, 2.0, 1.0], [1.0, 5.0, 4.0]])
    problem = Problem(value, np.ones((2, 3)), budget=3, limit=2)
    result = solve(problem)
    assert result.objective == pytest.approx(12)
    assert result.choice.tolist() == [[0, -1], [1, 2]]
    assert solve(replace(problem, limit=1, budget=9)).objective == pytest.approx(8)
    with pytest.raises(ValueError, match="one promotion, not 2"):
        solve(problem, "dual")


@pytest.mark.parametrize("method", METHODS)
def test_infeasible_rows_are_named_with_their_miss(method):
    value, cost = np.ones((4, 1)), np.full((4, 1), 2.0)
    rows = (Row("spend", "cost", ">=", 11.0),)
    with pytest.raises(Infeasible, match="spend is missed by 3;") as caught:
        solve(Problem(value, cost, rows=rows), method)
    assert caught.value.misses == pytest.approx({"spend": 3.0})
    both = (Row("given", "count", "==", 3.0),)
    with pytest.raises(Infeasible, match="missed by") as caught:
        solve(Problem(value, cost, budget=4.0, rows=both), method)
    assert set(caught.value.misses) <= {"budget", "given"}


def test_an_infeasible_large_problem_is_found_before_solving():
    problem = instance(30_000)
    rows = (Row("spend", "cost", ">=", 2 * problem.budget),)
    with pytest.raises(Infeasible, match="is missed by"):
        solve(Problem(problem.value, problem.cost, problem.budget, rows=rows))


@pytest.mark.parametrize("method", ["dual", "highs", "integer"])
def test_a_time_limit_never_returns_an_answer_as_optimal(method):
    problem = instance(3_000 if method != "integer" else 300)
    result = solve(problem, method, time_limit=1e-9)
    assert result.status == "time limit"
    assert result.choice is None
    assert np.isnan(result.objective)
    assert result.bound >= best_value(problem) - 1e-6


def test_a_failed_certificate_is_an_error():
    from promo_repro.allocation.problem import Result

    wrong = Result(None, None, {}, 1.0, 1.5, 0.0, "optimal", 0.0, "dual")
    with pytest.raises(RuntimeError, match="certificate fails with gap"):
        dual.require_certificate(wrong)
    dual.require_certificate(wrong, exact=False)
    with pytest.raises(RuntimeError, match="violation 1"):
        dual.require_certificate(replace(wrong, objective=1.5, violation=1.0))


def test_auto_says_what_it_chose():
    assert solve(instance(100)).method == "highs"
    assert solve(instance(solver.LARGE)).method == "dual"
    with pytest.raises(ValueError, match="method is 'simplex'"):
        solve(instance(100), "simplex")


@pytest.mark.parametrize("ties", [False, True])
def test_the_exact_programme_stays_small(ties, monkeypatch):
    sizes = []

    def noted(block, *rest, **more):
        sizes.append(len(block))
        return exactly(block, *rest, **more)

    exactly = dual.restricted.solve
    monkeypatch.setattr(dual.restricted, "solve", noted)
    problem = instance(60_000, seed=1, ties=ties)
    result = solve(problem, "dual")
    assert result.status == "optimal"
    assert max(sizes) <= 0.05 * problem.users


def test_frontier_equals_single_solves():
    problem = instance(3_000, seed=4)
    budgets = problem.budget * np.linspace(0.2, 2, 6)
    along = frontier(problem, budgets)
    for budget, result in zip(budgets, along, strict=True):
        assert close(result.objective, best_value(problem.with_budget(budget)))
    values = [r.objective for r in along]
    prices = [r.duals["budget"] for r in along]
    assert (np.diff(values) >= -1e-6).all()
    assert (np.diff(prices) <= 1e-9).all()


def test_prices_are_slopes_in_every_sense():
    value, cost = np.array([[3.0], [2.0], [1.0], [-1.0]]), np.ones((4, 1))
    for sense, bound, slope in (
        ("<=", 1.5, 2.0),
        (">=", 3.5, -1.0),
        ("==", 2.5, 1.0),
        ("==", 3.5, -1),
    ):
        for method in METHODS:
            result = solve(
                Problem(value, cost, rows=(Row("given", "count", sense, bound),)), method
            )
            assert result.duals["given"] == pytest.approx(slope), (sense, method)


def test_fairness_row_prices_a_group():
    # Group 1 is worth less; the row asks for as many in it as in group 0.
    value = np.array([[5.0], [4.0], [1.0], [0.5]])
    row = Row("parity", "count", "<=", 0.0, groups=[1.0, -1.0])
    problem = Problem(value, np.ones((4, 1)), budget=2, rows=(row,), group=[0, 0, 1, 1])
    for method in METHODS:
        assert solve(problem, method).objective == pytest.approx(6)


def test_values_and_costs_may_differ_in_precision():
    problem = Problem(torch.rand(50, 3, dtype=torch.float64), torch.rand(50, 3), budget=3.0)
    assert solve(problem, "dual").status == "optimal"


@pytest.mark.parametrize("weeks_capped", [1, 2])
def test_promotions_that_tie_for_everybody_equal_highs(weeks_capped):
    # Every promotion stands there twice, as in two weeks of a campaign: whichever of the two a
    # pass takes first, the rows on one of them must hold.
    for seed in range(6):
        plain = small(seed, users=1_500, promotions=3)
        v, c, _ = arrays(plain)
        weeks = np.array([[1.0] * 3 + [0.0] * 3, [0.0] * 3 + [1.0] * 3])
        rows = tuple(
            Row(f"week {w + 1}", "count", "<=", 150.0, promotions=weeks[w])
            for w in range(weeks_capped)
        )
        problem = Problem(np.tile(v, (1, 2)), np.tile(c, (1, 2)), plain.budget, rows=rows)
        mine, theirs = solve(problem, "dual"), solve(problem, "highs")
        assert close(mine.objective, theirs.objective), seed
        assert mine.violation <= 1e-9


def test_the_number_of_threads_changes_nothing():
    problem = instance(5_000, seed=6)
    before = torch.get_num_threads()
    values = []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            values.append(best_value(problem))
    finally:
        torch.set_num_threads(before)
    assert close(*values, 1e-12)
