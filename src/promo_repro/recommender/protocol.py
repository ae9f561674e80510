"""The task: from the baskets up to a week, rank the items of a later basket.

Items are product types, or single products.

A *split* holds everything a recommender may see (baskets up to week `cut`) and, apart from it,
what it is judged by (one later basket per household). The same function makes the earlier split
that is used for tuning and the later one that is used once, for the result.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

TEST = {"cut": 45, "end": 52}
TUNING = {"cut": 38, "end": 45}
EARLIER = {"cut": 31, "end": 38}  # for what learns from one window and is tuned on the next
RECENT_WEEKS = 4
ON_DEAL = 0.05  # discount depth from which a line counts as bought on deal
PLACE = ["product_type", "product_category", "department"]


@dataclass(frozen=True)
class Purchases:
    """What was bought at the level of product types, or of single products.

    `lines` has one row per basket and item, in order of time: household_id, basket_id, item (row of
    `items`), week, on_deal. `items` holds product_type, product_category, department.
    """

    lines: pd.DataFrame
    items: pd.DataFrame


@dataclass(frozen=True)
class Split:
    """U households, I items and B baskets up to week `cut`, and the baskets to be predicted.

    `baskets` (B, I) holds ones, its rows in order of household and time, `deals` (B, I) ones for
    what was bought on deal; household u owns the rows `start[u]:start[u + 1]`; `week` (B,).
    `target` and `target_deal` (U, I) hold the later basket and the part of it that was bought on
    deal; they are empty where `tested` (U,) is false.
    """

    cut: int
    households: np.ndarray
    items: pd.DataFrame
    baskets: sparse.csr_matrix
    deals: sparse.csr_matrix
    start: np.ndarray
    week: np.ndarray
    tested: np.ndarray
    target: sparse.csr_matrix
    target_deal: sparse.csr_matrix

    @property
    def owner(self) -> np.ndarray:
        """Household index of each basket (B,)."""
        return np.repeat(np.arange(len(self.households)), np.diff(self.start))

    @property
    def history(self) -> sparse.csr_matrix:
        """Number of earlier baskets of each household that hold each item, (U, I)."""
        return self.weighted(np.ones(len(self.week)))

    def weighted(self, weights) -> sparse.csr_matrix:
        """Sum of `weights` (B,) over the baskets of each household that hold each item, (U, I)."""
        rows = sparse.csr_matrix(
            (np.asarray(weights, dtype=float), (self.owner, np.arange(len(self.week)))),
            shape=(len(self.households), len(self.week)),
        )
        return (rows @ self.baskets).tocsr()

    def last(self, visits: int) -> "Split":
        """The same split where each household has shown only its last `visits` baskets.

        Raises `ValueError` for a negative number.
        """
        if visits < 0:
            raise ValueError(f"visits is {visits}; a household shows 0 baskets or more")
        position = np.arange(len(self.week)) - self.start[self.owner]
        keep = position >= np.diff(self.start)[self.owner] - visits
        start = np.r_[0, np.cumsum(np.bincount(self.owner[keep], minlength=len(self.households)))]
        return Split(
            self.cut, self.households, self.items, self.baskets[keep],
            self.deals[keep], start, self.week[keep],
            self.tested, self.target, self.target_deal,
        )  # fmt: skip

    def only(self, households) -> "Split":
        """The same split for the households of a boolean mask or index array."""
        chosen = np.arange(len(self.households))[households]
        rows = np.concatenate([np.arange(self.start[u], self.start[u + 1]) for u in chosen])
        return Split(
            self.cut, self.households[chosen], self.items, self.baskets[rows],
            self.deals[rows],
            np.r_[0, np.cumsum(np.diff(self.start)[chosen])], self.week[rows],
            self.tested[chosen], self.target[chosen], self.target_deal[chosen],
        )  # fmt: skip


def purchases(transactions: pd.DataFrame, products: pd.DataFrame) -> Purchases:
    """Return the purchases by product type; lines whose product has no type are left out.

    A type that stands in several departments or categories is put where most of its lines are.
    """
    sold = transactions["product_id"].value_counts()
    typed = products[PLACE].assign(lines=products["product_id"].map(sold))
    places = typed[typed["lines"] > 0].groupby(PLACE)["lines"].sum().reset_index()
    places = places.sort_values(["lines", *PLACE]).drop_duplicates("product_type", keep="last")
    items = places.sort_values("product_type", ignore_index=True)[PLACE]
    item_of_product = items.set_index("product_type").index.get_indexer(products["product_type"])
    return _by_item(transactions, products, item_of_product, items)


def product_purchases(
    transactions: pd.DataFrame, products: pd.DataFrame, cut: int, count: int = 5_000
) -> Purchases:
    """Return the purchases by single product, of the `count` most sold products up to week `cut`.

    Products without a type are left out, as in `purchases`.
    """
    sold = transactions.loc[transactions["week"] <= cut, "product_id"].value_counts()
    typed = products[products["product_type"].notna()]
    ranked = typed.assign(lines=typed["product_id"].map(sold)).dropna(subset="lines")
    kept = ranked.sort_values(["lines", "product_id"], ascending=[False, True]).head(count)
    kept = kept.sort_values("product_id", ignore_index=True)
    item_of_product = pd.Index(kept["product_id"]).get_indexer(products["product_id"])
    return _by_item(transactions, products, item_of_product, kept[["product_id", *PLACE]])


def _by_item(transactions, products, item_of_product, items) -> Purchases:
    """One row per basket and item; `item_of_product` (products,) is −1 for what is left out."""
    row = pd.Index(products["product_id"]).get_indexer(transactions["product_id"])
    item = np.where(row >= 0, item_of_product[row], -1)
    kept = item >= 0
    columns = ["household_id", "basket_id", "week", "timestamp"]
    lines = transactions.loc[kept, columns].assign(item=item[kept])
    discount = (transactions["retail_disc"] + transactions["coupon_match_disc"])[kept]
    on_deal = discount / (transactions["sales_value"][kept] + discount) > ON_DEAL
    # One key a basket and item: grouping by several columns would take seconds.
    key = lines["basket_id"].to_numpy() * len(items) + lines["item"].to_numpy()
    _, first, group = np.unique(key, return_index=True, return_inverse=True)
    on_deal = np.bincount(group, on_deal) > 0
    lines = lines.iloc[first].assign(on_deal=on_deal)
    lines = lines.sort_values(["household_id", "timestamp", "basket_id", "item"], ignore_index=True)
    return Purchases(lines[["household_id", "basket_id", "item", "week", "on_deal"]], items)


def split(
    bought: Purchases,
    cut: int,
    end: int,
    *,
    min_baskets: int = 10,
    min_items: int = 5,
    min_households: int = 5,
) -> Split:
    """Split the purchases at week `cut`; targets lie in weeks cut + 1 to `end`.

    Households need `min_baskets` baskets, items `min_households` buyers, both counted up to `cut`.
    The target is a household's last basket with at least `min_items` of these items; nothing
    between `cut` and that basket is used. Raises `ValueError` when the weeks are out of order,
    when a line is incomplete, or when nothing is left to learn from.
    """
    lines = bought.lines
    if not 0 < cut < end:
        raise ValueError(f"cut {cut} and end {end} must satisfy 0 < cut < end")
    if lines.isna().any(axis=None):
        raise ValueError("purchases hold missing values; drop the incomplete lines first")
    past = lines[lines["week"] <= cut]
    visits = past.groupby("household_id")["basket_id"].nunique()
    households = visits.index[visits >= min_baskets].to_numpy()
    buyers = past.groupby("item")["household_id"].nunique()
    items = buyers.index[buyers >= min_households].to_numpy()
    if not len(households) or not len(items):
        raise ValueError(
            f"no household with {min_baskets} baskets and no item with {min_households} buyers "
            f"up to week {cut}; use a later cut or lower the thresholds"
        )
    past = _indexed(past, households, items)
    numbers, first = np.unique(past["basket_id"].to_numpy(), return_index=True)
    order = np.argsort(first)
    row = np.empty_like(order)
    row[order] = np.arange(len(order))
    heads = past.iloc[np.sort(first)]
    past = past.assign(basket=row[np.searchsorted(numbers, past["basket_id"])])
    counts = np.bincount(heads["row"], minlength=len(households))

    later = lines[(lines["week"] > cut) & (lines["week"] <= end)]
    later = _indexed(later, households, items)
    size = later.groupby("basket_id")["item"].transform("size")
    large = later[size >= min_items]
    final = large.groupby("row")["basket_id"].transform("last")
    final = large[large["basket_id"] == final]
    shape = (len(households), len(items))
    return Split(
        cut=cut,
        households=households,
        items=bought.items.iloc[items].reset_index(drop=True),
        baskets=_ones(past, "basket", (len(numbers), len(items))),
        deals=_ones(past[past["on_deal"]], "basket", (len(numbers), len(items))),
        start=np.r_[0, np.cumsum(counts)],
        week=heads["week"].to_numpy().astype(int),
        tested=np.isin(np.arange(len(households)), final["row"]),
        target=_ones(final, "row", shape),
        target_deal=_ones(final[final["on_deal"]], "row", shape),
    )


def shuffled_future(bought: Purchases, cut: int, rng: np.random.Generator) -> Purchases:
    """The same purchases with the items of all lines after week `cut` dealt out anew."""
    lines = bought.lines.copy()
    future = (lines["week"] > cut).to_numpy()
    lines.loc[future, "item"] = rng.permutation(lines.loc[future, "item"].to_numpy())
    return Purchases(lines, bought.items)


def popularity(split: Split, weeks: int | None = None) -> np.ndarray:
    """Number of baskets that hold each item (I,), in all weeks or in the last `weeks` ones."""
    recent = np.ones(len(split.week)) if weeks is None else split.week > split.cut - weeks
    return np.asarray(split.baskets.T @ recent.astype(float)).ravel()


def _indexed(lines: pd.DataFrame, households, items) -> pd.DataFrame:
    kept = lines[lines["household_id"].isin(households) & lines["item"].isin(items)]
    return kept.assign(
        row=np.searchsorted(households, kept["household_id"]),
        column=np.searchsorted(items, kept["item"]),
    )


def _ones(lines: pd.DataFrame, row: str, shape) -> sparse.csr_matrix:
    ones = np.ones(len(lines), dtype=np.float32)
    return sparse.csr_matrix((ones, (lines[row], lines["column"])), shape=shape)
