"""A market drawn from given parameters has the trips, the deals and the purchases they state."""

import numpy as np
import pytest

from promo_repro.response import logit, parameters
from promo_repro.simulator.market import Market, shelf_prices, simulate_market

WEEKS, SIZE = 30, 1_500


@pytest.fixture(scope="module")
def fitted():
    return parameters.example()


@pytest.fixture(scope="module")
def market(fitted):
    return simulate_market(fitted, SIZE, WEEKS, np.random.default_rng(2))


def test_deals_are_as_frequent_deep_and_lasting_as_stated(fitted):
    deals = fitted.deals
    depth, display, mailer = shelf_prices(deals, 1, 400, 200, np.random.default_rng(0))
    on = depth > 0
    assert on.mean() == pytest.approx(0.4, abs=0.01)
    assert on[:, 1:][on[:, :-1]].mean() == pytest.approx(0.6, abs=0.01)
    assert on[:, 0].mean() == pytest.approx(0.4, abs=0.1)  # stationary from the first week
    goes_on = on[:, 1:] & on[:, :-1]
    np.testing.assert_array_equal(depth[:, 1:][goes_on], depth[:, :-1][goes_on])
    starts = depth[:, 1:][on[:, 1:] & ~on[:, :-1]]
    np.testing.assert_allclose(np.quantile(starts, deals.levels), deals.depth[1], atol=0.01)
    for shown, rates in ((display, deals.display[1]), (mailer, deals.mailer[1])):
        assert shown[~on].mean() == pytest.approx(rates[0], abs=0.01)
        assert shown[on].mean() == pytest.approx(rates[1], abs=0.01)


def test_trips_are_those_of_the_customers(fitted, market):
    assert market.trips.shape == (SIZE, WEEKS)
    expected = fitted.segment_share @ fitted.users.trip_mean
    rates = market.trips.mean(axis=1)
    assert abs(rates.mean() - expected) < 4 * rates.std() / np.sqrt(SIZE)
    np.testing.assert_array_equal(
        np.bincount(market.trip_week, minlength=WEEKS), market.trips.sum(axis=0)
    )


def test_purchases_are_those_of_the_choice_model(fitted, market):
    for category, choices in zip(fitted.categories, market.choices, strict=True):
        j = len(category.products)
        utility = category.vector[:j] + choices.features @ category.vector[j:]
        chance = logit.choice_probabilities(utility)
        taken = np.bincount(choices.choice, minlength=j + 1)[1:]
        error = np.sqrt((chance * (1 - chance)).sum(axis=0))
        assert (np.abs(taken - chance.sum(axis=0)) < 4 * error).all()


def test_the_planted_parameters_are_found_again(fitted, market):
    for category, choices in zip(fitted.categories, market.choices, strict=True):
        found = logit.fit(choices)
        z = (found.vector - category.vector) / found.standard_errors
        assert (np.abs(z) < 4).all()
        assert np.abs(z).mean() < 1.5


def test_choices_and_baskets_are_the_same_purchases(market):
    for c, (choices, week) in enumerate(zip(market.choices, market.choice_week, strict=True)):
        counts = np.bincount(week[choices.choice > 0], minlength=WEEKS)
        np.testing.assert_array_equal(market.weekly_purchases()[c], counts)
    assert market.bought.any(axis=0).all()


def test_weekly_purchases_by_hand():
    bought = np.array([[True, False], [True, True], [False, True]])
    one = Market(np.ones((1, 3), int), bought, np.array([0, 0, 2]), (), ())
    np.testing.assert_array_equal(one.weekly_purchases(), [[2, 0, 0], [1, 0, 1]])


def test_a_market_needs_customers(fitted):
    with pytest.raises(ValueError, match="at least one customer"):
        simulate_market(fitted, 0, 5, np.random.default_rng(1))
