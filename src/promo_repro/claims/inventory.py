"""The inventory: what the five articles state, item by item, as validated records."""

from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from promo_repro.project import root

KINDS = {
    "F": "formula",
    "N": "number",
    "L": "listing",
    "P": "process",
    "A": "assertion",
    "R": "reference",
    "C": "concept",
    "S": "scenario",
    "Q": "faq",
}
LETTERS = {kind: letter for letter, kind in KINDS.items()}
Chapter = Literal[
    "data", "profiles", "recommender", "demand", "pricing", "bandits", "tabular", "dqn", "ddpg",
    "allocation", "evaluation", "responsible", "strategy", "foundations", "references",
]  # fmt: skip


class InventoryError(ValueError):
    """The inventory is broken; the message names file, line and remedy."""


class Claim(BaseModel):
    """One checkable item of one document. Fields as explained in `data/claims/README.md`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    section: str
    lines: str
    kind: Literal[tuple(LETTERS)]
    statement: str
    chapter: Chapter
    latex: str | None = None
    values: Any = None
    nodes: Any = None
    edges: Any = None
    depends_on: tuple[str, ...] = ()

    @property
    def document(self) -> str:
        return self.id.split("-")[0]

    @model_validator(mode="after")
    def _agrees_with_its_id(self) -> "Claim":
        letter = self.id.partition("-")[2][:1]
        if KINDS.get(letter) != self.kind:
            raise ValueError(f"id {self.id} says {KINDS.get(letter)!r}, kind says {self.kind!r}")
        if self.kind == "formula" and not self.latex:
            raise ValueError("a formula needs the field latex")
        return self


class Document(BaseModel):
    """One article: its title and its claims in the order of the text."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    file: str
    title_zh: str | None
    title_en: str
    note: str | None = None
    claims: tuple[Claim, ...]


class _LineLoader(yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader):
    """YAML loader that notes, under `__line__`, where each claim begins."""

    def construct_mapping(self, node, deep=False):
        mapping = super().construct_mapping(node, deep=deep)
        if "section" in mapping:
            mapping["__line__"] = node.start_mark.line + 1
        return mapping


def load_document(path: Path) -> Document:
    """Read and validate one file of the inventory.

    Raises `InventoryError` naming the file and the line of the item that is wrong: unreadable
    YAML, a missing or unknown field, an unknown kind or chapter, an id that is out of place, or
    a dependency that does not exist.
    """
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), Loader=_LineLoader)
    except FileNotFoundError:
        raise InventoryError(f"{path}: no such file; restore data/claims/ from git") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else "?"
        raise InventoryError(f"{path}:{line}: not valid YAML: {error}") from error
    if not isinstance(raw, dict) or not {"document", "claims"} <= set(raw):
        raise InventoryError(f"{path}:1: needs the top-level keys 'document' and 'claims'")

    claims, lines, seen = [], [], {}
    for item in raw["claims"]:
        line = item.pop("__line__", "?") if isinstance(item, dict) else "?"
        try:
            claim = Claim.model_validate(item)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "item"
            name = item.get("id", item) if isinstance(item, dict) else item
            raise InventoryError(f"{path}:{line}: {name}: {where}: {first['msg']}") from error
        letter = claim.id.partition("-")[2][:1]
        seen[letter] = seen.get(letter, 0) + 1
        expected = f"{raw['document']['id']}-{letter}{seen[letter]:02d}"
        if claim.id != expected:
            raise InventoryError(f"{path}:{line}: id {claim.id} where {expected} is due")
        claims.append(claim)
        lines.append(line)
    ids = {claim.id for claim in claims}
    for claim, line in zip(claims, lines, strict=True):
        for other in claim.depends_on:
            if other not in ids:
                raise InventoryError(f"{path}:{line}: {claim.id} depends on unknown {other}")
    return Document(**raw["document"], claims=tuple(claims))


def load_documents(folder: Path | None = None) -> tuple[Document, ...]:
    """Read all documents of the inventory, by default from `data/claims/` of the project."""
    folder = root() / "data" / "claims" if folder is None else folder
    paths = sorted(folder.glob("D*.yml"))
    if not paths:
        raise InventoryError(f"{folder}: holds no D*.yml; restore data/claims/ from git")
    return tuple(load_document(path) for path in paths)


@cache
def inventory() -> dict[str, Claim]:
    """Return every claim of the project by id, in document order."""
    return {claim.id: claim for document in load_documents() for claim in document.claims}
