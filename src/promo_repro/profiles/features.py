"""Features of households: recency, frequency and money, behaviour, department shares, tags.

Every feature is measured in a window of weeks, so that a profile can be judged on later weeks.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from promo_repro.claims import formula
from promo_repro.datasets.cleaning import discount_depth
from promo_repro.datasets.features import weekly_panel, weeks_since_last

FIRST_HALF, SECOND_HALF = (2, 26), (27, 52)
RFM = ("recency", "frequency", "monetary")
BEHAVIOUR = (
    *RFM, "basket", "lines_per_trip", "breadth", "stores",
    "deal_share", "deal_depth", "coupon_share", "private_share", "weekend_share",
)  # fmt: skip
DEPARTMENTS = (
    "GROCERY", "DRUG GM", "PRODUCE", "MEAT", "MEAT-PCKGD", "DELI", "PASTRY", "NUTRITION",
    "SEAFOOD-PCKGD", "FLORAL",
)  # fmt: skip
MEANING = {
    "recency": "weeks since the last purchase",
    "frequency": "trips",
    "monetary": "dollars",
    "basket": "dollars a trip",
    "lines_per_trip": "receipt lines a trip",
    "breadth": "categories bought",
    "stores": "shops visited",
    "deal_share": "share of lines on deal",
    "deal_depth": "depth of the discount on deals",
    "coupon_share": "coupons over dollars",
    "private_share": "share of lines of private label",
    "weekend_share": "share of lines at weekends",
} | dict.fromkeys(DEPARTMENTS, "share of dollars")
LEAST_TRIPS = 8


def window(lines: pd.DataFrame, weeks: tuple[int, int]) -> pd.DataFrame:
    """Lines of the weeks `(first, last)`, both included; `ValueError` if there are none."""
    kept = lines[lines["week"].between(*weeks)]
    if kept.empty:
        raise ValueError(f"no line falls in weeks {weeks[0]} to {weeks[1]}")
    return kept


@formula("D5-P22", "eq-02-rfm")
def rfm(spend, trips) -> np.ndarray:
    """Recency, frequency and money of each household, (n, 3), from weekly sums (n, weeks).

    Weeks since the last purchase (0: the last week; a household that never bought gets the
    number of weeks), number of trips, dollars. `ValueError` if the shapes differ.
    """
    if np.shape(spend) != np.shape(trips):
        raise ValueError(f"spend {np.shape(spend)} and trips {np.shape(trips)} differ in shape")
    return np.column_stack([weeks_since_last(spend), trips.sum(axis=1), spend.sum(axis=1)])


@formula("eq-02-shares")
def shares(amounts) -> np.ndarray:
    """Each row divided by its sum, (n, m); amounts are not negative.

    Raises `ValueError` for a household that bought nothing: its shares are 0/0.
    """
    a = np.asarray(amounts, dtype=float)
    total = a.sum(axis=1)
    if (a < 0).any() or not (total > 0).all():
        rows = np.flatnonzero(~(total > 0)).tolist()
        raise ValueError(f"rows {rows[:5]} bought nothing or less; leave these households out")
    return a / total[:, None]


def household_features(
    lines: pd.DataFrame,
    products: pd.DataFrame,
    weeks: tuple[int, int] = (2, 52),
    least_trips: int = LEAST_TRIPS,
) -> pd.DataFrame:
    """The 22 features of the households with at least `least_trips` trips in the window.

    Index household_id, columns `BEHAVIOUR` then `DEPARTMENTS`. Counts and money enter as
    log(1 + x), shares of departments as square roots; nothing is standardised.
    Raises `ValueError` if no household has enough trips.
    """
    kept = window(lines, weeks)
    trips = kept.groupby("household_id")["basket_id"].nunique()
    kept = kept[kept["household_id"].isin(trips.index[trips >= least_trips])]
    if kept.empty:
        raise ValueError(f"no household has {least_trips} trips in weeks {weeks[0]} to {weeks[1]}")
    # Unordered: a household's rows meet in groupby, which sorts by id like `weekly_panel`.
    kept = kept.merge(products[["product_id", "department", "brand", "product_category"]])
    behaviour = _behaviour(kept, weeks)
    money = kept.pivot_table(
        index="household_id", columns="department", values="sales_value", aggfunc="sum"
    )
    money = money.reindex(columns=sorted({*money.columns, *DEPARTMENTS})).fillna(0.0)
    parts = pd.DataFrame(np.sqrt(shares(money)), index=money.index, columns=money.columns)
    return behaviour.join(parts[list(DEPARTMENTS)])


def _behaviour(lines: pd.DataFrame, weeks: tuple[int, int]) -> pd.DataFrame:
    panel = weekly_panel(lines)
    inside = slice(weeks[0] - 1, weeks[1])
    recency, frequency, monetary = rfm(panel.spend[:, inside], panel.trips[:, inside]).T
    by = lines.assign(
        on_deal=lines["retail_disc"] > 0,
        private=lines["brand"] == "Private",
        weekend=lines["date"].dt.day_of_week >= 5,
        full_price=lines["sales_value"].where(lines["retail_disc"] > 0, 0.0),
    ).groupby("household_id")
    mean = by[["on_deal", "private", "weekend"]].mean()
    total = by[["full_price", "retail_disc", "coupon_disc"]].sum()
    dealt = np.maximum(total["full_price"] + total["retail_disc"], 1e-9)
    frame = pd.DataFrame(
        {
            "recency": np.log1p(recency),
            "frequency": np.log1p(frequency),
            "monetary": np.log1p(monetary),
            "basket": np.log1p(monetary / frequency),
            "lines_per_trip": np.log1p(by.size().to_numpy() / frequency),
            "breadth": np.log1p(by["product_category"].nunique().to_numpy()),
            "stores": np.log1p(by["store_id"].nunique().to_numpy()),
            "deal_share": mean["on_deal"].to_numpy(),
            "deal_depth": discount_depth(dealt - total["retail_disc"], total["retail_disc"]),
            "coupon_share": np.sqrt(total["coupon_disc"].to_numpy() / monetary),
            "private_share": mean["private"].to_numpy(),
            "weekend_share": mean["weekend"].to_numpy(),
        },
        index=mean.index,
    )
    return frame[list(BEHAVIOUR)]


def two_halves(lines: pd.DataFrame, products: pd.DataFrame, least_trips: int = LEAST_TRIPS):
    """Features in weeks 2-26 and in weeks 27-52 of the households with enough trips in both."""
    halves = [
        household_features(lines, products, w, least_trips) for w in (FIRST_HALF, SECOND_HALF)
    ]
    both = halves[0].index.intersection(halves[1].index)
    return halves[0].loc[both], halves[1].loc[both]


def category_counts(lines: pd.DataFrame, products: pd.DataFrame, households: Sequence[int]):
    """Lines bought of each product category: frame (households, categories), in that order."""
    known = lines[lines["household_id"].isin(households)].merge(
        products[["product_id", "product_category"]].dropna()
    )
    table = pd.crosstab(known["household_id"], known["product_category"])
    return table.reindex(households, fill_value=0)


@formula("D5-P20", "eq-02-over-index")
def over_index(counts) -> np.ndarray:
    r"""How much more of its lines a household gives to a category than the panel, (n, m).

    :math:`\frac{c_{ij} + \bar s_j \tau}{(c_{i\cdot} + \tau)\, \bar s_j}` with the panel's shares
    :math:`\bar s_j` and :math:`\tau = 20` lines of shrinkage towards one.
    Raises `ValueError` if a category or a household is empty.
    """
    c = np.asarray(counts, dtype=float)
    if not (c.sum(axis=0) > 0).all() or not (c.sum(axis=1) > 0).all():
        raise ValueError("counts has an empty household or category; leave it out")
    base = c.sum(axis=0) / c.sum()
    return (c + 20 * base) / ((c.sum(axis=1, keepdims=True) + 20) * base)


def interest_tags(counts, number: int = 5) -> np.ndarray:
    """The `number` categories of each household with the largest `over_index`, (n, number)."""
    return np.argsort(-over_index(counts), axis=1, kind="stable")[:, :number]


@formula("eq-02-terciles")
def terciles(values) -> np.ndarray:
    """0, 1 or 2 for the low, middle and high third of the values, (n,); ties by position."""
    v = np.asarray(values, dtype=float)
    if v.ndim != 1 or len(v) < 3 or not np.isfinite(v).all():
        raise ValueError("values must be a list of at least three finite numbers")
    rank = np.empty(len(v), dtype=int)
    rank[np.argsort(v, kind="stable")] = np.arange(len(v))
    return rank * 3 // len(v)


def category_baskets(lines: pd.DataFrame, products: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Which categories each basket holds: boolean (baskets, categories), and their names.

    Lines of products without a category are left out.
    """
    category = products.dropna(subset=["product_category"]).set_index("product_id")
    known = lines[["basket_id", "product_id"]].join(category["product_category"], "product_id")
    known = known.dropna()
    basket, ids = pd.factorize(known["basket_id"])
    item, names = pd.factorize(known["product_category"], sort=True)
    table = np.zeros((len(ids), len(names)), dtype=bool)
    table[basket, item] = True
    return table, np.asarray(names)
