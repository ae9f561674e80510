"""A discount for each customer: what may be learned from features, and what it is worth.

On a trip the household's favourite product of a category may be offered at a cut of the menu. N
trips, A depths. Money is dollars; a margin is a part of the regular price.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn import functional

from promo_repro.claims import formula
from promo_repro.datasets.complete_journey import CompleteJourney
from promo_repro.pricing.optimal import offer_profit
from promo_repro.response.checks import as_fractions, as_prices, as_reals
from promo_repro.response.inference import cluster_sums
from promo_repro.response.panels import FIRST, INITIAL, CategoryTrips

MENU = np.array([0.0, 0.1, 0.2, 0.3, 0.4])
EDGES = np.array([0.05, 0.15, 0.25, 0.35, 0.45])  # the depths of the data that count as each
NOTHING, FAVOURITE, OTHER = range(3)  # what was bought in the category on the trip


@dataclass(frozen=True)
class Offers:
    """N trips with what is known before them, what the shelf showed, and what was bought.

    `category`, `product`, `household`, `week`, `segment` (N,) labels; `price` (N,) regular price of
    the favourite and `other_price` (N,) mean regular price of the household's other products;
    `features` (N, F) known before; `shelf` (N, 3) log(1 − depth), display and mailer of the
    favourite; `outcome` (N,) `NOTHING`, `FAVOURITE` or `OTHER`. `own` and `others` (N,) are odds at
    regular prices and `slope` (N,) the price slope under a fitted logit.
    """

    category: np.ndarray
    product: np.ndarray
    household: np.ndarray
    week: np.ndarray
    segment: np.ndarray
    price: np.ndarray
    other_price: np.ndarray
    features: np.ndarray
    shelf: np.ndarray
    outcome: np.ndarray
    own: np.ndarray
    others: np.ndarray
    slope: np.ndarray

    def take(self, rows) -> "Offers":
        """These trips only."""
        return Offers(*(getattr(self, field.name)[rows] for field in fields(self)))

    @property
    def arm(self) -> np.ndarray:
        """Index of the depth that the shelf showed; len(MENU) for a deeper one, (N,)."""
        return np.digitize(1 - np.exp(self.shelf[:, 0]), EDGES)


def joined(parts) -> Offers:
    """Several categories' trips as one."""
    return Offers(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Offers)))


def household_history(journey: CompleteJourney) -> pd.DataFrame:
    """Behaviour in weeks 2 to 20 by household: trips, basket, deal share, deal depth, width."""
    table = journey.query(
        f"""SELECT household_id, ln(count(DISTINCT basket_id)) AS trips,
                   ln(sum(sales_value) / count(DISTINCT basket_id)) AS basket,
                   avg((retail_disc > 0)::INT) AS deals,
                   sum(retail_disc) / sum(sales_value + retail_disc) AS depth,
                   avg((coupon_disc > 0)::INT) AS coupons,
                   ln(count(DISTINCT product_id)) AS width
            FROM transactions WHERE week BETWEEN {FIRST} AND {INITIAL} AND sales_value > 0
            GROUP BY ALL ORDER BY household_id"""
    )
    return table.set_index("household_id")


def favourite_odds(vector, trips: CategoryTrips, favourite) -> tuple[np.ndarray, ...]:
    """Odds at regular prices, without display and mailer: of the favourite, of the rest; slope.

    `vector` (J + 7,) is a fitted [intercepts, loyalty, rate, price by segment, display, mailer].
    """
    v = as_reals("vector", vector, ndim=1)
    j = trips.share.shape[1]
    weights = np.exp(v[:j] + v[j] * np.log(trips.share) + v[j + 1] * np.log(trips.rate)[:, None])
    own = weights[np.arange(len(favourite)), favourite]
    return own, weights.sum(axis=1) - own, v[j + 2 + trips.segment]


def category_offers(
    number: int, trips: CategoryTrips, median_price, vector, history: pd.DataFrame, of: int
) -> Offers:
    """The offers of category `number` of `of`, with the odds of its fitted logit `vector`."""
    n = len(trips.share)
    rows = np.arange(n)
    favourite = trips.share.argmax(axis=1)
    price = as_prices("median_price", median_price)
    rest = trips.share.copy()
    rest[rows, favourite] = 0
    other_price = rest @ price / rest.sum(axis=1)
    choice = trips.data.choice
    outcome = np.where(choice == 0, NOTHING, np.where(choice - 1 == favourite, FAVOURITE, OTHER))
    shown = trips.data.features[rows, favourite, -2:]
    depth = trips.depth[rows, favourite]
    known = [
        history.loc[trips.data.cluster].to_numpy(float),
        np.log(trips.rate)[:, None],
        np.log(trips.share[rows, favourite])[:, None],
        np.log(price[favourite])[:, None],
        np.log(price[favourite] / other_price)[:, None],
        trips.segment[:, None] == np.arange(3),
        np.tile(np.arange(of) == number, (n, 1)),
    ]
    own, others, slope = favourite_odds(vector, trips, favourite)
    return Offers(
        category=np.full(n, number),
        product=100 * number + favourite,
        household=trips.data.cluster,
        week=trips.week,
        segment=trips.segment,
        price=price[favourite],
        other_price=other_price,
        features=np.concatenate(known, axis=1).astype(float),
        shelf=np.column_stack([np.log(1 - depth.clip(max=0.9)), shown]),
        outcome=outcome,
        own=own,
        others=others,
        slope=slope,
    )


