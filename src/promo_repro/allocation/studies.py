"""The measured quantities that the chapter's figures and verdicts rest on.

Each function is a whole experiment on the problem, the shop or the trial that it is given; where
it draws at random it takes a seed. What the fitted shop answers is simulated; trials are data.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import norm

from promo_repro.allocation import (
    assignment,
    dual,
    fairness,
    passes,
    reference,
    rules,
    solver,
    uplift,
)
from promo_repro.allocation.generic import superposition_error
from promo_repro.allocation.instances import instance
from promo_repro.allocation.offers import Discount, Expected, campaign, expected
from promo_repro.allocation.problem import Problem
from promo_repro.claims import formula
from promo_repro.response import Dip, ResponseParameters, redraw
from promo_repro.response.population import Population

OBJECTIVES = ("sales", "profit", "purchases", "pleasure")


def best(problem: Problem):
    """The optimum by the dual solver, with its certificate."""
    return dual.solve(problem)


def bound_at(problem: Problem, prices) -> float:
    """The bound on the value that any prices (m,) of the right signs prove."""
    p = np.asarray(prices, dtype=float)
    surplus = passes.hard(problem.blocks[0], problem.coupling, p).surplus
    return dual.dual_bound(surplus, problem.coupling.bounds, p)


def gap_at_prices(problem: Problem, factor: float) -> float:
    """Gap between the bound that `factor` times the optimal prices prove and the optimum, relative.

    At the optimal prices, factor one, strong duality leaves none.
    """
    result = best(problem)
    return abs(bound_at(problem, factor * result.prices) / result.objective - 1)


def relative_value(problem: Problem, rule: str, seed: int = 0) -> float:
    """Value of a rule as a part of the optimum: "optimum" itself, "greedy", "threshold", …"""
    optimum = best(problem)
    choices = {
        "optimum": lambda: optimum.choice,
        "greedy": lambda: rules.greedy(problem),
        "threshold": lambda: rules.best_threshold(problem, 12)[1],
        "uniform": lambda: rules.best_uniform(problem)[1],
        "random": lambda: rules.at_random(problem, np.random.default_rng(seed)),
    }
    return rules.value_of(problem, choices[rule]()) / optimum.objective


def price_of(problem: Problem, row: str) -> float:
    """Shadow price of a row at the optimum."""
    return best(problem).duals[row]


def usage_ratio(problem: Problem, row: str) -> float:
    """What the whole-number optimum uses of a row, over its bound."""
    result, coupling = best(problem), problem.coupling
    v, c, group = reference.arrays(problem)
    r = coupling.names.index(row)
    used = rules.chosen(coupling.coefficients(v, c, group)[r], result.choice).sum()
    return float(used / coupling.bounds[r])


@formula("eq-11-one-sided-slopes")
def one_sided_slopes(problem: Problem, row: str, step: float) -> tuple[float, float]:
    """(V(b) − V(b − h)) / h and (V(b + h) − V(b)) / h for the bound b of a "<=" row: left, right.

    The value is concave in b, so every optimal price of the row lies between right and left.
    """
    r = problem.coupling.names.index(row)
    values = [best(_with_bound(problem, r, sign * step)).objective for sign in (-1, 0, 1)]
    left, right = np.diff(values) / step
    return float(left), float(right)


def _with_bound(problem, r, change):
    bounds = problem.coupling.bounds.copy()
    bounds[r] += change
    return replace(problem, budget=bounds[0], stock=bounds[1:] if len(bounds) > 1 else None)


def price_outside_slopes(problem: Problem, row: str, step: float) -> float:
    """How far the dual of a row lies outside the interval of its one-sided slopes; 0 inside."""
    left, right = one_sided_slopes(problem, row, step)
    price = price_of(problem, row)
    return max(right - price, price - left, 0.0)


def frontier_values(problem: Problem, budgets) -> tuple[np.ndarray, np.ndarray]:
    """Value and price of the budget along the budgets, (B,) each."""
    found = solver.frontier(problem, budgets)
    return (
        np.array([r.objective for r in found]),
        np.array([r.duals["budget"] for r in found]),
    )


def frontier_band(problem: Problem, budgets, draws: int, seed: int) -> np.ndarray:
    """Values of the frontier for bootstrap samples of the users, (draws, B)."""
    rng = np.random.default_rng(seed)
    v, c, _ = reference.arrays(problem)
    out = []
    for _ in range(draws):
        again = rng.integers(0, len(v), len(v))
        sample = replace(problem, value=v[again], cost=c[again])
        out.append(frontier_values(sample, budgets)[0])
    return np.array(out)


@formula("eq-11-shrinkage")
def shrunk(estimate, noise: float):
    """Posterior mean m + s²/(s² + σ²) (v̂ − m) of normal values under normal noise of deviation σ.

    `estimate` (N, K); m and s² + σ² are the mean and variance of each promotion's estimates.
    """
    v = np.asarray(estimate, dtype=float)
    mean, total = v.mean(axis=0), v.var(axis=0)
    kept = np.clip(1 - noise**2 / np.maximum(total, 1e-300), 0.0, 1.0)
    return mean + kept * (v - mean)


@formula("eq-11-curse")
def promised_and_kept(truth: Problem, believed) -> tuple[float, float]:
    """What an allocation on believed values promises and what it brings, over the true optimum."""
    decided = best(replace(truth, value=believed))
    optimum = best(truth).objective
    kept = rules.value_of(truth, decided.choice)
    return decided.objective / optimum, kept / optimum


def curse(truth: Problem, noise: float, draws: int, seed: int, shrink: bool = False):
    """`promised_and_kept` when noise is added to the values, (draws, 2).

    `noise` is in standard deviations of the true values; `shrink` uses the posterior mean.
    """
    rng = np.random.default_rng(seed)
    v = truth.value.numpy(force=True)
    sigma = noise * float(v.std())
    out = []
    for _ in range(draws):
        believed = v + sigma * rng.standard_normal(v.shape)
        out.append(promised_and_kept(truth, shrunk(believed, sigma) if shrink else believed))
    return np.array(out)


def estimation(
    parameters: ResponseParameters,
    people: Population,
    offers,
    objective: str,
    draws: int,
    seed: int,
    **bounds,
) -> np.ndarray:
    """What redrawn parameters promise and bring, and what is spent, (draws, 3).

    The true shop has the point estimates; each draw plans with parameters from their estimated
    distribution. Columns: promised and kept value over the true optimum, true spend over budget.
    """
    rng = np.random.default_rng(seed)
    known = expected(parameters, people, offers)
    truth = campaign(getattr(known, objective), known.cost, **bounds)
    out = []
    for _ in range(draws):
        drawn = expected(redraw(parameters, rng), people, offers)
        believed = replace(truth, value=getattr(drawn, objective), cost=drawn.cost)
        decided = best(believed)
        out.append(
            (
                decided.objective,
                rules.value_of(truth, decided.choice),
                rules.cost_of(truth, decided.choice) / truth.budget,
            )
        )
    found = np.array(out)
    found[:, :2] /= best(truth).objective
    return found


def curvature_in_shares(problem: Problem, seed: int) -> float:
    """`superposition_error` of the return Σ v x between two random allocations of shares."""
    v = problem.value.numpy(force=True)
    rng = np.random.default_rng(seed)
    first, second = rng.random((2, *v.shape)) / v.shape[1]
    return superposition_error(lambda x: (v * x).sum(), first, second)


def curvature_in_depth(parameters, people, name: str, depth: float) -> float:
    """`superposition_error` of the sales in the depth of a discount, between none and `depth`."""

    def sales(d):
        return expected(parameters, people, [Discount(name, float(d))]).sales.sum()

    return superposition_error(sales, 0.0, depth)


@dataclass(frozen=True)
class TrialResult:
    """Gain per customer of an allocation by estimated uplift: promised, measured with its limits.

    `random` is the measured gain of the best single treatment for as many customers at random.
    """

    promised: float
    measured: tuple[float, float, float]
    random: float


def allocated_by_uplift(trial, learner: str, penalty: float, share: float, seed: int):
    """Learn uplift on half of a trial, allocate the other half, measure there: `TrialResult`.

    `learner` is "cells" or "ridge"; at most the part `share` of the customers gets anything.
    """
    order = np.random.default_rng(seed).permutation(len(trial))
    half = len(trial) // 2
    return measured_uplift(
        trial.part(order[:half]), trial.part(order[half:]), learner, penalty, share
    )


def mean_over_splits(trial, learner: str, penalty: float, share: float, seeds) -> np.ndarray:
    """Means over splits of `allocated_by_uplift`: promised, measured, its limits, at random, (5,).

    The limits are those of a single split.
    """
    found = [allocated_by_uplift(trial, learner, penalty, share, seed) for seed in seeds]
    return np.mean([(f.promised, *f.measured, f.random) for f in found], axis=0)


def measured_uplift(learn, test, learner: str, penalty: float, share: float) -> TrialResult:
    """Learn on one trial, allocate and measure on another."""
    value = estimated(learn, test.features, learner, penalty)
    problem = Problem(value, np.ones_like(value), budget=share * len(test))
    decided = best(problem)
    n = len(test)
    single = [uplift.gain_scores(test, np.full(n, k)).mean() for k in range(value.shape[1])]
    return TrialResult(
        decided.objective / n,
        uplift.gain_interval(uplift.gain_scores(test, decided.choice)),
        share * float(max(single)),
    )


def estimated(learn, features, learner: str, penalty: float):
    """Estimated uplift (n', K) by cell means or by one ridge regression per arm."""
    if learner == "ridge":
        return uplift.ridge_uplift(learn, features, penalty)
    code, cells = uplift.cells_of(np.concatenate([learn.features, features]))
    return uplift.cell_uplift(learn, code[: len(learn)], code[len(learn) :], cells)


def advantage_limits(learn, test, penalty: float, share: float) -> tuple[float, float]:
    """95 % limits of the measured gain per customer over as many customers at random.

    Random customers get the best single treatment. Allocation by ridge uplift.
    """
    found = measured_uplift(learn, test, "ridge", penalty, share)
    return found.measured[1] - found.random, found.measured[2] - found.random


def advantage(learn, test, penalty: float, share: float) -> float:
    """The lower limit of `advantage_limits`."""
    return advantage_limits(learn, test, penalty, share)[0]


@formula("eq-11-overspend")
def overspend_probability(mean, variance, budget):
    """Chance that a spend of this mean and variance, nearly normal, exceeds the budget."""
    return float(norm.sf(budget, loc=mean, scale=np.sqrt(variance)))


def spend(problem: Problem, variance, choice) -> tuple[float, float]:
    """Mean and variance of the spend of an allocation; `variance` (N, K), users independent."""
    return rules.cost_of(problem, choice), float(rules.chosen(variance, choice).sum())


def overspend(problem: Problem, variance, safety: float) -> float:
    """Chance of overspending when the programme is given the budget less `safety` deviations.

    The deviation is that of the spend of the allocation without safety.
    """
    _, free = spend(problem, variance, best(problem).choice)
    safe = problem.with_budget(max(problem.budget - safety * np.sqrt(free), 0.0))
    mean, var = spend(safe, variance, best(safe).choice)
    return overspend_probability(mean, var, problem.budget)


def parity(problem: Problem, group, tolerance: float) -> tuple[float, np.ndarray]:
    """Optimum with equal access of the groups up to `tolerance`: its value and the rates (G,)."""
    rows = fairness.parity_rows(group, tolerance)
    result = best(replace(problem, rows=rows, group=group))
    return result.objective, fairness.rates(group, result.choice)


def price_of_fairness(problem: Problem, group, tolerance: float) -> float:
    """Part of the value that equal access costs."""
    return 1 - parity(problem, group, tolerance)[0] / best(problem).objective


def integrality(users: int, promotions: int, seed: int) -> tuple[float, float, int]:
    """Gap of the integer optimum and loss by rounding, both relative, and the split users."""
    problem = instance(users, promotions, seed)
    linear = best(problem)
    whole = reference.solve(problem, integer=True).objective
    rounded = rules.value_of(problem, linear.choice)
    size = linear.objective
    return (size - whole) / size, (size - rounded) / size, len(linear.fractional)


def greedy_gap(users: int, promotions: int, stock: bool, seed: int) -> float:
    """Part of the value that sorting by value per cost loses on a simulated instance."""
    problem = instance(users, promotions, seed)
    if not stock:
        problem = replace(problem, stock=None)
    return 1 - rules.value_of(problem, rules.greedy(problem)) / best(problem).objective


def trade_off(found: Expected, first: str, second: str, weight: float, **bounds):
    """Both objectives at the optimum of (1 − w) first + w second, each over its own maximum.

    Each objective is divided by its maximum, so that the weights have no unit.
    """
    problems = [campaign(getattr(found, name), found.cost, **bounds) for name in (first, second)]
    budget = min(p.budget for p in problems)
    problems = [p.with_budget(budget) for p in problems]
    top = [best(p).objective for p in problems]
    mixed = (1 - weight) * problems[0].value / top[0] + weight * problems[1].value / top[1]
    choice = best(replace(problems[0], value=mixed)).choice
    return np.array([rules.value_of(p, choice) / t for p, t in zip(problems, top, strict=True)])


def worst_objective(found: Expected, first: str, second: str, weight: float) -> float:
    """The smaller of the two parts of `trade_off`."""
    return float(trade_off(found, first, second, weight).min())


def change_by_second_objective(found: Expected, measured: int, weight: float) -> float:
    """What giving pleasure a weight changes in sales (measured 0) or pleasure (1), relative."""
    with_it = trade_off(found, "sales", "pleasure", weight)[measured]
    return float(with_it / trade_off(found, "sales", "pleasure", 0.0)[measured] - 1)


@formula("eq-11-borrowed")
def borrowed(dip: Dip) -> float:
    """Part of a deal's lift that later weeks lack, −Σ_l γ_l / γ_0."""
    return float(-np.sum(dip.lags) / dip.discount)


def overstatement(found: Expected, dip: Dip) -> float:
    """Part of the promised weekly sales that later weeks take back from the one-week optimum."""
    problem = campaign(found.sales, found.cost)
    choice = best(problem).choice
    return (
        borrowed(dip)
        * float(rules.chosen(found.lift, choice).sum())
        / rules.value_of(problem, choice)
    )


def value_without(problem: Problem, what: str) -> float:
    """Value over the optimum when a plan ignores the "users", their "limits", or "costs".

    Without users everybody counts as the average; without limits everybody wants his best
    promotion, and it is given while budget and stock last; without costs each promotion counts
    as equally dear. The bounds themselves are kept.
    """
    v, _, _ = reference.arrays(problem)
    n, k = v.shape
    if what == "users":
        order = np.argsort(-np.tile(v.mean(axis=0), n), kind="stable")
        choice = rules.fill(problem, order[np.tile(v.mean(axis=0), n)[order] > 0])
    elif what == "limits":
        wanted = np.arange(n) * k + v.argmax(axis=1)
        choice = rules.fill(problem, wanted[v.max(axis=1) > 0])
    elif what == "costs":
        order = np.argsort(-v.ravel(), kind="stable")
        choice = rules.fill(problem, order[v.ravel()[order] > 0])
    elif what == "nothing":
        choice = best(problem).choice
    else:
        raise ValueError(f"no {what!r}; choose users, limits, costs or nothing")
    return rules.value_of(problem, choice) / best(problem).objective


def values_without(problem: Problem, whats: Sequence[str]) -> np.ndarray:
    """`value_without` for each of the names."""
    return np.array([value_without(problem, what) for what in whats])


def menu_share(problem: Problem, offers: Sequence[int]) -> float:
    """Optimum with only some of the promotions, as a part of the optimum with all."""
    v, c, _ = reference.arrays(problem)
    index = list(offers)
    few = Problem(v[:, index], c[:, index], problem.budget, problem.coupling.bounds[1:][index])
    return best(few).objective / best(problem).objective


def random_menus(problem: Problem, size: int, draws: int, seed: int) -> float:
    """Mean of `menu_share` over menus of `size` promotions drawn at random."""
    rng = np.random.default_rng(seed)
    menus = [rng.choice(problem.promotions, size, replace=False) for _ in range(draws)]
    return float(np.mean([menu_share(problem, menu) for menu in menus]))


def personal_gain(problem: Problem, offers: Sequence[int]) -> float:
    """What choosing the users adds to some of the offers: optimum over random order, less 1.

    Random order keeps the same budget and stocks.
    """
    v, c, _ = reference.arrays(problem)
    index = list(offers)
    few = Problem(v[:, index], c[:, index], problem.budget, problem.coupling.bounds[1:][index])
    choice = rules.at_random(few, np.random.default_rng(0))
    return best(few).objective / rules.value_of(few, choice) - 1


def distinct_strategies(problem: Problem, budgets) -> int:
    """How many different allocations the budgets lead to."""
    return len({r.choice.tobytes() for r in solver.frontier(problem, budgets)})


def sales_interval(
    parameters: ResponseParameters, people: Population, offers, share: float, draws: int, seed: int
) -> np.ndarray:
    """Quantiles 2.5, 50, 97.5 % of the sales that the planned optimum brings in redrawn shops.

    The plan uses the point estimates; the shop that answers has redrawn parameters. `share` is
    the budget as a part of the spend without bounds.
    """
    rng = np.random.default_rng(seed)
    known = expected(parameters, people, offers)
    choice = best(campaign(known.sales, known.cost, share)).choice
    brought = [
        rules.chosen(expected(redraw(parameters, rng), people, offers).sales, choice).sum()
        for _ in range(draws)
    ]
    return np.quantile(brought, [0.025, 0.5, 0.975])


def sales_lower_limit(parameters, people, offers, share: float, draws: int, seed: int) -> float:
    """The lower limit of `sales_interval`."""
    return float(sales_interval(parameters, people, offers, share, draws, seed)[0])


def profit_of_sales_plan(found: Expected, share: float = 0.3) -> float:
    """Profit that the plan of largest sales makes, over its sales."""
    problem = campaign(found.sales, found.cost, share)
    choice = best(problem).choice
    return float(rules.chosen(found.profit, choice).sum()) / rules.value_of(problem, choice)


def profit_by_objective(found: Expected, objective: str) -> float:
    """Profit in dollars of the plan that maximises `objective` of `Expected` within the budget."""
    problem = campaign(getattr(found, objective), found.cost)
    return float(rules.chosen(found.profit, best(problem).choice).sum())


def scheduling_gain(orders: int, slots: int, places: int, seed: int) -> float:
    """What the assignment programme adds to first come, first served, relative.

    Simulated: an order is worth 10 in its favourite slot and loses an exponential amount with
    mean 3 per slot of distance.
    """
    worth = slot_worth(orders, slots, seed)
    room = np.full(slots, places)
    return assignment.assign(worth, room).worth / assignment.first_come(worth, room) - 1


def slot_worth(orders: int, slots: int, seed: int) -> np.ndarray:
    """Simulated worth (orders, slots): favourites crowd in the middle, distance costs."""
    rng = np.random.default_rng(seed)
    favourite = rng.binomial(slots - 1, 0.5, orders)
    patience = rng.exponential(3, orders)
    distance = np.abs(np.arange(slots) - favourite[:, None])
    return 10 - patience[:, None] * distance


def staffing_gain(forecast, workers: int, pace: float) -> float:
    """What staffing by forecast adds to even staffing: orders served, relative.

    Each of `workers` serves `pace` orders in his shift; `forecast` (J,) orders per shift. The
    programme sends workers to shifts; a worker is worth the orders that are still unserved.
    """
    wanted = np.asarray(forecast, dtype=float)
    ranks = np.arange(workers)
    worth = np.clip(wanted[:, None] - pace * ranks, 0, pace).reshape(1, -1)
    planned = assignment.assign(
        np.repeat(worth, workers, axis=0), np.ones(worth.shape[1], dtype=int)
    ).worth
    even = np.minimum(wanted, pace * workers / len(wanted)).sum()
    return float(planned / even - 1)
