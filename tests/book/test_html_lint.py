"""Every rule of the HTML lint finds a planted violation, and a clean site passes."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from promo_repro.book.html_lint import lint

FIGURE = (
    '<figure><img src="../plot.svg" alt="A line rises."><figcaption>'
    '<span class="caption-text">Sales rise.</span></figcaption></figure>'
)


def page(body: str, head: str = "") -> str:
    return f"<html><head>{head}</head><body><article>{body}</article></body></html>"


@pytest.fixture
def site(tmp_path):
    (tmp_path / "chapters").mkdir()
    (tmp_path / "_sources").mkdir()
    (tmp_path / "plot.svg").write_text("<svg/>")
    (tmp_path / "book.css").write_text("a { background: url(plot.svg) }")
    (tmp_path / "index.html").write_text(
        page(
            '<a href="chapters/07.html#verdict-D1-N06">a card</a> <a href="https://example.org">x</a>',
            '<link rel="stylesheet" href="book.css"><link rel="canonical" href="https://e.org/">',
        )
    )
    (tmp_path / "chapters" / "07.html").write_text(
        page(f'<span id="verdict-D1-N06"></span>{FIGURE}')
    )
    write_download(tmp_path, [new_markdown_cell("Plain *text* and $x$.")])
    return tmp_path


def write_download(site, cells):
    nbformat.write(new_notebook(cells=cells), site / "_sources" / "07.ipynb")


def rules(site) -> set[str]:
    return {problem.rule for problem in lint(site)}


def test_a_clean_site_passes(site):
    assert lint(site) == []


def test_an_empty_folder_is_not_a_pass(tmp_path):
    with pytest.raises(FileNotFoundError, match="build the book first"):
        lint(tmp_path)


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ('<script src="https://cdn.example.org/x.js"></script>', "remote asset"),
        ('<script src="//cdn.example.org/x.js"></script>', "remote asset"),
        ('<link rel="stylesheet" href="https://example.org/x.css">', "remote asset"),
        ('<img src="https://example.org/x.png" alt="A cat.">', "remote asset"),
        ('<iframe src="https://example.org"></iframe>', "remote asset"),
        ("<style>@import url(https://example.org/x.css)</style>", "remote asset"),
        ('<script src="lost.js"></script>', "missing file"),
        ('<a href="lost.html">x</a>', "broken link"),
        ('<a href="chapters/07.html#nowhere">x</a>', "broken link"),
        ('<a href="#nowhere">x</a>', "broken link"),
        ('<a href="../../etc">x</a>', "link out of the site"),
        ('<img src="plot.svg">', "figure without alt text"),
        ('<img src="plot.svg" alt=" ">', "figure without alt text"),
        ('<img src="plot.svg" alt="_images/plot.svg">', "alt text is a file name"),
        ('<img src="plot.svg" alt="plot">', "alt text is a file name"),
        ('<div class="cell_output"><svg></svg></div>', "figure without alt text"),
        ("Run time: <!-- run-time -->", "unresolved placeholder"),
        (
            '<div class="cell_output"><div class="output">Traceback (most recent call last)</div>'
            "</div>",
            "error in output",
        ),
        (
            '<div class="cell_output"><div class="output">ValueError: no</div></div>',
            "error in output",
        ),
        ('<div class="output stderr">DeprecationWarning</div>', "error in output"),
        ('<b id="D1-N06"></b><b id="D1-N06"></b>', "anchor given twice"),
    ],
)
def test_each_rule_finds_a_planted_violation(site, body, rule):
    (site / "index.html").write_text(page(body))
    assert rules(site) == {rule}


def test_a_chapters_figure_needs_a_caption(site):
    (site / "chapters" / "07.html").write_text(
        page('<b id="verdict-D1-N06"></b><img src="../plot.svg" alt="A line rises.">')
    )
    assert rules(site) == {"figure without caption"}


def test_remote_assets_in_style_sheets_are_found(site):
    (site / "book.css").write_text('@font-face { src: url("https://example.org/f.woff2") }')
    assert rules(site) == {"remote asset"}


@pytest.mark.parametrize(
    ("cell", "rule"),
    [
        (new_markdown_cell("see {eq}`eq-1`"), "MyST in a download"),
        (new_markdown_cell("```{note}\ntext\n```"), "MyST in a download"),
        (new_markdown_cell("<!-- run-time -->"), "unresolved placeholder"),
        (
            new_code_cell(outputs=[new_output("error", ename="KeyError", evalue="", traceback=[])]),
            "error in output",
        ),
    ],
)
def test_downloads_are_checked(site, cell, rule):
    write_download(site, [cell])
    assert rules(site) == {rule}


def test_a_download_that_is_no_notebook_is_found(site):
    (site / "_sources" / "07.ipynb").write_text("{")
    assert rules(site) == {"invalid notebook"}


def test_the_themes_templates_are_not_pages(site):
    (site / "_static").mkdir()
    (site / "_static" / "webpack-macros.html").write_text('<script src="https://e.org"></script>')
    assert lint(site) == []
