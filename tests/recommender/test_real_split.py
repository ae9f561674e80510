"""Anchors on the real purchases; skipped with a reason where the data are not there."""

import numpy as np
import pytest

from promo_repro import datasets
from promo_repro.datasets import complete_journey
from promo_repro.recommender import baselines, metrics, protocol, studies

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def bought():
    (row,) = datasets.check(["complete_journey"])
    if row.status != "ok":
        pytest.skip(f"real data: {row.status}")
    shop = complete_journey.load()
    return protocol.purchases(shop.transactions, shop.products)


def test_split_and_winner(bought):
    part = protocol.split(bought, **protocol.TEST)
    assert (len(part.households), len(part.items), int(part.tested.sum())) == (2_089, 1_816, 1_797)
    recent = protocol.popularity(part, 4)
    own = metrics.measured(baselines.frequency(part.history, recent), part)["ndcg"]
    common = metrics.measured(recent, part)["ndcg"]
    assert metrics.gain_low(own, common) > 0.05


def test_the_real_future_changes_no_list(bought):
    other = protocol.shuffled_future(bought, 45, np.random.default_rng(1))
    first, second = (protocol.split(b, **protocol.TEST) for b in (bought, other))
    lists = [baselines.frequency(p.history, protocol.popularity(p, 4)) for p in (first, second)]
    assert studies.changed_lists(*lists) == 0
