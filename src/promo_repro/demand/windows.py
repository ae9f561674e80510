"""From series to supervised learning without looking ahead.

A window ends at time t: its context are the `context` periods before t, its targets the `horizon`
periods from t on. Values are logarithms relative to the window's own level, so that one model
serves series of every size:

.. math:: z_s = \\log(1 + y_s) - \\ell_t, \\qquad
          \\ell_t = \\log\\Big(1 + \\tfrac1L \\sum_{s=t-L}^{t-1} y_s\\Big)

Quantiles and medians survive the way back, because the map is monotone.
"""

from dataclasses import dataclass

import numpy as np

from promo_repro.claims import formula
from promo_repro.demand.panels import Panel


@dataclass(frozen=True)
class Windows:
    """Windows ending at `ends`, w of them for each of n series.

    `context` (n, w, L) and `target` (n, w, H) are z, `level` (n, w) is the level; `seen`
    (n, w, L, k) and `ahead` (n, w, H, k) are what is known of each context and target period:
    calendar, place in the season, promotion plan.
    """

    ends: np.ndarray
    context: np.ndarray
    target: np.ndarray
    level: np.ndarray
    seen: np.ndarray
    ahead: np.ndarray


@formula("eq-04-level")
def log_level(context) -> np.ndarray:
    """Level of a context (..., L) of units, log(1 + mean); returns (...)."""
    return np.log1p(np.mean(context, axis=-1))


@formula("eq-04-relative")
def to_relative(units, level) -> np.ndarray:
    """Units (..., H) as logarithms relative to a level (...), log(1 + y) − level."""
    return np.log1p(units) - np.asarray(level)[..., None]


@formula("eq-04-absolute")
def to_units(relative, level) -> np.ndarray:
    """Inverse of `to_relative`, max(exp(z + level) − 1, 0); `relative` (..., H, Q)."""
    return np.maximum(np.expm1(relative + np.asarray(level)[..., None, None]), 0)


def known(panel: Panel) -> np.ndarray:
    """Return what is known ahead of every series and period: (n, T, k).

    The calendar, indicators of the place in the season if there is one, and the plan.
    """
    n, periods = panel.units.shape
    common = [panel.calendar]
    if panel.season > 1:
        common.append(np.eye(panel.season)[np.arange(periods) % panel.season])
    shared = np.broadcast_to(np.hstack(common), (n, periods, sum(c.shape[1] for c in common)))
    return np.concatenate([shared, panel.plan], axis=2)


def training_windows(panel: Panel, origin: int, context: int, every: int = 1) -> Windows:
    """Return all windows whose targets lie before `origin`, one each `every` periods.

    Raises `ValueError` if the history is too short for one window.
    """
    last = origin - panel.horizon
    if last < context:
        raise ValueError(
            f"{panel.name}: {origin} periods are too few for {context} of context and "
            f"{panel.horizon} of target; give a longer history or a shorter context"
        )
    ends = np.arange(last, context - 1, -every)[::-1]
    return _cut(panel, ends, context, panel.units[:, :origin])


def forecast_windows(panel: Panel, origin: int, context: int) -> Windows:
    """Return the window of each series that ends at `origin`; its targets are NaN.

    Raises `ValueError` if the history is shorter than the context.
    """
    if origin < context:
        raise ValueError(f"{panel.name}: {origin} periods are fewer than the context {context}")
    unseen = np.full((len(panel.units), panel.horizon), np.nan)
    return _cut(panel, np.array([origin]), context, np.hstack([panel.units[:, :origin], unseen]))


def _cut(panel: Panel, ends: np.ndarray, context: int, units: np.ndarray) -> Windows:
    past = ends[:, None] + np.arange(-context, 0)
    future = ends[:, None] + np.arange(panel.horizon)
    level = log_level(units[:, past])
    exogenous = known(panel)
    return Windows(
        ends,
        to_relative(units[:, past], level),
        to_relative(units[:, future], level),
        level,
        exogenous[:, past],
        exogenous[:, future],
    )
