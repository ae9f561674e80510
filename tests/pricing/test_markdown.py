"""Markdown: brute force, a linear programme, closed forms, and the laws of the optimum."""

from itertools import product

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import poisson

from promo_repro.pricing import markdown as md

PRICES = np.array([4.0, 6.0, 8.0])
CHANCE = np.array([0.7, 0.5, 0.2])


def test_one_period_by_hand():
    value, choice = md.markdown(PRICES, CHANCE, 2, 1)
    assert value[1].tolist() == pytest.approx([0, 3.0, 3.0])
    assert choice.tolist() == [[1, 1]]


def test_two_periods_by_hand():
    # One unit, two periods: 3 + max(0.7 (4 - 3), 0.5 (6 - 3), 0.2 (8 - 3)) = 4.5.
    value, choice = md.markdown(PRICES, CHANCE, 1, 2)
    assert value[2, 1] == pytest.approx(4.5)
    assert choice[1, 0] == 1


def test_all_rules_of_a_small_case():
    """Three periods and two units: no assignment of prices to states earns more."""
    value, choice = md.markdown(PRICES, CHANCE, 2, 3)
    every = product(range(3), repeat=6)
    best = max(md.rule_value(PRICES, CHANCE, np.reshape(rule, (3, 2)))[-1, -1] for rule in every)
    assert value[-1, -1] == pytest.approx(best)
    assert md.rule_value(PRICES, CHANCE, choice) == pytest.approx(value)


def test_the_linear_programme_has_the_same_value():
    """The smallest value that dominates every price in every state, by HiGHS."""
    periods, stock = 5, 3
    v = cp.Variable((periods + 1, stock + 1))
    constraints = [v[0] == 0, v[:, 0] == 0]
    for t, s, a in product(range(periods), range(1, stock + 1), range(3)):
        q = CHANCE[a]
        constraints.append(v[t + 1, s] >= v[t, s] + q * (PRICES[a] - v[t, s] + v[t, s - 1]))
    cp.Problem(cp.Minimize(cp.sum(v)), constraints).solve(solver=cp.HIGHS)
    assert md.markdown(PRICES, CHANCE, stock, periods)[0] == pytest.approx(v.value, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(0.5, 10), min_size=2, max_size=5, unique=True),
    st.lists(st.floats(0, 1), min_size=5, max_size=5),
    st.integers(1, 6),
    st.integers(1, 12),
)
def test_a_unit_is_worth_less_the_more_there_are_and_more_the_more_time_is_left(
    prices, chances, stock, periods
):
    prices = np.sort(prices)
    chances = np.sort(chances)[::-1][: len(prices)]
    value, choice = md.markdown(prices, chances, stock, periods)
    worth = md.marginal_value(value)
    assert (np.diff(worth, axis=1) <= 1e-9).all()  # concave in stock
    assert (np.diff(worth, axis=0) >= -1e-9).all()  # grows with the time left
    charged = prices[choice]
    # Hence less stock, higher price; ties aside, since equal gains may go either way.
    gain = chances * (prices - worth[:-1, :, None])
    clear = np.sort(gain, axis=-1)[..., -1] - np.sort(gain, axis=-1)[..., -2] > 1e-9
    fewer, more = clear[:, :-1] & clear[:, 1:], np.diff(charged, axis=1)
    assert (more[fewer] <= 0).all()


def test_many_problems_at_once():
    chances = np.stack([CHANCE, 0.5 * CHANCE])
    value, choice = md.markdown(PRICES, chances, 4, 6)
    assert value.shape == (2, 7, 5)
    for i in range(2):
        one = md.markdown(PRICES, chances[i], 4, 6)
        assert value[i] == pytest.approx(one[0])
        assert np.array_equal(choice[i], one[1])


def test_rarer_reviews_earn_less_and_one_review_is_the_best_fixed_price():
    values = [md.markdown(PRICES, CHANCE, 5, 12, r)[0][-1, -1] for r in (1, 2, 6, 12)]
    assert values == sorted(values, reverse=True)
    assert values[0] > values[-1]
    assert md.best_fixed(PRICES, CHANCE, 5, 12)[1] == pytest.approx(values[-1])


def test_held_prices_by_hand():
    # Two units and two periods at one price: 2 p q, whatever the price is.
    value, choice = md.markdown(PRICES, CHANCE, 2, 2, 2)
    assert value.shape == (2, 3)
    assert value[-1, -1] == pytest.approx(2 * 3.0)
    # One unit: p (1 - (1 - q)²) = 3.64, 4.5, 2.88.
    assert value[-1, 1] == pytest.approx(4.5)
    assert choice.tolist() == [[1, 1]]


def test_sold_out_by_hand_and_by_simulation(rng):
    assert md.sold_out([0.5], np.zeros((2, 1), int), 1) == pytest.approx(0.75)
    # Low stock sells at 0.9: 2 units in 2 periods need a sale at 0.1 and one at 0.9.
    rule = md.stock_rule(0, 1, 1, 2, 2)
    assert md.sold_out([0.9, 0.1], rule, 2) == pytest.approx(0.09)
    _, choice = md.markdown(PRICES, CHANCE, 3, 6)
    left = np.full(20_000, 3)
    for row in choice[::-1]:
        chance = np.where(left > 0, CHANCE[row[np.maximum(left, 1) - 1]], 0)
        left -= rng.random(20_000) < chance
    assert md.sold_out(CHANCE, choice, 3) == pytest.approx((left == 0).mean(), abs=0.015)


