"""The scorecard: collected from executed notebooks, and from nothing else."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from promo_repro.claims.evidence import STATUSES
from promo_repro.claims.inventory import Claim
from promo_repro.claims.verdict import MIME, NEVER_UNTESTABLE, SCHEMA

SCORECARD_SCHEMA = "promo-repro.scorecard/1"
OPEN = "open"
# How much of the inventory may stay undecided for want of evidence.
UNTESTABLE_LIMITS = {"all": 0.15, "process steps and FAQ answers": 0.05}


class ScorecardError(ValueError):
    """The executed notebooks do not add up to one scorecard."""


@dataclass(frozen=True)
class Entry:
    """One claim and the verdict on it; status `open` when no chapter has judged it yet."""

    claim: Claim
    status: str = OPEN
    because: str = ""
    evidence: dict[str, Any] | None = None
    notebook: str | None = None
    cell_id: str | None = None
    page: str | None = None

    def to_json(self) -> dict[str, Any]:
        evidence = self.evidence or {}
        return {
            "id": self.claim.id,
            "status": self.status,
            "because": self.because,
            "printed": evidence.get("printed"),
            "derived": evidence.get("derived"),
            "notebook": self.notebook,
            "cell_id": self.cell_id,
            "page": self.page,
        }


@dataclass(frozen=True)
class Scorecard:
    """Every claim of the inventory with its verdict, in the order of the documents."""

    entries: tuple[Entry, ...]
    profile: str

    @property
    def totals(self) -> dict[str, int]:
        counts = Counter(entry.status for entry in self.entries)
        return {status: counts[status] for status in (*STATUSES, OPEN)}

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": SCORECARD_SCHEMA,
            "profile": self.profile,
            "totals": self.totals,
            "claims": [entry.to_json() for entry in self.entries],
        }


def collect(executed: Path, claims: dict[str, Claim]) -> Scorecard:
    """Read the verdicts out of the executed notebooks in the folder `executed`.

    Raises `ScorecardError` when two verdicts on one claim contradict each other, when a verdict
    names an unknown claim, is of another schema or declares a formula, number or listing
    untestable, and when more is declared untestable than `UNTESTABLE_LIMITS` allows.
    """
    found: dict[str, Entry] = {}
    profiles = set()
    for path in sorted(executed.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        profiles.add(notebook.metadata.get("promo_repro", {}).get("profile", "unknown"))
        for cell in notebook.cells:
            for output in cell.get("outputs", ()):
                bundle = output.get("data", {}).get(MIME)
                if bundle is not None:
                    for entry in _entries(bundle, path, cell.id, claims):
                        _add(found, entry)
    entries = tuple(found.get(name, Entry(claim)) for name, claim in claims.items())
    _limit_untestable(entries)
    return Scorecard(entries, " and ".join(sorted(profiles)) or "none")


def _entries(bundle: dict, path: Path, cell_id: str, claims: dict[str, Claim]):
    where = f"{path.name}, cell {cell_id}"
    if bundle.get("schema") != SCHEMA or bundle.get("status") not in STATUSES:
        raise ScorecardError(
            f"{where}: not a verdict of schema {SCHEMA}; execute the chapter again"
        )
    for name in bundle["ids"]:
        if name not in claims:
            raise ScorecardError(f"{where}: verdict on unknown claim {name}")
        if bundle["status"] == "untestable" and claims[name].kind in NEVER_UNTESTABLE:
            raise ScorecardError(f"{where}: {name} is a {claims[name].kind}, it must be computed")
        yield Entry(
            claim=claims[name],
            status=bundle["status"],
            because=bundle["because"],
            evidence=bundle["evidence"],
            notebook=f"notebooks/{path.name}",
            cell_id=cell_id,
            page=f"chapters/{path.stem}.html#verdict-{name}",
        )


def _add(found: dict[str, Entry], entry: Entry) -> None:
    """Keep the first verdict on a claim; a later one has to say the same."""
    first = found.setdefault(entry.claim.id, entry)
    if first.status != entry.status:
        raise ScorecardError(
            f"two verdicts on {entry.claim.id} contradict each other: "
            f"{first.status} ({first.notebook}, cell {first.cell_id}) and "
            f"{entry.status} ({entry.notebook}, cell {entry.cell_id})"
        )


def _limit_untestable(entries: tuple[Entry, ...]) -> None:
    groups = {
        "all": entries,
        "process steps and FAQ answers": [e for e in entries if e.claim.kind in ("process", "faq")],
    }
    for name, group in groups.items():
        untestable = [entry.claim.id for entry in group if entry.status == "untestable"]
        if len(untestable) > UNTESTABLE_LIMITS[name] * len(group):
            raise ScorecardError(
                f"{len(untestable)} of {len(group)} claims ({name}) are called untestable, more "
                f"than {UNTESTABLE_LIMITS[name]:.0%}: {', '.join(untestable)}"
            )
