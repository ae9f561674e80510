"""The same solver over partitions: threads, processes, other joblib back ends, Parquet on disk.

A pass sends the prices to every partition and gets back sums of the size of the rows, and the
few users near a tie; the answer does not depend on how the users are cut.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from joblib import Parallel, delayed

from promo_repro.allocation import dual
from promo_repro.allocation.problem import Block, Coupling, Problem, Result, Row, extremes


@dataclass(frozen=True)
class StoredBlock:
    """One row group of a Parquet file, read anew at each pass; never more than one is in memory."""

    path: Path
    row_group: int
    size: int
    start: int

    def __len__(self) -> int:
        return self.size

    def load(self) -> Block:
        """Read the columns value_1 … value_K, cost_1 … cost_K and, where there is one, group."""
        table = pq.ParquetFile(self.path).read_row_group(self.row_group)
        columns = {
            name: torch.from_numpy(np.stack([table[c].to_numpy() for c in named], axis=0)).T
            for name, named in _columns(table.column_names).items()
        }
        group = None
        if "group" in table.column_names:
            group = torch.from_numpy(table["group"].to_numpy().astype(np.int64))
        return Block(columns["value"], columns["cost"], group, self.start)


def cut(problem: Problem, parts: int) -> list[Block]:
    """The users of a problem in `parts` consecutive blocks, without copying them."""
    edges = np.linspace(0, problem.users, min(parts, problem.users) + 1).astype(int)
    group = problem.group
    return [
        Block(problem.value[a:b], problem.cost[a:b], None if group is None else group[a:b], int(a))
        for a, b in pairwise(edges)
    ]


def workers(n_jobs: int, backend: str | None = None) -> Callable:
    """A `map` over blocks by joblib; without `backend` as `joblib.parallel_config` says."""

    def over(function, blocks):
        return Parallel(n_jobs=n_jobs, backend=backend)(delayed(function)(b) for b in blocks)

    return over


def solve(
    problem: Problem, parts: int, n_jobs: int = 1, backend: str | None = None, **options
) -> Result:
    """Solve a problem in memory over `parts` partitions."""
    over = workers(n_jobs, backend)
    return dual.solve_blocks(cut(problem, parts), problem.coupling, over=over, **options)


def write(problem: Problem, path: Path, row_group: int = 100_000) -> None:
    """Store the users of a problem as Parquet, `row_group` of them in each group of rows."""
    columns = {}
    for name, matrix in (("value", problem.value), ("cost", problem.cost)):
        for k in range(problem.promotions):
            columns[f"{name}_{k + 1}"] = matrix[:, k].numpy(force=True)
    if problem.group is not None:
        columns["group"] = problem.group.numpy(force=True)
    pq.write_table(pa.table(columns), path, row_group_size=row_group)


def stored(paths: Sequence[Path]) -> list[StoredBlock]:
    """The row groups of Parquet files, with the users numbered on from file to file."""
    blocks, start = [], 0
    for path in paths:
        metadata = pq.ParquetFile(path).metadata
        for group in range(metadata.num_row_groups):
            size = metadata.row_group(group).num_rows
            blocks.append(StoredBlock(Path(path), group, size, start))
            start += size
    return blocks


def solve_stored(
    paths: Sequence[Path],
    budget: float = np.inf,
    stock=None,
    rows: Sequence[Row] = (),
    n_jobs: int = 1,
    backend: str | None = None,
    **options,
) -> Result:
    """Solve a problem whose users are in Parquet files that need not fit into memory.

    Raises `ValueError` for files without users or columns, and for entries that `Problem` refuses.
    """
    blocks = stored(paths)
    if not blocks:
        raise ValueError("the files hold no users")
    over = workers(n_jobs, backend)
    seen = list(over(_checked, blocks))
    promotions = seen[0][0]
    groups = max(largest for _, largest in seen) + 1
    coupling = Coupling.of(budget, stock, tuple(rows), promotions, groups)
    return dual.solve_blocks(blocks, coupling, over=over, **options)


def _checked(block: StoredBlock) -> tuple[int, int]:
    """Number of promotions and largest group of a block whose entries can be used."""
    data = block.load()
    low, _ = extremes("cost", data.cost)
    extremes("value", data.value)
    if low < 0:
        raise ValueError(f"cost has an entry {low:g}; book what a promotion earns as value")
    return data.value.shape[1], 0 if data.group is None else int(data.group.max())


def _columns(names) -> dict[str, list[str]]:
    found = {}
    for what in ("value", "cost"):
        k = sum(name.startswith(f"{what}_") for name in names)
        found[what] = [f"{what}_{i + 1}" for i in range(k)]
        if k == 0 or not set(found[what]) <= set(names):
            raise ValueError(f"the file needs columns {what}_1, {what}_2, …; it has {names}")
    if len(found["value"]) != len(found["cost"]):
        raise ValueError("the file needs as many cost columns as value columns")
    return found
