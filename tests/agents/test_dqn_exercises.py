"""The exercises on DQN: their answers by another way, and a hint for each typical mistake."""

import pytest

from promo_repro.agents import dqn_exercises as room
from promo_repro.exercises import check, exercises

IDS = ["09-1", "09-2", "09-3", "09-4"]


def test_answers_by_hand():
    assert room.both_targets() == pytest.approx((1 + 0.9 * 6, 1 + 0.9 * 4))
    # 50 sales pull up by 1 each, 950 others down by the value itself.
    assert room.huber_value_of_a_coupon() == pytest.approx(50 / 950, rel=1e-4)
    assert room.some_user_leaves() == pytest.approx(room.measured_leaving(40_000, 0), abs=0.005)
    assert room.warmest_softmax() == 0.01


@pytest.mark.parametrize("name", IDS)
def test_the_answer_is_right_and_each_mistake_gets_its_hint(name):
    asked = exercises(["promo_repro.agents"])[name]
    assert check(name, asked.answer()).passed
    assert check(name, None).passed is None
    for hint, mistake in asked.wrong.items():
        told = check(name, mistake())
        assert told.passed is False
        assert hint in told.message
