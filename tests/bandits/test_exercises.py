"""The exercises: their answers by another way, and a hint for each typical mistake."""

import numpy as np
import pytest

from promo_repro.bandits import exercises as room
from promo_repro.exercises import check, exercises

IDS = ["07-1", "07-2", "07-3", "07-4"]


def test_answers_by_hand():
    assert room.purchases_per_impression() == pytest.approx([0.025, 0.06, 0.035])
    assert room.reward_while_exploring() == pytest.approx(0.8 * 0.12 + 0.2 * 0.064)
    arm, index = room.next_arm_of_ucb1()
    assert arm == 2
    assert index == pytest.approx(0.2 + (2 * np.log(60) / 5) ** 0.5)
    assert room.best_epsilon() == 0.1


@pytest.mark.parametrize("name", IDS)
def test_the_answer_is_right_and_each_mistake_gets_its_hint(name):
    asked = exercises()[name]
    assert check(name, asked.answer()).passed
    assert check(name, None).passed is None
    for hint, mistake in asked.wrong.items():
        told = check(name, mistake())
        assert told.passed is False
        assert hint in told.message
