"""Short stock: shares and revenue by hand, and the shape of demand along the discount."""

import numpy as np
import pytest

from promo_repro.allocation import inventory
from promo_repro.response import load
from promo_repro.response.population import draw_population

NAME = "soft drinks"


@pytest.fixture(scope="module")
def shop():
    return load()


@pytest.fixture(scope="module")
def people(shop):
    return draw_population(shop, 300, np.random.default_rng(0))


def test_unmet_and_stocked_by_hand():
    assert inventory.unmet_share(10, 4) == pytest.approx(0.6)
    assert inventory.unmet_share(10, 20) == 0
    assert inventory.stocked_revenue(10, 50, 4) == pytest.approx(20)
    assert inventory.stocked_revenue(10, 50, 20) == 50
    for units, stock in ((0, 1), (-1, 1), (1, -1)):
        with pytest.raises(ValueError, match="positive"):
            inventory.unmet_share(units, stock)


def test_demand_rises_with_the_discount(shop, people):
    units, revenue = inventory.curve(shop, people, NAME, [0.0, 0.2, 0.4])
    assert (np.diff(units) > 0).all()
    assert (revenue[0], units[0]) == inventory.demand(shop, people, NAME, 0.0)[::-1]
    assert inventory.turnover_ratio(shop, people, NAME, 0.2) == pytest.approx(units[1] / units[0])


def test_demand_is_the_sum_over_customers(shop, people):
    half = [draw_population(shop, 300, np.random.default_rng(0)) for _ in range(2)]
    for part, index in zip(half, (slice(0, 100), slice(100, 300)), strict=True):
        for name in ("segment", "trip_rate", "active", "rate"):
            object.__setattr__(part, name, getattr(part, name)[index])
        object.__setattr__(part, "share", tuple(s[index] for s in part.share))
    whole = inventory.demand(shop, people, NAME, 0.1)
    parts = np.sum([inventory.demand(shop, part, NAME, 0.1) for part in half], axis=0)
    assert parts == pytest.approx(whole)


def test_the_best_depth_grows_with_the_stock(shop, people):
    depths = [inventory.best_depth(shop, people, NAME, cover) for cover in (0.5, 1.5, 3.0)]
    assert depths[0] == 0
    assert depths[0] < depths[1] <= depths[2]
    assert inventory.change_of_unmet(shop, people, NAME, 0.8, 0.2) > 0
    assert inventory.change_of_unmet(shop, people, NAME, 0.8, -0.2) < 0
    assert inventory.change_of_unmet(shop, people, NAME, 9.0, 0.2) == 0
