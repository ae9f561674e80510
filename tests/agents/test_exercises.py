"""The exercises: their answers by another way, and a hint for each typical mistake."""

import pytest

from promo_repro.agents import exercises as room
from promo_repro.exercises import check, exercises

IDS = ["08-1", "08-2", "08-3", "08-4"]


def test_answers_by_hand():
    # Promoting a tired customer for ever brings 0.07 / (1 − γ), waiting 0.7 γ / (1 − γ²).
    assert room.least_patience() == pytest.approx(1 / 9)
    assert room.mean_sarsa_target() == pytest.approx(1 + 0.9 * (0.8 * 9 + 0.2 * 6))
    assert room.steps_that_matter() == 44
    assert 0.11 < room.leaves_the_edge() < 0.13


@pytest.mark.parametrize("name", IDS)
def test_the_answer_is_right_and_each_mistake_gets_its_hint(name):
    asked = exercises()[name]
    assert check(name, asked.answer()).passed
    assert check(name, None).passed is None
    for hint, mistake in asked.wrong.items():
        told = check(name, mistake())
        assert told.passed is False
        assert hint in told.message
