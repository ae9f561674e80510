"""The exercises: their answers by another way, and a hint for each typical mistake."""

import math

import pytest

from promo_repro.agents import continuous_exercises as room
from promo_repro.exercises import check, exercises

IDS = ["10-1", "10-2", "10-3", "10-4"]


def test_answers_by_hand():
    assert room.best_rate_of_one_week() == pytest.approx((1.5 * 0.6 - 0.3) / 3)
    assert room.target_of_a_cut_off_customer() == pytest.approx(1.5 + 0.9 * 2)
    slope = 1 - math.tanh(1) ** 2
    expected = -0.5 * math.log(2 * math.pi) - math.log(slope)
    assert room.density_of_a_squashed_draw() == pytest.approx(expected)
    assert 0.8 < room.profit_of_the_purchase_maximiser() < 0.95


@pytest.mark.parametrize("name", IDS)
def test_the_answer_is_right_and_each_mistake_gets_its_hint(name):
    asked = exercises()[name]
    assert check(name, asked.answer()).passed
    assert check(name, None).passed is None
    for hint, mistake in asked.wrong.items():
        told = check(name, mistake())
        assert told.passed is False
        assert hint in told.message
