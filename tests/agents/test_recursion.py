"""The printed recursion and its worked example, by hand."""

import numpy as np
import pytest

from promo_repro.agents import recursion

RATES = np.array([0.5, 0.6, 0.7])


def test_recursion_by_hand():
    values = recursion.printed_recursion([[1.0, 2.0], [4.0, 3.0]], 0.5, terminal=8.0)
    assert values.tolist() == [6.0, 8.0]
    assert recursion.value_now([[1.0, 2.0], [4.0, 3.0]], 0.5) == 4.0
    assert recursion.value_now([RATES], 1.0) == 0.7


def test_long_recursion_approaches_the_endless_one():
    long = recursion.value_now(np.tile(RATES, (300, 1)), 0.9)
    assert long == pytest.approx(recursion.endless_value(RATES, 0.9))
    assert recursion.endless_value([1.0, 3.0], 0.5) == 6.0


def test_what_the_printed_result_implies():
    assert recursion.implied_next(0.7, 0.5, 0.9) == pytest.approx(2 / 9)
    assert recursion.implied_next(3.0, 1.0, 1.0) == 2.0
    assert recursion.implied_discount(0.7, RATES) == 0
    assert recursion.implied_discount(4.0, [1.0, 2.0]) == 0.5
    assert recursion.endless_value(RATES, recursion.implied_discount(2.8, RATES)) == pytest.approx(
        2.8
    )


def test_a_discount_weighs_later_rewards():
    rewards = np.tile(RATES, (5, 1))
    for delay in range(5):
        assert recursion.later_weight(rewards, 0.9, delay) == pytest.approx(0.9**delay)


def test_favourite_is_the_largest_unless_tied():
    assert recursion.favourite([5, 3, 4.9]) == 0
    assert recursion.favourite(RATES) == 2
    assert recursion.favourite([0.5, 0.5, 0.5]) == -1
    assert recursion.favourite([0.1, 0.6, 0.6]) == -1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: recursion.printed_recursion(RATES, 0.9), "steps by promotions"),
        (lambda: recursion.printed_recursion(np.ones((2, 0)), 0.9), "steps by promotions"),
        (lambda: recursion.printed_recursion([RATES], 1.1), "discount is 1.1"),
        (lambda: recursion.printed_recursion([RATES], -0.1), "discount is -0.1"),
        (lambda: recursion.endless_value(RATES, 1.0), "discount is 1.0"),
        (lambda: recursion.implied_next(0.7, 0.5, 0), "discount is 0"),
        (lambda: recursion.implied_next(0.7, 0.5, 1.2), "discount is 1.2"),
        (lambda: recursion.implied_discount(0.0, RATES), "result is 0.0"),
        (lambda: recursion.later_weight([RATES], 0.9, 1), "delay is 1"),
        (lambda: recursion.later_weight([RATES], 0.9, -1), "delay is -1"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
