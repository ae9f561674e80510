"""A verdict is refused unless id, reason and evidence are in order; its card says it all."""

import json
import sys

import pytest

from promo_repro.claims import (
    MIME,
    EvidenceError,
    computed,
    confirmed,
    inventory,
    untestable,
    verdict,
    verdict_table,
)
from promo_repro.claims.evidence import agrees

# The package exports the function under the name of its module.
module = sys.modules["promo_repro.claims.verdict"]


def evidence():
    return confirmed(True, computed(agrees, 5, 5.0))


@pytest.fixture
def given(monkeypatch):
    """Give a verdict and return what it displays."""

    def give(ids, *args, **kwargs):
        shown = []
        monkeypatch.setattr(module, "display", lambda data, raw: shown.append(data))
        verdict(ids, *args, **kwargs)
        return shown[0]

    return give


def test_the_card_carries_the_record(given):
    data = given("D1-N06", evidence(), because="Ten times a half <is> five.")
    bundle = data[MIME]
    assert bundle == json.loads(json.dumps(bundle))
    assert bundle["ids"] == ["D1-N06"]
    assert bundle["status"] == "confirmed"
    assert bundle["evidence"]["function"] == "promo_repro.claims.evidence.agrees"
    assert 'id="verdict-D1-N06"' in data["text/html"]
    assert "&lt;is&gt;" in data["text/html"]
    assert "D1-N06: confirmed." in data["text/plain"]


def test_a_group_is_one_card_with_an_anchor_each(given):
    html = given(["D1-N06", "D1-F28"], evidence(), because="Same product.")["text/html"]
    assert html.count("<li>") == 2
    assert 'id="verdict-D1-F28"' in html
    assert r"\(R_1=10 \times 0.5 = 5\)" in html


def test_the_table_lists_what_was_given_in_document_order(given):
    given(["D1-F28"], evidence(), because="b")
    given("D1-A01", evidence(), because="a")
    html = verdict_table().data
    assert html.index("#verdict-D1-A01") < html.index("#verdict-D1-F28")


@pytest.mark.parametrize(
    ("ids", "because", "says"),
    [
        ("D1-N99", "reason", "unknown claim id 'D1-N99'"),
        ([], "reason", "at least one"),
        (["D1-N06", "D1-N06"], "reason", "named twice"),
        ("D1-N06", "  ", "needs a reason"),
    ],
)
def test_bad_calls_raise(ids, because, says):
    with pytest.raises(EvidenceError, match=says):
        verdict(ids, evidence(), because=because)


def test_only_evidence_is_evidence():
    with pytest.raises(EvidenceError, match="is not evidence"):
        verdict("D1-N06", "confirmed", because="reason")


@pytest.mark.parametrize("kind", ["formula", "number", "listing"])
def test_what_is_computed_cannot_be_untestable(kind):
    name = next(claim.id for claim in inventory().values() if claim.kind == kind)
    with pytest.raises(EvidenceError, match="has to be computed"):
        verdict(name, untestable(needs="more data"), because="reason")
