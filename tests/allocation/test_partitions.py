"""Partitions, back ends and Parquet files give the answer of the whole."""

import numpy as np
import pytest

from promo_repro.allocation import Problem, Row, instance, partitions, solve
from tests.allocation.conftest import with_rows


@pytest.fixture(scope="module")
def problem():
    return instance(25_000, seed=6)


@pytest.mark.parametrize("parts", [1, 3, 16])
def test_the_number_of_partitions_changes_nothing(problem, parts):
    whole, cut = solve(problem, "dual"), partitions.solve(problem, parts)
    assert cut.objective == pytest.approx(whole.objective, rel=1e-12)
    # Prices need not be unique with whole stocks; both sets prove the same bound.
    assert cut.bound == pytest.approx(whole.bound, rel=1e-12)
    assert (cut.choice != whole.choice).sum() <= 2 * len(problem.coupling)


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_joblib_backends(problem, backend):
    found = partitions.solve(problem, 4, n_jobs=2, backend=backend)
    assert found.objective == pytest.approx(solve(problem, "dual").objective, rel=1e-12)


def test_users_are_cut_in_order_without_copies(problem):
    blocks = partitions.cut(problem, 7)
    assert sum(len(b) for b in blocks) == problem.users
    assert blocks[3].start == sum(len(b) for b in blocks[:3])
    assert blocks[0].value.data_ptr() == problem.value.data_ptr()
    assert len(partitions.cut(instance(3), 10)) == 3


def test_parquet_on_disk(problem, tmp_path):
    partitions.write(problem, tmp_path / "a.parquet", row_group=4_000)
    paths = [tmp_path / "a.parquet"]
    assert [b.start for b in partitions.stored(paths)][:3] == [0, 4_000, 8_000]
    found = partitions.solve_stored(paths, problem.budget, problem.coupling.bounds[1:])
    assert found.objective == pytest.approx(solve(problem, "dual").objective, rel=1e-12)
    assert len(found.choice) == problem.users


def test_parquet_with_groups_and_rows(tmp_path):
    problem = with_rows(3)
    rows = (Row("fair", "count", "<=", 0.0, groups=[1.0, -1.0, 0.5]),)
    again = Problem(problem.value, problem.cost, problem.budget, None, rows, problem.group)
    partitions.write(again, tmp_path / "g.parquet", row_group=7)
    found = partitions.solve_stored([tmp_path / "g.parquet"], again.budget, None, rows)
    assert found.objective == pytest.approx(solve(again, "highs").objective)


def test_bad_files_are_refused(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    def file(**columns):
        pq.write_table(pa.table({k: np.array(v) for k, v in columns.items()}), tmp_path / "x")
        return [tmp_path / "x"]

    with pytest.raises(ValueError, match="cost has an entry -1"):
        partitions.solve_stored(file(value_1=[1.0], cost_1=[-1.0]))
    with pytest.raises(ValueError, match="value contains NaN"):
        partitions.solve_stored(file(value_1=[np.nan], cost_1=[1.0]))
    with pytest.raises(ValueError, match="needs columns cost_1"):
        partitions.solve_stored(file(value_1=[1.0]))
    with pytest.raises(ValueError, match="as many cost columns"):
        partitions.solve_stored(file(value_1=[1.0], value_2=[1.0], cost_1=[1.0]))
    with pytest.raises(ValueError, match="hold no users"):
        partitions.solve_stored([])
