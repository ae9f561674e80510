"""The chapter's exercises: right answers by hand, hints for typical mistakes."""

import pytest

from promo_repro.exercises import check, exercises

ANSWERS = {"02-1": 0.8, "02-2": 41.0, "02-3": 1.5, "02-4": 0.5720}
MISTAKES = {
    "02-1": (0.6, "eigenvalues of the matrix first"),
    "02-2": (122.0, "old centres"),
    "02-3": (0.45, "confidence"),
    "02-4": (0.42803, "other group"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_right_answer(name):
    assert exercises()[name].answer() == pytest.approx(ANSWERS[name], abs=5e-5)
    assert check(name, exercises()[name].answer()).passed


@pytest.mark.parametrize("name", MISTAKES)
def test_typical_mistake(name):
    value, hint = MISTAKES[name]
    wrong = [mistake() for mistake in exercises()[name].wrong.values()]
    nearest = min(wrong, key=lambda v: abs(v - value))
    assert nearest == pytest.approx(value, abs=1e-4)
    result = check(name, nearest)
    assert result.passed is False
    assert hint in result.message
