"""Small synthetic tasks; nothing here says anything about a shop."""

import numpy as np
import pytest
import torch

from promo_repro.demand.panels import Panel


def panel_of(units, season=1, horizon=4, origins=None, plan=None):
    units = np.asarray(units, float)
    n, periods = units.shape
    return Panel(
        "synthetic",
        tuple(range(n)),
        units,
        np.linspace(0, 1, periods)[:, None],
        np.zeros((n, periods, 0)) if plan is None else plan,
        season,
        (periods - 2 * horizon, periods - horizon) if origins is None else origins,
        horizon,
    )


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def rng():
    return np.random.default_rng(4)


@pytest.fixture
def weekly(rng):
    """Twelve series of 40 weeks whose sales double when a deal is planned."""
    deal = (rng.random((12, 40)) < 0.3) * 1.0
    level = rng.uniform(20, 200, (12, 1))
    units = rng.poisson(level * (1 + deal))
    return panel_of(units, plan=deal[:, :, None])


@pytest.fixture
def daily(rng):
    """Four series of 12 weeks of days with a weekly pattern."""
    pattern = 1 + 0.5 * np.sin(2 * np.pi * np.arange(84) / 7)
    return panel_of(rng.poisson(50 * pattern, (4, 84)), season=7, horizon=14)
