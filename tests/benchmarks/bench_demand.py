"""Our recurrent cells against torch's fused layers, and the pooled ridge against scikit-learn's.

Both sides do the same task on one thread and take turns; each turn is timed in CPU seconds. The
cells are written out step by step, so they are expected to be slower than a fused layer: the ratio
says by how much.
"""

import numpy as np
import torch
from sklearn.linear_model import Ridge

from promo_repro.demand.cells import Recurrent
from promo_repro.demand.models import ridge_weights
from tests.benchmarks.record import row, take_turns, told, write

BATCH, STEPS, INPUTS, HIDDEN = 256, 28, 10, 32
ROWS, FEATURES, PENALTY = 10_000, 30, 30.0
REPEATS, CALLS = 7, 3
SEED = 1


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
    """One row of the result."""
    *_, turns = take_turns(ours, theirs, REPEATS, CALLS)
    return row(task, size, peer, turns)


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
    yield from map(told, rows)
    yield write("demand", rows, [SEED])
