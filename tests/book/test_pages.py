"""The generated pages, from the verdicts of the sample chapters."""

import re

import nbformat
import pytest
import sample_project
from bs4 import BeautifulSoup

from promo_repro.book import pages
from promo_repro.claims import OPEN, collect, inventory, load_documents


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chapters")
    for name, notebook in sample_project.chapters().items():
        nbformat.write(notebook, folder / name)
    return folder


@pytest.fixture(scope="module")
def scorecard(executed):
    return collect(executed, inventory())


@pytest.fixture(scope="module")
def written(executed, scorecard, tmp_path_factory):
    folder = tmp_path_factory.mktemp("generated")
    pages.write_pages(folder, scorecard, load_documents(), executed)
    return folder


def test_same_inputs_give_the_same_bytes(written, executed, scorecard, tmp_path):
    pages.write_pages(tmp_path, scorecard, load_documents(), executed)
    assert {p.name for p in tmp_path.iterdir()} == {p.name for p in written.iterdir()}
    for page in written.iterdir():
        assert (tmp_path / page.name).read_bytes() == page.read_bytes()


def test_unchanged_pages_are_not_written_again(written, executed, scorecard):
    before = {page: page.stat().st_mtime_ns for page in written.iterdir()}
    pages.write_pages(written, scorecard, load_documents(), executed)
    assert {page: page.stat().st_mtime_ns for page in written.iterdir()} == before


def test_summary_counts_what_is_judged_and_what_is_open(scorecard):
    text = pages.summary(scorecard)
    assert "**5 are judged**" in text
    assert f"**{len(inventory()) - 5:,} are open**" in text
    assert "1 *confirmed*, 2 *corrected*, 1 *conditional*, 1 *refuted*" in text


def test_summary_without_verdicts_pretends_nothing(tmp_path):
    assert "none has been judged" in pages.summary(collect(tmp_path, inventory()))


def test_chapter_table_covers_every_claim_once(scorecard):
    keys = [key for chapter in pages.CHAPTERS for key in chapter.keys]
    assert len(keys) == len(set(keys))
    assert set(keys) == {claim.chapter for claim in inventory().values()}
    table = pages.chapter_table(scorecard, ["07_bandits"])
    rows = table.splitlines()[2:]
    assert sum(int(row.split(" of ")[1].strip(" |")) for row in rows) == len(inventory())
    assert [row for row in rows if "written" in row] == [r for r in rows if r.startswith("| 7 ")]


def test_scorecard_table_has_every_claim_and_links_to_its_card(written):
    text = (written / "scorecard.md").read_text()
    table = BeautifulSoup(text[text.index("```{raw} html") :], "html.parser")
    rows = table.select("tbody tr")
    assert [row.th.text for row in rows] == list(inventory())
    corrected = next(row for row in rows if row.th.text == "D1-F07")
    assert corrected["data-verdict"] == "corrected"
    assert corrected.select("td a")[0]["href"] == "../chapters/07_bandits.html#verdict-D1-F07"
    still_open = next(row for row in rows if row.th.text == "D3-F01")
    assert still_open["data-verdict"] == OPEN
    assert not still_open.select("td a")


def test_counts_add_up(written):
    text = (written / "scorecard.md").read_text()
    tables = re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE)
    for table in tables:
        rows = [
            [BeautifulSoup(cell, "html.parser").text.strip() for cell in line.strip("|").split("|")]
            for line in table.strip().splitlines()[2:]
        ]
        numbers = [[int(cell.replace(",", "")) for cell in row[1:]] for row in rows]
        assert [sum(column) for column in zip(*numbers[:-1], strict=True)] == numbers[-1]
        assert all(sum(row[:-1]) == row[-1] for row in numbers)
        assert numbers[-1][-1] == len(inventory())


def test_document_page_has_its_claims_in_order_with_anchors(written):
    for document in load_documents():
        text = (written / f"{document.id}.md").read_text()
        assert re.findall(r'<b id="([^"]+)">', text) == [claim.id for claim in document.claims]


def test_errata_lists_what_is_judged_and_not_confirmed_by_severity(written):
    text = (written / "errata.md").read_text()
    headings = re.findall(r"^## (\w[\w-]*)", text, flags=re.MULTILINE)
    assert headings == ["Refuted", "Corrected", "Conditional"]
    listed = re.findall(r'class="claim-id" href="[^"]*#([^"]+)"', text)
    assert listed == ["D1-N01", "D1-F02", "D1-F07", "D2-A01"]
    assert "**Right:**" in text
    assert "**Case that fails, printed or predicted:** 1; **derived:** 2" in text
    assert "only if \\*prices\\* differ" in text


def test_texts_cannot_break_the_page():
    wild = "a | b `c` *d* <e> {f}`g` $h$ [i](j) \\(x\\) # k"
    escaped = pages._text(wild)
    for mark in "|`*<>{}$[]#":
        assert re.search(rf"(?<!\\){re.escape(mark)}", escaped) is None


def test_status_page_says_how_each_chapter_ran(written):
    text = (written / "status.md").read_text()
    assert "| [07_bandits](../chapters/07_bandits.ipynb) | quick | cpu | 12\\.3 | 700 | 4 |" in text
    assert "`python`" in text
    assert "`numpy`" in text


def test_figure_has_alt_text_with_the_numbers(written, scorecard):
    alt = pages.figure_alt(scorecard, load_documents())
    assert "1 confirmed, 2 corrected" in alt
    assert f":alt: {alt}" in (written / "scorecard.md").read_text()
