"""Discount depth when stock is short: expected demand, sell-through, and the best depth.

One category of J products and N customers of the fitted shop; all results are simulated. What is
left at the end is worth nothing, and what the stock cost is sunk.
"""

import numpy as np

from promo_repro.allocation.offers import effective_price
from promo_repro.claims import formula
from promo_repro.response import ResponseParameters
from promo_repro.response.logit import choice_probabilities, utilities
from promo_repro.response.population import Population

DEPTHS = np.linspace(0.0, 0.5, 26)


def demand(parameters: ResponseParameters, people: Population, name: str, depth: float):
    """Expected units and revenue a week at one depth for a whole category: (units, dollars)."""
    category = parameters.category(name)
    c = parameters.categories.index(category)
    prices = category.median_price
    ratio = effective_price(prices, depth * prices) / prices
    v = utilities(category, people.segment, people.share[c], people.rate[:, c], ratio)
    bought = choice_probabilities(v) * (people.trip_rate * people.active[:, c])[:, None]
    return float(bought.sum()), float((bought @ (prices * ratio)).sum())


@formula("eq-11-unmet")
def unmet_share(units: float, stock: float) -> float:
    """Part of the expected demand that finds no stock, max(0, 1 − S/D)."""
    if units <= 0 or stock < 0:
        raise ValueError("units must be positive and stock not negative")
    return max(0.0, 1 - stock / units)


@formula("eq-11-stocked-revenue")
def stocked_revenue(units: float, revenue: float, stock: float) -> float:
    """Revenue when no more than the stock can be sold, R · min(1, S/D)."""
    return revenue * (1 - unmet_share(units, stock))


def curve(parameters, people, name: str, depths=DEPTHS):
    """`demand` at several depths: units (D,) and revenue (D,)."""
    return np.array([demand(parameters, people, name, d) for d in depths]).T


def best_depth(parameters, people, name: str, cover: float) -> float:
    """The depth of largest revenue when the stock covers `cover` weeks of undiscounted demand."""
    units, revenue = curve(parameters, people, name)
    earned = [stocked_revenue(u, r, cover * units[0]) for u, r in zip(units, revenue, strict=True)]
    return float(DEPTHS[int(np.argmax(earned))])


def change_of_unmet(parameters, people, name: str, cover: float, depth: float) -> float:
    """By how much a discount changes the part of demand that finds no stock."""
    before, _ = demand(parameters, people, name, 0.0)
    after, _ = demand(parameters, people, name, depth)
    return unmet_share(after, cover * before) - unmet_share(before, cover * before)


def turnover_ratio(parameters, people, name: str, depth: float) -> float:
    """Units sold a week at a depth over those at none: turnover of a stock that lasts."""
    return demand(parameters, people, name, depth)[0] / demand(parameters, people, name, 0.0)[0]
