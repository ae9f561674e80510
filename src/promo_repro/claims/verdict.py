"""The verdict on a claim: checked when it is given, shown as a card, kept as JSON."""

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import Any

from IPython.display import HTML, display

from promo_repro.claims.evidence import STATUSES, Evidence, EvidenceError
from promo_repro.claims.inventory import Claim, inventory

MIME = "application/vnd.promo-repro.verdict+json"
SCHEMA = "promo-repro.verdict/1"
# What the documents compute or print has to be answered by a computation.
NEVER_UNTESTABLE = ("formula", "number", "listing")

_given: dict[str, "Verdict"] = {}


@dataclass(frozen=True)
class Verdict:
    """One judgement of one or more claims that stand or fall together."""

    ids: tuple[str, ...]
    status: str
    because: str
    evidence: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "ids": list(self.ids),
            "status": self.status,
            "because": self.because,
            "evidence": self.evidence,
        }

    def __repr__(self) -> str:
        return f"{', '.join(self.ids)}: {self.status}. {self.because}"


def verdict(ids: str | Iterable[str], evidence: Evidence, *, because: str) -> None:
    """Judge one claim, or several that stand or fall together, and display the card.

    `evidence` comes from `confirmed`, `corrected`, `conditional`, `refuted`, `ill_posed` or
    `untestable`, each of which has already raised if the computation contradicts it. `because`
    is the reason in one or two sentences for a reader.

    Raises `EvidenceError` for an unknown id, a missing reason, something that is not evidence,
    and for *untestable* on a formula, a number or a listing.
    """
    ids = (ids,) if isinstance(ids, str) else tuple(ids)
    claims = [_claim(name) for name in ids]
    if not claims:
        raise EvidenceError("verdict() needs at least one claim id")
    if len(set(ids)) < len(ids):
        raise EvidenceError(f"an id is named twice: {', '.join(ids)}")
    if not because.strip():
        raise EvidenceError(f"{ids[0]}: a verdict needs a reason")
    if not isinstance(evidence, Evidence) or evidence.status not in STATUSES:
        raise EvidenceError(f"{ids[0]}: {evidence!r} is not evidence; use confirmed(...) or a peer")
    if evidence.status == "untestable":
        for claim in claims:
            if claim.kind in NEVER_UNTESTABLE:
                raise EvidenceError(f"{claim.id} is a {claim.kind}: it has to be computed")
    result = Verdict(ids, evidence.status, because.strip(), evidence.record)
    _given.update(dict.fromkeys(ids, result))
    bundle = {"text/html": _card(result, claims), "text/plain": repr(result)}
    display(bundle | {MIME: result.to_json()}, raw=True)


def verdict_table() -> HTML:
    """Every verdict given since the kernel started, as one table in the order of the documents."""
    order = list(inventory())
    rows = []
    for name in sorted(_given, key=order.index):
        result = _given[name]
        rows.append(
            f'<tr><td><a href="#verdict-{name}">{name}</a></td>'
            f"<td>{_badge(result.status)}</td>"
            f"<td>{escape(inventory()[name].statement)}</td>"
            f"<td>{escape(result.because)}</td></tr>"
        )
    return HTML(
        '<table class="verdict-table"><thead><tr><th>Claim</th><th>Verdict</th>'
        "<th>What is stated</th><th>Why</th></tr></thead><tbody>"
        + "".join(rows)
        + "</tbody></table>"
    )


def _claim(name: str) -> Claim:
    try:
        return inventory()[name]
    except KeyError:
        raise EvidenceError(
            f"unknown claim id {name!r}; the inventory in data/claims/ has no such item"
        ) from None


def _badge(status: str) -> str:
    return f'<span class="verdict-badge verdict-badge-{status}">{status}</span>'


def _card(result: Verdict, claims: list[Claim]) -> str:
    anchors = "".join(f'<span id="verdict-{claim.id}"></span>' for claim in claims)
    stated = "".join(
        f"<li><code>{claim.id}</code> (§{escape(claim.section)}) {escape(claim.statement)}"
        f"{printed_latex(claim.latex) if claim.latex else ''}</li>"
        for claim in claims
    )
    facts = "".join(f"<dt>{label}</dt><dd>{text}</dd>" for label, text in _facts(result.evidence))
    return (
        f'<div class="verdict verdict-{result.status} tex2jax_process">{anchors}'
        f'<p class="verdict-head">{_badge(result.status)}</p>'
        f'<ul class="verdict-stated">{stated}</ul>'
        f'<p class="verdict-because">{escape(result.because)}</p>'
        f'<dl class="verdict-facts">{facts}</dl></div>'
    )


def printed_latex(latex: str) -> str:
    """Return a printed formula as HTML; a notation item holds one inline snippet a line."""
    lines = latex.strip().splitlines()
    whole = len(lines) == 1 or any(mark in latex for mark in ("\\begin", "=", "\\\\"))
    snippets = [" ".join(lines)] if whole else lines
    maths = " ".join(f"\\({escape(snippet, quote=False)}\\)" for snippet in snippets)
    return f'<div class="verdict-latex">{maths}</div>'


def _facts(evidence: dict[str, Any]) -> Iterable[tuple[str, str]]:
    if evidence.get("printed") is not None:
        yield "printed", _value(evidence["printed"])
    if "readings" in evidence:
        for reading in evidence["readings"]:
            mark = "agrees" if reading["agrees"] else "differs"
            yield escape(reading["reading"]), f"{_value(reading['derived'])} ({mark})"
    elif evidence.get("derived") is not None:
        yield "derived", f"{_value(evidence['derived'])} {_code(evidence['call'])}"
    if "right" in evidence:
        yield "right", escape(evidence["right"])
        yield "checked by", _code(evidence["checked_by"]["call"])
    if "condition" in evidence:
        fails = evidence["fails"]
        yield "condition", escape(evidence["condition"])
        yield (
            "fails for",
            f"{_value(fails['derived'])}, not {_value(fails['printed'])} {_code(fails['call'])}",
        )
    if "needs" in evidence:
        yield "needs", escape(evidence["needs"])
    if evidence.get("rtol") or evidence.get("atol"):
        yield "tolerance", f"relative {evidence['rtol']:g}, absolute {evidence['atol']:g}"


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dict):
        return "; ".join(f"{escape(str(k))}: {_value(v)}" for k, v in value.items())
    if isinstance(value, list):
        return "(" + ", ".join(map(_value, value)) + ")"
    return escape(str(value))


def _code(call: str) -> str:
    return f"<code>{escape(call)}</code>"
