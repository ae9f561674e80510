"""Anchors measured on the real data; skipped with a reason where the data are not there."""

import numpy as np
import pytest

from promo_repro import datasets
from promo_repro.datasets import complete_journey, ecdat, hillstrom, open_bandit, starbucks

pytestmark = pytest.mark.real_data


def require(name):
    (row,) = datasets.check([name])
    if row.status != "ok":
        pytest.skip(f"real data: {row.status}")


@pytest.fixture(scope="module")
def shop():
    require("complete_journey")
    return complete_journey.load()


def test_cleaning_removes_what_it_is_known_to_remove(shop):
    removed = dict(zip(shop.report["step"], shop.report["removed"], strict=True))
    assert removed == {
        "known product": 4_836,
        "merchandise": 19_080,
        "countable quantity": 3_960,
        "paid": 2_228,
        "one copy": 0,
        "one row per key: coupons": 4_872,
        "one row per key: promotions": 12_785,
    }
    assert shop.report["rows_before"][0] == 1_469_307


def test_cleaned_transactions(shop):
    lines = shop.transactions
    assert len(lines) == 1_439_203
    assert lines["basket_id"].nunique() == 140_877
    assert lines["household_id"].nunique() == 2_467
    assert lines["product_id"].nunique() == 67_765
    assert round(lines["sales_value"].sum() / 1e6, 3) == 4.184


def test_local_time_makes_monday_weeks(shop):
    days = shop.transactions.drop_duplicates("date").set_index("date").sort_index()
    assert str(shop.transactions["timestamp"].min()).startswith("2017-01-01 06:53")
    assert str(shop.transactions["timestamp"].max()).startswith("2017-12-31 23:01")
    full = days[days["week"].between(2, 52)]
    assert (full.groupby("week").size() == 7).sum() >= 50
    assert set(full.groupby("week").head(1).index.day_of_week) == {0}


def test_promotions(shop):
    row = shop.query(
        "SELECT count(*) AS cells, count(DISTINCT store_id) AS stores, "
        "sum((NOT display AND NOT mailer)::INT) AS neither FROM promotions"
    ).iloc[0]
    assert row.tolist() == [20_940_529 - 12_785, 112, 0]


def test_hillstrom():
    require("hillstrom")
    frame = hillstrom.load()
    assert frame["segment"].value_counts().to_dict() == {
        "Womens E-Mail": 21_387,
        "Mens E-Mail": 21_307,
        "No E-Mail": 21_306,
    }
    assert (frame["spend"] > 0).sum() == 578
    assert frame["spend"].max() == 499
    assert frame.duplicated().sum() == 6_562


def test_starbucks():
    require("starbucks")
    assert [len(starbucks.load(split)) for split in ("train", "test")] == [84_534, 41_650]
    assert not set(starbucks.load("train")["ID"]) & set(starbucks.load("test")["ID"])


@pytest.mark.parametrize("panel", ecdat.PANELS)
def test_ecdat(panel):
    require("ecdat")
    frame = ecdat.load(panel)
    assert len(frame) == ecdat.PANELS[panel].rows
    prices = frame.filter(like="price_")
    assert (prices == 0).any(axis=1).sum() == (3 if panel == "Cracker" else 0)


def test_open_bandit_womens_thompson_log_is_degenerate():
    log = open_bandit.load("bts", "women").impressions
    weight = 1 / 46 / log["propensity_score"]
    assert log["propensity_score"].min() == pytest.approx(1e-6)
    assert np.square(weight.sum()) / np.square(weight).sum() == pytest.approx(2, abs=1)
