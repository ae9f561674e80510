"""From forecasts to orders: the newsvendor and the order-up-to rule, and what they cost.

Orders are judged on recorded sales. What could not be sold because a shelf was empty is not in
the data, so shortages here are a lower bound, and every number is a simulation of orders.
"""

from typing import NamedTuple

import numpy as np

from promo_repro.claims import formula


@formula("eq-04-critical-ratio")
def critical_ratio(shortage_cost: float, holding_cost: float) -> float:
    r"""Service level of the cheapest order, :math:`\tau = c_u / (c_u + c_o)`.

    c_u is the cost of a unit missed, c_o that of a unit left over. Raises `ValueError` unless both
    are positive.
    """
    if not (shortage_cost > 0 and holding_cost > 0):
        raise ValueError("the costs of a missed and of a left unit must be positive")
    return shortage_cost / (shortage_cost + holding_cost)


@formula("eq-04-newsvendor")
def newsvendor_order(demands, shortage_cost: float, holding_cost: float) -> float:
    """The smallest of the equally likely `demands` whose distribution function reaches τ."""
    ordered = np.sort(np.asarray(demands, float))
    tau = critical_ratio(shortage_cost, holding_cost)
    return float(ordered[int(np.ceil(tau * len(ordered) - 1e-12)) - 1])


@formula("eq-04-order-cost")
def order_cost(order, demand, shortage_cost: float, holding_cost: float):
    r"""Cost of an order, :math:`c_u (d - q)^+ + c_o (q - d)^+`; arrays of one shape."""
    short = np.maximum(np.subtract(demand, order), 0)
    left = np.maximum(np.subtract(order, demand), 0)
    return shortage_cost * short + holding_cost * left


class Stock(NamedTuple):
    """Result of a season of orders: units missed and units left at period ends, both (...)."""

    missed: np.ndarray
    left: np.ndarray


@formula("eq-04-order-once")
def order_each_period(order, demand) -> Stock:
    """Newsvendor: what is left at the end of a period is thrown away; `order`, `demand` (..., H).

    Missed and left units are sums over the periods.
    """
    order, demand = np.asarray(order, float), np.asarray(demand, float)
    return Stock(
        np.maximum(demand - order, 0).sum(axis=-1), np.maximum(order - demand, 0).sum(axis=-1)
    )


@formula("eq-04-order-up-to")
def order_up_to(target, demand) -> Stock:
    r"""Refill to `target` (..., H) before each period; what is left stays on the shelf.

    .. math:: q_h = (S_h - I_{h-1})^+, \qquad I_h = (I_{h-1} + q_h - d_h)^+

    from an empty shelf, without delivery time; demand that is not met is lost. Returns the sums
    of missed units and of the stock at period ends.
    """
    target, demand = np.asarray(target, float), np.asarray(demand, float)
    stock = np.zeros(demand.shape[:-1])
    missed, held = np.zeros_like(stock), np.zeros_like(stock)
    for h in range(demand.shape[-1]):
        shelf = np.maximum(stock, target[..., h])
        missed += np.maximum(demand[..., h] - shelf, 0)
        stock = np.maximum(shelf - demand[..., h], 0)
        held += stock
    return Stock(missed, held)
