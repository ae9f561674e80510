"""A small synthetic shop, and one thread: these tables are too small to share."""

import numpy as np
import pytest
import torch

from promo_repro.datasets import cleaning, synthetic


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def rng():
    return np.random.default_rng(2)


@pytest.fixture(scope="session")
def shop():
    """Cleaned lines and products of a synthetic shop."""
    tables = synthetic.complete_journey(np.random.default_rng(7), lines=4_000).tables
    lines, _ = cleaning.clean(cleaning.convert(tables["transactions"]), tables["products"])
    return lines, tables["products"]
