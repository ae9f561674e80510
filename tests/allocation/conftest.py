"""Small problems of every kind, and hypothesis without deadlines on a busy machine."""

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st

from promo_repro.allocation import Problem, Row, dual, newton

settings.register_profile("no deadline", deadline=None, max_examples=25)
settings.load_profile("no deadline")

KINDS = ("plain", "ties", "identical", "negative", "zero budget", "no stock", "unit costs")


def small(seed, kind="plain", users=None, promotions=None):
    """A random problem of at most 60 users and 5 promotions."""
    rng = np.random.default_rng(seed)
    n = users or int(rng.integers(1, 61))
    k = promotions or int(rng.integers(1, 6))
    value, cost = rng.normal(1, 2, (n, k)), rng.exponential(1, (n, k))
    if kind == "ties":
        value, cost = np.round(value), np.round(cost)
    if kind == "identical":
        value[:], cost[:] = value[0], cost[0]
    if kind == "negative":
        value = -np.abs(value)
    if kind == "unit costs":
        cost = np.ones_like(cost)
    budget = 0.0 if kind == "zero budget" else rng.uniform(0.05, 0.5) * cost.max(axis=1).sum()
    stock = np.floor(rng.uniform(0, 0.6, k) * n)
    if kind == "no stock":
        stock[0] = 0
    return Problem(value, cost, budget=budget, stock=stock)


def with_rows(seed):
    """A random problem with fairness, minimum-spend, equality or value rows; may be infeasible."""
    rng = np.random.default_rng(seed)
    plain = small(seed)
    n = plain.users
    group = rng.integers(0, 3, n)
    group[0] = 2
    rows = [Row("fair", "count", "<=", 0.0, groups=rng.normal(0, 1, 3))]
    if rng.random() < 0.5:
        spend = min(plain.budget, 0.05 * float(plain.cost.sum()))
        rows.append(Row("spend", "cost", ">=", spend))
    if rng.random() < 0.5:
        rows.append(Row("given", "count", "==", float(rng.integers(0, max(1, n // 3)))))
    if rng.random() < 0.5:
        rows.append(Row("worth", "value", "<=", 0.2 * float(plain.value.abs().sum())))
    return Problem(
        plain.value, plain.cost, plain.budget, plain.coupling.bounds[1:], tuple(rows), group
    )


problems = st.builds(small, st.integers(0, 10_000), st.sampled_from(KINDS))


@pytest.fixture
def tiny_sizes(monkeypatch):
    """Make the dual solver use all of its steps on problems of a few dozen users."""
    monkeypatch.setattr(dual, "SMALL", 5)
    monkeypatch.setattr(dual, "SAMPLE", 20)
    monkeypatch.setattr(newton, "FIRST", 10)
