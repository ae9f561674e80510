"""Association rules: counted with bitsets, one bit a basket.

A basket table is boolean, (baskets, items). An itemset is a tuple of item positions, ascending.
"""

from itertools import combinations

import numpy as np
import pandas as pd

from promo_repro.claims import formula

WORD = 64


def bitsets(baskets) -> np.ndarray:
    """Pack a boolean table (baskets, items) into one row of 64-bit words per item, (items, words).

    Raises `ValueError` if the table is not boolean or empty.
    """
    table = np.asarray(baskets)
    if table.ndim != 2 or table.dtype != bool or table.size == 0:
        raise ValueError(f"baskets is {table.shape} {table.dtype}; expected a boolean table (n, m)")
    octets = np.packbits(table.T, axis=1)
    padding = -octets.shape[1] % (WORD // 8)
    return np.ascontiguousarray(np.pad(octets, ((0, 0), (0, padding)))).view(np.uint64)


@formula("eq-02-bit-count")
def bit_counts(words) -> np.ndarray:
    """Number of baskets in each bitset, (..., words) → (...)."""
    return np.bitwise_count(words).sum(axis=-1, dtype=np.int64)


@formula("eq-02-support")
def support(both, n):
    r"""Share of baskets with all items of the set, :math:`n_{AB} / n`."""
    return np.asarray(both) / n


@formula("eq-02-confidence")
def confidence(both, antecedent):
    r"""Share of the baskets with A that also hold B, :math:`n_{AB} / n_A`."""
    return np.asarray(both) / np.asarray(antecedent)


@formula("eq-02-lift")
def lift(both, antecedent, consequent, n):
    r"""How much more often A and B meet than if independent, :math:`n\, n_{AB} / (n_A n_B)`."""
    return np.asarray(both) * n / (np.asarray(antecedent) * np.asarray(consequent))


def frequent_itemsets(baskets, minimum: float, longest: int = 3) -> dict[tuple[int, ...], int]:
    """Every itemset of at most `longest` items with support of at least `minimum`: its count.

    Level by level as in Apriori: only itemsets that share all but their last item are joined.
    Raises `ValueError` unless 0 < minimum <= 1.
    """
    if not 0 < minimum <= 1:
        raise ValueError(f"minimum is {minimum}; a support lies in (0, 1]")
    words = bitsets(baskets)
    floor = minimum * len(baskets) - 1e-9
    counts = bit_counts(words)
    items = np.flatnonzero(counts >= floor)
    level = {(int(i),): words[i] for i in items}
    found = {(int(i),): int(counts[i]) for i in items}
    while level and len(next(iter(level))) < longest:
        level = _next_level(level, words, floor, found)
    return found


def _next_level(level, words, floor, found):
    """Join itemsets with a common prefix; add frequent ones to `found` and return their bitsets."""
    last_items: dict[tuple[int, ...], list[int]] = {}
    for itemset in level:
        last_items.setdefault(itemset[:-1], []).append(itemset[-1])
    longer = {}
    for prefix, lasts in last_items.items():
        for position, item in enumerate(lasts[:-1]):
            others = lasts[position + 1 :]
            meet = level[(*prefix, item)] & words[others]
            counts = bit_counts(meet)
            for index in np.flatnonzero(counts >= floor):
                itemset = (*prefix, item, others[index])
                longer[itemset] = meet[index]
                found[itemset] = int(counts[index])
    return longer


@formula("D5-P06", "eq-02-rules")
def association_rules(itemsets, n: int, minimum_confidence: float = 0.0) -> pd.DataFrame:
    """Every rule A → B inside the itemsets: antecedent, consequent, support, confidence, lift.

    `itemsets` maps each itemset to its count and holds all its subsets; n is the number of
    baskets. Sorted by lift, largest first.
    """
    rows = []
    for itemset, both in itemsets.items():
        for size in range(1, len(itemset)):
            for antecedent in combinations(itemset, size):
                consequent = tuple(item for item in itemset if item not in antecedent)
                rows.append(
                    (antecedent, consequent, both, itemsets[antecedent], itemsets[consequent])
                )
    frame = pd.DataFrame(rows, columns=["antecedent", "consequent", "both", "with_a", "with_b"])
    frame["support"] = support(frame["both"], n)
    frame["confidence"] = confidence(frame["both"], frame["with_a"])
    frame["lift"] = lift(frame["both"], frame["with_a"], frame["with_b"], n)
    kept = frame[frame["confidence"] >= minimum_confidence]
    return kept.sort_values("lift", ascending=False, kind="stable", ignore_index=True)


@formula("eq-02-stratified-lift")
def lift_within_strata(a, b, strata) -> float:
    r"""Lift of A and B after the size of the basket: observed meetings over those expected if A
    and B were independent *within each stratum*, :math:`\sum_s n_{ABs} / \sum_s n_{As}n_{Bs}/n_s`.

    `a`, `b` boolean (n,), `strata` integer codes (n,).
    """
    a, b = np.asarray(a, float), np.asarray(b, float)
    n = np.maximum(np.bincount(strata), 1)
    expected = (np.bincount(strata, a) * np.bincount(strata, b) / n).sum()
    return float((a * b).sum() / expected)


def stratified_lifts(baskets, mined: pd.DataFrame, largest: int = 60) -> np.ndarray:
    """`lift_within_strata` of rules with one item on each side; strata are basket sizes.

    Baskets of `largest` items and more share a stratum.
    """
    size = np.minimum(baskets.sum(axis=1), largest)
    pairs = zip(mined["antecedent"], mined["consequent"], strict=True)
    return np.array(
        [lift_within_strata(baskets[:, a], baskets[:, b], size) for (a,), (b,) in pairs]
    )
