"""Building a small book: numbers, links, downloads; nothing to do; failures keep the last site."""

import json
import shutil

import nbformat
import pytest
from bs4 import BeautifulSoup

from promo_repro.book.build import BookError, build
from promo_repro.book.plain import myst_leaks


@pytest.fixture
def project(built_project, tmp_path):
    """A copy of the built project that a test may change."""
    return shutil.copytree(built_project, tmp_path / "project")


def soup(project, name) -> BeautifulSoup:
    return BeautifulSoup((project / "_build" / "html" / name).read_text(), "html.parser")


def test_a_chapter_carries_the_number_of_its_file(built_project):
    page = soup(built_project, "chapters/07_bandits.html")
    assert page.select_one("article h1").text.startswith("7. Bandits")
    assert page.select_one(".eqno").text.startswith("(7.1)")
    assert page.select_one("figcaption .caption-number").text.strip() == "Fig. 7.1"
    assert "Theorem 7.1" in page.select_one(".theorem .admonition-title").text
    assert "Exercise 7.1" in page.select_one(".exercise .admonition-title").text
    sidebar = [link.text.strip() for link in page.select(".bd-links a")]
    assert "1. The data" in sidebar
    assert "7. Bandits" in sidebar


def test_two_chapters_may_cite_the_same_work(built_project):
    for name in ("01_data", "07_bandits"):
        page = soup(built_project, f"chapters/{name}.html")
        assert "Finite-time analysis" in page.select_one("#references").text
        cited = page.select_one("article a[href*='bibliography.html']")
        assert soup(built_project, "bibliography.html").find(id=cited["href"].split("#")[1])


def test_links_lead_to_the_sources_in_the_repository(built_project):
    page = soup(built_project, "chapters/07_bandits.html")
    links = [a["href"] for a in page.select("a[href^='https://']")]
    sources = [link for link in links if "07_bandits.ipynb" in link]
    assert len(sources) == 3  # Binder, Colab, edit
    assert all("notebooks/07_bandits.ipynb" in link for link in sources)
    generated = soup(built_project, "generated/D1.html")
    assert not [a for a in generated.select("a") if "/edit/" in a.get("href", "")]


def test_downloads_are_plain_markdown(built_project):
    path = built_project / "_build" / "html" / "_sources" / "chapters" / "07_bandits.ipynb"
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    prose = "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    assert myst_leaks(prose) == []
    for text in (
        "Shown 1,439,203 times",
        "Auer et al. (2002)",
        "Equation (7.1) and Figure 7.1 and Theorem 7.1",
        "\\tag{7.1}",
        "**Exercise 7.1 (Add)**",
        "**Solution to Exercise 7.1**",
        "- Auer, Cesa-Bianchi, Fischer (2002)",
    ):
        assert text in prose


def test_the_scorecard_is_published(built_project):
    path = built_project / "_build" / "html" / "scorecard.json"
    scorecard = json.loads(path.read_text())
    assert set(scorecard) == {"schema", "profile", "totals", "claims"}
    assert scorecard["totals"]["corrected"] == 2
    by_id = {claim["id"]: claim for claim in scorecard["claims"]}
    assert by_id["D1-N06"]["page"] == "chapters/07_bandits.html#verdict-D1-N06"


def test_nothing_changed_nothing_done(project):
    page = project / "_build" / "html" / "intro.html"
    page.write_text("left alone")
    report = build(project)
    assert report.skipped
    assert report.seconds < 2
    assert report.totals["refuted"] == 1
    assert page.read_text() == "left alone"


@pytest.mark.parametrize(
    "changed",
    ["book/intro.md", "book/_ext/promo_book.py", "book/chapters/01_data.ipynb", "_config.yml"],
)
def test_a_changed_input_is_noticed(project, changed, monkeypatch):
    path = project / changed
    path.write_text(path.read_text() + "\n")

    def started(*args):
        raise BookError("started")

    monkeypatch.setattr("promo_repro.book.build._run_jupyter_book", started)
    with pytest.raises(BookError, match="started"):
        build(project)


def test_a_warning_fails_the_build_and_keeps_the_last_book(project):
    before = (project / "_build" / "html" / "intro.html").read_bytes()
    intro = project / "book" / "intro.md"
    intro.write_text(intro.read_text() + "\nSee {eq}`eq-that-is-not-there`.\n")
    with pytest.raises(BookError, match=r"(?s)intro\.md.*eq-that-is-not-there.*sphinx\.log"):
        build(project)
    assert (project / "_build" / "html" / "intro.html").read_bytes() == before


def test_a_lint_problem_fails_the_build_and_keeps_the_last_book(project, monkeypatch):
    before = (project / "_build" / "html" / "intro.html").read_bytes()

    def reuse(root, aside, log):
        built = shutil.copytree(root / "_build" / "html", aside / "_build" / "html")
        page = built / "intro.html"
        page.write_text(page.read_text().replace("</article>", "<img src='x.png'></article>"))
        return built

    monkeypatch.setattr("promo_repro.book.build._run_jupyter_book", reuse)
    with pytest.raises(BookError, match=r"(?s)figure without alt text.*lint\.log"):
        build(project, force=True)
    assert (project / "_build" / "html" / "intro.html").read_bytes() == before


def test_a_chapter_that_was_not_executed_is_named(project):
    (project / "book" / "chapters" / "07_bandits.ipynb").unlink()
    with pytest.raises(BookError, match="promo-repro execute 07_bandits"):
        build(project)


def test_a_chapter_that_the_contents_do_not_name_is_named(project):
    chapters = project / "book" / "chapters"
    shutil.copy(chapters / "01_data.ipynb", chapters / "02_profiles.ipynb")
    with pytest.raises(BookError, match=r"_toc\.yml: 02_profiles"):
        build(project)
