"""Deal-share terciles, and how differently they answer a lower price later.

Within a product and week every household saw the same prices, displays and mailers. So the split
of the units sold between two groups, and how it moves with the price, compares the groups.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit

from promo_repro.claims import formula
from promo_repro.datasets.cleaning import card_price
from promo_repro.profiles.features import terciles, window

LEARN, MEASURE = (2, 20), (21, 52)


class Sales(NamedTuple):
    """Lines of regular products in weeks 21-52, and the log price of each product and week.

    `household`, `cell` (product · weeks + week) and `quantity` are (lines,) positions and units;
    `households` (n,) are the ids; `log_price` (P, W) is relative to the product's median price,
    0 where nothing was sold.
    """

    households: np.ndarray
    household: np.ndarray
    cell: np.ndarray
    quantity: np.ndarray
    log_price: np.ndarray

    def units(self, group: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Units (P, W) bought by the households of a boolean group (n,), each with its weight."""
        counted = self.quantity * (group * weight)[self.household]
        return np.bincount(self.cell, counted, self.log_price.size).reshape(self.log_price.shape)


def regular_sales(
    lines: pd.DataFrame, households: np.ndarray, least_units: int = 150, least_weeks: int = 15
) -> Sales:
    """Sales to these households (ids, sorted) in weeks 21-52.

    Products are chosen by weeks 2-20 alone: at least `least_units` sold, in at least
    `least_weeks` weeks. The price is the median card price of the product and week.
    Raises `ValueError` if no product qualifies.
    """
    weekly = (
        window(lines, LEARN)
        .groupby("product_id")
        .agg(units=("quantity", "sum"), weeks=("week", "nunique"))
    )
    chosen = weekly.index[(weekly["units"] >= least_units) & (weekly["weeks"] >= least_weeks)]
    late = window(lines, MEASURE)
    late = late[late["product_id"].isin(chosen)]
    if late.empty:
        raise ValueError("no product is sold often enough in weeks 2 to 20; lower the limits")
    late = late.assign(
        price=card_price(late["sales_value"], late["coupon_match_disc"], late["quantity"])
    )
    price = late.pivot_table(index="product_id", columns="week", values="price", aggfunc="median")
    log_price = np.log(price.div(price.median(axis=1), axis=0)).fillna(0.0)
    late = late[late["household_id"].isin(households)]
    row = price.index.get_indexer(late["product_id"])
    column = price.columns.get_indexer(late["week"])
    return Sales(
        np.asarray(households),
        np.searchsorted(households, late["household_id"]),
        row * price.shape[1] + column,
        late["quantity"].to_numpy(float),
        log_price.to_numpy(),
    )


@formula("eq-02-relative-response")
def relative_response(ours, theirs, log_price, steps: int = 50) -> tuple[float, float]:
    r"""Price elasticity of one group less that of another, and its standard error.

    Of the units :math:`n_{pw}` that two groups buy of product p in week w, the first buys
    a share :math:`\operatorname{logit}^{-1}(\alpha_p + \beta x_{pw})`, x the log price: all that
    the groups share, promotion and season too, cancels. `ours`, `theirs`, `log_price` are (P, W).
    Maximum likelihood by Newton's method; the error is clustered by product.
    Raises `ValueError` if no product was bought by both, or the price never moves.
    """
    k, other, x = (np.asarray(v, dtype=float) for v in (ours, theirs, log_price))
    bought = (k.sum(axis=1) > 0) & (other.sum(axis=1) > 0)
    k, x, n = k[bought], x[bought], (k + other)[bought]
    if not len(k) or not np.ptp(x[n > 0]) > 0:
        raise ValueError("no product is bought by both groups at different prices")
    beta, alpha = 0.0, np.log(k.sum(axis=1) / (n - k).sum(axis=1))
    for _ in range(steps):
        share = expit(alpha[:, None] + beta * x)
        weight, rest = n * share * (1 - share), k - n * share
        a, b = weight.sum(axis=1), (weight * x).sum(axis=1)
        information = (weight * x**2).sum() - (b**2 / a).sum()
        scores = (rest * (x - (b / a)[:, None])).sum(axis=1)
        step = scores.sum() / information
        alpha += (rest.sum(axis=1) - b * step) / a
        beta += step
        if abs(step) < 1e-10:
            break
    return float(beta), float(np.sqrt((scores**2).sum()) / information)


def response_gap(
    sales: Sales, ours: np.ndarray, theirs: np.ndarray, seed: int = 0, draws: int = 100
) -> tuple[float, float, float]:
    """Price elasticity of one group of households less another's, with its 95 % interval.

    `ours` and `theirs` are boolean, (n,), in the order of `sales.households`. The interval draws
    households with replacement: few heavy buyers of a product make a group's response uncertain,
    which an error clustered by product does not see. Negative: our group answers more strongly.
    """
    rng = np.random.default_rng(seed)
    n = len(sales.households)

    def value(weight):
        pair = (sales.units(group, weight) for group in (ours, theirs))
        return relative_response(*pair, sales.log_price)[0]

    drawn = [value(np.bincount(rng.integers(0, n, n), minlength=n)) for _ in range(draws)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return value(np.ones(n)), float(low), float(high)


def tercile_response(sales: Sales, values, seed: int = 0, draws: int = 100):
    """`response_gap` of the highest against the lowest third of the households by `values`."""
    third = terciles(values)
    return response_gap(sales, third == 2, third == 0, seed, draws)


def response_high(sales: Sales, values, seed: int = 0) -> float:
    """Upper end of `tercile_response`: below zero, the highest third answers more strongly."""
    return tercile_response(sales, values, seed)[2]
