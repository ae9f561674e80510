"""Frequent itemsets with bitsets against mlxtend, and K-means against scikit-learn.

Both sides run on one thread and take turns; each turn is timed in CPU seconds. The itemsets are
mined in a synthetic table shaped like the shop's: 50,000 baskets of 300 categories, on
average 2.5 % of them in a basket, with a few large baskets. K-means runs Lloyd's algorithm from
the same ten starts on 20,000 rows of 22 features, one start after the other in scikit-learn.
"""

import numpy as np
import pandas as pd
import torch

from promo_repro.profiles import kmeans
from promo_repro.profiles.rules import frequent_itemsets
from tests.benchmarks.record import row, take_turns, told, write

SEED = 1
REPEATS = 5
SUPPORT, LONGEST = 0.02, 3
STEPS = 30


def basket_table():
    """Boolean (50,000, 300): popularity falls with the rank, basket sizes are skewed."""
    rng = np.random.default_rng(SEED)
    popularity = 1 / np.arange(2, 302) ** 0.7
    size = rng.gamma(0.7, 1.4, (50_000, 1))
    chance = np.minimum(0.025 * 300 * size * popularity / popularity.sum(), 0.9)
    return rng.random((50_000, 300)) < chance


def itemsets():
    """One row: the same frequent itemsets from both sides."""
    from mlxtend.frequent_patterns import apriori

    table = basket_table()
    frame = pd.DataFrame(table)

    def own():
        return frequent_itemsets(table, SUPPORT, LONGEST)

    def peer():
        return apriori(frame, min_support=SUPPORT, max_len=LONGEST)

    mine, theirs, turns = take_turns(own, peer, REPEATS)
    peer_counts = {
        tuple(sorted(items)): round(share * len(table))
        for items, share in zip(theirs["itemsets"], theirs["support"], strict=True)
    }
    if mine != peer_counts:
        raise AssertionError("the two sides found different itemsets")
    size = f"{table.shape[0]} baskets, {table.shape[1]} items, {len(mine)} itemsets"
    return row("frequent itemsets", size, "mlxtend", turns)


def lloyd():
    """One row: thirty steps of Lloyd's algorithm from the same ten starts."""
    from sklearn.cluster import KMeans

    generator = torch.Generator().manual_seed(SEED)
    x = torch.randn(20_000, 22, generator=generator, dtype=torch.float64)
    starts = kmeans.random_start(x, 8, generator, 10)
    table = x.numpy()

    def own():
        return kmeans.lloyd(x, starts, STEPS).inertia.numpy()

    def peer():
        found = []
        for start in starts.numpy():
            model = KMeans(8, init=start, n_init=1, tol=0, max_iter=STEPS)
            found.append(model.fit(table).inertia_)
        return np.array(found)

    mine, theirs, turns = take_turns(own, peer, REPEATS)
    if not np.allclose(mine, theirs, rtol=1e-4):
        raise AssertionError("the two sides reached different inertias")
    return row("K-means, ten starts", "20000 rows, 22 features, 8 clusters", "scikit-learn", turns)


def run():
    """Measure, write `data/results/bench/profiles.json`, and yield one line per task."""
    torch.set_num_threads(1)
    rows = []
    for benchmark in (itemsets, lloyd):
        rows.append(benchmark())
        yield told(rows[-1])
    yield write("profiles", rows, [SEED])
