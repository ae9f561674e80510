"""Run the benchmarks and write their results to `data/results/bench/`.

Run from the project's root in an environment with the peers: `python -m tests.benchmarks` runs
every `bench_<room>.py` of this folder, `python -m tests.benchmarks profiles demand` these two.
"""

import sys
from importlib import import_module
from pathlib import Path

found = sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*"))
for room in sys.argv[1:] or found:
    benchmark = import_module(f"tests.benchmarks.bench_{room}")
    print(benchmark.__doc__.splitlines()[0])
    for line in benchmark.run():
        print(line, flush=True)
