"""The Vickrey-Clarke-Groves mechanism for N bidders who want at most one of K kinds of goods.

Values and bids are dollars. A bidder's value of a kind is what it is worth to that bidder alone.
"""

import numpy as np
from scipy.optimize import linear_sum_assignment

from promo_repro.claims import formula
from promo_repro.response.checks import as_reals


def _as_bids(bids, ndim=2):
    b = as_reals("bids", bids, ndim=ndim)
    if (b < 0).any():
        raise ValueError("bids contains a negative price; bid zero for what is not wanted")
    return b


def _as_stock(stock, kinds):
    units = np.asarray(stock)
    if units.shape != (kinds,) or units.dtype.kind not in "iu" or (units < 0).any():
        raise ValueError(f"stock needs one whole number, not negative, for each of {kinds} kinds")
    return units


@formula("eq-05-assignment")
def assignment(bids, stock):
    """Kind of each bidder in the assignment of largest total bid, −1 for none: (N,).

    `bids` (N, K), `stock` (K,) units of each kind. Nobody gets a kind for which the bid is zero.
    """
    b = _as_bids(bids)
    column = np.repeat(np.arange(b.shape[1]), _as_stock(stock, b.shape[1]))
    given = np.full(len(b), -1)
    if column.size:
        rows, columns = linear_sum_assignment(b[:, column], maximize=True)
        won = b[rows, column[columns]] > 0
        given[rows[won]] = column[columns[won]]
    return given


@formula("eq-05-welfare")
def welfare(values, given):
    """Sum of the values of what the bidders were given: `values` (N, K), `given` (N,)."""
    v, g = as_reals("values", values, ndim=2), np.asarray(given)
    rows = np.flatnonzero(g >= 0)
    return float(v[rows, g[rows]].sum())


@formula("eq-05-vcg-payment")
def vcg(bids, stock):
    """Assignment and payments: each winner pays what his presence costs the others.

    t_i = W(others alone) − (W(all) − b_i(given)), with W the largest total bid. Returns (given,
    payments), both (N,).
    """
    b = _as_bids(bids)
    given = assignment(b, stock)
    total = welfare(b, given)
    payments = np.zeros(len(b))
    for i in np.flatnonzero(given >= 0):
        others = np.delete(b, i, axis=0)
        without = welfare(others, assignment(others, stock)) if len(others) else 0.0
        payments[i] = without - (total - b[i, given[i]])
    return given, payments


@formula("eq-05-utility-of-bidder")
def bidder_utility(values, given, payments):
    """What each bidder keeps: value of what was given, less the payment, (N,)."""
    v, g = as_reals("values", values, ndim=2), np.asarray(given)
    worth = np.where(g >= 0, v[np.arange(len(v)), g], 0.0)
    return worth - as_reals("payments", payments, ndim=1)


def first_price(bids, stock):
    """The same assignment in which winners pay their bids: (given, payments)."""
    b = _as_bids(bids)
    given = assignment(b, stock)
    return given, np.where(given >= 0, b[np.arange(len(b)), np.maximum(given, 0)], 0.0)


@formula("eq-05-uniform-revenue")
def uniform_revenue(values, units, reserve=0.0):
    """Revenue of VCG for `units` equal goods: units sold times the price, for each market (B,).

    `values` (B, N), one truthful bid per customer. The price is the largest losing bid or the
    `reserve`, whichever is higher; bids below the reserve lose.
    """
    v = np.sort(_as_bids(values), axis=1)[:, ::-1]
    k = int(units)
    if k < 1 or not reserve >= 0:
        raise ValueError("units has to be at least 1 and reserve a price, not negative")
    losing = v[:, k] if k < v.shape[1] else np.zeros(len(v))
    price = np.maximum(losing, reserve)
    return price * (v[:, :k] >= reserve).sum(axis=1)


@formula("eq-05-posted-revenue")
def posted_revenue(values, units, price):
    """Revenue of one posted price: price times the customers who pay it, at most `units`: (B,)."""
    v = _as_bids(values)
    if int(units) < 1 or not price >= 0:
        raise ValueError("units has to be at least 1 and price not negative")
    return price * np.minimum((v >= price).sum(axis=1), int(units))
