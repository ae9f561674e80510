"""Real data in, typed and validated frames out.

Each data set is a module with a `CARD`, a `check()` that verifies pinned checksums, and a
`load(...)`: `complete_journey`, `open_bandit`, `hillstrom`, `starbucks`, `ecdat`. `synthetic`
makes small tables of the same schemas for tests.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from promo_repro.datasets import complete_journey, ecdat, hillstrom, open_bandit, starbucks
from promo_repro.datasets.cards import DataCard
from promo_repro.datasets.storage import DatasetError, sha256

__all__ = ["DataCard", "DatasetError", "Status", "cards", "check", "fetch", "names", "paths"]

_MODULES = {
    module.NAME: module for module in (complete_journey, open_bandit, hillstrom, starbucks, ecdat)
}


class Status(NamedTuple):
    """State of one data set: `status` is "ok" or the error; `sha256` is that of its files."""

    name: str
    status: str
    rows: int
    bytes: int
    path: str
    sha256: str


def names() -> tuple[str, ...]:
    """Return the names of the data sets."""
    return tuple(_MODULES)


def cards() -> tuple[DataCard, ...]:
    """Return the card of every data set."""
    return tuple(module.CARD for module in _MODULES.values())


def paths(name: str) -> tuple[Path, ...]:
    """Return the files of one data set, whose content decides what its loader returns.

    Raises `ValueError` for an unknown name, and `DatasetError` if a package is not installed.
    """
    module = _module(name)
    if name in (complete_journey.NAME, open_bandit.NAME):
        return tuple(module.paths().values())
    if name == ecdat.NAME:
        return tuple(ecdat.path(panel) for panel in ecdat.PANELS)
    return (module.path(),)


def fetch(names: Iterable[str] | None = None) -> list[Status]:
    """Get every data set that is not yet there, and prepare it; return one status each.

    The Complete Journey comes with the installed packages and Open Bandit with the repository:
    for these, to fetch is to verify, and to clean the former.
    """
    return [_fetched(_module(name)) for name in _wanted(names)]


def check(names: Iterable[str] | None = None) -> list[Status]:
    """Verify the files of every data set; return one status each, without downloading."""
    return [_status(_module(name)) for name in _wanted(names)]


def _wanted(names: Iterable[str] | None) -> tuple[str, ...]:
    return tuple(_MODULES) if names is None else tuple(names)


def _module(name: str):
    if name not in _MODULES:
        raise ValueError(f"no data set {name!r}; choose from {', '.join(_MODULES)}")
    return _MODULES[name]


def _fetched(module) -> Status:
    status = _status(module)
    try:
        if status.status != "ok" and hasattr(module, "fetch"):
            module.fetch()
            status = _status(module)
        if status.status == "ok" and module is complete_journey:
            complete_journey.load()
    except DatasetError as error:
        return status._replace(status=str(error))
    return status


def _status(module) -> Status:
    try:
        rows = module.check()
        files = paths(module.NAME)
    except DatasetError as error:
        return Status(module.NAME, str(error), 0, 0, "", "")
    sums = [sha256(file) for file in files]
    return Status(
        name=module.NAME,
        status="ok",
        rows=rows,
        bytes=sum(file.stat().st_size for file in files),
        path=str(files[0] if len(files) == 1 else files[0].parent),
        sha256=sums[0] if len(sums) == 1 else _joint(sums),
    )


def _joint(sums: list[str]) -> str:
    return hashlib.sha256("".join(sums).encode()).hexdigest()
