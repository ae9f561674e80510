"""How good a ranking is, and how sure we are: recall and NDCG at k, paired bootstrap."""

import numpy as np

from promo_repro.claims import formula

# The least gain in NDCG at 10 that is called useful: one more hit, on the last rank, in about
# every thirteenth list. An interval that stays below it says that there is no useful gain.
LEAST_USEFUL = 0.005


def top_k(scores, k):
    """Column indices of the k largest scores of each row, best first; ties to the lower index.

    `scores` (U, I), where −∞ bars an item. Raises `ValueError` for NaN or k outside 1…I.
    """
    s = np.asarray(scores)
    if s.ndim != 2 or not 1 <= k <= s.shape[1]:
        raise ValueError(f"scores {s.shape} need two axes and 1 <= k <= items, not k = {k}")
    if np.isnan(s).any():
        raise ValueError("scores hold NaN; a recommender must score every item or bar it by -inf")
    threshold = -np.partition(-s, k - 1, axis=1)[:, k - 1 : k]
    # All items above the threshold and, from the left, as many at the threshold as there is room.
    above = s > threshold
    level = s == threshold
    room = k - above.sum(axis=1, keepdims=True)
    chosen = above | (level & (np.cumsum(level, axis=1) <= room))
    columns = np.nonzero(chosen)[1].reshape(len(s), k)
    order = np.argsort(-np.take_along_axis(s, columns, axis=1), axis=1, kind="stable")
    return np.take_along_axis(columns, order, axis=1)


@formula("eq-03-recall")
def recall_at_k(hits, relevant):
    """Recall at k: hits among the k recommended, over the number of relevant items.

    `hits` (..., k) are zeros and ones in order of rank, `relevant` (...) counts the relevant items
    (at least 1). A basket of more than k items cannot reach 1: see `recall_ceiling`.
    """
    n = _counts(relevant)
    return np.asarray(hits, dtype=float).sum(axis=-1) / n


@formula("eq-03-recall-ceiling")
def recall_ceiling(relevant, k):
    """The largest recall at k that any ranking can have, min(k, n) / n."""
    n = _counts(relevant)
    return np.minimum(k, n) / n


@formula("eq-03-ndcg")
def ndcg_at_k(hits, relevant):
    """Normalised discounted cumulative gain, Σ_r hit_r / log₂(r + 1) over its largest value.

    Ranks r = 1…k along the last axis of `hits` (..., k); the largest value has the first
    min(k, n) ranks relevant (Järvelin and Kekäläinen, 2002).
    """
    h, n = np.asarray(hits, dtype=float), _counts(relevant)
    discount = 1 / np.log2(np.arange(2, h.shape[-1] + 2))
    ideal = np.cumsum(discount)[np.minimum(n, h.shape[-1]).astype(int) - 1]
    return h @ discount / ideal


def ranked_hits(scores, relevant, k=10, barred=None):
    """Hits (U, k) in order of rank; items of the boolean mask `barred` (U, I) are never shown."""
    s = np.array(scores, dtype=np.float32)
    if barred is not None:
        s[barred] = -np.inf
    return np.take_along_axis(np.asarray(relevant), top_k(s, k), axis=1)


def evaluate(scores, target, seen, k=10):
    """Recall and NDCG at k of each household, for all items and for novel items apart.

    `scores` (U, I) real, `target` and `seen` (U, I) boolean. *Novel* bars what the household has
    bought before, from the list and from the target. A household without a (novel) target has NaN.
    Returns a dictionary of arrays (U,): recall, ndcg, novel_recall, novel_ndcg.
    """
    target, seen = np.asarray(target, dtype=bool), np.asarray(seen, dtype=bool)
    if not np.shape(scores) == target.shape == seen.shape:
        raise ValueError(
            f"scores {np.shape(scores)}, target {target.shape} and seen {seen.shape} differ"
        )
    result = {}
    for prefix, relevant, barred in (("", target, None), ("novel_", target & ~seen, seen)):
        count = relevant.sum(axis=1)
        some = count > 0
        hits = ranked_hits(scores, relevant, k, barred)[some]
        for name, metric in (("recall", recall_at_k), ("ndcg", ndcg_at_k)):
            values = np.full(len(target), np.nan)
            values[some] = metric(hits, count[some])
            result[prefix + name] = values
    return result


def measured(scores, part, deal=False, k=10):
    """`evaluate` for the tested households of a `protocol.Split`.

    `scores` (U, I), or (I,) for one ranking for everybody; with `deal` only what was bought on
    deal is relevant.
    """
    target = part.target_deal if deal else part.target
    scores = np.broadcast_to(scores, target.shape)[part.tested]
    history = part.history[part.tested].toarray() > 0
    return evaluate(scores, target[part.tested].toarray() > 0, history, k)


@formula("eq-03-paired-bootstrap")
def paired_interval(first, second, seed=0, resamples=1_000, level=0.95):
    """Mean of first − second over households and its percentile interval (mean, low, high).

    Both (U,) hold one value per household, in the same order; households, not the two methods
    apart, are drawn with replacement. Pairs with NaN on either side are left out.
    """
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"{a.shape} and {b.shape} are not two values for each household")
    gain = (a - b)[~(np.isnan(a) | np.isnan(b))]
    if not len(gain):
        raise ValueError("no household has both values")
    rng = np.random.default_rng(seed)
    means = gain[rng.integers(len(gain), size=(resamples, len(gain)))].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(gain.mean()), float(low), float(high)


def gain_low(first, second, seed=0):
    """Lower end of the 95 % paired interval of first − second: above 0, first is better."""
    return paired_interval(first, second, seed)[1]


def gain_high(first, second, seed=0):
    """Upper end of the 95 % paired interval of first − second: below 0, first is worse."""
    return paired_interval(first, second, seed)[2]


def _counts(relevant):
    n = np.asarray(relevant)
    if (n < 1).any():
        raise ValueError("relevant holds 0; a household without a relevant item has no score")
    return n
