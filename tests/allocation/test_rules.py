"""The shop's rules keep the bounds, never beat the programme, and do what their names say."""

import numpy as np
import pytest
from hypothesis import given

from promo_repro.allocation import Problem, Row, rules, solve
from tests.allocation.conftest import problems

V = np.array([[4.0, 1.0], [3.0, 6.0], [-1.0, 2.0], [5.0, 5.0]])
C = np.array([[1.0, 1.0], [1.0, 3.0], [1.0, 1.0], [2.0, 1.0]])


@given(problems)
def test_rules_keep_the_bounds_and_never_beat_the_optimum(problem):
    best = solve(problem, "dual").objective
    rng = np.random.default_rng(0)
    choices = [
        rules.greedy(problem),
        rules.threshold(problem, 0.5),
        rules.uniform(problem, 0),
        rules.best_threshold(problem, 5)[1],
        rules.best_uniform(problem)[1],
        rules.at_random(problem, rng),
    ]
    stock = problem.coupling.bounds[1:]
    for choice in choices:
        assert rules.cost_of(problem, choice) <= problem.budget + 1e-6
        given_out = np.bincount(choice[choice >= 0].astype(int), minlength=problem.promotions)
        assert (given_out <= stock).all()
        assert rules.value_of(problem, choice) <= best + 1e-7


def test_rules_by_hand():
    problem = Problem(V, C, budget=3.0)
    assert rules.greedy(problem).tolist() == [0, 0, -1, 1]
    assert rules.uniform(problem, 1).tolist() == [1, -1, 1, 1]
    assert rules.threshold(problem, 3.0).tolist() == [0, -1, -1, -1]
    assert rules.threshold(Problem(V, C, budget=9.0), 2.0).tolist() == [0, 1, 1, 0]
    assert rules.value_of(problem, [0, 1, -1, 1]) == 15
    assert rules.cost_of(problem, [0, 1, -1, 0]) == 6
    assert rules.best_uniform(problem)[0] == 1
    assert rules.value_of(problem, rules.best_threshold(problem)[1]) >= 9


def test_a_sort_is_the_optimum_for_one_promotion_and_one_budget():
    rng = np.random.default_rng(1)
    problem = Problem(rng.normal(1, 1, (200, 1)), np.ones((200, 1)), budget=40.0)
    assert rules.value_of(problem, rules.greedy(problem)) == pytest.approx(
        solve(problem, "dual").objective
    )


def test_rules_refuse_what_they_cannot_keep():
    problem = Problem(V, C, rows=(Row("spend", "cost", ">=", 1.0),))
    with pytest.raises(ValueError, match='keep "<=" rows only'):
        rules.greedy(problem)
