"""The settings: one address everywhere, only existing files, vendored files with licences."""

import re

import pytest
import yaml

from promo_repro.book.pages import CHAPTERS
from promo_repro.project import root

ROOT = root()
SETTINGS = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
TOC = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text(encoding="utf-8"))
FILES = [TOC["root"], *(entry["file"] for part in TOC["parts"] for entry in part["chapters"])]


@pytest.mark.parametrize(
    "name", ["README.md", "CITATION.cff", "CONTRIBUTING.md", "CHANGELOG.md", "pyproject.toml"]
)
def test_the_repository_has_one_address(name):
    path = ROOT / name
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    addresses = re.findall(r"https://github\.com/[\w-]+/promo[-_]repro", text)
    assert set(addresses) <= {SETTINGS["repository"]["url"]}


def test_the_author_is_named_once():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["repository-code"] == SETTINGS["repository"]["url"]
    assert [author["name"] for author in citation["authors"]] == [SETTINGS["author"]]


def test_the_table_of_contents_names_what_exists():
    for name in FILES:
        if name.startswith("chapters/"):
            assert (ROOT / "notebooks" / f"{name.removeprefix('chapters/')}.ipynb").is_file()
        elif not name.startswith("generated/"):
            assert (ROOT / "book" / f"{name}.md").is_file()


def test_every_notebook_is_in_the_book_as_a_planned_chapter():
    written = {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert {f"chapters/{stem}" for stem in written} == {f for f in FILES if "chapters/" in f}
    assert {int(stem.split("_")[0]) for stem in written} <= {c.number for c in CHAPTERS}


def test_vendored_files_come_with_their_licence():
    folders = [path for path in (ROOT / "book" / "_vendor").iterdir() if path.is_dir()]
    assert folders
    for folder in folders:
        assert list(folder.glob("LICENSE*"))
        assert f"`{folder.name}/" in (folder.parent / "README.md").read_text(encoding="utf-8")


def test_own_scripts_and_styles_load_nothing_remote():
    written = [
        path
        for path in (ROOT / "book" / "_static").iterdir()
        if path.suffix in {".css", ".html", ".js", ".svg"}
    ]
    assert written
    for path in written:
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://", text), path.name
