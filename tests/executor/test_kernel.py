"""What the kernel's set-up lets pass and what it remembers."""

import json
import os
import warnings
from datetime import date

import pytest

from promo_repro.book.kernel import ALLOWED, Trace, make_warnings_errors


@pytest.fixture
def trace(tmp_path):
    for name in (
        "data/read.csv",
        "data/written.csv",
        "data/cache/made.csv",
        "src/shop.egg-info/entry_points.txt",
        "book/page.md",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    return Trace(tmp_path / "trace.json", tmp_path)


def test_trace_remembers_project_data_read_but_not_written_cached_or_elsewhere(trace):
    for name in ("cache/made.csv", "read.csv", "lost.csv"):
        trace.note("open", (str(trace.root / "data" / name), "r", 0))
    for name in ("src/shop.egg-info/entry_points.txt", "book/page.md"):
        trace.note("open", (str(trace.root / name), "r", 0))
    trace.note("open", (str(trace.root / "data/written.csv"), "w", 0))
    trace.note("open", (os.fsencode(trace.root / "data/written.csv"), None, os.O_RDWR))
    trace.note("open", (3, "r", 0))
    trace.note("import", ("data", None, None, None, None))
    assert trace.used() == ["data/read.csv"]
    trace.write()
    assert json.loads(trace.target.read_text()) == {
        "pid": os.getpid(),
        "used": ["data/read.csv"],
        "data_sets": ["made.csv"],
    }


@pytest.mark.parametrize("mode", ["rb", "wb"])
def test_trace_remembers_data_sets_whose_cache_is_read_or_filled(trace, mode):
    trace.note("open", (trace.root / "data/cache/hillstrom/visits.parquet", mode, 0))
    trace.note("open", (trace.root / "data/hillstrom/visits.parquet", mode, 0))
    assert trace.data_sets == {"hillstrom"}


def test_warnings_are_errors_but_for_the_allowed():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        make_warnings_errors()
        for category in (UserWarning, DeprecationWarning, FutureWarning, RuntimeWarning):
            with pytest.raises(category):
                warnings.warn("heard", category, stacklevel=1)
        warnings.warn("a file was left open", ResourceWarning, stacklevel=1)
        # As if it came from the kernel's own code.
        warnings.warn_explicit("late", UserWarning, "x.py", 1, module="ipykernel.kernelbase")
        with pytest.raises(UserWarning):
            warnings.warn_explicit("late", UserWarning, "x.py", 1, module="ipykernels")


@pytest.mark.parametrize("entry", ALLOWED, ids=lambda entry: entry.since)
def test_allowed_warnings_say_why_and_since_when(entry):
    assert entry.reason
    assert date.fromisoformat(entry.since) >= date(2026, 11, 21)
