"""Bandit decisions per second: all replications at once against MABWiser, one at a time.

Both sides run the same task on one thread: ten Bernoulli arms (UCB1 also with 100 and 1,000),
horizon 1,000, choose, draw the reward, update.
They take turns; each turn is timed in CPU seconds; imports are timed apart. A run of MABWiser
takes about a tenth of a second, one of ours about 30 µs, so ours does thousands in a turn: the
ratio compares seconds per run.
"""

import subprocess
import sys
import time

import numpy as np

from promo_repro.bandits import UCB1, BernoulliArms, EpsilonGreedy, Softmax, Thompson, simulate
from promo_repro.bandits.simulation import CELLS_PER_BLOCK
from promo_repro.bandits.studies import stream
from tests.benchmarks.record import row, told, write

RATES = np.r_[np.arange(2, 11), 12] / 100
HORIZON = 1_000
REPEATS = {10: 7, 100: 5, 1_000: 3}  # by number of arms
PEER_RUNS = {10: 2, 100: 1, 1_000: 1}
SEED = 1


def peer_policies():
    """Name of the task → (our policy, MABWiser's learning policy)."""
    from mabwiser.mab import LearningPolicy

    return {
        "epsilon-greedy": (EpsilonGreedy(0.1), LearningPolicy.EpsilonGreedy(0.1)),
        "UCB1": (UCB1(), LearningPolicy.UCB1(1.0)),
        "softmax": (Softmax(0.05), LearningPolicy.Softmax(0.05)),
        "Thompson": (Thompson(), LearningPolicy.ThompsonSampling()),
    }


def own_seconds(policy, rates, seed):
    """CPU seconds for one run of ours, out of a full block of replications."""
    runs = CELLS_PER_BLOCK // len(rates)
    start = time.process_time()
    simulate(policy, BernoulliArms(rates), HORIZON, runs, stream(seed))
    return (time.process_time() - start) / runs


def peer_seconds(policy, rates, seed):
    """CPU seconds for one run of MABWiser."""
    from mabwiser.mab import MAB

    arms, runs = list(range(len(rates))), PEER_RUNS[len(rates)]
    uniforms = np.random.default_rng(seed).random((runs, HORIZON)).tolist()
    rates = rates.tolist()
    start = time.process_time()
    for run in range(runs):
        mab = MAB(arms, policy, seed=seed + run)
        # Its UCB1 never tries an arm that was not in `fit`, so each arm is shown to it once.
        mab.fit(arms, [0] * len(arms))
        for uniform in uniforms[run]:
            arm = mab.predict()
            mab.partial_fit([arm], [int(uniform < rates[arm])])
    return (time.process_time() - start) / runs


def import_seconds(module):
    """CPU seconds to import a module in a fresh interpreter."""
    code = f"import time; t = time.process_time(); import {module}; print(time.process_time() - t)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout)


def compare(task, ours, theirs, rates):
    """One row of the result: both sides in turn, and decisions per second."""
    own_seconds(ours, rates, SEED)  # warm up
    turns = [
        (own_seconds(ours, rates, SEED + i), peer_seconds(theirs, rates, SEED + i))
        for i in range(REPEATS[len(rates)])
    ]
    found = row(task, f"{len(rates):,} arms, horizon {HORIZON:,}", "mabwiser", turns)
    return found | {
        f"{side}_decisions_per_s": HORIZON / found[f"{side}_cpu_s"] for side in ("own", "peer")
    }


def run():
    """Measure, write `data/results/bench/bandits.json`, and yield one line per task."""
    imports = {name: import_seconds(name) for name in ("promo_repro.bandits", "mabwiser.mab")}
    pairs = peer_policies()
    cases = [(task, RATES) for task in pairs]
    cases += [("UCB1", np.linspace(0.02, 0.12, arms)) for arms in REPEATS if arms > len(RATES)]
    rows = []
    for task, rates in cases:
        rows.append(compare(task, *pairs[task], rates))
        yield told(rows[-1])
    seeds = range(SEED, SEED + max(REPEATS.values()))
    yield write("bandits", rows, seeds, import_cpu_s=imports)
