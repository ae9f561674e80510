"""The second article's optimisation as it is printed: total return, generic programme, listing.

Each function evaluates one reading of a printed statement, so that the readings can be compared.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from promo_repro.allocation import passes
from promo_repro.allocation.problem import Problem, Result
from promo_repro.allocation.reference import arrays
from promo_repro.claims import formula


@dataclass(frozen=True)
class Programme:
    """min cᵀw subject to A w ≤ b, B w = d, 0 ≤ w ≤ 1; w has an entry i·K + k per user, promotion.

    `c` is the objective that the article calls C, `d` the vector that it calls c.
    """

    c: np.ndarray
    A: sparse.csr_array
    b: np.ndarray
    B: sparse.csr_array
    d: np.ndarray


@formula("D2-F15", "D2-F16")
def programme(problem: Problem) -> Programme:
    """An allocation as the printed programme: C(w) = −Σ v w, A(w) ≤ b, B(w) = c, all linear.

    Rows "<=" go into A, ">=" rows with the other sign, "==" rows into B; one row of A per user
    says how many promotions he may get.
    """
    v, cost, group = arrays(problem)
    coupling = problem.coupling
    rows = coupling.coefficients(v, cost, group).reshape(len(coupling), v.size)
    senses = np.array(coupling.senses, dtype=object)
    equal, sign = senses == "==", np.where(senses == ">=", -1.0, 1.0)
    own = sparse.kron(sparse.eye_array(problem.users), np.ones((1, problem.promotions)))
    bounds = (sign * coupling.bounds)[~equal]
    return Programme(
        -v.ravel(),
        sparse.csr_array(sparse.vstack([sparse.csr_array((sign[:, None] * rows)[~equal]), own])),
        np.r_[bounds, np.full(problem.users, float(problem.limit))],
        sparse.csr_array(rows[equal]),
        coupling.bounds[equal],
    )


def minimum(problem: Problem) -> float:
    """The printed programme solved by SciPy: minus its minimum is the value of the optimum."""
    found = linprog(**_arguments(programme(problem)))
    if not found.success:
        raise RuntimeError(f"HiGHS stopped: {found.message}")
    return float(found.fun)


def value_with_sign(problem: Problem, sign: float) -> float:
    """Value Σ v w of the minimiser of C when C is `sign` times the return, as SciPy finds it."""
    form = programme(problem)
    found = linprog(**_arguments(form) | {"c": -sign * form.c})
    return float(-form.c @ found.x)


def _arguments(form: Programme) -> dict:
    equal = {"A_eq": form.B, "b_eq": form.d} if len(form.d) else {}
    return {"c": form.c, "A_ub": form.A, "b_ub": form.b, "bounds": (0, 1)} | equal


@formula("eq-11-separate-users")
def separate_spend(problem: Problem, part: float) -> float:
    """Spend over budget when each user's programme is solved alone with `part` of the budget.

    The printed minimum is over w_i with the user index free: nothing but w_i is in it, so user i
    gets max_k v_ik subject to c_ik ≤ part · budget, whatever the others got.
    """
    v, c, _ = arrays(problem)
    open_value = np.where(c <= part * problem.budget, v, -np.inf)
    best = open_value.argmax(axis=1)
    rows = np.arange(problem.users)
    return float(c[rows, best][open_value[rows, best] > 0].sum() / problem.budget)


def joint_spend(result: Result, problem: Problem) -> float:
    """Spend over budget of the joint optimum, from its whole and split promotions."""
    _, c, _ = arrays(problem)
    whole = result.choice >= 0
    whole[result.fractional.users] = False
    spent = c[whole, result.choice[whole].astype(int)].sum()
    spent += (c[result.fractional.users] * result.fractional.shares).sum()
    return float(spent / problem.budget)


@formula("D2-F08", "D2-F07")
def rule_agreement(problem: Problem, result: Result, prices) -> float:
    """Part of the users whose optimal promotion is g(v_i, c_i; prices) = argmax_k r_ik or none.

    With the optimum's own prices (m,), the same for all users, only ties remain.
    """
    chosen = passes.hard(problem.blocks[0], problem.coupling, np.asarray(prices, float)).choice
    return float((chosen == result.choice).mean())


@formula("eq-11-superposition")
def superposition_error(function: Callable, first, second, weight: float = 0.5) -> float:
    """|f(w x + (1 − w) y) − w f(x) − (1 − w) f(y)| over |f(x)| + |f(y)|: zero if f is affine."""
    x, y = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    middle = function(weight * x + (1 - weight) * y)
    ends = function(x), function(y)
    return float(
        abs(middle - weight * ends[0] - (1 - weight) * ends[1]) / (abs(ends[0]) + abs(ends[1]))
    )


@formula("D2-F02", "D2-F01")
def total_return(user, amount, product=None, only=None, occasions: int | None = None) -> float:
    """Σ_i Σ_t r_ijt over purchases in the order of time; all arrays (n,), one entry a purchase.

    The printed sum leaves the product index j free and gives every user the same number T of
    purchases. `only` keeps one value of `product`, `occasions` the first T purchases of a user.
    """
    u, r = np.asarray(user), np.asarray(amount, dtype=float)
    keep = np.ones(len(u), dtype=bool)
    if only is not None:
        keep &= np.asarray(product) == only
    if occasions is not None:
        order = np.argsort(u, kind="stable")
        start = np.r_[True, u[order][1:] != u[order][:-1]]
        first = np.maximum.accumulate(np.where(start, np.arange(len(u)), 0))
        rank = np.empty(len(u), dtype=int)
        rank[order] = np.arange(len(u)) - first
        keep &= rank < occasions
    return float(r[keep].sum())


@formula("D2-F09")
def variation_within(user, amount) -> float:
    """Part of the variance of r that lies between the purchases of the same user.

    Zero if r were a function of the user alone, as the printed h(s_i, x_i, w_i) is. (n,) each.
    """
    _, code = np.unique(np.asarray(user), return_inverse=True)
    r = np.asarray(amount, dtype=float)
    mean = np.bincount(code, r) / np.bincount(code)
    return float(np.square(r - mean[code]).sum() / np.square(r - r.mean()).sum())


@formula("eq-11-influences")
def influences(steps: Mapping[str, Sequence[str]], result: str) -> set[str]:
    """The steps whose outcome can reach `result`; `steps` maps each name to what it is made of.

    Steps stand in the order in which they run, and a name that is not a step is an input.
    """
    reached = {result}
    for name in reversed(list(steps)):
        if name in reached:
            reached |= set(steps[name])
    return (reached & set(steps)) - {result}


def ignored(steps: Mapping[str, Sequence[str]], result: str, names: Iterable[str]) -> int:
    """How many of the steps `names` cannot change the result."""
    return len(set(names) - influences(steps, result))


@formula("D2-L26")
def attributes(target: type, names: Sequence[str]) -> int:
    """How many of the names are attributes of a class."""
    return sum(hasattr(target, name) for name in names)


@formula("eq-11-regression-spend")
def regression_spend(problem: Problem) -> float:
    """Spend over budget when a least-squares fit plays the optimiser.

    The values are regressed on the costs, promotion by promotion, and each user gets the
    promotion with the largest fitted value above zero: nothing in a regression knows a budget.
    """
    v, c, _ = arrays(problem)
    centred = c - c.mean(axis=0)
    slope = (centred * v).sum(axis=0) / np.maximum(np.square(centred).sum(axis=0), 1e-300)
    fitted = v.mean(axis=0) + slope * centred
    best = fitted.argmax(axis=1)
    rows = np.arange(problem.users)
    return float(c[rows, best][fitted[rows, best] > 0].sum() / problem.budget)
