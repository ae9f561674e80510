"""The calibrated world: customers drawn from the fitted response, money and attention by scenario.

What the data identify comes from `promo_repro.response`: who buys how often, how prices move them,
what display and mailer add, how sales dip after a deal. What they do not identify is a `Scenario`.
"""

from dataclasses import dataclass

import numpy as np

from promo_repro.claims import formula
from promo_repro.response.logit import utilities
from promo_repro.response.parameters import SEGMENTS, ResponseParameters
from promo_repro.response.population import Population, draw_population
from promo_repro.simulator.world import MENU, Promotion, World, purchase_probability


@dataclass(frozen=True)
class Scenario:
    """What the data cannot say.

    `margin` is a part of the regular price and `funding` the part of a cut that a manufacturer
    pays. `attention` (3,) is the probability of noticing a personal offer by segment: coupons of
    the data were redeemed by 8, 19 and 30 % of light, middle and heavy shoppers; 1 is a shelf price
    that nobody can miss. `fade`, `fatigue_levels`, `memory` and `reference_levels` switch on
    fatigue and the reference price, which are assumptions; `dip` switches off the fitted dip.
    """

    margin: float = 0.3
    funding: float = 0.0
    attention: tuple[float, float, float] = (0.08, 0.19, 0.30)
    promotions: tuple[Promotion, ...] = MENU
    fade: float = 1.0
    fatigue_levels: int = 0
    memory: float = 0.0
    reference_levels: int = 0
    dip: bool = True
    discount: float = 0.95
    weeks: int = 26


@formula("eq-06-dip")
def customer_dip(aggregate, share):
    """What a full pantry takes from a customer's utility, Δ = −log(1 − (1 − e^−δ) / q).

    All sales fall by the log-lift `aggregate` δ ≥ 0 in the week after a deal; if that is the work
    of the part `share` q of the demand that stocked up, their own odds fall by e^−Δ. At most nine
    tenths of their demand are taken, else no Δ would be large enough.
    """
    lost = (1 - np.exp(-np.asarray(aggregate, dtype=float))) / share
    return 0.0 - np.log(1 - np.minimum(lost, 0.9))


def customers(parameters: ResponseParameters, name: str, drawn: Population):
    """Segment, weekly visit probability, odds and choice shares of those who know the category.

    Odds and shares are those at regular prices without display or mailer.
    """
    category = parameters.category(name)
    index = parameters.categories.index(category)
    knows = drawn.active[:, index]
    segment, share = drawn.segment[knows], drawn.share[index][knows]
    weights = np.exp(
        utilities(category, segment, share, drawn.rate[knows, index], np.ones_like(share))
    )
    odds = weights.sum(axis=1)
    visit = 1 - np.exp(-drawn.trip_rate[knows])
    return segment, visit, odds, weights / odds[:, None]


def calibrated(
    parameters: ResponseParameters,
    category: str,
    scenario: Scenario | None = None,
    *,
    types: int = 8,
    size: int = 20_000,
    seed: int = 0,
    population: Population | None = None,
) -> World:
    """The world of one category: in each segment `types` equal groups by odds of buying.

    A type has the mean visit and purchase probability of its group, and its mean choice shares
    weighted by purchases. `size` customers are drawn with `seed`, unless a `population` is given
    (drawing one takes most of the time). Raises `ValueError` for an unknown category, or if a group
    would be empty.
    """
    scenario = scenario or Scenario()
    fitted = parameters.category(category)
    if population is None:
        population = draw_population(parameters, size, np.random.default_rng(seed))
    segment, visit, odds, choice = customers(parameters, category, population)
    if np.bincount(segment, minlength=3).min() < types:
        raise ValueError(f"{category}: too few customers for {types} types; raise size")
    groups = [
        group
        for s in range(3)
        for group in np.array_split(
            np.flatnonzero(segment == s)[np.argsort(odds[segment == s], kind="stable")], types
        )
    ]
    buys = np.array([(odds[g] / (1 + odds[g])).mean() for g in groups])
    weighted = choice * (odds / (1 + odds))[:, None]
    taken = np.array([weighted[g].sum(axis=0) for g in groups])
    of_segment = np.repeat(np.arange(3), types)
    weight = np.array([len(g) for g in groups]) / len(segment)
    visits = np.array([visit[g].mean() for g in groups])
    slope = fitted.price[of_segment]

    deepest = max(p.depth for p in scenario.promotions) or 1.0
    dips = (0.0,)
    if scenario.dip:
        depth = np.interp(0.5, parameters.deals.levels, _depths(parameters, category))
        promoted = buys / (1 - buys) * (1 - depth) ** slope
        dips += _dips(parameters, depth, weight @ purchase_probability(visits, promoted))
    return World(
        name=f"{category}, calibrated",
        types=tuple(f"{SEGMENTS[s]} {k}" for s in range(3) for k in range(1, types + 1)),
        weight=weight,
        odds=buys / (1 - buys),
        visit=visits,
        slope=slope,
        attention=np.asarray(scenario.attention)[of_segment],
        choice=taken / taken.sum(axis=1, keepdims=True),
        prices=fitted.median_price,
        promotions=scenario.promotions,
        display=fitted.display,
        mailer=fitted.mailer,
        margin=scenario.margin,
        funding=scenario.funding,
        fade=scenario.fade,
        fatigue_levels=scenario.fatigue_levels,
        dips=dips,
        memory=scenario.memory,
        reference_levels=scenario.reference_levels,
        deepest=deepest,
        discount=scenario.discount,
        weeks=scenario.weeks,
    )


def _depths(parameters: ResponseParameters, name: str) -> np.ndarray:
    return parameters.deals.depth[parameters.categories.index(parameters.category(name))]


def _dips(parameters: ResponseParameters, depth: float, share: float) -> tuple[float, ...]:
    """Loss of utility by pantry level 1 … K: the level K is last week's deal, lag 1."""
    lost = np.maximum(-parameters.dip.lags * depth, 0)
    lost = lost[: np.flatnonzero(lost).max(initial=-1) + 1]  # no level for lags without a loss
    return tuple(customer_dip(lost, share)[::-1].tolist())
