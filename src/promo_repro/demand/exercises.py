"""The exercises of the chapter on demand; the answers are computed."""

import numpy as np
import torch

from promo_repro.demand.cells import carousel
from promo_repro.demand.inventory import newsvendor_order
from promo_repro.demand.listing import parameter_count
from promo_repro.exercises import exercise

SALES = [0, 2, 3, 1, 14, 2, 4, 3, 2, 9]


@exercise(
    "04-1",
    minutes=5,
    hint="Which number has the least mean squared, and which the least mean absolute distance?",
    wrong={
        "The order is first the forecast for squared errors, then the one for absolute errors.": (
            lambda: (float(np.median(SALES)), float(np.mean(SALES)))
        ),
    },
)
def best_constants():
    """The constant forecasts of the ten weeks with the least MSE and the least MAE."""
    return float(np.mean(SALES)), float(np.median(SALES))


@exercise(
    "04-2",
    minutes=8,
    hint="Find the critical ratio, then the smallest week that enough weeks do not exceed.",
    wrong={
        "This is the mean; it takes no account of the costs.": lambda: float(np.mean(SALES)),
        "You have swapped the two costs.": lambda: newsvendor_order(SALES, 1, 6),
    },
)
def cheapest_order():
    """The order of least expected cost when a missed unit costs 6 and a left unit 1."""
    return newsvendor_order(SALES, 6, 1)


@exercise(
    "04-3",
    minutes=8,
    hint="Four gates, each with weights for inputs, for the state, and a bias; then the output.",
    wrong={
        "That is a GRU, with three gates.": lambda: 3 * 16 * (16 + 6 + 1) + 17,
        "Each gate and the output have a bias.": lambda: 4 * 16 * (16 + 6) + 16,
    },
)
def lstm_parameters():
    """The trainable numbers of an LSTM of 16 units on 6 inputs, and a dense output."""
    return parameter_count(16, 6)


@exercise(
    "04-4",
    minutes=10,
    hint="The product of the forget gates between the two steps decides.",
    wrong={
        "You have multiplied one gate too few.": lambda: 0.9**27,
        "This is the weight of the last step alone.": lambda: 0.9,
    },
)
def carried_error():
    """Share of an error that the cell carries 28 steps back when every forget gate is at 0.9."""
    return float(carousel(torch.full((28,), 0.9, dtype=torch.float64))[0])
