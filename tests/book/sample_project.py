"""A small project with two executed chapters, for the tests of the pages and of the build."""

import shutil
from pathlib import Path

import nbformat
import yaml
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from promo_repro.claims.verdict import MIME, SCHEMA
from promo_repro.project import root

RECORD_MIME = "application/papermill.record/text/plain"
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="200" height="100" viewBox="0 0 200 100">'
    '<path d="M0 100 L200 0" stroke="#0072B2" stroke-width="3"/></svg>'
)


def card(ids: list[str], status: str, **evidence) -> NotebookNode:
    """A code cell that ran `verdict(...)`."""
    anchors = "".join(f'<span id="verdict-{name}"></span>' for name in ids)
    badge = f'<span class="verdict-badge verdict-badge-{status}">{status}</span>'
    html = (
        f'<div class="verdict verdict-{status} tex2jax_process">{anchors}'
        f'<p class="verdict-head">{badge}</p>'
        f'<ul class="verdict-stated"><li>{", ".join(ids)} \\(R = \\sum_t r_t\\)</li></ul>'
        '<p class="verdict-because">because the sum says so</p>'
        '<dl class="verdict-facts"><dt>printed</dt><dd>5</dd><dt>derived</dt>'
        "<dd>5 <code>total(rates=[0.5])</code></dd></dl></div>"
    )
    bundle = {
        "schema": SCHEMA,
        "ids": ids,
        "status": status,
        "because": f"the sum says so for {ids[0]}",
        "evidence": {"printed": 5, "derived": 5, "rtol": 0.0, "atol": 0.0} | evidence,
    }
    output = new_output("display_data", {"text/html": html, "text/plain": status, MIME: bundle})
    return new_code_cell(
        f"verdict({ids!r})", id=f"verdict-{ids[0].lower()}", outputs=[output], execution_count=1
    )


def figure(name: str) -> NotebookNode:
    """A code cell that ran `show(...)`, as the executor leaves it."""
    words = {"alt": "A rising straight line.", "caption": "A line rises.", "name": name}
    output = new_output(
        "display_data", {"image/svg+xml": SVG, "text/plain": "A line rises."},
        metadata={"image/svg+xml": words},
    )  # fmt: skip
    cell = new_code_cell("show(fig)", id=name, outputs=[output], execution_count=2)
    cell.metadata["mystnb"] = {
        "image": {"alt": words["alt"]},
        "figure": {"caption": words["caption"], "name": name},
    }
    return cell


def number(name: str, text: str) -> NotebookNode:
    """A code cell that ran `number(...)`."""
    output = new_output("display_data", {RECORD_MIME: repr(text)})
    output.metadata = {"scrapbook": {"name": name, "mime_prefix": "application/papermill.record/"}}
    return new_code_cell(f"number({name!r})", id=name, outputs=[output], execution_count=3)


def chapter(title: str, number_: str, prose: list[str], cells: list[NotebookNode]) -> NotebookNode:
    """An executed chapter with the metadata that the executor leaves."""
    markdown = [new_markdown_cell(text, id=f"prose-{i}") for i, text in enumerate(prose)]
    notebook = new_notebook(cells=[new_markdown_cell(f"# {title}", id="title"), *markdown, *cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    notebook.metadata["language_info"] = {"name": "python"}
    notebook.metadata["promo_repro"] = {
        "profile": "quick",
        "device": "cpu",
        "seconds": 12.3,
        "peak_memory_mb": 700,
        "python": "3.11.7",
        "versions": {"numpy": "2.4.6"},
        "key": number_ * 32,
    }
    return notebook


PROSE = [
    "Softmax. "
    "Shown {glue:text}`shown-lines` times, see {term}`click share` and {cite:t}`auer2002`.\n"
    "Equation {eq}`eq-07-total` and {numref}`fig-07-line` and {prf:ref}`sum-theorem`.",
    "## Derivation\n\n$$ \\begin{aligned} R &= \\sum_t r_t \\end{aligned} $$ (eq-07-total)\n\n"
    "$x < 1$ inline.",
    "```{prf:theorem} Sum\n:label: sum-theorem\nThe sum of $r_t$ is {eq}`eq-07-total`.\n```\n\n"
    "````{note}\nNested:\n```python\nx = 1\n```\n````",
    "## Exercises\n\n```{exercise} Add\n:label: ex-07-1\nAdd the rewards. (5 minutes)\n```",
    "```{solution-start} ex-07-1\n:class: dropdown\n```",
]


REFERENCES = """## References

```{bibliography}
:filter: docname in docnames
```"""


def chapters() -> dict[str, NotebookNode]:
    """The two executed chapters, by file name."""
    bandits = chapter(
        "Bandits", "7",
        PROSE,
        [
            new_code_cell("1 + 1", id="one", outputs=[], execution_count=1),
            new_markdown_cell("```{solution-end}\n```", id="solution-end"),
            figure("fig-07-line"),
            number("shown-lines", "1,439,203"),
            card(["D1-N06"], "confirmed"),
            card(["D1-F02", "D1-F07"], "corrected", right="\\(R = \\sum_t r_t\\), not the mean"),
            card(["D1-N01"], "refuted", derived=4),
            new_markdown_cell(REFERENCES, id="references"),
        ],
    )  # fmt: skip
    condition = {"condition": "only if *prices* differ", "fails": {"printed": 1, "derived": 2}}
    cells = [figure("fig-01-line"), card(["D2-A01"], "conditional", **condition)]
    data = chapter(
        "The data", "1", ["Each {term}`household` buys {cite:p}`auer2002`.", REFERENCES], cells
    )
    return {"01_data.ipynb": data, "07_bandits.ipynb": bandits}


def make_project(folder: Path) -> Path:
    """Copy the book's own files into `folder` and put the sample chapters beside them."""
    real = root()
    ignore = shutil.ignore_patterns("chapters", "generated", "__pycache__")
    shutil.copytree(real / "book", folder / "book", ignore=ignore)
    shutil.copytree(real / "data" / "claims", folder / "data" / "claims")
    shutil.copy(real / "_config.yml", folder)
    executed = folder / "book" / "chapters"
    executed.mkdir()
    (folder / "notebooks").mkdir()
    for name, notebook in chapters().items():
        nbformat.write(notebook, executed / name)
    contents = folder / "book" / "_toc.yml"
    toc = yaml.safe_load(contents.read_text(encoding="utf-8"))
    for part in toc["parts"]:
        part["chapters"] = [entry for entry in part["chapters"] if _is_sampled(entry["file"])]
    toc["parts"] = [part for part in toc["parts"] if part["chapters"]]
    contents.write_text(yaml.safe_dump(toc, sort_keys=False), encoding="utf-8")
    return folder


def _is_sampled(page: str) -> bool:
    """Whether the sample project has this page: all but the chapters that it has no sample of."""
    return not page.startswith("chapters/") or f"{Path(page).name}.ipynb" in chapters()
