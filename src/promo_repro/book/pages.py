"""The generated pages: scorecard, documents, errata, status, and the numbers of the front page.

Everything here is a function of the scorecard, the inventory and the metadata of the executed
chapters, so the same inputs give the same bytes.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

import nbformat
from matplotlib import pyplot as plt
from matplotlib.ticker import MaxNLocator

from promo_repro import figures
from promo_repro.claims import OPEN, STATUSES, Scorecard, collect, inventory, load_documents
from promo_repro.claims.inventory import LETTERS, Document
from promo_repro.claims.scorecard import Entry
from promo_repro.claims.verdict import printed_latex

ALL_STATUSES = (*STATUSES, OPEN)
MEANING = {
    "confirmed": "holds as printed, within a tolerance stated beforehand",
    "corrected": "wrong as printed; the right statement is given, derived and checked",
    "conditional": "holds only under stated conditions; the boundary is shown",
    "refuted": "does not hold; a counter-example or a measurement shows it",
    "ill-posed": "cannot be evaluated as printed; each sensible reading is evaluated",
    "untestable": "no evidence can be had here; what would settle it is said",
    "open": "not judged yet: its chapter is not written",
}
# The errata's order: what misleads a reader most comes first.
SEVERITY = ("refuted", "corrected", "ill-posed", "conditional", "untestable")
COLOURS = dict(
    zip(
        STATUSES,
        ("#009E73", "#0072B2", "#E69F00", "#D55E00", "#CC79A7", "#7A7A7A"),
        strict=True,
    )
)


@dataclass(frozen=True)
class Chapter:
    """A planned chapter: its number, its topic, and the chapter keys of the inventory."""

    number: int
    topic: str
    keys: tuple[str, ...]


CHAPTERS = (
    Chapter(1, "the shop's data", ("data",)),
    Chapter(2, "customer profiles", ("profiles",)),
    Chapter(3, "recommendation", ("recommender",)),
    Chapter(4, "demand forecasting", ("demand",)),
    Chapter(5, "pricing", ("pricing",)),
    Chapter(6, "a simulated shop", ()),
    Chapter(7, "bandits", ("bandits",)),
    Chapter(8, "dynamic programming, Q-learning, SARSA", ("tabular",)),
    Chapter(9, "deep Q-networks", ("dqn",)),
    Chapter(10, "DDPG and SAC", ("ddpg",)),
    Chapter(11, "allocation", ("allocation",)),
    Chapter(12, "evaluation", ("evaluation",)),
    Chapter(13, "responsible promotion", ("responsible",)),
    Chapter(14, "the whole loop", ("strategy", "foundations", "references")),
)


def generate(root: Path) -> Scorecard:
    """Write all generated pages below `root`/book/generated and return the scorecard.

    Reads the inventory in `root`/data/claims and the executed notebooks in
    `root`/book/chapters; raises what `claims.collect` raises when their verdicts do not add up.
    """
    executed = root / "book" / "chapters"
    scorecard = collect(executed, inventory())
    write_pages(root / "book" / "generated", scorecard, load_documents(), executed)
    return scorecard


def write_pages(
    folder: Path, scorecard: Scorecard, documents: Sequence[Document], executed: Path
) -> None:
    """Write the generated pages into `folder`; a page that did not change is left untouched."""
    notebooks = {path.stem: _metadata(path) for path in sorted(executed.glob("*.ipynb"))}
    pages = {
        "summary.md": summary(scorecard),
        "chapters.md": chapter_table(scorecard, list(notebooks)),
        "scorecard.md": scorecard_page(scorecard, documents),
        "scorecard.svg": figures.svg(scorecard_figure(scorecard, documents)),
        "errata.md": errata_page(scorecard),
        "status.md": status_page(notebooks, scorecard),
    } | {f"{d.id}.md": document_page(d, scorecard) for d in documents}
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages.items():
        path = folder / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def _metadata(path: Path) -> dict[str, Any]:
    return nbformat.read(path, as_version=4).metadata.get("promo_repro", {})


# -- front page -----------------------------------------------------------------------------


def summary(scorecard: Scorecard) -> str:
    """Return the paragraph that says how many claims are judged, and how."""
    totals = scorecard.totals
    total, still_open = sum(totals.values()), totals[OPEN]
    judged = total - still_open
    if not judged:
        return f"Of {total:,} claims none has been judged yet.\n"
    found = ", ".join(f"{totals[status]:,} *{status}*" for status in STATUSES if totals[status])
    return (
        f"Of the {total:,} checkable statements in the five articles, **{judged:,} are judged** "
        f"in the chapters that exist: {found}. "
        f"The other **{still_open:,} are open**: no chapter has decided them yet.\n"
    )


def chapter_table(scorecard: Scorecard, written: Sequence[str]) -> str:
    """Return the table of the planned chapters: which exist, and how many claims each judged.

    A claim counts for the chapter that the inventory assigns it to, whichever chapter judged it.
    """
    rows = []
    for chapter in CHAPTERS:
        claims = [e for e in scorecard.entries if e.claim.chapter in chapter.keys]
        judged = sum(e.status != OPEN for e in claims)
        stem = next((s for s in written if s.startswith(f"{chapter.number:02d}_")), None)
        topic = chapter.topic[0].upper() + chapter.topic[1:]
        shown = f"[{topic}](chapters/{stem}.ipynb)" if stem else topic
        state = "written" if stem else "planned"
        rows.append((str(chapter.number), shown, state, f"{judged:,} of {len(claims):,}"))
    return _markdown_table(("", "Chapter", "State", "Claims judged"), rows)


# -- scorecard ------------------------------------------------------------------------------


def scorecard_page(scorecard: Scorecard, documents: Sequence[Document]) -> str:
    """Return the scorecard: figure, counts, and one searchable table of all claims."""
    entries = scorecard.entries
    by_document = _count_table(
        entries, "Document", "document", [d.id for d in documents], lambda e: e.claim.document
    )
    by_kind = _count_table(entries, "Kind", "kind", list(LETTERS), lambda e: e.claim.kind)
    return f"""# Scorecard

