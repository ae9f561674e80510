"""A whole market: all categories, all products, shelf prices and trips, drawn from the response.

Nothing personal is offered here. It is what the fitted model says the shop's sales look like, and
so what is held against the data before anything is trained.
"""

from dataclasses import dataclass

import numpy as np

from promo_repro.response.logit import Choices, choice_probabilities, utilities
from promo_repro.response.parameters import Deals, ResponseParameters
from promo_repro.response.population import draw_population


@dataclass(frozen=True)
class Market:
    """N customers over T weeks, C categories, K trips in all.

    `trips` (N, T) counts trips. `bought` (K, C) says which categories a trip holds, `trip_week`
    (K,) when it took place; `choices[c]` are the trips of those who know category c, with their
    features, as they would be fitted; `choice_week[c]` when.
    """

    trips: np.ndarray
    bought: np.ndarray
    trip_week: np.ndarray
    choices: tuple[Choices, ...]
    choice_week: tuple[np.ndarray, ...]

    def weekly_purchases(self) -> np.ndarray:
        """Trips with a purchase in each category and week, (C, T)."""
        weeks = self.trips.shape[1]
        return np.array([np.bincount(self.trip_week[b], minlength=weeks) for b in self.bought.T])


def shelf_prices(deals: Deals, index: int, products: int, weeks: int, generator):
    """Depth, display and mailer of each product and week, three (J, T), for one category.

    Deals start and go on as in the data: a Markov chain with the share and persistence of deals. A
    deal keeps its depth while it lasts.
    """
    share, stays = deals.share[index], deals.persistence[index]
    starts = share * (1 - stays) / (1 - share)  # the rate at which the share is stationary
    depth = np.zeros((products, weeks))
    on = generator.random(products) < share
    drawn = _depth(deals, index, products, generator)
    for week in range(weeks):
        depth[:, week] = np.where(on, drawn, 0)
        goes_on = generator.random(products) < np.where(on, stays, starts)
        drawn = np.where(on & goes_on, drawn, _depth(deals, index, products, generator))
        on = goes_on
    deal = (depth > 0).astype(int)
    shown = (
        (generator.random(depth.shape) < rate[index][deal]).astype(float)
        for rate in (deals.display, deals.mailer)
    )
    return depth, *shown


def _depth(deals: Deals, index: int, count: int, generator):
    return np.interp(generator.random(count), deals.levels, deals.depth[index])


def simulate_market(
    parameters: ResponseParameters, size: int, weeks: int, generator: np.random.Generator
) -> Market:
    """Draw `size` customers, their trips, the shelf prices, and what is bought on every trip."""
    people = draw_population(parameters, size, generator)
    trips = generator.poisson(people.trip_rate[:, None], (size, weeks))
    cell = np.repeat(np.arange(trips.size), trips.ravel())
    customer, week = np.divmod(cell, weeks)
    bought = np.zeros((len(cell), len(parameters.categories)), bool)
    choices, choice_week = [], []
    for c, category in enumerate(parameters.categories):
        shelf = shelf_prices(parameters.deals, c, len(category.products), weeks, generator)
        rows = np.flatnonzero(people.active[customer, c])
        who = customer[rows]
        depth, display, mailer = (part.T[week[rows]] for part in shelf)
        segment, share, rate = people.segment[who], people.share[c][who], people.rate[who, c]
        utility = utilities(category, segment, share, rate, 1 - depth, display, mailer)
        below = choice_probabilities(utility).cumsum(axis=1)
        uniform = generator.random(len(rows))
        # Products first, the outside option last: position J means that nothing is bought.
        position = (uniform[:, None] >= below).sum(axis=1)
        choice = np.where(position < len(category.products), position + 1, 0)
        bought[rows, c] = choice > 0
        by_segment = np.log(1 - depth)[..., None] * (segment[:, None] == np.arange(3))[:, None]
        features = [np.log(share), np.broadcast_to(np.log(rate)[:, None], share.shape)]
        features = np.concatenate(
            [
                np.stack(features, axis=2),
                by_segment,
                np.stack([display, mailer], axis=2),
            ],
            axis=2,
        )
        choices.append(Choices(features, choice, who))
        choice_week.append(week[rows])
    return Market(trips, bought, week, tuple(choices), tuple(choice_week))
