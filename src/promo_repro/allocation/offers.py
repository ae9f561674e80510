"""Offers to customers whose response is estimated: what each is expected to sell, cost and please.

N customers, K offers; an offer is for one category of J products. The response is the fitted
choice model, so all results are simulated. Money is in dollars a week.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from promo_repro.allocation.problem import Problem
from promo_repro.claims import formula
from promo_repro.response import ResponseParameters, load
from promo_repro.response.logit import choice_probabilities, utilities
from promo_repro.response.population import Population, draw_population

LOWEST = 0.1  # part of a price below which no offer brings it


@dataclass(frozen=True)
class Discount:
    """A part `depth` of the price less."""

    category: str
    depth: float

    def terms(self, prices):
        """What a purchase of each product is cheaper by in the buyer's eyes, and costs the shop."""
        less = self.depth * prices
        return less, less


@dataclass(frozen=True)
class ThresholdReduction:
    """`amount` off a purchase of at least `spend`."""

    category: str
    spend: float
    amount: float

    def terms(self, prices):
        less = np.where(prices >= self.spend, self.amount, 0.0)
        return less, less


@dataclass(frozen=True)
class Gift:
    """A gift with each purchase: costs the shop `cost`, is worth `worth` to the buyer."""

    category: str
    cost: float
    worth: float

    def terms(self, prices):
        return np.full_like(prices, self.worth), np.full_like(prices, self.cost)


Offer = Discount | ThresholdReduction | Gift


@dataclass(frozen=True)
class Expected:
    """What K offers are expected to change with N customers in a week, (N, K) each.

    `sales` after the offer's outlay and `profit`, in dollars; `purchases`; `pleasure`, the rise of
    the expected maximum utility; `lift`, the sales that are added at full price. `cost` is the
    outlay in dollars, with variance `variance`.
    """

    sales: np.ndarray
    profit: np.ndarray
    purchases: np.ndarray
    pleasure: np.ndarray
    lift: np.ndarray
    cost: np.ndarray
    variance: np.ndarray


@formula("eq-11-effective-price")
def effective_price(prices, less):
    """The price that the buyer sees, p − less, and at least a tenth of p; (J,) each."""
    p, off = np.asarray(prices, dtype=float), np.asarray(less, dtype=float)
    if not (p > 0).all() or not np.isfinite(off).all():
        raise ValueError("prices must be positive and reductions finite")
    return np.maximum(p - off, LOWEST * p)


@formula("eq-11-expected-return")
def expected_return(trips, before, after, margin, outlay):
    """Weekly change of money, trips · Σ_j (P'_j (m_j − o_j) − P_j m_j), (N,).

    `before` and `after` (N, J) are purchase probabilities on a trip, `margin` m (J,) what a
    purchase brings at the regular price, `outlay` o (J,) what the offer costs on a purchase.
    """
    m, o = np.asarray(margin, dtype=float), np.asarray(outlay, dtype=float)
    return trips * (after @ (m - o) - before @ m)


@formula("eq-11-expected-outlay")
def expected_outlay(trips, after, outlay):
    """Mean and variance of the weekly outlay, trips · Σ_j P'_j o_j and trips · Σ_j P'_j o_j².

    Trips are Poisson and each is a purchase of product j with probability P'_j: a compound
    Poisson sum. Shapes as in `expected_return`.
    """
    o = np.asarray(outlay, dtype=float)
    return trips * (after @ o), trips * (after @ o**2)


@formula("eq-11-logsum")
def pleasure(trips, before, after):
    """Weekly rise of the expected maximum utility, trips · log((1 − ΣP) / (1 − ΣP')), (N,).

    In a logit with an outside option of utility zero, log Σ exp V = −log P_outside.
    """
    return trips * (np.log1p(-before.sum(axis=-1)) - np.log1p(-after.sum(axis=-1)))


def expected(
    parameters: ResponseParameters, people: Population, offers: Sequence[Offer], margin=0.5
) -> Expected:
    """What each offer is expected to change with each customer; `margin` is a part of the price.

    Raises `ValueError` for a category that the parameters lack, and a margin outside [0, 1].
    """
    if not 0 <= margin <= 1:
        raise ValueError(f"margin is {margin}; give the part of the price that is earned, 0 to 1")
    columns = [_column(parameters, people, offer, margin) for offer in offers]
    return Expected(
        **{
            field.name: np.column_stack([column[i] for column in columns])
            for i, field in enumerate(fields(Expected))
        }
    )


def _column(parameters, people, offer, margin):
    """The entries of `Expected` for one offer, (N,) each."""
    category = parameters.category(offer.category)
    c = parameters.categories.index(category)
    prices = category.median_price
    less, outlay = offer.terms(prices)
    ratio = effective_price(prices, less) / prices
    known = people.segment, people.share[c], people.rate[:, c]
    before = choice_probabilities(utilities(category, *known, np.ones_like(prices)))
    after = choice_probabilities(utilities(category, *known, ratio))
    trips = people.trip_rate * people.active[:, c]
    cost, variance = expected_outlay(trips, after, outlay)
    return (
        expected_return(trips, before, after, prices, outlay),
        expected_return(trips, before, after, margin * prices, outlay),
        trips * (after - before).sum(axis=1),
        pleasure(trips, before, after),
        trips * ((after - before) @ prices),
        cost,
        variance,
    )


def menu(parameters: ResponseParameters) -> list[Offer]:
    """Ten offers: discounts, threshold reductions and gifts in the largest categories.

    A threshold is the upper-third price of its category and takes a quarter off it; a gift costs
    the shop 0.30 and is worth 0.50 to the buyer, a scenario.
    """
    names = [category.name for category in parameters.categories]
    chosen = [name for name in ("soft drinks", "bag snacks", "frozen pizza") if name in names]
    offers: list[Offer] = []
    for name in chosen or names[:3]:
        spend = float(np.quantile(parameters.category(name).median_price, 2 / 3))
        offers += [
            Discount(name, 0.15),
            ThresholdReduction(name, spend, round(spend / 4, 2)),
            Gift(name, cost=0.30, worth=0.50),
        ]
    return [*offers, Discount(offers[0].category, 0.35)]


def campaign(
    value, cost, share_of_spend: float = 0.3, stock_per_user: float | None = 0.05, **more
) -> Problem:
    """The allocation problem of a campaign: budget and stocks relative to what is wanted.

    The budget is a part of the spend of an allocation without bounds; each promotion is there for
    a part of the users, `stock_per_user`, or for all (None).
    """
    v, c = np.asarray(value, dtype=float), np.asarray(cost, dtype=float)
    best = v.argmax(axis=1)[:, None]
    wanted = np.take_along_axis(v, best, 1) > 0
    budget = share_of_spend * float((np.take_along_axis(c, best, 1) * wanted).sum())
    stock = None
    if stock_per_user is not None:
        stock = np.full(v.shape[1], np.floor(stock_per_user * len(v)))
    return Problem(v, c, budget=budget, stock=stock, **more)


def shop_campaign(users: int, seed: int = 0, objective: str = "sales", margin=0.5) -> Problem:
    """The campaign of the ten offers with customers drawn from the fitted shop.

    `objective` names a field of `Expected`: what the values are.
    """
    parameters = load()
    people = draw_population(parameters, users, np.random.default_rng(seed))
    found = expected(parameters, people, menu(parameters), margin)
    return campaign(getattr(found, objective), found.cost)
