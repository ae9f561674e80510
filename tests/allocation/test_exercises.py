"""The exercises: their answers by another way, and a hint for each typical mistake."""

import numpy as np
import pytest

from promo_repro.allocation import exercises as room
from promo_repro.allocation import instance, solve
from promo_repro.exercises import check, exercises

IDS = ["11-1", "11-2", "11-3", "11-4"]


def test_answers_by_hand():
    assert room.value_and_price() == pytest.approx([9 + 7 + 6 + 4 / 2, 4])
    assert room.choices_at_a_price().tolist() == [0, 0, -1]
    assert room.planned_spend() == pytest.approx(1_000 - 1.6449 * 50, abs=0.01)
    half = instance(2_000, seed=11)
    written = solve(half.with_budget(half.budget / 2), "highs")
    assert room.price_at_half_the_budget() == pytest.approx(written.duals["budget"], rel=1e-6)


@pytest.mark.parametrize("name", IDS)
def test_the_answer_is_right_and_each_mistake_gets_its_hint(name):
    asked = exercises()[name]
    assert check(name, asked.answer()).passed
    assert check(name, None).passed is None
    for hint, mistake in asked.wrong.items():
        told = check(name, mistake())
        assert told.passed is False
        assert hint in told.message
    assert check(name, np.asarray(asked.answer()) + 1).passed is False
