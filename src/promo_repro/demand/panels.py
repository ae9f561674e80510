"""The three forecasting tasks: many short series of units sold, cut from the Complete Journey.

Which series are in a task is decided on the weeks before its first origin only: a series must not
be chosen because it went on selling.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from promo_repro.datasets.complete_journey import CompleteJourney

FIRST_WEEK, LAST_WEEK = 2, 52
FIRST_MONDAY = pd.Timestamp("2017-01-02")
LAST_DAY = pd.Timestamp("2017-12-24")  # 25 December was deleted by the packager
PLAN = ("relative log price", "display", "mailer")


@dataclass(frozen=True)
class Panel:
    """Units sold of n series in T periods, and what is known ahead of each period.

    `units` (n, T) is not negative. `calendar` (T, c) is common to all series. `plan` (n, T, k) is
    the promotion plan (see `PLAN`), known ahead by assumption; k is 0 where there is none.
    `season` is the number of periods after which the pattern repeats (1: none is known).
    `origins` are the numbers of periods behind each forecast, `horizon` the periods forecast.
    """

    name: str
    series: tuple
    units: np.ndarray
    calendar: np.ndarray
    plan: np.ndarray
    season: int
    origins: tuple[int, ...]
    horizon: int

    def __post_init__(self):
        n, periods = np.shape(self.units)
        if self.plan.shape[:2] != (n, periods) or len(self.calendar) != periods:
            raise ValueError(
                f"{self.name}: units {self.units.shape}, plan {self.plan.shape} and calendar "
                f"{self.calendar.shape} do not describe the same series and periods"
            )
        if not np.isfinite(self.units).all() or (self.units < 0).any():
            raise ValueError(
                f"{self.name}: units has NaN or negative entries; fill or drop those periods first"
            )
        if max(self.origins) + self.horizon > periods:
            raise ValueError(
                f"{self.name}: the last origin {max(self.origins)} leaves fewer than "
                f"{self.horizon} of {periods} periods to forecast; use an earlier origin"
            )

    def actual(self, origin: int) -> np.ndarray:
        """Return what was sold in the periods forecast from `origin`: (n, horizon)."""
        return self.units[:, origin : origin + self.horizon]

    def without_plan(self) -> "Panel":
        """Return the same task for a forecaster that does not know the promotion plan."""
        return replace(self, plan=self.plan[:, :, :0])

    def take(self, rows) -> "Panel":
        """Return the task with only the series at these positions."""
        rows = np.asarray(rows)
        series = tuple(self.series[row] for row in rows)
        return replace(self, series=series, units=self.units[rows], plan=self.plan[rows])


def daily_departments(journey: CompleteJourney) -> Panel:
    """Return daily units by department and kind of brand, 2 January to 24 December.

    A series is in the task if it sold on more than half of the days before the first origin, 30
    October: where most days sell nothing, nothing is the best forecast by absolute error.
    Horizon 14 days, four origins. The calendar tells pay days (1st to 5th of a month).
    """
    table = journey.query(
        """SELECT p.department || ', ' || p.brand AS series, t.date AS day,
                  sum(t.quantity) AS units
           FROM transactions t JOIN products p USING (product_id) GROUP BY ALL"""
    )
    days = pd.date_range(FIRST_MONDAY, LAST_DAY)
    origins = tuple(len(days) - 14 * back for back in (4, 3, 2, 1))
    names, units = _pivot(table, "day", days)
    kept = (units[:, : origins[0]] > 0).mean(axis=1) > 0.5
    return Panel(
        "daily",
        tuple(np.array(names)[kept].tolist()),
        units[kept],
        np.asarray(days.day <= 5, float)[:, None],
        np.zeros((kept.sum(), len(days), 0)),
        season=7,
        origins=origins,
        horizon=14,
    )


def weekly_categories(journey: CompleteJourney, count: int = 80) -> Panel:
    """Return weekly units of the `count` categories that sold most before the first origin.

    Weeks 2 to 52, horizon 4 weeks, five origins.
    """
    table = journey.query(
        f"""SELECT p.product_category AS series, t.week, sum(t.quantity) AS units
            FROM transactions t JOIN products p USING (product_id)
            WHERE t.week BETWEEN {FIRST_WEEK} AND {LAST_WEEK} AND p.product_category IS NOT NULL
            GROUP BY ALL"""
    )
    names, units = _pivot(table, "week", range(FIRST_WEEK, LAST_WEEK + 1))
    origins = _weekly_origins(units.shape[1])
    kept = np.sort(np.argsort(-units[:, : origins[0]].sum(axis=1), kind="stable")[:count])
    return Panel(
        "category",
        tuple(np.array(names)[kept].tolist()),
        units[kept],
        _pay_days(units.shape[1]),
        np.zeros((len(kept), units.shape[1], 0)),
        season=1,
        origins=origins,
        horizon=4,
    )


def product_weeks(journey: CompleteJourney, weeks_sold: int = 28, least_units: int = 300) -> Panel:
    """Return weekly units of single products with their promotion plan.

    A product is in the task if, before the first origin (31 weeks), it sold in at least
    `weeks_sold` weeks and `least_units` units. The plan holds the card price as log ratio to the
    regular price, both medians of the week's lines, and the shares of the product's stores that
    displayed it or put it in the mailer. A week without a sale takes the ratio last seen, none (0)
    before the first sale. Prices are realised ones: to know them ahead is a mild optimism.
    """
    weeks = range(FIRST_WEEK, LAST_WEEK + 1)
    names, units = _pivot(
        journey.query(
            f"""SELECT product_id AS series, week, sum(quantity) AS units FROM transactions
                WHERE week BETWEEN {FIRST_WEEK} AND {LAST_WEEK} GROUP BY ALL"""
        ),
        "week",
        weeks,
    )
    origins = _weekly_origins(units.shape[1])
    past = units[:, : origins[0]]
    kept = ((past > 0).sum(axis=1) >= weeks_sold) & (past.sum(axis=1) >= least_units)
    names = np.array(names)[kept].tolist()
    return Panel(
        "product",
        tuple(names),
        units[kept],
        _pay_days(units.shape[1]),
        _promotion_plan(journey, names, weeks),
        season=1,
        origins=origins,
        horizon=4,
    )


def weekly_totals(journey: CompleteJourney) -> tuple[np.ndarray, np.ndarray]:
    """Return units of all goods by week, 2 to 52, from the raw and from the cleaned records."""
    sql = """SELECT sum(quantity) AS units FROM {} WHERE week BETWEEN 2 AND 52
             GROUP BY week ORDER BY week"""
    raw, clean = (
        journey.query(sql.format(table))["units"].to_numpy(float)
        for table in ("raw_transactions", "transactions")
    )
    return raw, clean


def _promotion_plan(journey, names, weeks) -> np.ndarray:
    wanted = f"product_id IN ({', '.join(map(str, names))})"
    price = journey.query(
        f"""SELECT product_id AS series, week,
                   ln(quantile_disc((sales_value + coupon_match_disc) / quantity, 0.5)
                      / quantile_disc((sales_value + coupon_match_disc + retail_disc) / quantity,
                                      0.5)) AS value
            FROM transactions WHERE {wanted} AND sales_value + coupon_match_disc >= 0.01 * quantity
            GROUP BY ALL"""
    )
    # Only promoted cells are listed, and only for the stores that record promotions.
    promoted = journey.query(
        f"""WITH cells AS (SELECT * FROM promotions WHERE {wanted}),
                 sold AS (SELECT product_id, count(DISTINCT store_id) AS stores
                          FROM transactions WHERE {wanted} AND week <= 32
                          AND store_id IN (SELECT DISTINCT store_id FROM cells) GROUP BY ALL)
            SELECT product_id AS series, week, least(1, sum(display::INT) / stores) AS display,
                   least(1, sum(mailer::INT) / stores) AS mailer
            FROM cells JOIN sold USING (product_id) GROUP BY product_id, week, stores"""
    )
    ratio = _wide(price, names, weeks, "value").ffill(axis=1).fillna(0)
    shares = [_wide(promoted, names, weeks, what).fillna(0) for what in ("display", "mailer")]
    return np.dstack([frame.to_numpy(float) for frame in (ratio, *shares)])


def _wide(table, names, weeks, value: str):
    wide = table.pivot(index="series", columns="week", values=value)
    return wide.reindex(index=names, columns=weeks)


def _pivot(table, period: str, periods):
    """Return names and units (n, T) of a long table; periods without a row sold nothing."""
    wide = table.pivot(index="series", columns=period, values="units").reindex(columns=periods)
    return wide.index.tolist(), wide.fillna(0).to_numpy(float)


def _weekly_origins(weeks: int) -> tuple[int, ...]:
    return tuple(weeks - 4 * back for back in (5, 4, 3, 2, 1))


def _pay_days(weeks: int) -> np.ndarray:
    """Return the share of the days of each week that are the 1st to 5th of a month: (weeks, 1)."""
    days = pd.date_range(FIRST_MONDAY, periods=7 * weeks)
    return np.asarray(days.day <= 5, float).reshape(weeks, 7).mean(axis=1, keepdims=True)
