"""The inventory loads whole, and a broken file is reported with its line."""

from collections import Counter

import pytest
import yaml

from promo_repro.claims.inventory import KINDS, InventoryError, inventory, load_document
from promo_repro.project import root

ITEM = """\
document: {id: D9, file: x.txt, title_zh: null, title_en: Title}
claims:
  - id: D9-F01
    section: "1"
    lines: "3"
    kind: formula
    statement: One.
    latex: x = 1
    chapter: bandits
  - id: D9-A01
    section: "1"
    lines: "4"
    kind: assertion
    statement: Two.
    chapter: data
    depends_on: [D9-F01]
"""


def load(tmp_path, text):
    path = tmp_path / "D9.yml"
    path.write_text(text, encoding="utf-8")
    return load_document(path)


def test_counts_are_those_of_the_inventory_readme():
    readme = (root() / "data" / "claims" / "README.md").read_text(encoding="utf-8")
    row = next(line for line in readme.splitlines() if line.startswith("| **all** | 92 "))
    by_kind = [int(cell) for cell in row.split("|")[2:-1]]
    counts = Counter(claim.kind for claim in inventory().values())
    assert [*(counts[kind] for kind in KINDS.values()), len(inventory())] == by_kind


def test_yaml_and_records_agree_item_by_item():
    for path in sorted((root() / "data" / "claims").glob("D*.yml")):
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))["claims"]
        claims = [c for c in inventory().values() if c.document == path.stem]
        assert [(r["id"], r["statement"]) for r in raw] == [(c.id, c.statement) for c in claims]


def test_a_good_document_loads(tmp_path):
    document = load(tmp_path, ITEM)
    assert [claim.id for claim in document.claims] == ["D9-F01", "D9-A01"]
    assert document.claims[0].document == "D9"


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("statement: Two.", "statment: Two.", 10, "D9-A01: "),
        ("chapter: data", "chapter: dta", 10, "chapter"),
        ("kind: assertion", "kind: number", 10, "D9-A01 says 'assertion'"),
        ("id: D9-A01", "id: D9-A02", 10, "D9-A01 is due"),
        ("    latex: x = 1\n", "", 3, "needs the field latex"),
        ("[D9-F01]", "[D9-F07]", 10, "unknown D9-F07"),
        ('lines: "4"', 'lines: "4', 12, "not valid YAML"),
        ("claims:", "items:", 1, "'document' and 'claims'"),
    ],
)
def test_a_broken_file_names_the_line(tmp_path, old, new, line, says):
    assert old in ITEM
    with pytest.raises(InventoryError) as caught:
        load(tmp_path, ITEM.replace(old, new))
    assert says in str(caught.value)
    if "YAML" not in says:
        assert f"D9.yml:{line}:" in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InventoryError, match="no such file"):
        load_document(tmp_path / "D9.yml")
