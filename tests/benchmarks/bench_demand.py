"""Our recurrent cells against torch's fused layers, and the pooled ridge against scikit-learn's.

Both sides do the same task on one thread and take turns; each turn is timed in CPU seconds. The
cells are written out step by step, so they are expected to be slower than a fused layer: the ratio
says by how much.
"""

import json
import time
from importlib.metadata import version
from statistics import median

import numpy as np
import torch
from sklearn.linear_model import Ridge

from promo_repro.demand.backtest import commit
from promo_repro.demand.cells import Recurrent
from promo_repro.demand.models import ridge_weights
from promo_repro.project import root

BATCH, STEPS, INPUTS, HIDDEN = 256, 28, 10, 32
ROWS, FEATURES, PENALTY = 10_000, 30, 30.0
REPEATS = 7
SEED = 1
COMMAND = "make bench"


def seconds(task, repeats=3):
    """CPU seconds of one call, mean of `repeats`."""
    start = time.process_time()
    for _ in range(repeats):
        task()
    return (time.process_time() - start) / repeats


def cell_tasks(kind):
    """Forward and backward over a batch: ours and torch's."""
    generator = torch.Generator().manual_seed(SEED)
    x = torch.rand(BATCH, STEPS, INPUTS, generator=generator)
    own = Recurrent(kind, INPUTS, HIDDEN, generator)
    peer = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[kind](INPUTS, HIDDEN, batch_first=True)
    return lambda: own(x).sum().backward(), lambda: peer(x)[0][:, -1].sum().backward()


def ridge_tasks():
    """One ridge regression: ours and scikit-learn's with its Cholesky solver."""
    rng = np.random.default_rng(SEED)
    x, y = rng.normal(size=(ROWS, FEATURES)), rng.normal(size=(ROWS, 1))
    peer = Ridge(PENALTY, fit_intercept=False, solver="cholesky")
    return lambda: ridge_weights(x, y, PENALTY), lambda: peer.fit(x, y)


def compare(task, size, peer, ours, theirs):
    """One row of the result: CPU seconds of both sides and their ratio."""
    ours(), theirs()  # warm up
    turns = [(seconds(ours), seconds(theirs)) for _ in range(REPEATS)]
    own, other = (median(side) for side in zip(*turns, strict=True))
    ratios = [theirs / ours for ours, theirs in turns]
    return {
        "task": task,
        "size": size,
        "threads": 1,
        "peer": peer,
        "peer_version": version(peer),
        "own_cpu_s": own,
        "peer_cpu_s": other,
        "ratio_median": median(ratios),
        "ratio_min": min(ratios),
        "repeats": REPEATS,
    }


def run():
    """Measure, write `data/results/bench/demand.json`, and yield one line per task."""
    torch.set_num_threads(1)
    size = f"{BATCH} series, {STEPS} steps, {HIDDEN} units, forward and backward"
    rows = [
        compare(f"{kind.upper()} encoder", size, "torch", *cell_tasks(kind))
        for kind in ("lstm", "gru")
    ]
    size = f"{ROWS} rows, {FEATURES} features"
    rows.append(compare("pooled ridge", size, "scikit-learn", *ridge_tasks()))
    for row in rows:
        yield f"{row['task']:14} {row['ratio_median']:5.2f} times {row['peer']}'s speed"
    record = {
        "command": COMMAND,
        "commit": commit(),
        "device": "CPU, one thread",
        "seeds": [SEED],
        "simulated": True,
        "rows": rows,
    }
    path = root() / "data" / "results" / "bench" / "demand.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1) + "\n")
    yield f"written: {path.relative_to(root())}"