@formula("eq-05-outcome-profit")
def outcome_profit(probability, price, other_price, depth, margin, funding=0.0):
    """Expected profit of a trip, q₁ p (m − (1 − s) d) + q₂ p' m.

    `probability` (..., 3) of buying nothing, the favourite, another product; the rest broadcasts.
    """
    q = as_fractions("probability", probability)
    d, m, s = (
        as_fractions(name, values)
        for name, values in (("depth", depth), ("margin", margin), ("funding", funding))
    )
    own = as_prices("price", price) * (m - (1 - s) * d)
    return q[..., FAVOURITE] * own + q[..., OTHER] * as_prices("other_price", other_price) * m


def logit_profits(offers: Offers, margin, funding=0.0) -> np.ndarray:
    """Expected profit of each trip at each depth of the menu by the fitted logit, (N, A)."""
    o = offers
    per_dollar = offer_profit(
        MENU, o.own[:, None], o.others[:, None], o.slope[:, None], margin, funding,
        (o.other_price / o.price)[:, None],
    )  # fmt: skip
    return o.price[:, None] * per_dollar


# Rules that choose a depth ------------------------------------------------------------------------


def segment_rule(offers: Offers, profits) -> Mapping[tuple[int, int], int]:
    """The static price: the depth of largest total profit for each (category, segment)."""
    keys = offers.category * 3 + offers.segment
    return {
        (int(key) // 3, int(key) % 3): int(profits[keys == key].sum(axis=0).argmax())
        for key in np.unique(keys)
    }


def by_segment(offers: Offers, rule: Mapping[tuple[int, int], int]) -> np.ndarray:
    """Depth index of each trip under a static price, (N,)."""
    return np.array([rule[key] for key in zip(offers.category, offers.segment, strict=True)])


def rule_engine(offers: Offers) -> np.ndarray:
    """Hand-written rules as a shop might have them: depth index (N,).

    20 % for households that buy mostly on deal, 10 % for the middle third, nothing for the others;
    one step more for those who seldom buy the category (the lower half of each category).
    """
    depth = np.array([0, 1, 2])[offers.segment]
    rate = offers.features[:, 6]
    seldom = np.zeros(len(rate), bool)
    for number in np.unique(offers.category):
        of = offers.category == number
        seldom[of] = rate[of] < np.median(rate[of])
    return depth + seldom


# Learning from features ---------------------------------------------------------------------------


class Network(nn.Module):
    """Two layers: features to 64 rectified units to the log odds of C classes."""

    def __init__(self, inputs: int, classes: int, generator: torch.Generator, width: int = 64):
        super().__init__()
        self.hidden, self.out = nn.Linear(inputs, width), nn.Linear(width, classes)
        with torch.no_grad():
            for layer in (self.hidden, self.out):
                bound = layer.in_features**-0.5
                layer.weight.uniform_(-bound, bound, generator=generator)
                layer.bias.zero_()

    def forward(self, x):
        return self.out(self.hidden(x).relu())


def train(x, y, classes: int, generator: torch.Generator, epochs: int = 10, batch: int = 256):
    """Fit a `Network` by Adam on the cross-entropy of labels `y` (N,) given `x` (N, F).

    Raises `ValueError` for NaN in `x` or labels outside 0 … classes − 1.
    """
    if not torch.isfinite(x).all():
        raise ValueError("x contains NaN or infinity; drop or impute such rows first")
    if len(x) != len(y) or len(y) == 0 or y.min() < 0 or y.max() >= classes:
        raise ValueError(f"y needs one label from 0 to {classes - 1} for each row of x")
    network = Network(x.shape[1], classes, generator).to(x.device, x.dtype)
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3, weight_decay=1e-5)
    for _ in range(epochs):
        order = torch.randperm(len(x), generator=generator).to(x.device)
        for rows in order.split(batch):
            optimiser.zero_grad()
            functional.cross_entropy(network(x[rows]), y[rows]).backward()
            optimiser.step()
    return network


@dataclass(frozen=True)
class Learned:
    """A trained network with the scale of its inputs."""

    network: Network
    centre: np.ndarray
    spread: np.ndarray

    def probabilities(self, inputs) -> np.ndarray:
        """Class probabilities of rows of inputs: (N, F) → (N, C)."""
        some = next(self.network.parameters())
        scaled = (as_reals("inputs", inputs, ndim=2) - self.centre) / self.spread
        x = torch.as_tensor(scaled, dtype=some.dtype, device=some.device)
        with torch.no_grad():
            return self.network(x).softmax(dim=1).double().cpu().numpy()


