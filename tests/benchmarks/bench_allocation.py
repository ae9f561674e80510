"""Allocation: the dual solver against HiGHS on small problems, against bare reads on large ones.

Instances come from `promo_repro.allocation.instance` (ten promotions, one budget, ten stocks),
with and without ties, and from the fitted response of the shop. Both sides have to show the same
certificate: violation at most 1e-9, gap at most 1e-8, both relative. A read is the sum of all
values and costs. The large sizes run in a process of their own, whose peak memory is noted.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import cvxpy as cp
import numpy as np
import torch

from promo_repro.allocation import frontier, instance, reference, solve
from promo_repro.allocation.offers import shop_campaign
from tests.benchmarks.record import row, take_turns, told, write

SEED = 0
REPEATS = {10_000: 2, 100_000: 1}  # turns against HiGHS; each of its solves takes half a minute
LARGE = {1_000_000: torch.float64, 10_000_000: torch.float32}
KINDS = {
    "": instance,
    ", ties": lambda users, seed: instance(users, seed=seed, ties=True),
    ", fitted shop": shop_campaign,
}
BUDGETS = np.linspace(0.3, 1.2, 20)


def by_highs(problem, solver):
    """Solve by HiGHS through cvxpy, by its default (None) or a named solver, and certify."""
    written = reference.model(problem)
    options = {} if solver is None else {"solver": solver, "run_crossover": "on"}
    written.problem.solve(solver=cp.HIGHS, highs_options=options)
    assert written.problem.status == cp.OPTIMAL
    return written.problem.value


def certified(problem):
    result = solve(problem, "dual")
    assert result.violation <= 1e-9
    assert abs(result.gap) <= 1e-8
    return result


def against_highs(users, solver, kind):
    problem = KINDS[kind](users, seed=SEED)
    mine, theirs, turns = take_turns(
        lambda: certified(problem), lambda: by_highs(problem, solver), REPEATS[users]
    )
    assert abs(mine.objective - theirs) <= 1e-8 * abs(theirs)
    name = "HiGHS default" if solver is None else "HiGHS interior point"
    return row(
        f"allocation against {name}{kind}",
        f"{users:,} users",
        "highspy",
        turns,
        binding_rows=sum(price > 1e-9 for price in mine.duals.values()),
        gap=mine.gap,
        violation=mine.violation,
    )


def against_reads(users, ties, repeats=3):
    """The row of one large size, measured in this process."""
    problem = instance(users, seed=SEED, ties=ties, dtype=LARGE.get(users, torch.float64))

    def read():
        return problem.value.T.sum(), problem.cost.T.sum()

    mine, _, turns = take_turns(lambda: certified(problem), read, repeats)
    found = row(
        f"allocation against one read of the data{', ties' if ties else ''}",
        f"{users:,} users, {str(problem.value.dtype)[6:]}",
        "torch",
        turns,
        binding_rows=sum(price > 1e-9 for price in mine.duals.values()),
        gap=mine.gap,
        violation=mine.violation,
        peak_memory_gb=peak_memory(),
    )
    return found | {"reads": 1 / found["ratio_median"]}


def peak_memory():
    """Largest resident memory of this process in GB; `getrusage` would count its parent's too."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 2**20


def apart(users, ties):
    """`against_reads` in a fresh process."""
    command = [
        sys.executable,
        "-m",
        "tests.benchmarks.bench_allocation",
        str(users),
        str(int(ties)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def along_frontier(users=100_000, repeats=3):
    problem = instance(users, seed=SEED)
    budgets = problem.budget * BUDGETS
    _, _, turns = take_turns(
        lambda: frontier(problem, budgets), lambda: certified(problem), repeats
    )
    found = row(
        f"frontier of {len(budgets)} budgets against one solve", f"{users:,} users", "torch", turns
    )
    return found | {"solves": 1 / found["ratio_median"]}


def run():
    """Measure, write `data/results/bench/allocation.json`, and yield one line per task."""
    rows = []
    cases = [
        *((against_highs, (10_000, solver, kind)) for kind in KINDS for solver in (None, "ipm")),
        *((against_highs, (100_000, "ipm", kind)) for kind in KINDS),
        (along_frontier, ()),
        *((apart, (users, False)) for users in (1_000, 10_000, 100_000, *LARGE)),
        *((apart, (users, True)) for users in LARGE),
    ]
    for measure, arguments in cases:
        rows.append(measure(*arguments))
        yield told(rows[-1])
    yield write("allocation", rows, [SEED])


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps(against_reads(int(sys.argv[1]), sys.argv[2] == "1")))
