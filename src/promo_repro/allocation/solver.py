"""One call for every size: which method, and a frontier of budgets."""

from collections.abc import Iterable
from typing import Literal

import numpy as np

from promo_repro.allocation import dual, reference
from promo_repro.allocation.problem import Problem, Result

LARGE = 2_000  # users from which the dual solver is the faster one
Method = Literal["auto", "dual", "highs", "integer"]


def solve(problem: Problem, method: Method = "auto", time_limit: float = np.inf) -> Result:
    """Solve an allocation problem; `Result.method` says by which method.

    "dual" is the solver for many users, "highs" the written-out linear programme, "integer" the
    one without fractional users (for teaching sizes). "auto" takes "dual" from `LARGE` users on.
    """
    if method == "auto":
        method = "dual" if problem.limit == 1 and problem.users >= LARGE else "highs"
    if method == "dual":
        return dual.solve(problem, time_limit=time_limit)
    if method in ("highs", "integer"):
        return reference.solve(problem, method == "integer", time_limit)
    raise ValueError(f"method is {method!r}; choose auto, dual, highs or integer")


def frontier(problem: Problem, budgets: Iterable[float]) -> list[Result]:
    """Optimum for each budget, each started from the prices of the one before."""
    results, start = [], None
    for budget in budgets:
        results.append(dual.solve(problem.with_budget(budget), start=start))
        start = results[-1].prices
    return results
