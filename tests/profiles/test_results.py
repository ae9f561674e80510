"""The long run: shape of its rows, and the committed file."""

import json

import numpy as np

from promo_repro.profiles import results
from promo_repro.project import root


def test_rows_on_a_heap():
    heap = np.random.default_rng(0).standard_normal((60, 2))
    rows = results.silhouette_rows(heap, "heap", (2, 3), 4, 0)
    assert [row["method"] for row in rows] == [
        f"heap, k={k}, {null}" for null in ("normal", "copula") for k in (2, 3)
    ]
    for row in rows:
        assert row["lo"] <= row["hi"]
        assert row["n"] == 4


def test_committed_file():
    record = json.loads((root() / results.PATH).read_text())
    assert set(record) == {"command", "commit", "device", "seeds", "simulated", "rows"}
    assert record["command"] == "python -m promo_repro.profiles.results"
    assert len(record["rows"]) == 3 * 2 * len(results.CLUSTERS)
    assert {row["n"] for row in record["rows"]} == {results.DRAWS}
