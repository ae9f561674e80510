"""Redrawn parameters: what the policy for the estimates loses, and whether the order holds."""

from dataclasses import replace

import numpy as np
import pytest

from promo_repro.response import parameters
from promo_repro.response.population import draw_population
from promo_repro.simulator import Scenario, worlds
from promo_repro.simulator.uncertainty import ranking, redraw_rows, redrawn, regret_under


def drawn(fitted):
    return draw_population(fitted, 2_000, np.random.default_rng(0))


def test_the_order_of_the_policies():
    world = worlds.dormant()
    names = ranking(world)
    values = [world.policy_value(world.standard_policies()[name]) for name in names]
    assert values == sorted(values, reverse=True)
    # Where nobody remembers, myopic and segment-best are one policy: the alphabet decides.
    assert ranking(worlds.memoryless())[:2] == ("myopic", "segment-best")


def test_the_optimum_loses_nothing_and_others_lose_their_gap():
    world = worlds.dormant()
    assert regret_under(world, world.optimal_policy) == pytest.approx(0, abs=1e-12)
    none = world.standard_policies()["none"]
    expected = 1 - world.policy_value(none) / world.optimal_value()
    assert regret_under(world, none) == pytest.approx(expected)
    assert expected > 0.5


def test_exactly_known_parameters_give_the_same_world_each_time():
    fitted = parameters.example()
    known = replace(
        fitted,
        categories=tuple(
            replace(c, covariance=np.zeros_like(c.covariance)) for c in fitted.categories
        ),
        dip=replace(fitted.dip, discount_se=0.0, lags_se=np.zeros(3)),
    )
    share, losses = redrawn(known, "bread", Scenario(), drawn(known), 2)
    assert share == 1
    np.testing.assert_allclose(losses, 0, atol=1e-12)


def test_estimation_error_costs_something():
    fitted, noticed = parameters.example(), Scenario(attention=(1, 1, 1))
    share, losses = redrawn(fitted, "cola", noticed, drawn(fitted), 4)
    assert 0 <= share <= 1
    assert (losses > -1e-12).all()
    assert losses.max() > 0


def test_rows_cover_every_category_and_scenario():
    rows = list(redraw_rows(parameters.example(), 2))
    assert len(rows) == 2 * 4 * 2
    for row in rows:
        assert row["lo"] <= row["value"] <= row["hi"] + 1e-12
