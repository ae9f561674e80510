"""Orders: by hand, against brute force, and laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promo_repro.demand import inventory as inv

demands = st.lists(st.integers(0, 30), min_size=1, max_size=12)
cost = st.floats(0.1, 10)


def test_critical_ratio_by_hand():
    assert inv.critical_ratio(3, 1) == 0.75
    for bad in ((0, 1), (1, 0), (-1, 2), (1, np.nan)):
        with pytest.raises(ValueError, match="must be positive"):
            inv.critical_ratio(*bad)


@given(demands, cost, cost)
def test_the_newsvendor_order_is_the_cheapest(demand, short, left):
    order = inv.newsvendor_order(demand, short, left)
    assert order in demand
    own = inv.order_cost(order, demand, short, left).mean()
    every = [inv.order_cost(q, demand, short, left).mean() for q in range(31)]
    assert own == pytest.approx(min(every))


def test_newsvendor_by_hand():
    assert inv.newsvendor_order([4, 1, 3, 2], 3, 1) == 3
    assert inv.newsvendor_order([4, 1, 3, 2], 3.01, 1) == 4
    assert inv.newsvendor_order([5], 1, 1) == 5


def test_order_cost_by_hand():
    assert inv.order_cost([3, 3, 3], [5, 3, 2], 2, 0.5).tolist() == [4, 0, 0.5]


def test_newsvendor_orders_by_hand():
    missed, left = inv.order_each_period([[2, 5, 1]], [[3, 1, 1]])
    assert missed.tolist() == [1]
    assert left.tolist() == [4]


def test_order_up_to_by_hand():
    # Shelf 5, sells 2, 3 stay; target 2 is below the shelf; 4 wanted, 1 missed; refill to 6.
    missed, held = inv.order_up_to([[5, 2, 6]], [[2, 4, 1]])
    assert missed.tolist() == [1]
    assert held.tolist() == [3 + 0 + 5]


def test_what_stays_is_used_first(rng):
    target, demand = rng.uniform(0, 9, (5, 4)), rng.uniform(0, 9, (5, 4))
    missed, _ = inv.order_up_to(target, demand)
    thrown, _ = inv.order_each_period(target, demand)
    assert (missed <= thrown + 1e-12).all()
    assert missed.shape == (5,)


@pytest.mark.parametrize("rule", [inv.order_each_period, inv.order_up_to])
def test_orders_of_any_leading_axes(rng, rule):
    order, demand = rng.uniform(0, 9, (2, 3, 2, 5))
    missed, left = rule(order, demand)
    assert missed.shape == left.shape == (3, 2)
    one = rule(order[2, 1], demand[2, 1])
    assert missed[2, 1] == pytest.approx(float(one.missed))
    assert left[2, 1] == pytest.approx(float(one.left))
