"""Small seeded tables with the schemas of the real ones, traps included.

Unit tests use them instead of downloads. No value here says anything about a shop.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from promo_repro.datasets import ecdat, hillstrom, open_bandit
from promo_repro.datasets.schemas import validate

FUEL, CATEGORYLESS, GIFT_CARD = 900, 901, 902
ORPHAN = 999


class Journey(NamedTuple):
    """Raw tables of a small shop, and how many transaction lines of each trap were planted."""

    tables: dict[str, pd.DataFrame]
    planted: dict[str, int]

    def write(self, folder: Path) -> Path:
        """Write every raw table as `<name>.parquet` into `folder` and return it."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, frame in self.tables.items():
            frame.to_parquet(folder / f"{name}.parquet", index=False)
        return folder


def complete_journey(
    rng: np.random.Generator, households: int = 30, products: int = 20, lines: int = 2_000
) -> Journey:
    """Return raw Complete Journey tables with planted traps.

    Among `lines` ordinary ones there are lines of an orphan product, of fuel and gift cards, of
    quantity 0 and above 40, unpaid ones and exact copies; coupons have exact copies, promotions
    repeat cells, demographics cover the heaviest third, and stamps are UTC.
    """
    goods = _products(products)
    planted = {
        "known product": 7,
        "merchandise": 11,
        "countable quantity": 9,
        "paid": 5,
        "one copy": 4,
    }
    good = _lines(rng, lines, households, goods["product_id"].iloc[:products].to_numpy())
    trap = {
        name: good.sample(count, random_state=rng, ignore_index=True)
        for name, count in planted.items()
    }
    trap["known product"]["product_id"] = ORPHAN
    trap["merchandise"]["product_id"] = rng.choice([FUEL, GIFT_CARD], planted["merchandise"])
    trap["merchandise"]["quantity"] = rng.integers(5_000, 20_000, planted["merchandise"])
    trap["countable quantity"]["quantity"] = np.where(np.arange(9) % 2, 0, 41)
    trap["paid"]["sales_value"] = 0.0
    trap["one copy"] = good.iloc[: planted["one copy"]]
    transactions = pd.concat([good, *trap.values()], ignore_index=True)
    transactions = transactions.sample(frac=1, random_state=rng, ignore_index=True)
    spend = good.groupby("household_id")["sales_value"].sum().sort_values(ascending=False)
    tables = {
        "transactions": transactions,
        "products": goods,
        "demographics": _demographics(rng, spend.index[: households // 3].to_numpy()),
        **_campaigns(rng, spend.index[: households // 2].to_numpy(), goods),
        "promotions": _promotions(rng, goods["product_id"].iloc[:products].to_numpy()),
    }
    return Journey(tables, planted)


def _products(count: int) -> pd.DataFrame:
    ids = [*range(1, count + 1), FUEL, CATEGORYLESS, GIFT_CARD]
    departments = ["GROCERY"] * count + ["FUEL", "GROCERY", "GROCERY"]
    categories = [f"CATEGORY {1 + index % 5}" for index in range(count)]
    categories += ["COUPON/MISC ITEMS", None, "COUPON/MISC ITEMS"]
    frame = pd.DataFrame(
        {
            "product_id": ids,
            "manufacturer_id": [1 + index % 3 for index in range(len(ids))],
            "department": departments,
            "brand": ["National", "Private"] * (len(ids) // 2) + ["National"] * (len(ids) % 2),
            "product_category": categories,
            "product_type": categories,
            "package_size": ["12 OZ"] * (len(ids) - 1) + [None],
        }
    )
    text = ("department", "brand", "product_category", "product_type", "package_size")
    return frame.astype(dict.fromkeys(text, "str"))


def _lines(rng, count: int, households: int, product_ids: np.ndarray) -> pd.DataFrame:
    # Heavy-tailed activity: household 1 shops most.
    weights = 1 / np.arange(1, households + 1)
    household = rng.choice(np.arange(1, households + 1), count, p=weights / weights.sum())
    # The year in UTC: midnight of 1 January in New York is 05:00.
    seconds = rng.integers(5 * 3600, 365 * 86_400, count)
    stamp = pd.Timestamp("2017-01-01") + pd.to_timedelta(seconds, unit="s")
    local_day = (stamp - pd.Timedelta(hours=5)).day_of_year.to_numpy()
    quantity = 1 + rng.poisson(0.4, count)
    price = rng.lognormal(0.8, 0.6, count).round(2) + 0.1
    discount = np.where(rng.random(count) < 0.5, (0.3 * price).round(2), 0.0)
    coupon = np.where(rng.random(count) < 0.02, 1.0, 0.0)
    return pd.DataFrame(
        {
            "household_id": household,
            "store_id": rng.integers(1, 4, count),
            "basket_id": household * 1_000 + local_day,
            "product_id": rng.choice(product_ids, count),
            "quantity": quantity,
            "sales_value": ((price - discount).clip(0.05) * quantity).round(2),
            "retail_disc": (discount * quantity).round(2),
            "coupon_disc": coupon,
            "coupon_match_disc": 0.0,
            # 1 January is a Sunday, and weeks begin on Monday.
            "week": (1 + (local_day + 5) // 7).astype("int64"),
            "transaction_timestamp": stamp.astype("datetime64[ns]"),
        }
    ).drop_duplicates(ignore_index=True)


def _demographics(rng, household_ids: np.ndarray) -> pd.DataFrame:
    count = len(household_ids)
    text = {
        "age": rng.choice(["25-34", "45-54", "65+"], count),
        "income": rng.choice(["35-49K", "50-74K"], count),
        "home_ownership": rng.choice(np.array(["Homeowner", None], object), count),
        "marital_status": rng.choice(np.array(["Married", None], object), count),
        "household_size": rng.choice(["1", "2", "5+"], count),
        "household_comp": rng.choice(["1 Adult No Kids", "2 Adults Kids"], count),
        "kids_count": rng.choice(["0", "3+"], count),
    }
    return pd.DataFrame({"household_id": household_ids, **text}).astype(dict.fromkeys(text, "str"))


def _campaigns(rng, targets: np.ndarray, goods: pd.DataFrame) -> dict[str, pd.DataFrame]:
    coupons = pd.DataFrame(
        {
            "coupon_upc": np.repeat([10, 11, 12], 6),
            "product_id": rng.choice(goods["product_id"].to_numpy(), 18),
            "campaign_id": np.repeat([1, 1, 2], 6),
        }
    ).drop_duplicates(ignore_index=True)
    redeemed = pd.DataFrame(
        {
            "household_id": targets[:3],
            "coupon_upc": [10, 11, 12][: len(targets[:3])],
            "campaign_id": [1, 1, 2][: len(targets[:3])],
            "redemption_date": pd.Timestamp("2017-04-20"),
        }
    )
    descriptions = pd.DataFrame(
        {
            "campaign_id": [1, 2],
            "campaign_type": ["Type A", "Type B"],
            "start_date": pd.to_datetime(["2017-04-10", "2017-06-05"]),
            "end_date": pd.to_datetime(["2017-05-10", "2017-07-05"]),
        }
    )
    nanoseconds = "datetime64[ns]"
    return {
        "campaigns": pd.DataFrame({"campaign_id": 1, "household_id": targets}),
        "campaign_descriptions": descriptions.astype(
            {"campaign_type": "str", "start_date": nanoseconds, "end_date": nanoseconds}
        ),
        "coupons": pd.concat([coupons, coupons.iloc[:3]], ignore_index=True),
        "coupon_redemptions": redeemed.astype({"redemption_date": nanoseconds}),
    }


def _promotions(rng, product_ids: np.ndarray) -> pd.DataFrame:
    cells = pd.DataFrame(
        {
            "product_id": rng.choice(product_ids, 200),
            "store_id": rng.integers(1, 3, 200),
            "display_location": rng.choice(["0", "5", "9"], 200),
            "week": rng.integers(1, 54, 200),
        }
    ).drop_duplicates(["product_id", "store_id", "week"], ignore_index=True)
    shown = cells["display_location"] != "0"
    mailer = np.where(shown, rng.choice(["0", "A"], len(cells)), "A")
    cells.insert(3, "mailer_location", mailer)
    again = cells.iloc[:5].assign(display_location="7")
    text = {"display_location": "str", "mailer_location": "str"}
    return pd.concat([cells, again], ignore_index=True).astype(text)


def open_bandit_csv(rng: np.random.Generator, campaign: str = "men", rows: int = 200):
    """Return `(log, items)` as the published CSV files hold them, logged uniformly at random."""
    items = open_bandit.CAMPAIGNS[campaign]
    start = pd.Timestamp("2019-11-24", tz="UTC")
    stamps = start + pd.to_timedelta(np.sort(rng.integers(0, 7 * 86_400, rows)), unit="s")
    log = pd.DataFrame(
        {
            "timestamp": stamps.astype(str),
            "item_id": rng.integers(0, items, rows),
            "position": rng.integers(1, 4, rows),
            "click": (rng.random(rows) < 0.05).astype(int),
            "propensity_score": 1 / items,
            **{name: rng.choice(["a", "b", "c"], rows) for name in open_bandit.USER_FEATURES},
            **{
                f"user-item_affinity_{item}": rng.poisson(0.01, rows) * 1.0 for item in range(items)
            },
        }
    )
    features = {f"item_feature_{index}": rng.choice(["x", "y"], items) for index in (1, 2, 3)}
    table = {"item_id": rng.permutation(items), "item_feature_0": rng.normal(size=items)}
    return log, pd.DataFrame({**table, **features})


def hillstrom_rows(rng: np.random.Generator, rows: int = 300) -> pd.DataFrame:
    """Return customers with the schema of `hillstrom.load`; arms do not matter for the outcome."""
    converted = rng.random(rows) < 0.05
    raw = pd.DataFrame(
        {
            "recency": rng.integers(1, 13, rows),
            "history_segment": rng.choice(["1) $0 - $100", "7) $1,000 +"], rows),
            "history": rng.lognormal(5, 1, rows).round(2) + 0.01,
            "mens": rng.integers(0, 2, rows),
            "womens": rng.integers(0, 2, rows),
            "zip_code": rng.choice(["Urban", "Surburban", "Rural"], rows),
            "newbie": rng.integers(0, 2, rows),
            "channel": rng.choice(["Web", "Phone", "Multichannel"], rows),
            "segment": rng.choice(hillstrom.ARMS, rows),
            "visit": (converted | (rng.random(rows) < 0.1)).astype(int),
            "conversion": converted.astype(int),
            "spend": np.where(converted, rng.lognormal(4, 1, rows).round(2), 0.0),
        }
    )
    return validate(hillstrom.NAME, "synthetic", raw, hillstrom.SCHEMA)


def starbucks_csv(rng: np.random.Generator, rows: int = 300) -> pd.DataFrame:
    """Return customers as the published CSV files hold them."""
    return pd.DataFrame(
        {
            "ID": rng.permutation(rows),
            "Promotion": rng.choice(["Yes", "No"], rows),
            "purchase": (rng.random(rows) < 0.02).astype(int),
            "V1": rng.integers(0, 4, rows),
            "V2": rng.normal(30, 5, rows),
            "V3": rng.normal(size=rows),
            "V4": rng.integers(1, 3, rows),
            "V5": rng.integers(1, 5, rows),
            "V6": rng.integers(1, 5, rows),
            "V7": rng.integers(1, 3, rows),
        }
    )


def ecdat_pickle(rng: np.random.Generator, panel: str = "Catsup", rows: int = 50) -> pd.DataFrame:
    """Return one panel under the column names of the published pickle."""
    _, _, brands, flags = ecdat.PANELS[panel]
    prefixed = panel in ("Ketchup", "Tuna")
    own = {"hid": rng.integers(1, 9, rows)} if prefixed else {}
    own |= {"id": rng.integers(1, 9, rows), "choice": rng.choice(brands, rows)}
    return pd.DataFrame(
        {
            "rownames": np.arange(1, rows + 1),
            **{f"{panel}.{name}" if prefixed else name: values for name, values in own.items()},
            **{f"price.{brand}": rng.uniform(0.5, 2, rows) for brand in brands},
            **{f"{flag}.{brand}": rng.integers(0, 2, rows) for flag in flags for brand in brands},
        }
    )
