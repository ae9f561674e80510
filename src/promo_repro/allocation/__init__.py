"""Allocation room: who gets which promotion under budget and stock, and their prices."""

from promo_repro.allocation.instances import instance
from promo_repro.allocation.problem import Fractional, Infeasible, Problem, Result, Row
from promo_repro.allocation.solver import frontier, solve

__all__ = [
    "Fractional",
    "Infeasible",
    "Problem",
    "Result",
    "Row",
    "frontier",
    "instance",
    "solve",
]
