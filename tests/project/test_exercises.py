"""`check` says right, gives the hint that fits the mistake, and waits for an answer."""

import pytest

from promo_repro import exercises
from promo_repro.exercises import MIME, check, exercise


@pytest.fixture(autouse=True)
def _one_exercise(monkeypatch):
    monkeypatch.setattr(exercises, "_EXERCISES", {})

    @exercise("99-1", minutes=5, hint="Think again.", wrong={"You forgot to halve.": lambda: 8.0})
    def half_of_eight():
        return 4.0


@pytest.mark.parametrize(
    ("answer", "passed", "says"),
    [
        (None, None, "not answered yet (5 minutes)"),
        (4, True, "right"),
        (4.0000001, True, "right"),
        (8, False, "You forgot to halve."),
        (5, False, "Think again."),
        ("four", False, "Think again."),
    ],
)
def test_outcomes(answer, passed, says):
    outcome = check("99-1", answer)
    assert outcome.passed is passed
    assert says in outcome.message
    assert outcome._repr_mimebundle_()[MIME] == {"id": "99-1", "passed": passed}


def test_an_unknown_exercise_is_named():
    with pytest.raises(ValueError, match="unknown exercise '99-2'"):
        check("99-2", 1)


def test_an_id_is_given_once():
    with pytest.raises(ValueError, match="already registered"):

        @exercise("99-1", minutes=5, hint="x")
        def other():
            return 1


REGISTERED = exercises.exercises()


@pytest.mark.parametrize("id", REGISTERED)
def test_typical_mistakes_of_the_book_are_mistakes(id, monkeypatch):
    monkeypatch.setattr(exercises, "_EXERCISES", REGISTERED)
    asked = REGISTERED[id]
    assert check(id, asked.answer()).passed is True
    assert asked.hint.strip()
    assert asked.minutes > 0
    for hint, mistake in asked.wrong.items():
        outcome = check(id, mistake())
        assert outcome.passed is False
        assert hint in outcome.message
