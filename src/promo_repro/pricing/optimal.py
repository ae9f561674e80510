"""The best price and the best discount of one product without a stock limit.

Money is measured in units of the regular price: `margin` m is the part of the regular price that
the shop keeps, `depth` d the part that is taken off, `funding` s the part of the cut that a
manufacturer pays. `elasticity` ε is negative. Arguments broadcast.
"""

import numpy as np

from promo_repro.claims import formula
from promo_repro.response.checks import as_fractions, as_prices, as_reals


def _as_elasticity(values):
    e = as_reals("elasticity", values)
    if (e > 0).any():
        raise ValueError("elasticity has positive entries; demand that rises with price has no use")
    return e


@formula("eq-05-lerner-price")
def lerner_price(cost, elasticity):
    """Best price at constant elasticity, p* = c ε / (1 + ε), for ε < −1.

    `cost` c dollars per unit. Raises `ValueError` for ε ≥ −1: revenue rises with every increase of
    the price, so that no finite price is best. Source: Lerner (1934).
    """
    c, e = as_prices("cost", cost), _as_elasticity(elasticity)
    if (e >= -1).any():
        raise ValueError("elasticity must lie below −1: at −1 or above no finite price is best")
    return c * e / (1 + e)


@formula("eq-05-lerner-index")
def lerner_index(price, cost):
    """Margin as a part of the price, (p − c) / p; −1/ε at the best price."""
    p = as_prices("price", price)
    return (p - as_prices("cost", cost)) / p


@formula("eq-05-relative-profit")
def relative_profit(depth, elasticity, margin, funding=0.0):
    """Profit of a cut, (m − (1 − s) d) (1 − d)^ε, per unit sold at the regular price.

    Raises `ValueError` for a depth, margin or funding outside [0, 1], and for a depth of 1.
    """
    d, m, s = (
        as_fractions(name, values)
        for name, values in (("depth", depth), ("margin", margin), ("funding", funding))
    )
    if (d == 1).any():
        raise ValueError("depth is 1: a free product has no finite demand at constant elasticity")
    return (m - (1 - s) * d) * (1 - d) ** _as_elasticity(elasticity)


@formula("eq-05-break-even")
def break_even_elasticity(margin, funding=0.0):
    """Elasticity at which a small cut neither gains nor loses, −(1 − s) / m.

    A small cut pays exactly where demand is more elastic than this. `margin` is positive.
    """
    m = as_fractions("margin", margin)
    if (m == 0).any():
        raise ValueError("margin is 0: without a margin no cut can pay for itself")
    return -(1 - as_fractions("funding", funding)) / m


@formula("eq-05-best-discount")
def best_discount(elasticity, margin, funding=0.0, deepest=0.5):
    """Depth of largest profit in [0, `deepest`]: 0, `deepest`, or d* = (a + ε m) / (a (1 + ε)).

    a = 1 − s. d* is the only zero of the derivative of the profit; the best of the three is taken.
    """
    e, m, s, top = np.broadcast_arrays(
        _as_elasticity(elasticity),
        as_fractions("margin", margin),
        as_fractions("funding", funding),
        as_fractions("deepest", deepest),
    )
    slope = (1 - s) * (1 + e)
    inner = np.divide((1 - s) + e * m, slope, out=np.zeros(e.shape), where=slope != 0)
    candidates = np.stack([np.zeros(e.shape), np.clip(inner, 0, top), top])
    best = relative_profit(candidates, e, m, s).argmax(axis=0)
    return np.take_along_axis(candidates, best[None], axis=0)[0]


@formula("eq-05-offer-profit")
def offer_profit(depth, own, others, slope, margin, funding=0.0, other_value=1.0):
    """Expected profit on a trip when one product is offered at a cut, per dollar of its price.

    The customer's odds at regular prices are `own` o of the product and `others` r of the rest of
    the category, which sells at `other_value` times the product's price. With the cut the odds of
    the product are o (1 − d)^β, so that it takes sales from the rest too:

        [o (1 − d)^β (m − (1 − s) d) + r m v] / (1 + o (1 − d)^β + r).
    """
    d, m, s = (
        as_fractions(name, values)
        for name, values in (("depth", depth), ("margin", margin), ("funding", funding))
    )
    if (d == 1).any():
        raise ValueError("depth is 1: a price of zero has no logarithm")
    o = as_prices("own", own) * (1 - d) ** as_reals("slope", slope)
    r = as_reals("others", others)
    if (r < 0).any():
        raise ValueError("others has negative odds")
    return (o * (m - (1 - s) * d) + r * m * as_prices("other_value", other_value)) / (1 + o + r)


@formula("eq-05-noticed-profit")
def noticed_profit(attention, noticed, unnoticed, contact=0.0):
    """Expected profit of an offer that only a part κ of customers sees, κ π(d) + (1 − κ) π(0) − k.

    `attention` κ in [0, 1], `contact` k in the unit of the profits. Without a contact cost κ scales
    the gain of a cut and leaves its sign alone.
    """
    k = as_fractions("attention", attention)
    cost = as_reals("contact", contact)
    if (cost < 0).any():
        raise ValueError("contact has a negative cost")
    return k * as_reals("noticed", noticed) + (1 - k) * as_reals("unnoticed", unnoticed) - cost
