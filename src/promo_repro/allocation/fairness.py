"""Equal access: rows that keep the shares of promotions of several groups together."""

import numpy as np

from promo_repro.allocation.problem import Row
from promo_repro.claims import formula


@formula("eq-11-parity")
def parity_rows(group, tolerance: float) -> tuple[Row, ...]:
    """Rows that bound |rate of group g − rate of all users| by `tolerance`, for every group.

    With n_g users in group g, weight 1/n_g − 1/N on its own users and −1/N on all others makes
    Σ weight · x the difference of the rates; one "<=" and one ">=" row a group, times N.
    Raises `ValueError` for a negative tolerance or an empty group.
    """
    size = np.bincount(np.asarray(group)).astype(float)
    if tolerance < 0 or not np.isfinite(tolerance):
        raise ValueError(f"tolerance is {tolerance}; give a difference of rates of zero or more")
    if (size == 0).any():
        raise ValueError("a group has no users; number the groups without gaps")
    total = size.sum()
    rows = []
    for g, n in enumerate(size):
        weights = np.full(len(size), -1.0)
        weights[g] += total / n
        for word, sense, sign in (("over", "<=", 1.0), ("under", ">=", -1.0)):
            bound = sign * tolerance * total
            rows.append(Row(f"group {g + 1} {word}", "count", sense, bound, groups=weights))
    return tuple(rows)


@formula("eq-11-rates")
def rates(group, choice) -> np.ndarray:
    """Part of each group that gets a promotion, (G,)."""
    g, given = np.asarray(group), np.asarray(choice) >= 0
    return np.bincount(g, given) / np.bincount(g)
