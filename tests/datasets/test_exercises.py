"""The exercises accept the right answer, and give the fitting hint for each typical mistake."""

import pytest

from promo_repro.datasets import exercises as chapter
from promo_repro.exercises import check, exercises

ANSWERS = {
    "01-1": "2017-11-22",
    "01-2": 5.60 / 9.00,
    "01-3": 0.8,
    "01-4": 2.0,
    "01-5": 0.7,
}


@pytest.mark.parametrize(("name", "answer"), ANSWERS.items())
def test_right_answers(name, answer):
    assert check(name, answer).passed


@pytest.mark.parametrize("name", ANSWERS)
def test_mistakes_get_their_own_hint(name):
    for hint, mistake in exercises()[name].wrong.items():
        result = check(name, mistake())
        assert not result.passed
        assert hint in result.message


def test_the_line_of_the_text():
    assert (chapter.SALES, chapter.QUANTITY) == (6.60, 3)
