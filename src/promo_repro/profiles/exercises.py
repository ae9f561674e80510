"""Exercises of the chapter on profiles."""

import numpy as np
import torch
from scipy.special import expit

from promo_repro.exercises import exercise
from promo_repro.profiles import components, kmeans, rules

POINTS = torch.tensor([[0.0], [1.0], [5.0], [6.0], [10.0]], dtype=torch.float64)
START = torch.tensor([[0.0], [1.0]], dtype=torch.float64)


@exercise(
    "02-1",
    minutes=10,
    hint="The correlation matrix has the eigenvalues 1 + r and 1 - r; divide by their sum.",
    wrong={
        "That is the correlation itself; find the eigenvalues of the matrix first.": lambda: 0.6,
        "The square of r is the variance that one feature explains of the other.": lambda: 0.36,
    },
)
def two_features():
    """Share of variance in the first component of two standardised features, correlation 0.6."""
    sigma = np.array([[1.0, 0.6], [0.6, 1.0]])
    return components.explained_share(components.eigen(sigma)[0], 1)


@exercise(
    "02-2",
    minutes=10,
    hint="Assign each point to its nearest centre, take the two means, add the squared distances.",
    wrong={
        "This is the objective at the old centres; move them to the means first.": lambda: float(
            kmeans.inertia(POINTS, START)
        ),
        "This is the objective at rest; only one step was asked for.": lambda: float(
            kmeans.lloyd(POINTS, START).inertia
        ),
    },
)
def one_step():
    """K-means cost after one assignment and one update of 0, 1, 5, 6, 10 from centres 0 and 1."""
    return float(kmeans.partition_cost(POINTS, kmeans.assign(POINTS, START), 2))


@exercise(
    "02-3",
    minutes=5,
    hint="Compare the baskets with both with those expected if A and B were independent.",
    wrong={
        "That is the confidence of the rule; divide by the share of baskets with B.": lambda: float(
            rules.confidence(90, 200)
        ),
        "That is the support of both.": lambda: float(rules.support(90, 1000)),
    },
)
def lift_of_a_rule():
    """Lift of A and B: 1,000 baskets, 200 with A, 300 with B, 90 with both."""
    return float(rules.lift(90, 200, 300, 1000))


@exercise(
    "02-4",
    minutes=15,
    hint="The log-odds of the share move by the elasticity difference times the log of the price.",
    wrong={
        "Use the logarithm of the price ratio 0.8, not the discount 0.2.": lambda: float(
            expit(1.3 * 0.2)
        ),
        "That is the share of the other group.": lambda: float(expit(1.3 * np.log(0.8))),
    },
)
def share_at_a_discount():
    """Group share of units at a 20 % lower price: one half before, elasticity difference -1.3."""
    return float(expit(-1.3 * np.log(0.8)))
