"""The printed programme: its matrices against HiGHS, and each reading by hand."""

import numpy as np
import pytest
from hypothesis import given
from sklearn.linear_model import LinearRegression

from promo_repro.allocation import Infeasible, Problem, generic, solve
from tests.allocation.conftest import problems, with_rows

V = np.array([[4.0, 1.0], [3.0, 6.0], [-1.0, 2.0]])
C = np.array([[1.0, 1.0], [1.0, 3.0], [1.0, 2.0]])


def test_matrices_by_hand():
    form = generic.programme(Problem(V, C, budget=4.0, stock=[np.inf, 1]))
    assert form.c.tolist() == [-4, -1, -3, -6, 1, -2]
    assert form.A.toarray().tolist() == [
        [1, 1, 1, 3, 1, 2],
        [0, 1, 0, 1, 0, 1],
        [1, 1, 0, 0, 0, 0],
        [0, 0, 1, 1, 0, 0],
        [0, 0, 0, 0, 1, 1],
    ]
    assert form.b.tolist() == [4, 1, 1, 1, 1]
    assert form.B.shape == (0, 6)


@given(problems)
def test_the_minimum_is_minus_the_optimum(problem):
    optimum = solve(problem, "dual").objective
    assert generic.minimum(problem) == pytest.approx(-optimum, abs=1e-6 * max(1, optimum))
    right, wrong = (generic.value_with_sign(problem, sign) for sign in (-1.0, 1.0))
    assert right == pytest.approx(optimum, abs=1e-6 * max(1, optimum))
    assert wrong <= right + 1e-7


def test_rows_of_every_sense_are_mapped():
    tried = 0
    for seed in range(12):
        problem = with_rows(seed)
        try:
            optimum = solve(problem, "highs").objective
        except Infeasible:
            with pytest.raises(RuntimeError, match="HiGHS stopped"):
                generic.minimum(problem)
            continue
        tried += 1
        assert generic.minimum(problem) == pytest.approx(-optimum, abs=1e-6 * max(1, abs(optimum)))
    assert tried > 3


def test_users_alone_spend_what_belongs_to_all():
    problem = Problem(V, C, budget=4.0)
    # Alone, with the whole budget: promotions 0, 1 and 1 at 1 + 3 + 2.
    assert generic.separate_spend(problem, 1.0) == pytest.approx(6 / 4)
    # With half of it, two: the second user falls back on the first promotion.
    assert generic.separate_spend(problem, 0.5) == pytest.approx(4 / 4)
    assert generic.separate_spend(problem, 0.1) == 0
    assert generic.joint_spend(solve(problem), problem) == pytest.approx(1)


def test_joint_spend_counts_split_users_by_their_share():
    problem = Problem(np.full((4, 1), 2.0), np.ones((4, 1)), budget=2.5)
    assert generic.joint_spend(solve(problem, "dual"), problem) == pytest.approx(1)
    assert generic.joint_spend(solve(problem, "dual"), problem.with_budget(5.0)) == 0.5


def test_the_prices_decide_for_everybody():
    problem = Problem(V, C, budget=1.0)
    result = solve(problem)
    assert result.choice.tolist() == [0, -1, -1]
    # Free, everybody takes the best; nobody does at a high price.
    assert generic.rule_agreement(problem, result, [0.0]) == pytest.approx(1 / 3)
    assert generic.rule_agreement(problem, result, [9.0]) == pytest.approx(2 / 3)
    assert generic.rule_agreement(problem, result, [3.5]) == 1


def test_superposition():
    assert generic.superposition_error(lambda x: 3 * x + 2, 1.0, 5.0) == 0
    # The square at the middle of 1 and 3 is 4, the middle of the squares 5, their sum 10.
    assert generic.superposition_error(np.square, 1.0, 3.0) == pytest.approx(0.1)
    assert generic.superposition_error(np.square, 1.0, 3.0, 0.25) == pytest.approx(0.75 / 10)


def test_total_return_by_hand():
    user, amount = [7, 3, 7, 3, 7], [1.0, 2.0, 4.0, 8.0, 16.0]
    assert generic.total_return(user, amount) == 31
    assert generic.total_return(user, amount, list("abbab"), only="b") == 22
    assert generic.total_return(user, amount, occasions=1) == 3
    assert generic.total_return(user, amount, occasions=2) == 15
    assert generic.total_return(user, amount, list("abbab"), only="b", occasions=2) == 6


def test_variation_within_by_hand():
    # Means 2 and 6 around 4; within 1 + 1 + 1 + 1, between 4 · 4.
    assert generic.variation_within([0, 0, 1, 1], [1, 3, 5, 7]) == pytest.approx(4 / 20)
    assert generic.variation_within([0, 1, 2], [1, 2, 5]) == 0


def test_what_can_influence_the_result():
    flow = {"data": (), "model": ("data",), "history": ("model",), "plan": ("data",)}
    assert generic.influences(flow, "plan") == {"data"}
    assert generic.influences(flow, "history") == {"data", "model"}
    assert generic.ignored(flow, "plan", ["model", "history", "data"]) == 2
    assert generic.ignored(flow, "history", ["model", "data"]) == 0


def test_attributes_of_a_class():
    assert generic.attributes(LinearRegression, ["fit", "predict", "optimize"]) == 2


def test_a_regression_spends_what_there_is_not():
    value = np.array([[1.0, 0.0], [3.0, -1.0], [5.0, -2.0]])
    cost = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
    # Fitted 1, 3, 5 and 0, -1, -2: everybody gets the first promotion.
    assert generic.regression_spend(Problem(value, cost, budget=2.0)) == pytest.approx(3)
    assert generic.regression_spend(Problem(-value, cost, budget=2.0)) == pytest.approx(5 / 2)
    assert generic.regression_spend(Problem(value, np.ones((3, 2)), budget=2.0)) == 1.5