def test_a_stock_rule_by_hand():
    assert md.stock_rule(0, 2, 1, 2, 3).tolist() == [[0, 2, 2], [0, 2, 2]]


def test_exponential_demand_by_hand():
    assert md.exponential_demand(0.5, 10, 2.0) == pytest.approx(10 / np.e)


def test_gallego_value_by_hand():
    # a t / e = 2: Σ 2^i / i! for i ≤ 2 is 1, 3, 5.
    value = md.exponential_value(2, 1.0, 2 * np.e, 0.5)
    assert value.tolist() == pytest.approx(list(2 * np.log([1, 3, 5])))
    price = md.exponential_price(2, 1.0, 2 * np.e, 0.5)
    assert price.tolist() == pytest.approx([2 * np.log(3) + 2, 2 * np.log(5 / 3) + 2])
    # The same with twice the time and half as many customers per unit of it.
    assert md.exponential_value(2, 2.0, np.e, 0.5).tolist() == pytest.approx(value.tolist())


def test_without_stock_nothing_is_earned():
    assert md.exponential_value(0, 1.0, 10.0, 2.0).tolist() == [0]


def test_gallego_is_the_limit_of_the_dynamic_programme():
    scale, alpha, stock, periods = 12.0, 1.6, 6, 1_200
    prices = np.linspace(0.4, 3, 400)
    chance = md.exponential_demand(prices, scale, alpha) / periods
    value, choice = md.markdown(prices, chance, stock, periods)
    assert value[-1] == pytest.approx(md.exponential_value(stock, 1.0, scale, alpha), rel=2e-3)
    exact = md.exponential_price(stock, 1.0, scale, alpha)
    assert prices[choice[-1]] == pytest.approx(exact, abs=0.02)


def test_run_out_price_by_hand():
    # λ(p) = 8 e^{-2p} over 3 units of time, 6 units: log(24 / 6) / 2 = 0.693; ample stock: 1/2.
    assert md.run_out_price(6, 3.0, 8.0, 2.0) == pytest.approx(np.log(4) / 2)
    assert md.run_out_price(1_000, 3.0, 8.0, 2.0) == pytest.approx(0.5)
    clearing = md.run_out_price(6, 3.0, 8.0, 2.0)
    assert 3.0 * md.exponential_demand(clearing, 8.0, 2.0) == pytest.approx(6)


def test_fixed_price_value_by_hand_and_below_the_optimum():
    price, mean = 0.5, 10 / np.e
    by_hand = price * sum(min(n, 2) * poisson.pmf(n, mean) for n in range(60))
    assert md.fixed_price_value(price, 2, 1.0, 10, 2.0) == pytest.approx(by_hand)
    assert md.fixed_price_value(price, 2, 4.0, 2.5, 2.0) == pytest.approx(by_hand)
    for stock in (3, 10, 40):
        price = md.run_out_price(stock, 1.0, 100.0, 1.6)
        fixed = md.fixed_price_value(price, stock, 1.0, 100.0, 1.6)
        best = md.exponential_value(stock, 1.0, 100.0, 1.6)[-1]
        certain = price * min(stock, md.exponential_demand(price, 100.0, 1.6))
        assert fixed < best < certain
        # Gallego and van Ryzin (1994), theorem 3.
        assert fixed / certain >= 1 - 1 / (2 * np.sqrt(min(stock, 100 / np.e)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: md.markdown([-1.0], [0.5], 1, 1), "prices"),
        (lambda: md.markdown([np.nan], [0.5], 1, 1), "NaN"),
        (lambda: md.markdown(PRICES, [0.5, 0.5, 1.5], 1, 1), "probability"),
        (lambda: md.markdown(PRICES, [0.5, 0.5], 1, 1), "last axis"),
        (lambda: md.markdown([PRICES], [CHANCE], 1, 1), "last axis"),
        (lambda: md.markdown(PRICES, CHANCE, 0, 1), "stock is 0"),
        (lambda: md.markdown(PRICES, CHANCE, 1.5, 1), "stock is 1.5"),
        (lambda: md.markdown(PRICES, CHANCE, True, 1), "stock is True"),
        (lambda: md.markdown(PRICES, CHANCE, 1, -2), "periods is -2"),
        (lambda: md.markdown(PRICES, CHANCE, 1, 5, 2), "divide"),
        (lambda: md.rule_value(PRICES, CHANCE, [[3]]), "3 prices"),
        (lambda: md.rule_value(PRICES, CHANCE, [[-1]]), "3 prices"),
        (lambda: md.rule_value(PRICES, CHANCE, [[0.5]]), "3 prices"),
        (lambda: md.rule_value(PRICES, CHANCE, [0]), "3 prices"),
        (lambda: md.sold_out([1.5], np.zeros((1, 1), int), 1), "probability"),
        (lambda: md.exponential_demand(1.0, -1.0, 1.0), "scale"),
        (lambda: md.exponential_demand(1.0, 1.0, 0.0), "sensitivity"),
        (lambda: md.exponential_value(2, -1.0, 1.0, 1.0), "time"),
        (lambda: md.exponential_value(2, 1.0, -1.0, 1.0), "scale"),
        (lambda: md.exponential_value(2, 1.0, 0.0, 1.0), "scale"),
        (lambda: md.exponential_value(2, 1.0, 1.0, -1.0), "sensitivity"),
        (lambda: md.exponential_value(-1, 1.0, 1.0, 1.0), "stock is -1"),
        (lambda: md.run_out_price(0, 1.0, 1.0, 1.0), "stock"),
        (lambda: md.fixed_price_value(1.0, 0, 1.0, 1.0, 1.0), "stock"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
