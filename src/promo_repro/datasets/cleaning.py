"""The cleaning recipe of the Complete Journey, as small named steps.

The steps of `FILTERS` only remove rows. Each looks at one row at a time (or at exact copies of
it), so that the order of the rows cannot matter and a second pass removes nothing.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from promo_repro.claims import formula

SHOP_TIME_ZONE = "America/New_York"
MAX_QUANTITY = 40
NOT_MERCHANDISE = frozenset(
    {
        "FUEL",
        "MISCELLANEOUS",
        "COUPON",
        "CNTRL/STORE SUP",
        "POSTAL CENTER",
        "PROD-WHS SALES",
        "GM MERCH EXP",
        "PHOTO & VIDEO",
    }
)
NOT_MERCHANDISE_CATEGORY = "COUPON/MISC ITEMS"


class Step(NamedTuple):
    """One cleaning step: its name, why it is done, and which lines it keeps."""

    name: str
    reason: str
    keep: Callable[[pd.DataFrame, pd.DataFrame], pd.Series]


def local_time(utc: pd.Series) -> pd.Series:
    """Turn naive UTC stamps into naive local stamps of the shops, daylight saving included."""
    return utc.dt.tz_localize("UTC").dt.tz_convert(SHOP_TIME_ZONE).dt.tz_localize(None)


def convert(raw: pd.DataFrame) -> pd.DataFrame:
    """Return raw transactions with local `timestamp` and `date`, and with compact types."""
    stamps = local_time(raw["transaction_timestamp"]).astype("datetime64[us]")
    frame = raw.drop(columns="transaction_timestamp").assign(
        timestamp=stamps, date=stamps.dt.normalize()
    )
    small = {"household_id": "int32", "store_id": "int32", "product_id": "int32"}
    return frame.astype({**small, "quantity": "int32", "week": "int8"})


def _known_product(lines: pd.DataFrame, products: pd.DataFrame) -> pd.Series:
    return lines["product_id"].isin(products["product_id"])


def _merchandise(lines: pd.DataFrame, products: pd.DataFrame) -> pd.Series:
    other = products["department"].isin(NOT_MERCHANDISE)
    other |= products["product_category"] == NOT_MERCHANDISE_CATEGORY
    return ~lines["product_id"].isin(products.loc[other, "product_id"])


def merchandise(lines: pd.DataFrame, products: pd.DataFrame) -> np.ndarray:
    """Return which lines sell goods of the product table, boolean (lines,), by their meaning."""
    return (_known_product(lines, products) & _merchandise(lines, products)).to_numpy()


def _countable(lines: pd.DataFrame, _products: pd.DataFrame) -> pd.Series:
    return lines["quantity"].between(1, MAX_QUANTITY)


def _paid(lines: pd.DataFrame, _products: pd.DataFrame) -> pd.Series:
    return lines["sales_value"] > 0


def _first_copy(lines: pd.DataFrame, _products: pd.DataFrame) -> pd.Series:
    return ~lines.duplicated()


FILTERS = (
    Step("known product", "the product is not in the product table", _known_product),
    Step("merchandise", "fuel, coupons, gift cards, supplies: not goods on a shelf", _merchandise),
    Step("countable quantity", f"quantity is 0 or above {MAX_QUANTITY}", _countable),
    Step("paid", "sales value is 0", _paid),
    Step("one copy", "exact copy of another line", _first_copy),
)


def clean(lines: pd.DataFrame, products: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Apply `FILTERS` in order to converted transactions.

    Returns the kept lines (fresh index) and the report: one row per step with `step`, `reason`,
    `rows_before`, `removed`, `rows_after` and `sales_removed` (dollars).
    """
    report = []
    for step in FILTERS:
        kept = lines[step.keep(lines, products)]
        report.append(
            {
                "step": step.name,
                "reason": step.reason,
                "rows_before": len(lines),
                "removed": len(lines) - len(kept),
                "rows_after": len(kept),
                "sales_removed": lines["sales_value"].sum() - kept["sales_value"].sum(),
            }
        )
        lines = kept
    return lines.reset_index(drop=True), pd.DataFrame(report)


@formula("eq-01-regular-price")
def regular_price(sales, retail_disc, coupon_match, quantity):
    r"""Return the shelf price before the loyalty discount, dollars per unit.

    .. math:: p^{\mathrm{reg}} = (s + d^{\mathrm{loyal}} + d^{\mathrm{match}}) / q

    All arguments are arrays of one shape: `sales` is what the retailer books for the line,
    `retail_disc` and `coupon_match` are discounts as positive dollars.
    Raises `ValueError` if a quantity is not positive.
    """
    return (sales + retail_disc + coupon_match) / _positive(quantity, "quantity")


@formula("eq-01-card-price")
def card_price(sales, coupon_match, quantity):
    r"""Return the price with loyalty card but without coupon, dollars per unit.

    .. math:: p^{\mathrm{card}} = (s + d^{\mathrm{match}}) / q

    Arguments as in `regular_price`. Raises `ValueError` if a quantity is not positive.
    """
    return (sales + coupon_match) / _positive(quantity, "quantity")


@formula("eq-01-paid-price")
def paid_price(sales, coupon_disc, quantity):
    r"""Return what the customer pays, dollars per unit: the manufacturer's coupon is still to go.

    .. math:: p^{\mathrm{paid}} = (s - d^{\mathrm{coupon}}) / q

    Arguments as in `regular_price`. Raises `ValueError` if a quantity is not positive.
    """
    return (sales - coupon_disc) / _positive(quantity, "quantity")


@formula("eq-01-discount-depth")
def discount_depth(sales, retail_disc):
    r"""Return the loyalty discount as a share of the undiscounted value, between 0 and 1.

    .. math:: \delta = d^{\mathrm{loyal}} / (s + d^{\mathrm{loyal}})

    Raises `ValueError` if sales and discount are both zero.
    """
    return retail_disc / _positive(sales + retail_disc, "sales + retail_disc")


def _positive(values, name: str):
    if np.any(np.asarray(values) <= 0):
        raise ValueError(f"{name} must be positive; clean the lines first")
    return values
