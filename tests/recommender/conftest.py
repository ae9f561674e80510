"""A small shop; and timing of a single example says nothing on a busy machine, so no deadline."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import settings

from promo_repro.recommender.protocol import Purchases

settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

WEEKS, HOUSEHOLDS, ITEMS = 30, 40, 24


@pytest.fixture(scope="session")
def small_shop() -> Purchases:
    """A seeded shop with one basket a week.

    Half of the households like the first half of the items, the others the second half.
    """
    rng = np.random.default_rng(0)
    rows = []
    for household in range(HOUSEHOLDS):
        liked = np.arange(ITEMS // 2) + (ITEMS // 2) * (household % 2)
        regular = rng.choice(liked, 4, replace=False)
        for week in range(1, WEEKS + 1):
            extra = rng.choice(ITEMS, 4, replace=False)
            for item in np.union1d(regular[rng.random(4) < 0.8], extra):
                rows.append((household, household * 100 + week, item, week, rng.random() < 0.5))
    lines = pd.DataFrame(rows, columns=["household_id", "basket_id", "item", "week", "on_deal"])
    items = pd.DataFrame(
        {
            "product_type": [f"type {i}" for i in range(ITEMS)],
            "product_category": [f"category {i // 3}" for i in range(ITEMS)],
            "department": [f"department {i // 12}" for i in range(ITEMS)],
        }
    )
    return Purchases(lines, items)