{summary(scorecard)}
Every verdict is computed in a chapter and collected from the executed notebooks (profile
*{scorecard.profile}*); none is entered by hand.
What each verdict means is said in [](../verdicts.md).
The same content for programs: <a href="../scorecard.json">scorecard.json</a>.

```{{figure}} scorecard.svg
:name: fig-scorecard
:alt: {figure_alt(scorecard, documents)}
:width: 100%

Left: the claims judged so far, by verdict. Right: the share of each document that is judged.
```

## Counts

A number is a link: it lists those claims in the table below.

{by_document}

{by_kind}

(claims-table)=
## All {len(entries):,} claims

The claim's number leads to its full text, the verdict to the computation that decided it.

{_claims_table(entries)}
"""


def _count_table(
    entries: Sequence[Entry],
    label: str,
    parameter: str,
    groups: Iterable[str],
    key: Callable[[Entry], str],
) -> str:
    """Return a table of counts, group by verdict; each count links to those claims."""
    counts = Counter((key(entry), entry.status) for entry in entries)

    def cell(group: str, status: str) -> str:
        n = counts[group, status]
        link = f"?{parameter}={group}&amp;verdict={status}#claims-table"
        return f'<a href="{link}">{n}</a>' if n else "0"

    rows = []
    for group in groups:
        whole = sum(counts[group, status] for status in ALL_STATUSES)
        name = (
            f"[{group}]({group}.md)"
            if parameter == "document"
            else group.capitalize().replace("Faq", "FAQ")
        )
        rows.append((name, *(cell(group, s) for s in ALL_STATUSES), f"{whole:,}"))
    totals = Counter(entry.status for entry in entries)
    rows.append(("**All**", *(f"{totals[s]:,}" for s in ALL_STATUSES), f"{len(entries):,}"))
    table = _markdown_table((label, *(s.capitalize() for s in ALL_STATUSES), "All"), rows)
    return f":::{{container}} count-table\n{table}\n:::"


def scorecard_figure(scorecard: Scorecard, documents: Sequence[Document]) -> plt.Figure:
    """Draw how many claims have each verdict, and which share of each document is judged."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 2.7))
    totals = scorecard.totals
    bars = left.barh(
        STATUSES, [totals[s] for s in STATUSES], color=[COLOURS[s] for s in STATUSES]
    )  # fmt: skip
    left.bar_label(bars, padding=3, color=figures.INK)
    left.margins(x=0.15)
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    left.set(xlabel="claims judged", axisbelow=True)
    names, shares = [d.id for d in documents], judged_shares(scorecard, documents)
    right.barh(names, [100] * len(names), color="none", edgecolor=figures.INK, linewidth=0.6)
    bars = right.barh(names, shares, color=figures.palette[0])
    right.bar_label(bars, [f"{share:.0f} %" for share in shares], padding=3, color=figures.INK)
    right.set(xlim=(0, 100), xlabel="judged (% of the document's claims)", axisbelow=True)
    for axes in (left, right):
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
    return figure


def figure_alt(scorecard: Scorecard, documents: Sequence[Document]) -> str:
    """Say in two sentences what the figure shows."""
    totals = scorecard.totals
    verdicts = ", ".join(f"{totals[status]} {status}" for status in STATUSES)
    shares = zip(documents, judged_shares(scorecard, documents), strict=True)
    judged = ", ".join(f"{document.id} {share:.0f} percent" for document, share in shares)
    return f"Left, bars of claims judged: {verdicts}. Right, share judged by document: {judged}."


