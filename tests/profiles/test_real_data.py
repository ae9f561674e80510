"""Anchors measured on the real shop; skipped with a reason where the data are not there."""

import numpy as np
import pytest

from promo_repro import datasets
from promo_repro.datasets import complete_journey
from promo_repro.profiles import density, features, segments, structure
from promo_repro.profiles.components import standardise

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def real():
    (row,) = datasets.check(["complete_journey"])
    if row.status != "ok":
        pytest.skip(f"real data: {row.status}")
    return complete_journey.load()


@pytest.fixture(scope="module")
def table(real):
    return features.household_features(real.transactions, real.products)


def test_households(table):
    assert table.shape == (2_240, 22)
    assert np.isfinite(table.to_numpy()).all()


def test_two_clusters_beat_the_null_and_four_do_not(table):
    observed, null = structure.silhouette_test(standardise(table), (2, 4), 9)
    assert structure.null_excess(observed[0], null[:, 0]) > 0.02
    assert structure.null_excess(observed[1], null[:, 1]) < 0


def test_one_dense_heap(table):
    assert density.most_clusters(standardise(table)) == 1


def test_deal_share_terciles_answer_differently(real):
    traits = features.household_features(real.transactions, real.products, segments.LEARN, 4)
    sales = segments.regular_sales(real.transactions, traits.index.to_numpy())
    value, low, high = segments.tercile_response(sales, traits["deal_share"], draws=40)
    assert -1.7 < low < value < high < -0.8
