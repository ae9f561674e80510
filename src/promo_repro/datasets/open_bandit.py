"""Open Bandit: 60,000 logged impressions of a fashion shop, with known propensities.

The Parquet files in `data/open_bandit/` were made by `build`, which is kept so that they can be
made again.
"""

import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd
import pandera.pandas as pa

from promo_repro.datasets.cards import DataCard, fields
from promo_repro.datasets.schemas import column, table, validate
from promo_repro.datasets.storage import DatasetError, downloaded, verified, write_atomically
from promo_repro.project import root

NAME = "open_bandit"
REQUIREMENT = "obp==0.5.7"
ARCHIVE_CHECKSUM = "3060d67fedfcfadf1e7a6f2608987f74412b5eb74d2c567edeb147595c68f2a0"
REMEDY = "Restore data/open_bandit/ from git, or make it again with `open_bandit.build()`"
POLICIES = ("random", "bts")
CAMPAIGNS = {"all": 80, "men": 34, "women": 46}
ROWS = 10_000
Policy = Literal["random", "bts"]
Campaign = Literal["all", "men", "women"]
CHECKSUMS = {
    "random_all": "f0a9d2f18c6599564441a20360c41a6a780c353dcf876a6480db77ebeb47a950",
    "random_all_items": "47f41f48f0b8b09e217620a863ac311d67d69c94b49d161134d11247afb0e4ef",
    "random_men": "5710c143a5f8b62f620b0d20f8eff6779af9a02d70856928e8e9bece1133bc23",
    "random_men_items": "2199c6e1e20402563e4bd878ba73143d210431045873555aca9a4f1950306ebb",
    "random_women": "705757c8f4c705d866a390ed8c73e3f82e245b527cea9a6c8e1ca6b75eda6907",
    "random_women_items": "cf6a046ec0831403582269deb8bfe4f35896da63fbe146e05fc573b878ad70e6",
    "bts_all": "d7fffa78805eab5ca414e364155b8de6b59ae4dc1a08f6b38b0f12bceb8c9c84",
    "bts_all_items": "8e9df661d0aab310ae7ac94aaa0e0a99816b9ddc1450a664c3e8c91e67bd5e42",
    "bts_men": "b72b596bdef586b02987bd494fd9494a51a85a22a3d615f2bd539c24a795fe38",
    "bts_men_items": "9cc9f5226d94e779369b643494306ee48452c0fcfe79967dfcb68b31fd2b5e0e",
    "bts_women": "ef3eee72ec7bd4ad9dde6bb4966d68c0729fda482627e281c8d2558b55c6ad64",
    "bts_women_items": "20974b3354974d949f151f6f35a1674a5e539cc6912b8983c3f2748a9942bf37",
}
USER_FEATURES = tuple(f"user_feature_{index}" for index in range(4))


def log_schema(campaign: str) -> pa.DataFrameSchema:
    """Return the schema of the impressions of one campaign (80, 34 or 46 items)."""
    items = CAMPAIGNS[campaign]
    affinity = {affinity_name(item): column("float32", pa.Check.ge(0)) for item in range(items)}
    return table(
        timestamp=column("datetime64[us, UTC]"),
        item_id=column("int16", pa.Check.in_range(0, items - 1)),
        position=column("int8", pa.Check.in_range(1, 3)),
        click=column("int8", pa.Check.isin([0, 1])),
        propensity_score=column("float64", pa.Check.gt(0), pa.Check.le(1)),
        **{name: column("category") for name in USER_FEATURES},
        **affinity,
    )


ITEMS = table(
    item_id=column("int16", unique=True),
    item_feature_0=column("float64"),
    **{f"item_feature_{index}": column("category") for index in (1, 2, 3)},
)
CARD = DataCard(
    name=NAME,
    title="Open Bandit sample",
    origin="Source archive obp 0.5.7: three campaigns under two logging policies",
    terms="Apache-2.0 (project licence); licence, notice and citation lie beside the files",
    size="6 logs of 10,000 impressions; 80, 34 and 46 items; 24 to 30 November 2019",
    randomised="yes: items are drawn with the recorded probabilities",
    fields=(
        *fields(
            "log",
            timestamp="moment of the impression [UTC]",
            item_id="item shown",
            position="place on the page, left to right [1–3]",
            click="1 if clicked",
            propensity_score="probability with which the policy shows this item here",
            user_feature_0="hashed category, as are 1 to 3",
            affinity_0="past clicks of this user on item 0; one column per item [clicks]",
        ),
        *fields(
            "items",
            item_id="key",
            item_feature_0="a standardised number",
            item_feature_1="hashed category, as are 2 and 3",
        ),
    ),
    traps=(
        "38 to 69 clicks per log: far too few to rank policies.",
        "Propensities of the women's Thompson log go down to 1e-6: a few rows carry all weight.",
        "The column is propensity_score; three positions are three rows, not one slate.",
        "There are impressions and clicks here, but no purchases.",
    ),
    citation=(
        "Saito, Aihara, Matsutani and Narita (2021), Open Bandit Dataset and Pipeline, "
        "NeurIPS Datasets and Benchmarks, arXiv:2008.07146"
    ),
)