def judged_shares(scorecard: Scorecard, documents: Sequence[Document]) -> list[float]:
    """Return the percentage of each document's claims that have a verdict."""
    judged = Counter(e.claim.document for e in scorecard.entries if e.status != OPEN)
    return [100 * judged[document.id] / len(document.claims) for document in documents]


def _claims_table(entries: Sequence[Entry]) -> str:
    """Return the table of all claims as HTML; `claims-table.js` adds search and filters to it."""
    rows = "\n".join(_claim_row(entry) for entry in entries)
    return f"""```{{raw}} html
<div class="claims-table-box" data-claims-table>
<table class="claims-table">
<caption class="visually-hidden">All claims with their verdicts</caption>
<thead><tr><th scope="col">Claim</th><th scope="col">Kind</th><th scope="col">Verdict</th>
<th scope="col">What is stated</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
</div>
```"""


def _claim_row(entry: Entry) -> str:
    claim = entry.claim
    because = f'<div class="claim-because">{escape(entry.because)}</div>' if entry.because else ""
    return (
        f'<tr data-document="{claim.document}" data-kind="{claim.kind}" '
        f'data-verdict="{entry.status}">'
        f'<th scope="row"><a href="{claim.document}.html#{claim.id}">{claim.id}</a></th>'
        f"<td>{claim.kind}</td><td>{_badge(entry)}</td>"
        f"<td>{escape(claim.statement)}{because}</td></tr>"
    )


def _badge(entry: Entry) -> str:
    """Return the verdict as text in a coloured frame, linked to the card that decided it."""
    badge = f'<span class="verdict-badge verdict-badge-{entry.status}">{entry.status}</span>'
    return f'<a href="../{entry.page}">{badge}</a>' if entry.page else badge


# -- documents and errata -------------------------------------------------------------------


def document_page(document: Document, scorecard: Scorecard) -> str:
    """Return one document's page: its claims in order, section by section."""
    entries = [e for e in scorecard.entries if e.claim.document == document.id]
    judged = sum(entry.status != OPEN for entry in entries)
    title = f"“{document.title_zh}”" if document.title_zh else "(prints no title)"
    blocks = []
    for section, group in groupby(entries, key=lambda e: e.claim.section.split(",")[0].split()[0]):
        heading = f"Section {section}" if section[0].isdigit() else section.capitalize()
        blocks += [f"## {heading}", *(_claim_block([entry]) for entry in group)]
    english = document.title_en if document.title_zh else "AI-driven personalised discounts"
    return f"""# {document.id}: {_text(english)}

The article {_text(title)} holds {len(entries):,} checkable statements, restated here in its order.
{judged:,} are judged, {len(entries) - judged:,} are open.
Formulas are shown as printed, mistakes included.

{chr(10).join(_unique(blocks))}
"""


def _unique(blocks: list[str]) -> list[str]:
    """Drop a heading that the page already has: some claims come out of the order of sections."""
    seen, kept = set(), []
    for block in blocks:
        if block.startswith("## ") and block in seen:
            continue
        seen.add(block)
        kept.append(block)
    return kept


def errata_page(scorecard: Scorecard) -> str:
    """Return everything judged and not confirmed, the most misleading first."""
    blocks = []
    for status in SEVERITY:
        entries = [entry for entry in scorecard.entries if entry.status == status]
        if entries:
            blocks.append(
                f"## {status.capitalize()} ({len(entries):,})\n\n{_sentence(MEANING[status])}"
            )
            # Claims judged by one call stand or fall together: one entry.
            together: dict[tuple, list[Entry]] = {}
            for entry in entries:
                together.setdefault((entry.cell_id, entry.because), []).append(entry)
            blocks += [_claim_block(group, anchor=False) for group in together.values()]
    totals = scorecard.totals
    found = sum(totals[status] for status in SEVERITY)
    body = "\n\n".join(blocks) or "Nothing so far."
    return f"""# Errata

What the articles state and the computation does not bear out: {found:,} of the
{sum(totals.values()) - totals[OPEN]:,} claims judged so far, the most misleading first.
Open claims are not listed: nothing is known about them yet.

{body}
"""


