"""Offers: terms by hand, expectations against drawn trips, and the campaign's bounds."""

import numpy as np
import pytest
from scipy.stats import ks_2samp

from promo_repro.allocation import offers
from promo_repro.response import load
from promo_repro.response.population import draw_population


@pytest.fixture(scope="module")
def shop():
    return load()


@pytest.fixture(scope="module")
def people(shop):
    return draw_population(shop, 200, np.random.default_rng(0))


def test_terms_by_hand():
    prices = np.array([1.0, 4.0, 5.0])
    less, outlay = offers.Discount("x", 0.2).terms(prices)
    assert less == pytest.approx([0.2, 0.8, 1.0])
    assert outlay == pytest.approx(less)
    less, outlay = offers.ThresholdReduction("x", 4.0, 1.5).terms(prices)
    assert less.tolist() == outlay.tolist() == [0, 1.5, 1.5]
    less, outlay = offers.Gift("x", cost=0.3, worth=0.5).terms(prices)
    assert (less.tolist(), outlay.tolist()) == ([0.5] * 3, [0.3] * 3)


def test_effective_price_by_hand():
    assert offers.effective_price([2.0, 2.0], [0.5, 1.9]).tolist() == pytest.approx([1.5, 0.2])
    with pytest.raises(ValueError, match="must be positive"):
        offers.effective_price([0.0], [0.1])
    with pytest.raises(ValueError, match="finite"):
        offers.effective_price([1.0], [np.nan])


def test_return_outlay_and_pleasure_by_hand():
    trips = np.array([10.0])
    before, after = np.array([[0.1, 0.2]]), np.array([[0.2, 0.3]])
    margin, outlay = [1.0, 2.0], [0.5, 0.0]
    assert offers.expected_return(trips, before, after, margin, outlay) == pytest.approx(
        [10 * (0.2 * 0.5 + 0.3 * 2 - 0.1 - 0.4)]
    )
    mean, variance = offers.expected_outlay(trips, after, outlay)
    assert (mean, variance) == (pytest.approx([1.0]), pytest.approx([0.5]))
    assert offers.pleasure(trips, before, after) == pytest.approx([10 * np.log(0.7 / 0.5)])


def test_the_spend_is_a_compound_poisson_sum():
    rng = np.random.default_rng(0)
    p, outlay, trips = np.array([0.3, 0.2]), np.array([0.5, 2.0]), 6.0
    mean, variance = offers.expected_outlay(np.array([trips]), p[None], outlay)
    drawn = rng.poisson(trips * p, (200_000, 2)) @ outlay
    assert drawn.mean() == pytest.approx(mean[0], abs=4 * np.sqrt(variance[0] / 200_000))
    assert drawn.var() == pytest.approx(variance[0], rel=0.03)
    one_by_one = [
        outlay[rng.choice(2, n, p=p / p.sum())].sum() for n in rng.poisson(trips * p.sum(), 5_000)
    ]
    assert ks_2samp(drawn, one_by_one).pvalue > 1e-3


def test_no_offer_changes_nothing_and_a_discount_something(shop, people):
    none, some = offers.Discount("soft drinks", 0.0), offers.Discount("soft drinks", 0.2)
    found = offers.expected(shop, people, [none, some])
    for name in ("sales", "profit", "purchases", "pleasure", "lift", "cost", "variance"):
        column = getattr(found, name)
        assert column.shape == (200, 2)
        assert column[:, 0] == pytest.approx(0, abs=1e-12)
    assert (found.cost[:, 1] >= 0).all()
    assert found.purchases[:, 1].sum() > 0
    # Sales after the outlay are the lift less what the offer pays out; profit counts half of it.
    assert found.sales[:, 1] == pytest.approx(found.lift[:, 1] - found.cost[:, 1])
    assert found.profit[:, 1] == pytest.approx(found.lift[:, 1] / 2 - found.cost[:, 1])


def test_bad_offers_are_refused(shop, people):
    with pytest.raises(ValueError, match="unknown category"):
        offers.expected(shop, people, [offers.Discount("caviar", 0.1)])
    with pytest.raises(ValueError, match=r"margin is 1\.5"):
        offers.expected(shop, people, [], margin=1.5)


def test_the_menu_has_ten_offers(shop):
    menu = offers.menu(shop)
    assert len(menu) == 10
    assert sum(isinstance(offer, offers.Gift) for offer in menu) == 3


def test_campaign_bounds_by_hand():
    value = np.array([[3.0, 1.0], [2.0, 5.0], [-1.0, -2.0], [4.0, 0.0]])
    cost = np.array([[1.0, 9.0], [9.0, 2.0], [9.0, 9.0], [3.0, 9.0]])
    plan = offers.campaign(value, cost, 0.5, 0.3)
    assert plan.budget == pytest.approx(0.5 * (1 + 2 + 3))
    assert plan.coupling.bounds.tolist() == [3, 1, 1]
    assert len(offers.campaign(value, cost, stock_per_user=None).coupling) == 1


def test_the_fitted_shop_is_reproducible():
    one, two = (offers.shop_campaign(50, seed=3, objective="purchases") for _ in range(2))
    assert (one.value == two.value).all()
    assert one.budget == two.budget > 0
