"""The exercises of the chapter on the simulator; the answers are computed."""

from dataclasses import replace

import numpy as np

from promo_repro.exercises import exercise
from promo_repro.simulator import worlds
from promo_repro.simulator.calibration import customer_dip
from promo_repro.simulator.world import (
    break_even_slope,
    purchase_odds,
    purchase_probability,
    unit_margin,
)

VISIT, ODDS, SLOPE, NOTICED, DEPTH, MARGIN, PRICE, CONTACT = 0.8, 0.05, -3.0, 0.5, 0.2, 0.3, 4, 0.01


def _weekly_profit(noticed, depth_paid=DEPTH):
    plain = purchase_probability(VISIT, ODDS)
    cut = purchase_probability(
        VISIT, purchase_odds(ODDS, SLOPE, DEPTH, bonus=0, dip=0, reference=1, memory=0)
    )
    left = unit_margin(MARGIN, depth_paid, funding=0, gift=0)
    return PRICE * ((1 - noticed) * plain * MARGIN + noticed * cut * left) - CONTACT


@exercise(
    "06-1",
    minutes=10,
    hint="Two cases, noticed or not; each has its purchase probability and its margin.",
    wrong={
        "Only half of the offers are noticed; the others see the full price.": (
            lambda: _weekly_profit(1.0)
        ),
        "Those who use the coupon pay less: the margin of their sale is smaller.": (
            lambda: _weekly_profit(NOTICED, 0.0)
        ),
    },
)
def profit_of_a_coupon():
    """Expected profit of a week with a coupon of 20 %, in dollars."""
    return float(_weekly_profit(NOTICED))


@exercise(
    "06-2",
    minutes=8,
    hint="Set the profits with and without the cut equal; odds are multiplied by (1 − d)^β.",
    wrong={
        "The odds have to rise by the ratio of the margins, which is three here.": (
            lambda: float(np.log(MARGIN / DEPTH) / np.log(1 - DEPTH))
        ),
        "That is the factor by which sales have to rise. Which slope makes them do so?": (
            lambda: MARGIN / (MARGIN - DEPTH)
        ),
    },
)
def slope_that_pays():
    """The slope at which a cut of 20 % pays for itself at a margin of 30 %."""
    return float(break_even_slope(MARGIN, DEPTH))


@exercise(
    "06-3",
    minutes=8,
    hint="The missing sales come from a quarter of the demand: how much of their demand is gone?",
    wrong={
        "That is what all customers lose; here only a quarter of the demand loses it.": (
            lambda: -np.log(1 - 0.06)
        ),
        "That is the part of their demand that is gone. The dip is a difference of utilities.": (
            lambda: 0.06 / 0.25
        ),
    },
)
def dip_of_those_who_stocked_up():
    """The fall of utility if sales fall by 6 % because of a quarter of the demand."""
    return float(customer_dip(-np.log(1 - 0.06), 0.25))


@exercise(
    "06-4",
    minutes=15,
    hint="`replace(world, discount=0.2).optimal_policy` is a policy; which world values it?",
    wrong={
        "This is its part of the optimum in the world it was made for, where it is optimal.": (
            lambda: 1.0
        ),
        "This is the myopic policy, the one for a discount factor of zero.": (
            lambda: _part_of_optimum(0.0)
        ),
    },
)
def short_sighted():
    """What the policy for a discount factor of one fifth earns in the dormant world."""
    return _part_of_optimum(0.2)


def _part_of_optimum(discount):
    world = worlds.dormant()
    policy = replace(world, discount=discount).optimal_policy
    return float(world.policy_value(policy) / world.optimal_value())
