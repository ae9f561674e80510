"""Bandit decisions per second: all replications at once against MABWiser, one at a time.

Both sides run the same task on one thread: ten Bernoulli arms (UCB1 also with 100 and 1,000),
horizon 1,000, choose, draw the reward, update.
They take turns; each turn is timed in CPU seconds; imports are timed apart. A run of MABWiser
takes about a tenth of a second, one of ours about 30 µs, so ours does thousands in a turn: the
ratio compares seconds per run.
"""

import json
import subprocess
import sys
import time
from importlib.metadata import version
from statistics import median

import numpy as np

from promo_repro.bandits import UCB1, BernoulliArms, EpsilonGreedy, Softmax, Thompson, simulate
from promo_repro.bandits.simulation import CELLS_PER_BLOCK
from promo_repro.bandits.studies import stream
from promo_repro.project import root

RATES = np.r_[np.arange(2, 11), 12] / 100
HORIZON = 1_000
REPEATS = {10: 7, 100: 5, 1_000: 3}  # by number of arms
PEER_RUNS = {10: 2, 100: 1, 1_000: 1}
SEED = 1
COMMAND = "make bench"


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
    """One row of the result: CPU seconds per run of both sides and their ratio."""
    repeats = REPEATS[len(rates)]
    own_seconds(ours, rates, SEED)  # warm up
    turns = [
        (own_seconds(ours, rates, SEED + i), peer_seconds(theirs, rates, SEED + i))
        for i in range(repeats)
    ]
    own, peer = (median(side) for side in zip(*turns, strict=True))
    ratios = [theirs / ours for ours, theirs in turns]
    return {
        "task": task,
        "size": f"{len(rates):,} arms, horizon {HORIZON:,}",
        "threads": 1,
        "peer": "mabwiser",
        "peer_version": version("mabwiser"),
        "own_cpu_s": own,
        "peer_cpu_s": peer,
        "ratio_median": median(ratios),
        "ratio_min": min(ratios),
        "repeats": repeats,
        "own_decisions_per_s": HORIZON / own,
        "peer_decisions_per_s": HORIZON / peer,
    }


def commit():
    """The commit that was measured, or "unknown" outside a repository."""
    command = ["git", "-C", str(root()), "rev-parse", "--short", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def run():
    """Measure, write `data/results/bench/bandits.json`, and yield one line per task."""
    imports = {name: import_seconds(name) for name in ("promo_repro.bandits", "mabwiser.mab")}
    pairs = peer_policies()
    cases = [(task, RATES) for task in pairs]
    cases += [("UCB1", np.linspace(0.02, 0.12, arms)) for arms in REPEATS if arms > len(RATES)]
    rows = []
    for task, rates in cases:
        row = compare(task, *pairs[task], rates)
        rows.append(row)
        yield (
            f"{task:15} {len(rates):5,} arms "
            f"{row['own_decisions_per_s'] / 1e6:6.2f} million against "
            f"{row['peer_decisions_per_s'] / 1e3:5.1f} thousand decisions a second: "
            f"{row['ratio_median']:6,.0f} times (least {row['ratio_min']:,.0f})"
        )
    record = {
        "command": COMMAND,
        "commit": commit(),
        "device": "CPU, one thread",
        "seeds": [SEED + i for i in range(max(REPEATS.values()))],
        "simulated": True,
        "import_cpu_s": imports,
        "numpy_version": version("numpy"),
        "rows": rows,
    }
    path = root() / "data" / "results" / "bench" / "bandits.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1) + "\n")
    yield f"written: {path.relative_to(root())}"
