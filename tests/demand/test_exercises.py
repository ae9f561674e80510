"""Exercises: right answers by other means, and hints that differ from them."""

import math

import pytest

from promo_repro.demand import exercises as ex
from promo_repro.exercises import check


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("04-1", (4.0, 2.5)),
        ("04-2", 9.0),
        ("04-3", 4 * (16 * 16 + 16 * 6 + 16) + 17),
        ("04-4", math.exp(28 * math.log(0.9))),
    ],
)
def test_right_answers(name, answer):
    assert check(name, answer).passed
    assert check(name, None).passed is None


@pytest.mark.parametrize("function", [ex.best_constants, ex.cheapest_order])
def test_mistakes_are_not_right(function):
    name = {"best_constants": "04-1", "cheapest_order": "04-2"}[function.__name__]
    assert not check(name, 3.0).passed
