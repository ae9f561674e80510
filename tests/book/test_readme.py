"""The README says what the built book says."""

import pytest

from promo_repro.book import pages, readme
from promo_repro.claims import collect, inventory
from promo_repro.project import root


@pytest.mark.built
def test_the_counts_are_those_of_the_scorecard():
    counts = pages.summary(collect(root() / "book" / "chapters", inventory()))
    text = (root() / "README.md").read_text(encoding="utf-8")
    assert counts in text, "run `make readme` and commit the result"


def test_only_the_block_is_written(tmp_path, monkeypatch):
    page = tmp_path / "README.md"
    page.write_text("before\n<!-- found -->\nold\n<!-- /found -->\nafter\n")
    monkeypatch.setattr(readme, "found", lambda project: "new \\1\n")
    assert readme.update(tmp_path)
    assert page.read_text() == "before\n<!-- found -->\nnew \\1\n<!-- /found -->\nafter\n"
    assert not readme.update(tmp_path)
