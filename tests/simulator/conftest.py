"""Worlds for the tests of the simulator."""

from dataclasses import replace

import numpy as np
import pytest

from promo_repro.simulator import worlds
from promo_repro.simulator.world import MENU


@pytest.fixture(scope="session")
def dormant():
    return worlds.dormant()


@pytest.fixture(scope="session")
def lively():
    """All effects at once: four types, three products, every promotion, every memory."""
    return replace(
        worlds.dormant(),
        name="lively",
        types=("a", "b", "c", "d"),
        weight=np.array([0.1, 0.2, 0.3, 0.4]),
        odds=np.array([0.5, 0.8, 0.2, 1.5]),
        visit=np.array([0.5, 0.9, 0.7, 1.0]),
        slope=np.array([-0.5, -1.0, -2.0, -3.0]),
        attention=np.array([0.2, 0.5, 0.7, 0.9]),
        choice=np.array([[0.2, 0.3, 0.5], [1, 0, 0], [0.1, 0.8, 0.1], [0.4, 0.4, 0.2]]),
        prices=np.array([2.0, 3.0, 10.0]),
        promotions=MENU,
        funding=0.4,
        margin=0.3,
        fade=0.6,
        dips=(0.0, 0.1, 0.4),
        memory=0.5,
        reference_levels=3,
        deepest=0.3,
        weeks=10,
    )
