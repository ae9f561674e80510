"""Matrix factorisation against `implicit`, on one thread each.

Both sides run the same task: fifteen iterations of alternating least squares at equal
hyper-parameters on simulated purchases. They take turns; each turn is timed in CPU seconds.
"""

import time

import numpy as np
import torch
from scipy import sparse
from threadpoolctl import threadpool_limits

from promo_repro.recommender import factorisation
from tests.benchmarks.record import row, told, write

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
    gap = max(abs(ours[1] - theirs[1]) / theirs[1] for ours, theirs in turns)
    size = f"{USERS} × {ITEMS}, {BOUGHT} purchases each, {FACTORS} factors"
    pairs = [(ours[0], theirs[0]) for ours, theirs in turns]
    rows = [row("ALS", size, "implicit", pairs, largest_relative_loss_gap=gap)]
    yield f"{told(rows[0])}; losses differ by at most {gap:.0e}"
    yield write("recommender", rows, range(REPEATS))