def learn(inputs, labels, classes: int, seed: int, device="cpu", epochs: int = 10) -> Learned:
    """Train on rows of inputs (N, F), standardised, and labels (N,)."""
    z = as_reals("inputs", inputs, ndim=2)
    spread = z.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    centre = z.mean(axis=0)
    x = torch.as_tensor((z - centre) / spread, dtype=torch.float32, device=device)
    y = torch.as_tensor(np.asarray(labels), dtype=torch.int64, device=device)
    network = train(x, y, classes, torch.Generator().manual_seed(seed), epochs)
    return Learned(network, centre, spread)


def learn_response(offers: Offers, seed: int, device="cpu", epochs: int = 10) -> Learned:
    """A network for what is bought, given the features and what the shelf shows."""
    inputs = np.concatenate([offers.features, offers.shelf], axis=1)
    return learn(inputs, offers.outcome, 3, seed, device, epochs)


def network_profits(model: Learned, offers: Offers, margin, funding=0.0) -> np.ndarray:
    """Expected profit of each trip at each depth by a network, no display or mailer: (N, A)."""
    columns = []
    for depth in MENU:
        shelf = np.zeros((len(offers.price), 3))
        shelf[:, 0] = np.log(1 - depth)
        q = model.probabilities(np.concatenate([offers.features, shelf], axis=1))
        columns.append(outcome_profit(q, offers.price, offers.other_price, depth, margin, funding))
    return np.stack(columns, axis=1)


def learn_history(offers: Offers, seed: int, device="cpu", epochs: int = 10) -> Learned:
    """A network for the depth at which a household bought: discounts from past discounts."""
    bought = offers.take((offers.outcome == FAVOURITE) & (offers.arm < len(MENU)))
    return learn(bought.features, bought.arm, len(MENU), seed, device, epochs)


# What a rule is worth -----------------------------------------------------------------------------


@formula("eq-05-policy-gain")
def policy_gain(profits, choice, baseline=0):
    """Mean profit of the chosen depths less that of depth `baseline`: (N, A), (N,) → number."""
    p, a = as_reals("profits", profits, ndim=2), np.asarray(choice)
    if a.shape != p.shape[:1] or a.dtype.kind not in "iu" or (a < 0).any() or a.max() >= p.shape[1]:
        raise ValueError(f"choice needs one index of the {p.shape[1]} depths for each trip")
    return float(np.take_along_axis(p, a[:, None], axis=1).mean() - p[:, baseline].mean())


@formula("eq-05-replay")
def replay_gain(reward, arm, propensity, choice, clusters):
    """Gain of a rule over no discount from the trips on which the shelf showed its depth.

    `reward` (N,), `arm` (N,) shown, `propensity` (N, A) of each arm on the trip, `choice` (N,) of
    the rule, `clusters` (N,) labels that were shown the same. Each value is the weighted mean
    V = Σ w r / Σ w with w = 1{arm = choice} / propensity. Returns the gain and its 95 % limits,
    clustered. Only trips on which both choices could have been shown count.
    """
    r, e = as_reals("reward", reward, ndim=1), as_fractions("propensity", propensity)
    rows = np.arange(len(r))
    possible = (e[rows, choice] > 0) & (e[:, 0] > 0)
    influence = np.zeros(len(r))
    values = []
    for sign, wanted in ((1, np.asarray(choice)), (-1, np.zeros(len(r), int))):
        match = possible & (np.asarray(arm) == wanted)
        if not match.any():
            raise ValueError("no trip was shown what the rule would have offered")
        w = np.where(match, 1 / np.where(match, e[rows, wanted], 1), 0)
        value = w @ r / w.sum()
        values.append(value)
        influence += sign * w * (r - value) / w.sum()
    sums = cluster_sums(influence[:, None], clusters)[:, 0]
    half = 1.96 * np.sqrt((sums**2).sum() * len(sums) / (len(sums) - 1))
    gain = values[0] - values[1]
    return float(gain), float(gain - half), float(gain + half)


@formula("eq-05-shelf-propensity")
def shelf_propensity(product, week, arm, arms):
    """Share of the weeks in which the shelf showed each depth of a product, by trip: (N, A)."""
    table = pd.DataFrame({"product": product, "week": week, "arm": arm}).drop_duplicates()
    shares = pd.crosstab(table["product"], table["arm"], normalize="index")
    return shares.reindex(columns=range(arms), fill_value=0.0).loc[product].to_numpy()


def realised_profit(offers: Offers, margin, funding=0.0) -> np.ndarray:
    """Profit of each trip as it happened, others at their regular prices: (N,)."""
    depth = 1 - np.exp(offers.shelf[:, 0])
    happened = np.eye(3)[offers.outcome]
    return outcome_profit(happened, offers.price, offers.other_price, depth, margin, funding)
