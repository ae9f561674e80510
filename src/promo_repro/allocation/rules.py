"""Rules that shops use instead of a programme: sort and fill, thresholds, uniform, at random.

Each returns the promotion of every user, (N,), -1 for none, and keeps budget and stocks.
"""

import numpy as np

from promo_repro.allocation.problem import Problem, choice_type
from promo_repro.allocation.reference import arrays
from promo_repro.claims import formula


@formula("eq-11-value-of-choice")
def value_of(problem: Problem, choice) -> float:
    """Value Σ_i v_i,choice(i) of an allocation; -1 is no promotion and worth nothing."""
    v, _, _ = arrays(problem)
    return float(chosen(v, choice).sum())


@formula("eq-11-cost-of-choice")
def cost_of(problem: Problem, choice) -> float:
    """Cost Σ_i c_i,choice(i) of an allocation."""
    _, c, _ = arrays(problem)
    return float(chosen(c, choice).sum())


@formula("eq-11-greedy")
def greedy(problem: Problem):
    """Sort all pairs of user and promotion by value per cost and give while there is room.

    A user gets the first promotion that fits. With one promotion and one budget this is the
    optimum up to a single user; otherwise it is not.
    """
    v, c, _ = arrays(problem)
    ratio = np.where(v > 0, v / np.maximum(c, 1e-300), -np.inf).ravel()
    order = np.argsort(-ratio, kind="stable")
    return fill(problem, order[ratio[order] > 0])


@formula("eq-11-random-rule")
def at_random(problem: Problem, rng: np.random.Generator):
    """Give promotions to users drawn at random, whatever they bring, while there is room."""
    return fill(problem, rng.permutation(problem.users * problem.promotions))


@formula("eq-11-threshold")
def threshold(problem: Problem, level: float):
    """Each user's best promotion where it brings at least `level` per unit of cost, in user order.

    This is what a rule engine does: who comes first is served first until a bound is reached.
    """
    v, c, _ = arrays(problem)
    best = v.argmax(axis=1)
    users = np.arange(problem.users)
    wanted = (v[users, best] > 0) & (v[users, best] >= level * c[users, best])
    return fill(problem, (users * problem.promotions + best)[wanted])


@formula("eq-11-uniform")
def uniform(problem: Problem, promotion: int):
    """The same promotion for everybody in user order, while there is room."""
    return fill(problem, np.arange(problem.users) * problem.promotions + promotion)


def best_threshold(problem: Problem, levels: int = 40) -> tuple[float, np.ndarray]:
    """The level of `threshold` that turns out best, out of quantiles of value per cost."""
    v, c, _ = arrays(problem)
    ratio = (v / np.maximum(c, 1e-300))[v > 0]
    tried = np.quantile(ratio, np.linspace(0, 0.98, levels)) if len(ratio) else [0.0]
    choices = {float(level): threshold(problem, level) for level in tried}
    best = max(choices, key=lambda level: value_of(problem, choices[level]))
    return best, choices[best]


def best_uniform(problem: Problem) -> tuple[int, np.ndarray]:
    """The single promotion that is worth most when everybody gets it."""
    choices = [uniform(problem, k) for k in range(problem.promotions)]
    best = int(np.argmax([value_of(problem, choice) for choice in choices]))
    return best, choices[best]


def fill(problem: Problem, order):
    """Go through pairs (numbered i·K + k) in `order` and give what every "<=" row has room for."""
    v, c, group = arrays(problem)
    coupling = problem.coupling
    a = coupling.coefficients(v, c, group).reshape(len(coupling), -1)
    capped = np.array([sense == "<=" for sense in coupling.senses])
    if not capped.all():
        raise ValueError('these rules keep "<=" rows only; give min-spend rows to the solver')
    room = coupling.bounds + 1e-9 * np.maximum(1.0, np.abs(coupling.bounds))
    choice = np.full(problem.users, -1, dtype=choice_type(problem.promotions))
    used = np.zeros(len(coupling))
    for pair in order:
        user, promotion = divmod(int(pair), problem.promotions)
        if choice[user] < 0 and (used + a[:, pair] <= room).all():
            choice[user] = promotion
            used = used + a[:, pair]
    return choice


def chosen(matrix, choice):
    """Entries of (N, K) at the choices, zero for none."""
    picked = np.asarray(choice).astype(int)
    entries = np.take_along_axis(matrix, np.maximum(picked, 0)[:, None], axis=1)[:, 0]
    return np.where(picked >= 0, entries, 0.0)
