"""A second execution of a real chapter gives the verdicts and numbers of the first."""

import nbformat
import pytest

from promo_repro.book.execute import execute
from promo_repro.project import root

CHAPTER = "07_bandits"  # of the chapters with random draws, the one that needs the least memory
NEEDED = ("_config.yml", "data", "notebooks", "requirements.lock", "src")


def outputs(project):
    path = project / "book" / "chapters" / f"{CHAPTER}.ipynb"
    cells = nbformat.read(path, as_version=4).cells
    return {cell.id: cell.outputs for cell in cells if cell.cell_type == "code"}


@pytest.mark.built
def test_two_executions_agree_to_the_last_character(tmp_path):
    for name in NEEDED:
        (tmp_path / name).symlink_to(root() / name)
    (outcome,) = execute([CHAPTER], root=tmp_path)
    assert outcome.status == "ran", outcome.message
    first, second = outputs(root()), outputs(tmp_path)
    assert first.keys() == second.keys()
    for cell_id, expected in first.items():
        assert second[cell_id] == expected, cell_id
