"""Run every benchmark and write its results to `data/results/bench/`.

Run from the project's root in an environment with the peers: `python -m tests.benchmarks`.
"""

from tests.benchmarks import bench_bandits, bench_demand, bench_profiles, bench_recommender

for benchmark in (bench_bandits, bench_profiles, bench_recommender, bench_demand):
    print(benchmark.__doc__.splitlines()[0])
    for line in benchmark.run():
        print(line, flush=True)
