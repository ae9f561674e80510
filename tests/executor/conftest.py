"""A small project, executed once for all tests."""

import shutil

import pytest
from toyshop_project import CELLS, MODULES, write_notebook

from promo_repro.book.execute import execute


@pytest.fixture(scope="session")
def executed(tmp_path_factory):
    """The project after a first execution, two chapters at a time, and its outcomes."""
    root = tmp_path_factory.mktemp("project")
    for folder in ("notebooks", "data"):
        (root / folder).mkdir()
    for name, code in MODULES.items():
        path = root / "src" / "toyshop" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code)
    (root / "data" / "log.csv").write_text("arm,click\n1,0\n")
    (root / "data" / "extra.txt").write_text("extra\n")
    (root / "requirements.lock").write_text("numpy==2.0\n")
    for name, cells in CELLS.items():
        write_notebook(root, name, cells, ["data/log.csv"] if name == "01_alpha" else [])
    outcomes = execute(root=root, package="toyshop", jobs=2)
    return root, outcomes


@pytest.fixture
def root(executed, tmp_path):
    """A copy of the executed project for one test to change."""
    copy = tmp_path / "project"
    shutil.copytree(executed[0], copy)
    return copy
