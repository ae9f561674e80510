"""Simulator room: a shop that answers. Batched, addressed randomness, an exact optimum."""

from promo_repro.simulator import dynamic_programming, worlds
from promo_repro.simulator.calibration import Scenario, calibrated
from promo_repro.simulator.experiments import Log, Trial, ab_test, logged_data
from promo_repro.simulator.shop import ArrayShop, Shop
from promo_repro.simulator.streams import Stream, key_of
from promo_repro.simulator.world import MENU, NOTHING, Promotion, World

__all__ = [
    "MENU",
    "NOTHING",
    "ArrayShop",
    "Log",
    "Promotion",
    "Scenario",
    "Shop",
    "Stream",
    "Trial",
    "World",
    "ab_test",
    "calibrated",
    "dynamic_programming",
    "key_of",
    "logged_data",
    "worlds",
]
