"""VCG: by hand, against all assignments, and its two properties on random markets."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from promo_repro.pricing import auctions
from promo_repro.pricing.auctions import assignment, bidder_utility, first_price, vcg, welfare

MONEY = st.integers(0, 20).map(float)


@st.composite
def markets(draw):
    n, k = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    values = draw(arrays(float, (n, k), elements=MONEY))
    return values, draw(arrays(int, (k,), elements=st.integers(0, 2)))


def brute_force(values, stock):
    n, k = values.shape
    allowed = (
        given
        for given in product(range(-1, k), repeat=n)
        if all(given.count(kind) <= stock[kind] for kind in range(k))
    )
    return max(welfare(values, given) for given in allowed)


def test_second_price_by_hand():
    given, payments = vcg([[5.0], [9.0], [7.0]], [1])
    assert given.tolist() == [-1, 0, -1]
    assert payments.tolist() == [0, 7, 0]


def test_two_kinds_by_hand():
    # Best: the first takes kind 1 (6), the second kind 0 (9). Without the first the second still
    # takes kind 0 and the third kind 1 (2), so the first pays 2; without the second the first
    # takes kind 0 (8) and the third kind 1, so the second pays 10 - 6 = 4.
    given, payments = vcg([[8.0, 6.0], [9.0, 3.0], [1.0, 2.0]], [1, 1])
    assert given.tolist() == [1, 0, -1]
    assert payments.tolist() == [2, 4, 0]


@settings(deadline=None)
@given(markets())
def test_the_assignment_is_the_best_of_all(market):
    values, stock = market
    given = assignment(values, stock)
    assert welfare(values, given) == pytest.approx(brute_force(values, stock))
    assert all((given == kind).sum() <= stock[kind] for kind in range(len(stock)))


@settings(deadline=None, max_examples=200)
@given(markets(), st.data())
def test_lying_never_pays(market, data):
    values, stock = market
    i = data.draw(st.integers(0, len(values) - 1))
    lie = values.copy()
    lie[i] = data.draw(arrays(float, (values.shape[1],), elements=MONEY))
    honest = bidder_utility(values, *vcg(values, stock))[i]
    assert bidder_utility(values, *vcg(lie, stock))[i] <= honest + 1e-9


@settings(deadline=None, max_examples=200)
@given(markets())
def test_nobody_loses_and_nobody_is_paid(market):
    values, stock = market
    given, payments = vcg(values, stock)
    assert (bidder_utility(values, given, payments) >= -1e-9).all()
    assert (payments >= -1e-9).all()
    assert (payments[given < 0] == 0).all()


def test_in_a_first_price_sale_lying_pays():
    values = np.array([[9.0], [5.0]])
    honest = bidder_utility(values, *first_price(values, [1]))
    lower = bidder_utility(values, *first_price([[6.0], [5.0]], [1]))
    assert honest.tolist() == [0, 0]
    assert lower.tolist() == [3, 0]


def test_with_enough_for_everybody_nobody_pays():
    given, payments = vcg([[5.0], [9.0], [7.0]], [3])
    assert given.tolist() == [0, 0, 0]
    assert payments.tolist() == [0, 0, 0]


def test_a_single_bidder_pays_nothing_and_no_stock_means_no_sale():
    assert [x.tolist() for x in vcg([[5.0]], [1])] == [[0], [0]]
    assert [x.tolist() for x in vcg([[5.0], [3.0]], [0])] == [[-1, -1], [0, 0]]


def test_what_is_not_wanted_is_not_given():
    assert assignment([[0.0], [3.0]], [2]).tolist() == [-1, 0]


def test_uniform_revenue_is_that_of_vcg(rng):
    values = rng.uniform(0, 10, (20, 6))
    revenue = auctions.uniform_revenue(values, 3)
    by_vcg = [vcg(row[:, None], [3])[1].sum() for row in values]
    assert revenue == pytest.approx(by_vcg)


def test_uniform_revenue_with_reserve_by_hand():
    values = [[9.0, 7.0, 4.0], [9.0, 3.0, 2.0], [4.0, 3.0, 2.0]]
    assert auctions.uniform_revenue(values, 2, 5.0).tolist() == [10, 5, 0]
    assert auctions.uniform_revenue(values, 2).tolist() == [8, 4, 4]
    assert auctions.uniform_revenue(values, 3).tolist() == [0, 0, 0]
    assert auctions.uniform_revenue(values, 5).tolist() == [0, 0, 0]
    assert auctions.uniform_revenue([[5.0, 5.0]], 1, 5.0).tolist() == [5]
    assert auctions.uniform_revenue([[9.0, 7.0, 4.0]], 2).tolist() == [8]


def test_posted_revenue_by_hand():
    values = [[9.0, 7.0, 4.0], [9.0, 3.0, 2.0]]
    assert auctions.posted_revenue(values, 2, 4.0).tolist() == [8, 4]
    assert auctions.posted_revenue(values, 1, 4.0).tolist() == [4, 4]
    assert auctions.posted_revenue(values, 1, 0.0).tolist() == [0, 0]
    # Who values it at the price pays it.
    assert auctions.posted_revenue(values, 3, 4.0).tolist() == [12, 4]


def test_utility_by_hand():
    u = bidder_utility([[4.0, 6.0], [5.0, 1.0]], [1, -1], [2.5, 0.0])
    assert u.tolist() == [3.5, 0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: vcg([[-1.0]], [1]), "negative price"),
        (lambda: vcg([[np.nan]], [1]), "NaN"),
        (lambda: vcg([1.0, 2.0], [1]), "2 axes"),
        (lambda: vcg([[1.0]], [1, 1]), "1 kinds"),
        (lambda: vcg([[1.0]], [-1]), "not negative"),
        (lambda: vcg([[1.0]], [0.5]), "whole number"),
        (lambda: auctions.uniform_revenue([[1.0]], 0), "units"),
        (lambda: auctions.uniform_revenue([[1.0]], 1, -1.0), "reserve"),
        (lambda: auctions.uniform_revenue([[1.0]], 1, np.nan), "reserve"),
        (lambda: auctions.posted_revenue([[1.0]], 1, -1.0), "price"),
        (lambda: auctions.posted_revenue([[1.0]], 0, 1.0), "units"),
        (lambda: auctions.posted_revenue([[-1.0]], 1, 1.0), "negative price"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
