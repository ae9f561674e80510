"""Published worlds: made-up customers with round numbers, small enough for an exact optimum.

The calibrated world is another matter: see `promo_repro.simulator.calibration`.
"""

from dataclasses import replace

import numpy as np

from promo_repro.simulator.world import NOTHING, OFFER, Promotion, World

# Deeper than the menu of the calibrated shop: these customers have not bought for long.
WIN_BACK = (
    NOTHING,
    Promotion("coupon", depth=0.30, contact=0.01),
    Promotion("limited-time discount", depth=0.20, reach=1.5, wear=2, contact=0.01),
    Promotion("recommendation slot", display=1.0, contact=0.005),
    Promotion("spend threshold", depth=0.40, reach=0.4, contact=0.01),
    Promotion("gift", gift=0.20, contact=0.02),
)


def dormant() -> World:
    """Lapsed customers who answer a rare offer and ignore a frequent one; cuts are funded.

    Fatigue, a full pantry and a lowered reference price all matter: 90 states, 6 promotions. The
    best constant promotion and the myopic policy are far from the optimum.
    """
    return World(
        name="dormant",
        types=("low", "middle", "high"),
        weight=np.array([0.40, 0.35, 0.25]),
        odds=np.array([0.015, 0.010, 0.007]),
        visit=np.full(3, 0.9),
        slope=np.array([-3.0, -5.0, -7.0]),
        attention=np.full(3, 0.9),
        choice=np.ones((3, 1)),
        prices=np.array([5.0]),
        promotions=WIN_BACK,
        display=1.0,
        margin=0.5,
        funding=1.0,
        fade=0.3,
        fatigue_levels=4,
        dips=(0.0, 0.5),
        memory=0.1,
        reference_levels=2,
        deepest=0.4,
    )


def memoryless() -> World:
    """The same menu for customers who remember nothing: 3 states, one per segment.

    A contextual bandit. The next state does not depend on the offer, so the myopic policy is
    optimal and the best constant promotion differs between the segments.
    """
    return replace(
        dormant(),
        name="memoryless",
        odds=np.array([0.30, 0.15, 0.05]),
        slope=np.array([-0.5, -3.0, -5.0]),
        attention=np.array([0.3, 0.6, 0.9]),
        funding=0.5,
        fade=1.0,
        fatigue_levels=0,
        dips=(0.0,),
        memory=0.0,
        reference_levels=0,
    )


def season() -> World:
    """The dormant customers for twelve weeks that really end: the weeks left are observed."""
    return replace(dormant(), name="season", weeks=12, horizon=True, discount=1.0)


def personal_discounts(points: int = 41) -> World:
    """The dormant customers with one continuous discount from 0 to 40 %, on a grid of `points`.

    The optimum over the grid is what an agent with continuous actions is compared with; simulate
    it with `Shop(..., continuous=True)`.
    """
    world = replace(dormant(), name="personal discounts", funding=0.5)
    offer = replace(OFFER, contact=0.01)
    return replace(world, offer=offer).with_discounts(np.linspace(0, 0.4, points))


PUBLISHED = {world.__name__: world for world in (dormant, memoryless, season, personal_discounts)}
