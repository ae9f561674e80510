"""The shared parts of the benchmarks: rows and records, without measuring anything."""

import json
from importlib.metadata import version

import pytest

from tests.benchmarks.record import row, seconds, take_turns, told, write


def test_row_compares_the_two_sides_turn_by_turn():
    found = row("task", "ten", "numpy", [(1.0, 4.0), (2.0, 6.0), (4.0, 4.0)], gap=0.5)
    assert (found["own_cpu_s"], found["peer_cpu_s"]) == (2.0, 4.0)
    assert (found["ratio_median"], found["ratio_min"], found["repeats"]) == (3.0, 1.0, 3)
    assert found["peer_version"] == version("numpy")
    assert found["gap"] == 0.5


def test_a_row_is_told_in_fitting_units():
    found = row("sums", "ten", "numpy", [(2e-6, 3e-3)])
    assert told(found) == (
        "sums, ten: 2 µs against 3 ms of numpy, 1,500.00 times as fast (least 1,500.00)"
    )


def test_turns_return_both_results_after_a_warm_up():
    calls = []
    mine, theirs, turns = take_turns(lambda: calls.append("own"), lambda: "peer", 3, 2)
    assert (mine, theirs) == (None, "peer")
    assert len(turns) == 3
    assert len(calls) == 1 + 3 * 2


def test_seconds_are_those_of_one_call():
    spent, result = seconds(lambda: 7, 4)
    assert result == 7
    assert spent == pytest.approx(0, abs=0.1)


def test_the_record_has_the_fields_of_every_long_run(monkeypatch, tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "_config.yml").touch()
    monkeypatch.setenv("PROMO_REPRO_ROOT", str(tmp_path))
    rows = [row("task", "ten", "numpy", [(1.0, 2.0)])]
    assert write("room", rows, range(2), note="more") == "written: data/results/bench/room.json"
    record = json.loads((tmp_path / "data" / "results" / "bench" / "room.json").read_text())
    assert set(record) >= {"command", "commit", "device", "seeds", "simulated", "note"}
    assert (record["seeds"], record["rows"]) == ([0, 1], rows)
