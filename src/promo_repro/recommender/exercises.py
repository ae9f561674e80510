"""The exercises of the chapter on recommenders; the answers are computed."""

import numpy as np

from promo_repro.exercises import exercise
from promo_repro.recommender.baselines import ease_weights
from promo_repro.recommender.metrics import ndcg_at_k, recall_at_k, recall_ceiling
from promo_repro.recommender.pointwise import corrected_logit

HITS, RELEVANT = [1, 0, 1, 0, 0, 0, 0, 0, 0, 0], 4
LOGIT, RATE = 0.4, 0.05
BASKETS = np.array([[1, 1, 0], [1, 1, 0], [1, 0, 1], [0, 1, 0]], dtype=float)


@exercise(
    "03-1",
    minutes=8,
    hint="Discount rank r by log₂(r + 1), and divide by what the best list of ten would get.",
    wrong={
        "The best list has four hits, not two: the household bought four things.": (
            lambda: (1 + 0.5) / (1 + 1 / np.log2(3))
        ),
        "This is the recall. NDCG also looks at where the hits stand.": (
            lambda: recall_at_k(HITS, RELEVANT)
        ),
    },
)
def two_hits():
    """NDCG at 10 of a list with hits on ranks 1 and 3, for a basket of four items."""
    return float(ndcg_at_k(HITS, RELEVANT))


@exercise(
    "03-2",
    minutes=5,
    hint="Keeping one negative in twenty multiplies the odds by twenty. Undo it, then σ.",
    wrong={
        "This is the probability on the sampled pairs, where negatives are rare.": (
            lambda: 1 / (1 + np.exp(-LOGIT))
        ),
        "Multiplying a probability by the rate is not the same as correcting the odds.": (
            lambda: RATE / (1 + np.exp(-LOGIT))
        ),
    },
)
def population_probability():
    """Purchase probability when log-odds 0.4 were learnt with 5 % of the negatives."""
    return float(1 / (1 + np.exp(-corrected_logit(LOGIT, RATE))))


@exercise(
    "03-3",
    minutes=10,
    hint="Invert XᵀX + λI and divide each column by minus its diagonal element.",
    wrong={
        "Each column is divided by its own diagonal element, not each row.": (
            lambda: float(ease_weights(BASKETS.T @ BASKETS, 1.0)[1, 0])
        ),
        "λ belongs on the diagonal before the inversion.": (
            lambda: float(ease_weights(BASKETS.T @ BASKETS, 1e-9)[0, 1])
        ),
    },
)
def weight_of_first_for_second():
    """EASE's weight of item 1 for item 2 at λ = 1, from four baskets of three items."""
    return float(ease_weights(BASKETS.T @ BASKETS, 1.0)[0, 1])


@exercise(
    "03-4",
    minutes=5,
    hint="No list of ten finds more than ten items, and no household has fewer hits than zero.",
    wrong={
        "A mean of ratios is not the ratio of means.": (lambda: 32 / 49),
        "Half of the baskets fit into a list of ten: their ceiling is 1.": (
            lambda: float(np.mean(10 / np.array([12.0, 25.0])))
        ),
    },
)
def mean_ceiling():
    """Mean ceiling of recall at 10 for baskets of 5, 7, 12 and 25 items."""
    return float(recall_ceiling(np.array([5, 7, 12, 25]), 10).mean())
