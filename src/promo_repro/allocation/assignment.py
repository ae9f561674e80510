"""Staff and delivery slots: an assignment programme, whose duals are wages and slot prices."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment, linprog

from promo_repro.claims import formula


@dataclass(frozen=True)
class Plan:
    """Orders by slot (n, J), its total worth, and what each order and each slot's place earns."""

    shares: np.ndarray
    worth: float
    surplus: np.ndarray
    prices: np.ndarray


@formula("eq-11-assignment")
def assign(worth, places) -> Plan:
    """Maximise Σ w_ij x_ij with Σ_j x_ij ≤ 1 and Σ_i x_ij ≤ places_j, x ≥ 0.

    `worth` (n, J) is what order (or shift) i brings in slot (or with worker) j, `places` (J,) how
    many the slot holds. The matrix is totally unimodular: with whole places a vertex is whole.
    Raises `ValueError` for NaN, negative or fractional places and shapes that do not fit.
    """
    w, s = np.asarray(worth, dtype=float), np.asarray(places, dtype=float)
    if w.ndim != 2 or s.shape != w.shape[1:] or not np.isfinite(w).all():
        raise ValueError(f"worth {w.shape} and places {s.shape}: finite (n, J) and (J,) are needed")
    if (s < 0).any() or (s != np.floor(s)).any():
        raise ValueError("places must be whole numbers of zero or more")
    n, j = w.shape
    rows = np.vstack([np.kron(np.eye(n), np.ones(j)), np.tile(np.eye(j), n)])
    found = linprog(-w.ravel(), A_ub=rows, b_ub=np.r_[np.ones(n), s], method="highs-ds")
    if not found.success:
        raise RuntimeError(f"HiGHS stopped: {found.message}")
    prices = -found.ineqlin.marginals
    return Plan(found.x.reshape(n, j), -found.fun, prices[:n], prices[n:])


def hungarian(worth, places) -> float:
    """Worth of the best assignment by the Hungarian method, each place a column of its own."""
    w = np.asarray(worth, dtype=float)
    columns = np.repeat(w, np.asarray(places, dtype=int), axis=1)
    padded = np.maximum(np.hstack([columns, np.zeros((len(w), len(w)))]), 0)
    i, j = linear_sum_assignment(padded, maximize=True)
    return float(padded[i, j].sum())


@formula("eq-11-first-come")
def first_come(worth, places) -> float:
    """Worth when orders choose their best free slot one after the other."""
    w, left = np.asarray(worth, dtype=float), np.array(places, dtype=float)
    total = 0.0
    for order in w:
        open_worth = np.where(left > 0, order, -np.inf)
        best = int(open_worth.argmax())
        if open_worth[best] > 0:
            total += open_worth[best]
            left[best] -= 1
    return float(total)
