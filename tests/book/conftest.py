"""Fixtures of the tests of the pages: one small book, built once."""

import pytest
import sample_project

from promo_repro.book.build import build


@pytest.fixture(scope="session")
def built_project(tmp_path_factory):
    """A project with two sample chapters whose book has been built; do not change it."""
    folder = sample_project.make_project(tmp_path_factory.mktemp("project"))
    report = build(folder)
    assert not report.skipped
    return folder
