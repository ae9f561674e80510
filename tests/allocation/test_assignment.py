"""Assignment: by hand, against the Hungarian method, prices and bad input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promo_repro.allocation import assignment


def test_by_hand():
    plan = assignment.assign([[5, 4], [3, 1], [-2, -1]], [1, 1])
    assert plan.worth == pytest.approx(7)
    assert plan.shares.tolist() == [[0, 1], [1, 0], [0, 0]]
    assert plan.worth == pytest.approx(plan.surplus.sum() + plan.prices.sum())
    assert assignment.first_come([[5, 4], [3, 1]], [1, 1]) == 6
    assert assignment.first_come([[1, 2], [3, -1], [3, 1]], [1, 0]) == 1


@given(st.integers(0, 1_000))
def test_the_programme_is_whole_and_equals_the_hungarian_method(seed):
    rng = np.random.default_rng(seed)
    worth = rng.normal(1, 2, (rng.integers(1, 8), rng.integers(1, 5)))
    places = rng.integers(0, 4, worth.shape[1])
    plan = assignment.assign(worth, places)
    assert plan.shares == pytest.approx(np.round(plan.shares), abs=1e-9)
    assert plan.worth == pytest.approx(assignment.hungarian(worth, places), abs=1e-9)
    assert plan.worth >= assignment.first_come(worth, places) - 1e-9
    assert (plan.prices >= -1e-9).all()
    assert plan.surplus.sum() + plan.prices @ places == pytest.approx(plan.worth, abs=1e-9)
    assert (plan.surplus[:, None] + plan.prices - worth >= -1e-9).all()


@pytest.mark.parametrize(
    ("worth", "places", "message"),
    [
        ([[1.0, np.nan]], [1, 1], "finite"),
        ([[1.0, 2.0]], [1], "needed"),
        ([1.0, 2.0], [1, 1], "needed"),
        ([[1.0]], [-1], "whole numbers"),
        ([[1.0]], [1.5], "whole numbers"),
    ],
)
def test_bad_input(worth, places, message):
    with pytest.raises(ValueError, match=message):
        assignment.assign(worth, places)
