"""Best prices: by hand, against a numerical optimiser, and as laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from promo_repro.pricing import optimal
from promo_repro.pricing.optimal import (
    best_discount,
    break_even_elasticity,
    lerner_index,
    lerner_price,
    noticed_profit,
    offer_profit,
    relative_profit,
)
from promo_repro.response.logit import choice_probabilities


def test_lerner_by_hand():
    assert lerner_price(2.0, -3.0) == pytest.approx(3.0)
    assert lerner_index(3.0, 2.0) == pytest.approx(1 / 3)


@given(st.floats(0.1, 50), st.floats(-20, -1.05))
def test_lerner_price_is_the_best_price(cost, elasticity):
    best = minimize_scalar(
        lambda p: -(p - cost) * (p / cost) ** elasticity,
        bounds=(cost, 40 * cost),
        method="bounded",
        options={"xatol": 1e-9},
    )
    assert lerner_price(cost, elasticity) == pytest.approx(best.x, rel=1e-3)
    index = lerner_index(lerner_price(cost, elasticity), cost)
    assert index == pytest.approx(-1 / elasticity)


@pytest.mark.parametrize("elasticity", [-1.0, -0.5, 0.0, [-2.0, -1.0]])
def test_inelastic_demand_has_no_best_price(elasticity):
    with pytest.raises(ValueError, match="no finite price"):
        lerner_price(1.0, elasticity)


def test_profit_of_a_cut_by_hand():
    # 20 % off at elasticity -2: 1/0.64 of the units, at a margin of 0.3 - 0.5 · 0.2.
    assert relative_profit(0.2, -2.0, 0.3, 0.5) == pytest.approx(0.2 / 0.64)
    assert relative_profit(0.0, -2.0, 0.3) == pytest.approx(0.3)


def test_break_even_by_hand():
    assert break_even_elasticity(0.25) == -4
    assert break_even_elasticity(0.4, 0.5) == -1.25


@given(st.floats(0.05, 0.95), st.floats(0, 0.9), st.floats(-8, -0.1))
def test_a_small_cut_pays_beyond_the_break_even_elasticity(margin, funding, elasticity):
    edge = break_even_elasticity(margin, funding)
    if abs(elasticity - edge) < 1e-2:
        return
    gain = relative_profit(1e-6, elasticity, margin, funding) - margin
    assert (gain > 0) == (elasticity < edge)


@given(st.floats(-8, -0.1), st.floats(0.05, 0.95), st.floats(0, 1), st.floats(0.05, 0.9))
def test_best_discount_is_the_best_of_a_fine_grid(elasticity, margin, funding, deepest):
    grid = np.linspace(0, deepest, 2_001)
    profit = relative_profit(grid, elasticity, margin, funding)
    best = best_discount(elasticity, margin, funding, deepest)
    assert 0 <= best <= deepest
    assert relative_profit(best, elasticity, margin, funding) >= profit.max() - 1e-9


def test_best_discount_by_hand():
    # ε = -4, m = 0.4: d* = (1 - 1.6) / (1 - 4) = 0.2; without a margin to spare, none.
    assert best_discount(-4.0, 0.4) == pytest.approx(0.2)
    assert best_discount([-1.5, -4.0], [0.3, 0.4]).tolist() == pytest.approx([0, 0.2])
    # ε = -2, m = 0.4, s = 0.5: (0.5 - 0.8) / (0.5 · -1) = 0.6, capped.
    assert best_discount(-2.0, 0.4, 0.5) == pytest.approx(0.5)
    assert best_discount(-2.0, 0.4, 0.5, 0.9) == pytest.approx(0.6)
    # Somebody else pays: as deep as allowed.
    assert best_discount(-0.5, 0.3, 1.0, 0.7) == pytest.approx(0.7)
    assert best_discount(0.0, 0.3) == 0
    assert best_discount(-1.0, 0.3) == 0


def test_the_best_price_and_the_best_discount_agree():
    # The regular price is 1 and the cost 0.6; Lerner's price lies below the regular one.
    assert 1 - best_discount(-4.0, 0.4) == pytest.approx(lerner_price(0.6, -4.0))


def test_offer_profit_by_hand_and_by_the_logit():
    # Odds 0.5 and 0.3; at 20 % off and β = -2 the own odds are 0.5 / 0.64.
    own = 0.5 / 0.64
    value = offer_profit(0.2, 0.5, 0.3, -2.0, 0.4, 0.5, 2.0)
    assert value == pytest.approx((own * 0.3 + 0.3 * 0.4 * 2) / (1 + own + 0.3))
    p = choice_probabilities(np.log([own, 0.3]))
    assert value == pytest.approx(p[0] * 0.3 + p[1] * 0.4 * 2)
    # A manufacturer who pays a quarter of the cut leaves 0.4 - 0.75 · 0.2 on each unit.
    quarter = offer_profit(0.2, 0.5, 0.3, -2.0, 0.4, 0.25)
    assert quarter == pytest.approx((own * 0.25 + 0.3 * 0.4) / (1 + own + 0.3))


@given(st.floats(0.01, 3), st.floats(0, 3), st.floats(-6, -0.1), st.floats(0.1, 0.9))
def test_sales_taken_from_the_rest_make_a_cut_pay_less(own, others, slope, margin):
    """Compared at the same probability of buying the product itself, o / (1 + o + r)."""

    def gain(o, r):
        return offer_profit(0.2, o, r, slope, margin) - offer_profit(0.0, o, r, slope, margin)

    assert gain(own, others) <= gain(own / (1 + others), 0.0) + 1e-12


def test_attention_scales_the_gain_and_keeps_its_sign():
    assert noticed_profit(0.25, 8.0, 4.0, 0.5) == pytest.approx(4.5)
    gains = noticed_profit(np.array([0.1, 1.0]), 3.0, 4.0) - 4.0
    assert gains.tolist() == pytest.approx([-0.1, -1.0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: lerner_price(0.0, -2.0), "cost"),
        (lambda: lerner_price(-1.0, -2.0), "cost"),
        (lambda: lerner_price(1.0, 2.0), "elasticity has positive"),
        (lambda: lerner_price(np.nan, -2.0), "NaN"),
        (lambda: lerner_index(-1.0, 2.0), "price"),
        (lambda: lerner_index(1.0, 0.0), "cost"),
        (lambda: relative_profit(1.2, -2.0, 0.3), "depth"),
        (lambda: relative_profit(-0.1, -2.0, 0.3), "depth"),
        (lambda: relative_profit(1.0, -2.0, 0.3), "free product"),
        (lambda: relative_profit(0.1, -2.0, 30.0), "margin"),
        (lambda: relative_profit(0.1, -2.0, 0.3, 1.5), "funding"),
        (lambda: relative_profit(np.nan, -2.0, 0.3), "NaN"),
        (lambda: break_even_elasticity(0.0), "margin is 0"),
        (lambda: break_even_elasticity(0.3, -1), "funding"),
        (lambda: best_discount(-2.0, 0.3, 0.0, 50), "deepest"),
        (lambda: offer_profit(1.0, 1.0, 1.0, -1.0, 0.3), "no logarithm"),
        (lambda: offer_profit(0.1, -1.0, 1.0, -1.0, 0.3), "own"),
        (lambda: offer_profit(0.1, 1.0, -1.0, -1.0, 0.3), "others"),
        (lambda: offer_profit(0.1, 1.0, 1.0, -1.0, 0.3, 0.0, -2.0), "other_value"),
        (lambda: noticed_profit(1.5, 1.0, 1.0), "attention"),
        (lambda: noticed_profit(0.5, 1.0, 1.0, -1.0), "contact"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_every_argument_broadcasts():
    depth = np.linspace(0, 0.4, 5)
    table = relative_profit(depth[:, None], np.array([-1.5, -3.0]), 0.3)
    assert table.shape == (5, 2)
    assert table[:, 0].argmax() == 0
    assert optimal.offer_profit(depth, 1.0, 0.0, -1.0, 0.5).shape == (5,)
