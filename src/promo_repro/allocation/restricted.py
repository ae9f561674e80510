"""The exact linear programme over the few users whose choice the prices leave open.

Prices are confined to a box; inside it all other users keep their choice, so that this small
programme *is* the whole one there. Buying or selling a row's bound at the edge of the box is
allowed at the edge's price: if the optimum does neither, the box did not bind.
"""

from dataclasses import dataclass

import highspy
import numpy as np
from scipy import sparse

from promo_repro.allocation.problem import Block, Coupling

TOLERANCE = 1e-10  # the tightest that HiGHS accepts


@dataclass
class Vertex:
    """Optimum of the restricted programme: shares (n, K), prices (m,), and bounds traded (m,)."""

    shares: np.ndarray
    prices: np.ndarray
    traded: np.ndarray


class TimeLimit(Exception):
    """The solver stopped before it was done."""


class NoAllocation(Exception):
    """No shares satisfy the rows."""


def solve(
    block: Block,
    coupling: Coupling,
    allowed,
    low,
    high,
    unit=1.0,
    seconds=np.inf,
    worth=1.0,
    limit=1,
) -> Vertex:
    """Solve for the users of `block` with the bounds that are left to them.

    `allowed` (n, K) says which promotions can be best for whom; `low` and `high` (m,) are the box
    of prices, `unit` the size of a typical value, `worth` multiplies all values, and `limit` is
    what each user may be given. Equal users are pooled first. Raises `TimeLimit` after `seconds`,
    `NoAllocation`, and `RuntimeError` when HiGHS reports anything else but an optimum.
    """
    v, c = (t.numpy(force=True).astype(float) for t in (block.value, block.cost))
    group = np.zeros(len(v), dtype=int) if block.group is None else block.group.numpy(force=True)
    # What cannot be chosen does not tell two users apart.
    types, of_user, size = _pool(np.where(allowed, v, 0), np.where(allowed, c, 0), group, allowed)
    v, c, group, allowed = v[types], c[types], group[types], allowed[types]
    user, promotion = np.nonzero(allowed)
    coupling = coupling.scaled(np.full(len(coupling), 1 / unit))
    a = coupling.coefficients(v, c, group)[:, user, promotion]
    trade = _trades(coupling, low, high)
    model = _model(worth * v[user, promotion] / unit, a, user, size, limit, coupling, trade)
    columns, prices = _run(model, len(coupling), seconds)
    x = np.zeros(v.shape)
    x[user, promotion] = columns[: len(user)]
    traded = np.zeros(len(coupling))
    np.add.at(traded, trade[0], columns[len(user) :] * trade[1])
    return Vertex(_unpool(x, of_user, size), prices, traded)


def _pool(v, c, group, allowed):
    """First user of each type, the type of each user, and how many there are of each."""
    if len(v) == 0:
        return np.zeros(0, int), np.zeros(0, int), np.zeros(0)
    key = np.column_stack([v, c, group, allowed])
    _, first, of_user, size = np.unique(
        key, axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    return first, of_user.ravel(), size.astype(float)


def _unpool(x, of_user, size):
    """Shares of each user: the users of a type are filled with its promotions one by one.

    A type of n users with the totals x_1 … x_K splits at most one user per total.
    """
    if len(size) == len(of_user):
        return x[of_user]
    order = np.argsort(of_user, kind="stable")
    rank = np.empty(len(of_user))
    start = np.r_[0, np.cumsum(size)[:-1]]
    rank[order] = np.arange(len(of_user)) - start[of_user[order]]
    upper = np.cumsum(x, axis=1)[of_user]
    lower = upper - x[of_user]
    begin = rank[:, None]
    return np.clip(np.minimum(upper, begin + 1) - np.maximum(lower, begin), 0.0, 1.0)


def _trades(coupling, low, high):
    """Row, sign of the bound's change, and price of the columns that trade at the box's edges."""
    sign_low, sign_high = coupling.sign_bounds()
    rows = np.arange(len(coupling))
    buys = rows[np.isfinite(high) & (high < sign_high)]
    sells = rows[np.isfinite(low) & (low > sign_low)]
    row = np.r_[buys, sells]
    sign = np.r_[np.ones(len(buys)), -np.ones(len(sells))]
    price = np.r_[high[buys], low[sells]]
    return row, sign, -sign * price


def _model(value, a, user, size, limit, coupling, trade):
    """The programme for HiGHS: coupling rows first, then one row per user with a real choice."""
    m, columns = len(coupling), len(value)
    # A user between one promotion and none needs no row of his own: the bound of x says it.
    many = np.nonzero(np.bincount(user, minlength=len(size)) > 1)[0]
    own = np.full(len(size), -1)
    own[many] = np.arange(len(many)) + m
    with_row = np.nonzero(own[user] >= 0)[0]
    row, column = np.nonzero(a)
    extra = columns + np.arange(len(trade[0]))
    data = np.r_[a[row, column], np.ones(len(with_row)), -trade[1]]
    places = (np.r_[row, own[user[with_row]], trade[0]], np.r_[column, with_row, extra])
    matrix = sparse.csc_array((data, places), shape=(m + len(many), columns + len(extra)))
    senses = np.array(coupling.senses, dtype=object)
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = matrix.shape[1], matrix.shape[0]
    model.col_cost_ = np.r_[value, trade[2]]
    model.col_lower_ = np.zeros(matrix.shape[1])
    model.col_upper_ = np.r_[size[user], np.full(len(extra), np.inf)]
    model.row_lower_ = np.r_[
        np.where(senses == "<=", -np.inf, coupling.bounds).astype(float), np.zeros(len(many))
    ]
    model.row_upper_ = np.r_[
        np.where(senses == ">=", np.inf, coupling.bounds).astype(float), limit * size[many]
    ]
    model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    model.a_matrix_.start_ = matrix.indptr
    model.a_matrix_.index_ = matrix.indices
    model.a_matrix_.value_ = matrix.data
    model.sense_ = highspy.ObjSense.kMaximize
    return model


def _run(model, m, seconds):
    """Primal and dual optimum; accepts nothing but the status "optimal"."""
    highs = highspy.Highs()
    options = {
        "output_flag": False,
        "threads": 1,
        "primal_feasibility_tolerance": TOLERANCE,
        "dual_feasibility_tolerance": TOLERANCE,
        "solver": "simplex" if model.num_col_ < 20_000 else "ipm",
    }
    if np.isfinite(seconds):
        options["time_limit"] = max(seconds, 0.0)
    for name, setting in options.items():
        if highs.setOptionValue(name, setting) != highspy.HighsStatus.kOk:
            raise RuntimeError(f"HiGHS refused the option {name} = {setting!r}")
    highs.passModel(model)
    highs.run()
    status = highs.getModelStatus()
    if status == highspy.HighsModelStatus.kTimeLimit:
        raise TimeLimit
    if status == highspy.HighsModelStatus.kInfeasible:
        raise NoAllocation
    if status not in (highspy.HighsModelStatus.kOptimal, highspy.HighsModelStatus.kModelEmpty):
        raise RuntimeError(f"HiGHS stopped with status {highs.modelStatusToString(status)}")
    solution = highs.getSolution()
    # HiGHS reports the duals of the maximisation with the sign of the marginal value.
    return np.array(solution.col_value), np.array(solution.row_dual)[:m]
