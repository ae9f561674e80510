"""The exercises of the chapter on pricing; the answers are computed."""

import numpy as np

from promo_repro.exercises import exercise
from promo_repro.pricing.auctions import vcg
from promo_repro.pricing.markdown import markdown
from promo_repro.pricing.optimal import best_discount, break_even_elasticity, relative_profit

BIDS = [[8.0, 6.0], [9.0, 3.0], [1.0, 2.0]]


@exercise(
    "05-1",
    minutes=6,
    hint="A small cut pays exactly if demand is more elastic than −(1 − s) / m.",
    wrong={
        "You have left out that the manufacturer pays half of the cut.": (
            lambda: (float(break_even_elasticity(0.4)), 0.0)
        ),
        "The edge is right; now find the depth where the derivative of the profit is zero.": (
            lambda: (float(break_even_elasticity(0.4, 0.5)), 0.0)
        ),
    },
)
def edge_and_depth():
    """Break-even elasticity at a margin of 0.4 and half funding, and the best depth at −1.6."""
    return float(break_even_elasticity(0.4, 0.5)), float(best_discount(-1.6, 0.4, 0.5))


@exercise(
    "05-2",
    minutes=8,
    hint="Profit is (m − d)(1 − d)^ε; compare it with m.",
    wrong={
        "This is the change of revenue, not of profit.": lambda: float(0.8 * 0.8**-1.6 - 1),
        "This is the change of units sold.": lambda: float(0.8**-1.6 - 1),
    },
)
def cost_of_a_cut():
    """Relative change of profit by a cut of 20 % at a margin of 0.3 and elasticity −1.6."""
    return float(relative_profit(0.2, -1.6, 0.3) / 0.3 - 1)


@exercise(
    "05-3",
    minutes=12,
    hint="With one unit left, a sale today costs the chance of selling it tomorrow.",
    wrong={
        "You have charged the best price of the last day twice.": lambda: (3.0, 6.0),
        "This is the value with two units.": lambda: (
            float(markdown([4.0, 6.0, 8.0], [0.7, 0.5, 0.2], 2, 2)[0][2, 2]),
            6.0,
        ),
    },
)
def last_unit():
    """Value and price of one unit with two days left, prices 4, 6, 8, chances 0.7, 0.5, 0.2."""
    prices = np.array([4.0, 6.0, 8.0])
    value, choice = markdown(prices, [0.7, 0.5, 0.2], 1, 2)
    return float(value[2, 1]), float(prices[choice[1, 0]])


@exercise(
    "05-4",
    minutes=12,
    hint="For each winner: what could the others have had without him, and what do they have?",
    wrong={
        "These are the bids of the winners for what they get.": lambda: [6.0, 9.0, 0.0],
    },
)
def payments():
    """VCG payments of three bidders for two different goods."""
    return vcg(BIDS, [1, 1])[1].tolist()
