"""The exercises of the data chapter."""

import numpy as np
import pandas as pd

from promo_repro.datasets.cleaning import discount_depth, local_time, paid_price, regular_price
from promo_repro.datasets.preprocessing import filled_mode_share, filled_spread
from promo_repro.datasets.quality import join_inflation
from promo_repro.exercises import exercise

STAMP = "2017-11-23 02:15:00"
# One line: three units, dollars.
SALES, LOYAL, COUPON, MATCH, QUANTITY = 6.60, 1.80, 1.00, 0.60, 3
BASKET = ("milk", "milk", "bread", "pasta")
COUPON_LIST = ("milk", "milk", "milk", "pasta")


@exercise(
    "01-1",
    minutes=5,
    hint="Take off the hours between UTC and New York in November, then take the date.",
    wrong={"This is the date in UTC: the shop's clock is behind it.": lambda: "2017-11-23"},
)
def local_date() -> str:
    """The shop's date, as YYYY-MM-DD, of a line stamped 2017-11-23 02:15:00."""
    return str(local_time(pd.Series(pd.to_datetime([STAMP])))[0].date())


@exercise(
    "01-2",
    minutes=10,
    hint="What the customer pays, per unit, over what the shelf says, per unit.",
    wrong={
        "The coupon is not yet taken off the sales value.": lambda: (
            SALES / QUANTITY / regular_price(SALES, LOYAL, MATCH, QUANTITY)
        ),
        "The match is part of the shelf price: add it back.": lambda: (
            paid_price(SALES, COUPON, QUANTITY) / regular_price(SALES, LOYAL, 0.0, QUANTITY)
        ),
        "This is one minus the loyalty discount's depth; coupon and match are left out.": lambda: (
            1 - discount_depth(SALES, LOYAL)
        ),
    },
)
def paid_share() -> float:
    """The price paid as a share of the regular shelf price, for the line given in the text."""
    return paid_price(SALES, COUPON, QUANTITY) / regular_price(SALES, LOYAL, MATCH, QUANTITY)


@exercise(
    "01-3",
    minutes=10,
    hint="Only the observed share of the squared deviations is left; the mean does not move.",
    wrong={
        "The variance shrinks by this factor; the standard deviation by its root.": lambda: 0.64,
        "This is the missing share's root: use what is left.": lambda: float(np.sqrt(0.36)),
    },
)
def shrunk_spread() -> float:
    """The standard deviation after mean filling, relative to the true one, with 36 % missing."""
    return filled_spread(0.36)


@exercise(
    "01-4",
    minutes=10,
    hint="Each line comes out once per matching coupon row, and once if there is none.",
    wrong={
        "Copies in the coupon list count as well: remove them afterwards, not in your head.": (
            lambda: join_inflation(np.array(BASKET), np.unique(COUPON_LIST))
        ),
        "A left join keeps the lines without a coupon.": lambda: (
            np.isin(BASKET, COUPON_LIST) @ [COUPON_LIST.count(item) for item in BASKET] / 4
        ),
    },
)
def rows_per_line() -> float:
    """Rows per line after a left join of four lines with a coupon list, by product."""
    return join_inflation(np.array(BASKET), np.array(COUPON_LIST))


@exercise(
    "01-5",
    minutes=10,
    hint="Everything that is missing joins the most frequent class.",
    wrong={
        "Only gaps of other classes change sides; those of the class itself were there.": (
            lambda: 0.5 + 0.4
        ),
    },
)
def modal_share() -> float:
    """Expected share of a class of true share one half after mode filling with 40 % missing."""
    return filled_mode_share(0.5, 0.4)
