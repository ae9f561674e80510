"""Features of products: attributes, discretisation and combinations.

The shop's tables hold no name and no rating. The product type stands in for the name and the
description; the share of buyers who come back stands in for the rating.
"""

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import CountVectorizer

from promo_repro.claims import formula
from promo_repro.datasets.cleaning import card_price
from promo_repro.profiles.features import FIRST_HALF, SECOND_HALF, window

ATTRIBUTES = ("name", "price", "category", "rating", "description")
LEAST_BUYERS = 20


def product_table(
    lines: pd.DataFrame, products: pd.DataFrame, least_buyers: int = LEAST_BUYERS
) -> pd.DataFrame:
    """Products with at least `least_buyers` buyers in weeks 2-26: attributes and what came later.

    Index product_id. `price` (median card price, dollars), `rating` (share of buyers who bought
    it in two or more baskets), `buyers`, `brand`, `department`, `category`, `text`; `later_units`
    and `later_rating` from weeks 27-52. Products that vanish later have zero units.
    """
    early, late = window(lines, FIRST_HALF), window(lines, SECOND_HALF)
    first = early.assign(
        price=card_price(early["sales_value"], early["coupon_match_disc"], early["quantity"])
    ).groupby("product_id")
    loyal, later = repeat_share(early), repeat_share(late)
    frame = pd.DataFrame({"price": first["price"].median()}).join(loyal)
    frame = frame[frame["buyers"] >= least_buyers]
    frame["later_units"] = late.groupby("product_id")["quantity"].sum()
    frame["later_units"] = frame["later_units"].fillna(0.0)
    frame["later_rating"] = later["rating"]
    known = products.set_index("product_id").loc[frame.index]
    frame["brand"], frame["department"] = known["brand"], known["department"]
    frame["category"] = known["product_category"].fillna("unknown")
    frame["text"] = known["product_type"].fillna("unknown")
    return frame


@formula("eq-02-repeat")
def repeat_share(lines: pd.DataFrame) -> pd.DataFrame:
    """Buyers of each product, and the share of them with two or more baskets: `rating`."""
    baskets = lines.drop_duplicates(["product_id", "household_id", "basket_id"])
    times = baskets.groupby(["product_id", "household_id"]).size()
    by = (times >= 2).groupby("product_id")
    return pd.DataFrame({"rating": by.mean(), "buyers": by.size()})


def attribute_coverage(
    lines: pd.DataFrame, products: pd.DataFrame, attribute: str, aliases: dict[str, str]
) -> float:
    """Share of the sold lines whose product has a value for one of the five attributes.

    `aliases` maps an attribute to the column that holds it, in `products` or in `lines`.
    An attribute without an alias that is a column covers nothing.
    Raises `ValueError` for an attribute that the article does not list.
    """
    if attribute not in ATTRIBUTES:
        raise ValueError(f"no attribute {attribute!r}; choose from {', '.join(ATTRIBUTES)}")
    source = aliases.get(attribute, attribute)
    if source in lines:
        return float(lines[source].notna().mean())
    if source not in products:
        return 0.0
    known = products.loc[products[source].notna(), "product_id"]
    return float(lines["product_id"].isin(known).mean())


@formula("D5-P26", "D5-P27", "eq-02-grades")
def grades(values, number: int) -> np.ndarray:
    """Quantile class of each value, 0 to number - 1, (n,); equal values share a class.

    Raises `ValueError` for NaN, or when fewer than `number` different values leave a class empty.
    """
    v = np.asarray(values, dtype=float)
    if not np.isfinite(v).all():
        raise ValueError("values has NaN or infinity; leave these products out")
    edges = np.quantile(v, np.arange(1, number) / number)
    found = np.searchsorted(edges, v, side="right")
    if len(np.unique(found)) < number:
        raise ValueError(f"too few different values for {number} classes; take fewer")
    return found


@formula("eq-02-equal-width")
def equal_width(values, number: int) -> np.ndarray:
    """Class of each value when the range is cut into `number` pieces of one length, (n,)."""
    v = np.asarray(values, dtype=float)
    width = (v.max() - v.min()) / number
    if not width > 0:
        raise ValueError("all values are equal, so there is no range to cut")
    return np.minimum((v - v.min()) / width, number - 1).astype(int)


@formula("eq-02-largest-class")
def largest_class(codes) -> float:
    """Share of the rows that fall in the fullest class."""
    counts = np.bincount(np.asarray(codes))
    return float(counts.max() / counts.sum())


def indicators(codes) -> np.ndarray:
    """One column a class, 1.0 where the row belongs to it, (n, classes)."""
    _, position = np.unique(np.asarray(codes), return_inverse=True)
    return np.eye(position.max() + 1)[position]


@formula("D5-P28", "D5-P29", "eq-02-combine")
def combine(first, second) -> np.ndarray:
    """One code for each pair of classes that occurs, (n,): the article's combined feature."""
    _, a = np.unique(np.asarray(first), return_inverse=True)
    _, b = np.unique(np.asarray(second), return_inverse=True)
    return np.unique(a * (b.max() + 1) + b, return_inverse=True)[1]


def words(text, least: int = 10) -> np.ndarray:
    """Which words occur in each description, (n, words); words in fewer than `least` dropped."""
    vectorizer = CountVectorizer(min_df=least, binary=True, token_pattern=r"[A-Za-z]{3,}")
    return vectorizer.fit_transform(text).toarray().astype(float)


@formula("D5-P07", "D5-P25", "eq-02-product-features")
def attribute_blocks(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Numeric features of a product table by attribute, each (n, columns): the design blocks."""
    return {
        "price": np.column_stack([np.log(table["price"]), np.log(table["price"]) ** 2]),
        "brand": indicators(table["brand"])[:, 1:],
        "category": indicators(table["category"])[:, 1:],
        "rating": np.column_stack([table["rating"], table["rating"] ** 2]),
        "description": words(table["text"]),
    }
