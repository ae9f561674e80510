"""The exercises of the chapter: answers by another way, and hints for typical mistakes."""

import numpy as np
import pytest

from promo_repro.exercises import check, exercises
from promo_repro.simulator import dynamic_programming as dp
from promo_repro.simulator import worlds

OWN = ("06-1", "06-2", "06-3", "06-4")


def answer(name):
    return exercises(["promo_repro.simulator"])[name].answer()


def test_answers_by_another_way():
    plain, cut = 0.8 * 0.05 / 1.05, 0.8 * (0.05 * 0.8**-3) / (1 + 0.05 * 0.8**-3)
    assert answer("06-1") == pytest.approx(4 * (0.5 * plain * 0.3 + 0.5 * cut * 0.1) - 0.01)
    assert 0.8 ** answer("06-2") == pytest.approx(3)
    assert 0.25 * (1 - np.exp(-answer("06-3"))) == pytest.approx(0.06)
    world = worlds.dormant()
    impatient = dp.optimum(world.rewards, world.transitions, 0.2).policy
    assert answer("06-4") == pytest.approx(world.policy_value(impatient) / world.optimal_value())


@pytest.mark.parametrize("name", OWN)
def test_right_answers_pass_and_mistakes_get_their_hint(name):
    asked = exercises(["promo_repro.simulator"])[name]
    assert check(name, asked.answer()).passed
    for hint, mistake in asked.wrong.items():
        found = check(name, mistake())
        assert found.passed is False
        assert hint in found.message