def _claim_block(entries: Sequence[Entry], anchor: bool = True) -> str:
    """Return the claims of one verdict as MyST: identity, statement, verdict, right statement.

    The texts are escaped Markdown, so that the search finds them; formulas are left to MathJax.
    """
    lines = [f":::{{container}} claim claim-{entries[0].status}"]
    for entry in entries:
        claim = entry.claim
        name = (
            f'<b id="{claim.id}">{claim.id}</b>'
            if anchor
            else f'<a class="claim-id" href="{claim.document}.html#{claim.id}">{claim.id}</a>'
        )
        badge = _badge(entry) if entry is entries[0] else ""
        lines += [
            f'{name} {badge} <span class="claim-place">{claim.kind}, '
            f"§{escape(claim.section)}</span>",
            "",
            _text(claim.statement),
            "",
        ]
        if claim.latex:
            lines += ["```{raw} html", printed_latex(claim.latex), "```", ""]
    first = entries[0]
    if first.because:
        lines += [f"**Why:** {_text(first.because)}", ""]
    lines += [line for fact in _facts(first.evidence or {}) for line in (fact, "")]
    return "\n".join([*lines[:-1], ":::", ""])


def _facts(evidence: dict[str, Any]) -> Iterable[str]:
    """Yield what is right instead, as far as the evidence says."""
    if "right" in evidence:
        yield f"**Right:** {_text(evidence['right'])}"
    if "condition" in evidence:
        yield f"**Holds when:** {_text(evidence['condition'])}"
    for reading in evidence.get("readings", ()):
        agrees = "as printed" if reading["agrees"] else "not as printed"
        yield f"**Reading:** {_text(reading['reading'])}: {_number(reading['derived'])} ({agrees})"
    if "needs" in evidence:
        yield f"**Would be settled by:** {_text(evidence['needs'])}"
    if "readings" not in evidence and evidence.get("printed") is not None:
        yield _printed_and_derived(evidence, "Case that holds" if "fails" in evidence else "")
    if "fails" in evidence:
        yield _printed_and_derived(evidence["fails"], "Case that fails")


def _printed_and_derived(evidence: dict[str, Any], case: str) -> str:
    label = f"{case}, printed or predicted" if case else "Printed or predicted"
    printed, derived = _number(evidence["printed"]), _number(evidence["derived"])
    return f"**{label}:** {printed}; **derived:** {derived}"


def _number(value: Any) -> str:
    if isinstance(value, float):
        return _text(f"{value:.6g}")
    if isinstance(value, dict):
        return "; ".join(f"{_text(str(k))}: {_number(v)}" for k, v in value.items())
    if isinstance(value, list):
        return "(" + ", ".join(map(_number, value)) + ")"
    return _text(str(value))


# -- status ---------------------------------------------------------------------------------


def status_page(notebooks: dict[str, dict[str, Any]], scorecard: Scorecard) -> str:
    """Return how each chapter was executed: time, device, versions, and the hash of its inputs.

    Rows come from the metadata `promo_repro` that the executor leaves in the notebook.
    """
    judged = Counter(Path(e.notebook).stem for e in scorecard.entries if e.notebook)
    rows = [
        (
            f"[{stem}](../chapters/{stem}.ipynb)",
            _value(meta, "profile"),
            _value(meta, "device"),
            _value(meta, "seconds"),
            _value(meta, "peak_memory_mb"),
            str(judged[stem]),
            f"`{meta.get('key', 'unknown')[:12]}`",
        )
        for stem, meta in notebooks.items()
    ]
    header = (
        "Chapter", "Profile", "Device", "Seconds", "Peak memory (MB)", "Claims judged", "Inputs",
    )  # fmt: skip
    versions: dict[tuple[str, str], list[str]] = {}
    for stem, meta in notebooks.items():
        python = {"python": meta["python"]} if "python" in meta else {}
        for package, version in (python | meta.get("versions", {})).items():
            versions.setdefault((package, version), []).append(stem)
    version_rows = [
        (f"`{package}`", version, "all" if len(stems) == len(notebooks) else ", ".join(stems))
        for (package, version), stems in sorted(versions.items())
    ]
    return f"""# Status

Every chapter below ran from top to bottom without an error or a warning; otherwise this book
would not have been built.
The hash covers all that a chapter's results depend on: its code, the module's files that it
imports, its data, the locked packages, its parameters, the version of Python and the device.

{_markdown_table(header, rows)}

## Versions

{_markdown_table(("Package", "Version", "Chapters"), version_rows)}
"""


def _value(meta: dict[str, Any], name: str) -> str:
    return _text(str(meta.get(name, "unknown")))


# -- Markdown -------------------------------------------------------------------------------


def _sentence(text: str) -> str:
    return f"{_text(text[0].upper() + text[1:])}."


def _text(text: str) -> str:
    """Escape text for MyST: what Markdown would interpret is shown as it is."""
    return re.sub(r"([\\`*_{}\[\]<>()#+\-.!|~$:%@^&\"'])", r"\\\1", " ".join(text.split()))


def _markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
