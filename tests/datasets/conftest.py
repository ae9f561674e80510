"""Synthetic data in a throw-away cache: these tests download nothing."""

import numpy as np
import pytest

from promo_repro.datasets import synthetic


@pytest.fixture
def rng():
    return np.random.default_rng(20170101)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Point the cache to a temporary folder and return it."""
    monkeypatch.setenv("PROMO_REPRO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def journey():
    return synthetic.complete_journey(np.random.default_rng(7))
