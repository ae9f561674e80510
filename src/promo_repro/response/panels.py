"""What was sold at what price under which promotion: product-weeks, and trips with choices.

Which products and households are in is decided on weeks before the held-out ones.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from promo_repro.datasets.cleaning import card_price, regular_price
from promo_repro.datasets.complete_journey import CompleteJourney
from promo_repro.response.logit import Choices

FIRST, INITIAL, TRAINED, LAST = 2, 20, 39, 52
WEEKS = np.arange(FIRST, LAST + 1)
PACKAGED = ("GROCERY", "DRUG GM", "MEAT-PCKGD")
ON_DEAL = 0.05  # a discount of more than 5 % is a deal


@dataclass(frozen=True)
class Prices:
    """Chain-wide weekly prices of n products, weeks 2 to 52: dollars, (n, 51)."""

    products: np.ndarray
    card: np.ndarray
    regular: np.ndarray

    @property
    def depth(self) -> np.ndarray:
        """Discount as a part of the regular price, in [0, 1)."""
        return np.clip(1 - self.card / self.regular, 0, None)

    def median_regular(self) -> np.ndarray:
        """Median regular price before the held-out weeks, (n,)."""
        return np.median(self.regular[:, WEEKS <= TRAINED], axis=1)


def weekly_prices(journey: CompleteJourney, products) -> Prices:
    """The modal card and regular price of each product-week.

    Prices are chain-wide: 90 % of the product-store-weeks have the modal one. A week without a
    sale takes the last regular price, or the first one before the first sale.
    """
    lines = _priced(journey, products)
    card, regular = (_modal(lines, column, products) for column in ("card", "regular"))
    filled = regular.ffill(axis=1).bfill(axis=1)
    return Prices(
        np.asarray(products),
        card.where(card.notna(), filled).to_numpy(float),
        filled.to_numpy(float),
    )


@dataclass(frozen=True)
class ProductWeeks:
    """Weekly units of n products with price and promotion, all (n, 51) but `category` (n,)."""

    category: np.ndarray
    units: np.ndarray
    prices: Prices
    display: np.ndarray
    mailer: np.ndarray

    def regressors(self, *names: str) -> np.ndarray:
        """Stack regressors by name into (n, 51, K): "log price", "depth", "display", "mailer"."""
        known = {
            "log price": np.log(self.prices.card),
            "depth": self.prices.depth,
            "display": self.display,
            "mailer": self.mailer,
        }
        unknown = set(names) - set(known)
        if unknown:
            raise ValueError(f"unknown regressor {unknown}; choose from {', '.join(known)}")
        return np.stack([known[name] for name in names], axis=2)


def product_weeks(
    journey: CompleteJourney, weeks_sold: int = 34, least_units: int = 300
) -> ProductWeeks:
    """Packaged goods sold in at least `weeks_sold` of weeks 2 to 39, `least_units` units in all.

    Goods sold by weight are left out: the price of a line there is mostly the size of the piece.
    """
    sold = journey.query(
        f"""SELECT product_id, product_category AS category, count(DISTINCT week) AS weeks,
                   sum(quantity) AS units
            FROM transactions JOIN products USING (product_id)
            WHERE week BETWEEN {FIRST} AND {TRAINED} AND department IN {PACKAGED}
              AND product_category IS NOT NULL
            GROUP BY ALL HAVING weeks >= {weeks_sold} AND units >= {least_units}
            ORDER BY product_id"""
    )
    products = sold["product_id"].to_numpy()
    units = _wide(
        journey.query(
            f"""SELECT product_id, week, sum(quantity) AS value FROM transactions
                WHERE product_id IN ({_listed(products)}) GROUP BY ALL"""
        ),
        products,
    )
    display, mailer = promotion_shares(journey, products)
    return ProductWeeks(
        sold["category"].to_numpy(),
        units.fillna(0).to_numpy(float),
        weekly_prices(journey, products),
        display,
        mailer,
    )


def promotion_shares(journey: CompleteJourney, products) -> tuple[np.ndarray, np.ndarray]:
    """Share of a product's recording stores with a display and with a mailer, two (n, 51).

    A store counts if it sold the product in weeks 2 to 39. Only promoted cells are listed, so that
    a missing cell means no promotion.
    """
    table = journey.query(
        f"""WITH cells AS (SELECT * FROM promotions WHERE product_id IN ({_listed(products)})),
                 sold AS (SELECT DISTINCT product_id, store_id FROM transactions
                          WHERE product_id IN ({_listed(products)})
                          AND week BETWEEN {FIRST} AND {TRAINED}
                          AND store_id IN (SELECT DISTINCT store_id FROM cells)),
                 stores AS (SELECT product_id, count(*) AS n FROM sold GROUP BY ALL)
            SELECT product_id, week, sum(display::INT) / n AS display,
                   sum(mailer::INT) / n AS mailer
            FROM cells JOIN sold USING (product_id, store_id) JOIN stores USING (product_id)
            GROUP BY product_id, week, n"""
    )
    shares = (
        _wide(table.rename(columns={what: "value"}), products) for what in ("display", "mailer")
    )
    display, mailer = (share.fillna(0).to_numpy(float) for share in shares)
    return display, mailer


def deal_segments(
    journey: CompleteJourney, least_lines: int = 20, weeks: tuple[int, int] = (FIRST, INITIAL)
) -> pd.Series:
    """Segment 0, 1, 2 of each household: terciles of its deal share in weeks 2 to 20."""
    table = journey.query(
        f"""SELECT household_id, avg((retail_disc > 0)::INT) AS share FROM transactions
            WHERE week BETWEEN {weeks[0]} AND {weeks[1]}
            GROUP BY ALL HAVING count(*) >= {least_lines} ORDER BY household_id"""
    ).set_index("household_id")["share"]
    return pd.Series(np.searchsorted(table.quantile([1 / 3, 2 / 3]), table), index=table.index)


@dataclass(frozen=True)
class CategoryTrips:
    """Trips of the households that know a category, with what they chose; N trips, J products.

    `data` holds the features [log share, log rate, log price ratio by segment (3), display,
    mailer], with the household as cluster. `segment`, `week` (N,), `depth` and `price_ratio` (N, J)
    describe the trips; `share` (N, J) and `rate` (N,) are the household's.
    """

    data: Choices
    segment: np.ndarray
    week: np.ndarray
    depth: np.ndarray
    price_ratio: np.ndarray
    share: np.ndarray
    rate: np.ndarray

    def take(self, rows) -> "CategoryTrips":
        """These trips only."""
        d = self.data
        return CategoryTrips(
            Choices(d.features[rows], d.choice[rows], d.cluster[rows]),
            *(
                getattr(self, name)[rows]
                for name in ("segment", "week", "depth", "price_ratio", "share", "rate")
            ),
        )


@dataclass(frozen=True)
class Category:
    """One category: prices of its top products, and the households' initial behaviour.

    `households` is indexed by household, with `segment` and `rate` (category trips per trip in
    weeks 2 to 20); `counts` (H, J) are its trips with each product then, and `active` (3,) the part
    of each segment's households that knows the category.
    """

    name: str
    prices: Prices
    households: pd.DataFrame
    counts: np.ndarray
    active: np.ndarray

    @property
    def shares(self) -> np.ndarray:
        """Initial shares (H, J), smoothed by one trip spread like all trips are: none is zero."""
        overall = self.counts.sum(axis=0) / self.counts.sum()
        return (self.counts + overall) / (self.counts.sum(axis=1, keepdims=True) + 1)

    @property
    def median_price(self) -> np.ndarray:
        return self.prices.median_regular()


def category(journey: CompleteJourney, name: str, segments: pd.Series, size: int = 20) -> Category:
    """The `size` products of a category that most trips held in weeks 2 to 39, and who buys them.

    Households with at least three category trips in weeks 2 to 20 know the category, whatever
    product of it they bought.
    """
    top = journey.query(
        f"""SELECT product_id FROM transactions JOIN products USING (product_id)
            WHERE product_category = '{name}' AND week BETWEEN {FIRST} AND {TRAINED}
            GROUP BY ALL HAVING count(DISTINCT week) >= 30
            ORDER BY count(DISTINCT basket_id) DESC, product_id LIMIT {size}"""
    )["product_id"].to_numpy()
    if len(top) == 0:
        raise ValueError(f"unknown category {name!r}: no product of it sold in 30 weeks")
    bought = journey.query(
        f"""SELECT household_id, product_id, count(DISTINCT basket_id) AS trips FROM transactions
            WHERE product_id IN ({_listed(top)}) AND week BETWEEN {FIRST} AND {INITIAL}
            GROUP BY ALL"""
    )
    trips = journey.query(
        f"""SELECT household_id, count(DISTINCT basket_id) AS trips,
                   count(DISTINCT CASE WHEN product_category = '{name}' THEN basket_id END)
                   AS with_category
            FROM transactions JOIN products USING (product_id)
            WHERE week BETWEEN {FIRST} AND {INITIAL} GROUP BY ALL ORDER BY household_id"""
    ).set_index("household_id")
    trips = trips[trips.index.isin(segments.index)]
    known = trips[trips["with_category"] >= 3]
    everyone = segments.reindex(trips.index).to_numpy()
    active = np.array([(trips["with_category"] >= 3)[everyone == s].mean() for s in range(3)])
    counts = bought.pivot(index="household_id", columns="product_id", values="trips")
    counts = counts.reindex(index=known.index, columns=top).fillna(0).to_numpy(float)
    households = pd.DataFrame(
        {
            "segment": segments.reindex(known.index),
            "rate": known["with_category"] / known["trips"],
        }
    )
    return Category(name, weekly_prices(journey, top), households, counts, active)


def category_trips(
    journey: CompleteJourney, found: Category, weeks: tuple[int, int], most: int, generator
) -> CategoryTrips:
    """At most `most` trips of the households that know the category, drawn at random.

    A trip is a basket in a store that records promotions. The choice is the product of which most
    units were bought, 0 for none.
    """
    products = found.prices.products
    trips = journey.query(
        f"""WITH stores AS (SELECT DISTINCT store_id FROM promotions),
                 bought AS (SELECT basket_id,
                                   arg_max(product_id, quantity * 1000000.0 - product_id / 1e3)
                                   AS product_id
                            FROM transactions WHERE product_id IN ({_listed(products)})
                            GROUP BY ALL)
            SELECT basket_id, any_value(household_id) AS household_id,
                   any_value(store_id) AS store_id, any_value(week) AS week,
                   any_value(b.product_id) AS product_id
            FROM transactions t LEFT JOIN bought b USING (basket_id)
            WHERE week BETWEEN {weeks[0]} AND {weeks[1]}
              AND store_id IN (SELECT store_id FROM stores)
            GROUP BY basket_id ORDER BY basket_id"""
    )
    trips = trips[trips["household_id"].isin(found.households.index)].reset_index(drop=True)
    if len(trips) > most:
        trips = trips.iloc[np.sort(generator.choice(len(trips), most, replace=False))]
    row = found.households.index.get_indexer(trips["household_id"])
    week = trips["week"].to_numpy(int)
    segment = found.households["segment"].to_numpy(int)[row]
    rate = found.households["rate"].to_numpy(float)[row]
    position = pd.Series(np.arange(1, len(products) + 1), index=products)
    choice = trips["product_id"].map(position).fillna(0).to_numpy(int)
    ratio = (found.prices.card / found.median_price[:, None])[:, week - FIRST].T
    display, mailer = _store_promotions(journey, products, trips["store_id"].to_numpy(), week)
    log_ratio = np.log(ratio)
    by_segment = log_ratio[:, :, None] * (segment[:, None] == np.arange(3))[:, None, :]
    share = found.shares[row]
    features = np.concatenate(
        [
            np.log(share)[:, :, None],
            np.broadcast_to(np.log(rate)[:, None, None], (*share.shape, 1)),
            by_segment,
            display[:, :, None],
            mailer[:, :, None],
        ],
        axis=2,
    )
    data = Choices(features, choice, trips["household_id"].to_numpy())
    depth = found.prices.depth[:, week - FIRST].T
    return CategoryTrips(data, segment, week, depth, ratio, share, rate)


def _store_promotions(journey, products, store, week) -> tuple[np.ndarray, np.ndarray]:
    """Display and mailer flags of each trip's store and week, two (N, J)."""
    cells = journey.query(
        f"""SELECT product_id, store_id, week, display, mailer FROM promotions
            WHERE product_id IN ({_listed(products)})"""
    )
    stores, row = np.unique(store, return_inverse=True)
    cells = cells[cells["store_id"].isin(stores)]
    j = pd.Index(products).get_indexer(cells["product_id"])
    s = pd.Index(stores).get_indexer(cells["store_id"])
    grid = np.zeros((2, len(stores), 54, len(products)))
    grid[:, s, cells["week"].to_numpy(int), j] = cells[["display", "mailer"]].to_numpy(float).T
    return grid[0, row, week], grid[1, row, week]


def _priced(journey, products) -> pd.DataFrame:
    t = journey.transactions
    t = t[t["product_id"].isin(products) & t["week"].between(FIRST, LAST)]
    sales, match, quantity = t["sales_value"], t["coupon_match_disc"], t["quantity"]
    lines = t[["product_id", "week"]].assign(
        card=card_price(sales, match, quantity).round(2),
        regular=regular_price(sales, t["retail_disc"], match, quantity).round(2),
    )
    return lines[lines["card"] >= 0.01]


def _modal(lines: pd.DataFrame, column: str, products) -> pd.DataFrame:
    """The most frequent value of each product-week, the lower one of two; (n, 51) with gaps."""
    counts = lines.groupby(["product_id", "week", column]).size().rename("lines").reset_index()
    counts = counts.sort_values(["lines", column], ascending=[False, True])
    first = counts.drop_duplicates(["product_id", "week"])
    return _wide(first.rename(columns={column: "value"}), products)


def _wide(table: pd.DataFrame, products) -> pd.DataFrame:
    wide = table.pivot(index="product_id", columns="week", values="value")
    return wide.reindex(index=products, columns=WEEKS)


def _listed(products) -> str:
    return ", ".join(str(int(product)) for product in products)
