"""Matrix factorisation and neighbours against `implicit`, on one thread each.

Both sides run the same task: fifteen iterations of alternating least squares at equal
hyper-parameters on simulated purchases. They take turns; each turn is timed in CPU seconds.
"""

import json
import time
from importlib.metadata import version
from statistics import median

import numpy as np
import torch
from scipy import sparse
from threadpoolctl import threadpool_limits

from promo_repro.project import root
from promo_repro.recommender import factorisation
from tests.benchmarks.bench_bandits import commit

USERS, ITEMS, BOUGHT = 2_000, 1_800, 150
FACTORS, REGULARISATION, ITERATIONS, REPEATS = 32, 30.0, 15, 3


def purchases(seed):
    """Counts (U, I) in which a few items are bought by many."""
    rng = np.random.default_rng(seed)
    weight = 1 / np.arange(1, ITEMS + 1) ** 0.7
    rows = np.repeat(np.arange(USERS), BOUGHT)
    columns = rng.choice(ITEMS, len(rows), p=weight / weight.sum())
    counts = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(USERS, ITEMS))
    counts.sum_duplicates()
    return counts


def own(confidences, seed):
    """CPU seconds of ours, and its loss."""
    start = time.process_time()
    found = factorisation.als(
        confidences, FACTORS, REGULARISATION, ITERATIONS, torch.Generator().manual_seed(seed)
    )
    return time.process_time() - start, found.losses[-1]


def peer(confidences, seed):
    """CPU seconds of implicit with its exact solver, and its loss."""
    from implicit.als import AlternatingLeastSquares

    row, column = confidences.indices().numpy()
    weights = sparse.csr_matrix(
        (confidences.values().numpy(), (row, column)), shape=confidences.shape
    )
    model = AlternatingLeastSquares(
        factors=FACTORS, regularization=REGULARISATION, alpha=1.0, iterations=ITERATIONS,
        use_cg=False, num_threads=1, random_state=seed,
    )  # fmt: skip
    start = time.process_time()
    model.fit(weights, show_progress=False)
    seconds = time.process_time() - start
    factors = (torch.as_tensor(f) for f in (model.user_factors, model.item_factors))
    return seconds, float(factorisation.als_loss(confidences, *factors, REGULARISATION))


def run():
    """Measure, write `data/results/bench/recommender.json`, and yield one line."""
    torch.set_num_threads(1)
    confidences = factorisation.confidence(purchases(0), 0.1)
    with threadpool_limits(1):
        own(confidences, 0)  # warm up
        turns = [(own(confidences, s), peer(confidences, s)) for s in range(REPEATS)]
    ratios = [theirs[0] / ours[0] for ours, theirs in turns]
    gap = max(abs(ours[1] - theirs[1]) / theirs[1] for ours, theirs in turns)
    row = {
        "task": "ALS",
        "size": f"{USERS} × {ITEMS}, {BOUGHT} purchases each, {FACTORS} factors",
        "threads": 1,
        "peer": "implicit",
        "peer_version": version("implicit"),
        "own_cpu_s": median(ours[0] for ours, _ in turns),
        "peer_cpu_s": median(theirs[0] for _, theirs in turns),
        "ratio_median": median(ratios),
        "ratio_min": min(ratios),
        "repeats": REPEATS,
        "largest_relative_loss_gap": gap,
    }
    record = {
        "command": "make bench",
        "commit": commit(),
        "device": "CPU, one thread",
        "seeds": list(range(REPEATS)),
        "simulated": True,
        "rows": [row],
    }
    path = root() / "data" / "results" / "bench" / "recommender.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1) + "\n")
    yield (
        f"ALS: {row['own_cpu_s']:.1f} s against {row['peer_cpu_s']:.1f} s: "
        f"{row['ratio_median']:.2f} times; losses differ by at most {gap:.0e}"
    )
