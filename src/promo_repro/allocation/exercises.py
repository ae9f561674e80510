"""The exercises of the chapter on allocation; the answers are computed."""

import numpy as np
from scipy.stats import norm

from promo_repro.allocation.instances import instance
from promo_repro.allocation.problem import Problem
from promo_repro.allocation.solver import solve
from promo_repro.exercises import exercise

COUPONS = [9.0, 7.0, 6.0, 4.0, 2.0, 1.0]
VALUE, COST = np.array([[6.0, 9.0], [3.0, 8.0], [2.0, 3.0]]), np.array([[1.0, 3.0]] * 3)
PRICE = 2.5


@exercise(
    "11-1",
    minutes=8,
    hint="Serve the most valuable users first; the price is the value of the next half coupon.",
    wrong={
        "Half a coupon is left after three users: somebody gets a half.": lambda: [22.0, 4.0],
        "The price is what one more unit would bring, not what the last unit brought.": (
            lambda: [24.0, 6.0]
        ),
    },
)
def value_and_price():
    """Value and shadow price for six users, one coupon each at cost one, a budget of 3.5."""
    result = solve(Problem(np.array(COUPONS)[:, None], np.ones((6, 1)), budget=3.5), "highs")
    return [result.objective, result.duals["budget"]]


@exercise(
    "11-2",
    minutes=6,
    hint="Subtract price times cost from every value; take the largest if it is above zero.",
    wrong={
        "These are the promotions of largest value. What do they cost at this price?": (
            lambda: VALUE.argmax(axis=1)
        ),
        "Nobody has to get anything: none leaves zero.": lambda: [0, 0, 0],
    },
)
def choices_at_a_price():
    """Promotion of each of three users at a budget price of 2.5, -1 for none."""
    reduced = VALUE - PRICE * COST
    return np.where(reduced.max(axis=1) > 0, reduced.argmax(axis=1), -1)


@exercise(
    "11-3",
    minutes=8,
    hint="The planned mean plus 1.645 standard deviations has to be the budget.",
    wrong={
        "That is the margin for both tails; only spending too much matters.": (
            lambda: 1_000 - norm.ppf(0.975) * 50
        ),
        "This plan overspends with 5 % if the margin is added, not taken off.": (
            lambda: 1_000 + norm.ppf(0.95) * 50
        ),
    },
    rtol=1e-3,
)
def planned_spend():
    """Mean spend that exceeds 1,000 with probability 5 % at a standard deviation of 50."""
    return 1_000 - float(norm.ppf(0.95)) * 50


@exercise(
    "11-4",
    minutes=15,
    hint="`solve(problem.with_budget(...))` gives the price of the budget in `duals`.",
    wrong={
        "This is the average value of a unit of budget, not that of the next one.": (
            lambda: _half().objective / (instance(2_000, seed=11).budget / 2)
        ),
    },
    rtol=1e-4,
)
def price_at_half_the_budget():
    """Shadow price of the budget of `instance(2_000, seed=11)` at half of its budget."""
    return _half().duals["budget"]


def _half():
    problem = instance(2_000, seed=11)
    return solve(problem.with_budget(problem.budget / 2))
