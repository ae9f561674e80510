"""The programme written out for a modelling language: for small problems, and as a check.

Everything is vectorised, the bounds are parameters, and the solver is named: HiGHS, by default
its interior point method with crossover, so that the optimum is a vertex.
"""

import time
import warnings
from dataclasses import dataclass

import cvxpy as cp
import numpy as np

from promo_repro.allocation import dual
from promo_repro.allocation.problem import Fractional, Infeasible, Problem, Result, choice_type

TOLERANCE = 1e-10


@dataclass
class Model:
    """A cvxpy problem with its variable (N, K), its bounds and its coupling constraints."""

    problem: cp.Problem
    shares: cp.Variable
    bounds: cp.Parameter
    rows: list


def model(problem: Problem, integer: bool = False) -> Model:
    """The linear (or integer) programme of `problem`; its `bounds` can be set anew."""
    v, c, group = arrays(problem)
    x = cp.Variable(v.shape, boolean=integer)
    coupling = problem.coupling
    bounds = cp.Parameter(len(coupling), value=coupling.bounds)
    rows = []
    for r, a in enumerate(coupling.coefficients(v, c, group)):
        used = cp.sum(cp.multiply(a, x))
        sense = coupling.senses[r]
        if sense == "<=":
            rows.append(used <= bounds[r])
        elif sense == ">=":
            rows.append(used >= bounds[r])
        else:
            rows.append(used == bounds[r])
    own = [cp.sum(x, axis=1) <= problem.limit]
    if not integer:
        own += [x >= 0, x <= 1]
    return Model(cp.Problem(cp.Maximize(cp.sum(cp.multiply(v, x))), rows + own), x, bounds, rows)


def solve(problem: Problem, integer: bool = False, time_limit: float = np.inf) -> Result:
    """Solve by HiGHS: the linear programme to a vertex, or the integer one.

    The bound of the linear programme is recomputed from its duals; that of the integer one is
    the value of the linear one. Raises `Infeasible` naming the rows that cannot be met together.
    """
    began = time.perf_counter()
    written = model(problem, integer)
    options = {"primal_feasibility_tolerance": TOLERANCE}
    if integer:
        options |= {"mip_rel_gap": 0.0, "mip_feasibility_tolerance": TOLERANCE}
    else:
        options |= {"solver": "ipm", "run_crossover": "on", "dual_feasibility_tolerance": TOLERANCE}
    if np.isfinite(time_limit):
        options["time_limit"] = float(time_limit)
    method = "integer" if integer else "highs"
    try:
        with warnings.catch_warnings():
            # The status is looked at below, and nothing but an optimum is taken.
            warnings.filterwarnings("ignore", "Solution may be inaccurate", UserWarning)
            written.problem.solve(solver=cp.HIGHS, highs_options=options)
        status = written.problem.status
    except cp.SolverError:
        status = "no answer"
    seconds = time.perf_counter() - began
    if status.startswith("infeasible"):
        raise Infeasible(misses(problem))
    if status != cp.OPTIMAL:
        if not np.isfinite(time_limit):
            raise RuntimeError(f"HiGHS stopped with status {status!r}, which is no optimum")
        return Result(None, None, {}, np.nan, np.inf, np.nan, "time limit", seconds, method)
    return _result(problem, written, integer, seconds)


def misses(problem: Problem) -> dict[str, float]:
    """By how much each row of an infeasible problem is missed where the misses are least."""
    coupling = problem.coupling
    block = problem.blocks[0]
    _, factors = dual.scales(block, coupling)
    missed, _ = dual.infeasibility(block, coupling, factors, problem.limit)
    return dual.named(coupling, missed)


def arrays(problem: Problem):
    """Value and cost as float64 arrays (N, K), and the groups or None."""
    v, c = (t.numpy(force=True).astype(float) for t in (problem.value, problem.cost))
    return v, c, None if problem.group is None else problem.group.numpy(force=True)


def prices_of(written: Model, coupling) -> np.ndarray:
    """∂ value / ∂ bound of every row: cvxpy reports the multiplier of a ">=" row with a plus."""
    signs = np.array([-1.0 if sense == ">=" else 1.0 for sense in coupling.senses])
    return signs * np.array([float(row.dual_value) for row in written.rows])


def _result(problem, written, integer, seconds) -> Result:
    v, c, group = arrays(problem)
    coupling = problem.coupling
    x = np.clip(written.shares.value, 0, 1)
    x = np.round(x) if integer else np.where(x < dual.SPLIT, 0, np.where(x > 1 - dual.SPLIT, 1, x))
    a = coupling.coefficients(v, c, group)
    usage = np.tensordot(a, x, 2)
    objective = float((v * x).sum())
    if integer:
        prices, bound = None, solve(problem).objective
    else:
        low, high = coupling.sign_bounds()
        prices = np.clip(prices_of(written, coupling), low, high)
        reduced = np.sort(v - np.tensordot(prices, a, 1), axis=1)[:, ::-1][:, : problem.limit]
        bound = dual.dual_bound(float(np.maximum(reduced, 0).sum()), coupling.bounds, prices)
    choice, split = _whole(x, v, a, coupling, problem.limit)
    result = Result(
        choice.astype(choice_type(problem.promotions)),
        Fractional(np.nonzero(split)[0], x[split]),
        {} if integer else dict(zip(coupling.names, prices.tolist(), strict=True)),
        objective,
        bound,
        coupling.violation(usage),
        "optimal",
        seconds,
        "integer" if integer else "highs",
        prices,
    )
    dual.require_certificate(result, exact=not integer)
    return result


def _whole(x, v, a, coupling, limit):
    """Choices without the shares: (N,) for one promotion per user, otherwise (N, limit)."""
    if limit == 1:
        return dual.rounded(x, v, a, coupling, np.zeros(len(coupling)))
    split = ((x > dual.SPLIT) & (x < 1 - dual.SPLIT)).any(axis=1)
    taken = x >= 1 - dual.SPLIT
    order = np.argsort(~taken, axis=1, kind="stable")[:, :limit]
    return np.where(np.take_along_axis(taken, order, axis=1), order, -1), split