@dataclass(frozen=True)
class BanditLog:
    """One log and its items: `impressions` (10,000 rows) and `items` (one row per item)."""

    impressions: pd.DataFrame
    items: pd.DataFrame
    policy: str
    campaign: str


def affinity_name(item: int) -> str:
    """Return the column that holds a user's past clicks on `item`."""
    return f"affinity_{item}"


def folder() -> Path:
    """Return the folder of the committed files."""
    return root() / "data" / NAME


def paths() -> dict[str, Path]:
    """Return the twelve committed files by stem."""
    return {stem: folder() / f"{stem}.parquet" for stem in CHECKSUMS}


def check() -> int:
    """Verify every committed file against its checksum and return the number of impressions."""
    for stem, path in paths().items():
        verified(NAME, path, CHECKSUMS[stem], REMEDY)
    return ROWS * len(POLICIES) * len(CAMPAIGNS)


def load(policy: Policy = "random", campaign: Campaign = "all") -> BanditLog:
    """Return one log: logged by `policy` ("random" or "bts") in `campaign`.

    Raises `ValueError` for an unknown policy or campaign, and `DatasetError` if a file is
    missing, damaged or fails its schema.
    """
    if policy not in POLICIES or campaign not in CAMPAIGNS:
        raise ValueError(
            f"no log of policy {policy!r} in campaign {campaign!r}; "
            f"choose from {POLICIES} and {tuple(CAMPAIGNS)}"
        )
    log, items = (f"{policy}_{campaign}", f"{policy}_{campaign}_items")
    frames = {
        stem: pd.read_parquet(verified(NAME, paths()[stem], CHECKSUMS[stem], REMEDY))
        for stem in (log, items)
    }
    return BanditLog(
        impressions=validate(NAME, log, frames[log], log_schema(campaign)),
        items=validate(NAME, items, frames[items], ITEMS),
        policy=policy,
        campaign=campaign,
    )


def compact(raw: pd.DataFrame, campaign: str) -> pd.DataFrame:
    """Turn one CSV log as published into the compact typed frame that is kept.

    Nothing is lost but the row number; affinities are small whole numbers, exact as float32.
    """
    items = CAMPAIGNS[campaign]
    renamed = {f"user-item_affinity_{item}": affinity_name(item) for item in range(items)}
    frame = raw.rename(columns=renamed).assign(timestamp=pd.to_datetime(raw["timestamp"], utc=True))
    types = {"item_id": "int16", "position": "int8", "click": "int8"}
    types |= {"timestamp": "datetime64[us, UTC]"}
    types |= dict.fromkeys(USER_FEATURES, "category") | dict.fromkeys(renamed.values(), "float32")
    return frame.astype(types)


def compact_items(raw: pd.DataFrame) -> pd.DataFrame:
    """Turn one CSV item table as published into the typed frame that is kept."""
    types = {"item_id": "int16", **{f"item_feature_{index}": "category" for index in (1, 2, 3)}}
    return raw.astype(types).sort_values("item_id", ignore_index=True)


def build(target: Path | None = None) -> dict[str, Path]:
    """Download the source archive and write the twelve Parquet files into `target`.

    Raises `DatasetError` without network, or if the archive is not the pinned one.
    """
    target = folder() if target is None else target
    made = {}
    with downloaded(NAME, REQUIREMENT, source=True) as archive:
        verified(NAME, archive, ARCHIVE_CHECKSUM)
        with tarfile.open(archive) as members:
            for policy in POLICIES:
                for campaign in CAMPAIGNS:
                    inside = f"obp-0.5.7/obp/dataset/obd/{policy}/{campaign}"
                    log = compact(_csv(members, f"{inside}/{campaign}.csv"), campaign)
                    items = compact_items(_csv(members, f"{inside}/item_context.csv"))
                    for stem, frame in (("", log), ("_items", items)):
                        path = target / f"{policy}_{campaign}{stem}.parquet"
                        made[path.stem] = write_atomically(path, _writer(frame))
    return made


def _csv(members: tarfile.TarFile, name: str) -> pd.DataFrame:
    stream = members.extractfile(name)
    if stream is None:
        raise DatasetError(NAME, f"the archive lacks {name}", REMEDY)
    return pd.read_csv(stream, index_col=0)


def _writer(frame: pd.DataFrame):
    return lambda path: frame.to_parquet(path, index=False, compression="zstd")
