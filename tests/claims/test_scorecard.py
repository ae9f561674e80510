"""The scorecard comes from executed notebooks alone and refuses contradictions."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from promo_repro.claims import MIME, OPEN, ScorecardError, collect, inventory
from promo_repro.claims.verdict import SCHEMA


def bundle(ids, status="confirmed", schema=SCHEMA):
    evidence = {"printed": 5, "derived": 5.0}
    return {"schema": schema, "ids": ids, "status": status, "because": "b", "evidence": evidence}


def write(folder, name, *bundles, profile="quick"):
    cells = [
        new_code_cell("x", id=f"cell-{i}", outputs=[new_output("display_data", data={MIME: b})])
        for i, b in enumerate(bundles)
    ]
    notebook = new_notebook(cells=cells, metadata={"promo_repro": {"profile": profile}})
    nbformat.write(notebook, folder / f"{name}.ipynb")


def test_no_notebook_leaves_every_claim_open(tmp_path):
    card = collect(tmp_path, inventory())
    assert card.totals[OPEN] == len(inventory()) == sum(card.totals.values())


def test_verdicts_are_found_with_their_place(tmp_path):
    write(tmp_path, "07_bandits", bundle(["D1-N06", "D1-F28"]), bundle(["D1-N07"], "refuted"))
    card = collect(tmp_path, inventory())
    assert card.totals["confirmed"] == 2
    assert card.totals["refuted"] == 1
    assert card.profile == "quick"
    found = next(c for c in card.to_json()["claims"] if c["id"] == "D1-N07")
    assert found == {
        "id": "D1-N07",
        "status": "refuted",
        "because": "b",
        "printed": 5,
        "derived": 5.0,
        "notebook": "notebooks/07_bandits.ipynb",
        "cell_id": "cell-1",
        "page": "chapters/07_bandits.html#verdict-D1-N07",
    }


def test_a_second_verdict_may_repeat_the_first(tmp_path):
    write(tmp_path, "01_data", bundle(["D1-N06"]))
    write(tmp_path, "07_bandits", bundle(["D1-N06"]))
    assert collect(tmp_path, inventory()).totals["confirmed"] == 1


def test_contradicting_verdicts_raise_and_name_both_cells(tmp_path):
    write(tmp_path, "01_data", bundle(["D1-N06"]))
    write(tmp_path, "07_bandits", bundle(["D1-N06"], "refuted"))
    with pytest.raises(ScorecardError, match=r"(?s)D1-N06.*01_data.*07_bandits"):
        collect(tmp_path, inventory())


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (bundle(["D1-N99"]), "unknown claim D1-N99"),
        (bundle(["D1-N06"], "plausible"), "not a verdict"),
        (bundle(["D1-N06"], schema="other"), "not a verdict"),
        (bundle(["D1-N06"], "untestable"), "must be computed"),
    ],
)
def test_a_bad_bundle_raises(tmp_path, bad, says):
    write(tmp_path, "07_bandits", bad)
    with pytest.raises(ScorecardError, match=says):
        collect(tmp_path, inventory())


def test_untestable_is_no_exit(tmp_path):
    steps = [claim.id for claim in inventory().values() if claim.kind in ("process", "faq")]
    allowed = int(0.05 * len(steps))
    write(tmp_path, "01_data", bundle(steps[:allowed], "untestable"))
    assert collect(tmp_path, inventory()).totals["untestable"] == allowed
    write(tmp_path, "01_data", bundle(steps[: allowed + 1], "untestable"))
    with pytest.raises(ScorecardError, match="process steps"):
        collect(tmp_path, inventory())
