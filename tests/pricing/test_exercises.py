"""The exercises have the answers that paper gives, and know the usual mistakes."""

import pytest

from promo_repro.exercises import check
from promo_repro.pricing import exercises


def test_answers_by_hand():
    # a = 0.5: d* = (0.5 - 0.64) / (0.5 · -0.6).
    edge, depth = exercises.edge_and_depth()
    assert edge == -1.25
    assert depth == pytest.approx(0.14 / 0.3)
    assert exercises.cost_of_a_cut() == pytest.approx(0.1 * 0.8**-1.6 / 0.3 - 1)
    assert exercises.last_unit() == pytest.approx((4.5, 6.0))
    assert exercises.payments() == [2, 4, 0]


@pytest.mark.parametrize(
    ("name", "mistake", "hint"),
    [
        ("05-1", (-2.5, 0.0), "half of the cut"),
        ("05-1", (-1.25, 0.0), "edge is right"),
        ("05-2", 0.8**-1.6 - 1, "units sold"),
        ("05-2", 0.8**-0.6 - 1, "revenue"),
        ("05-3", (3.0, 6.0), "last day"),
        ("05-3", (6.0, 6.0), "two units"),
        ("05-4", [6.0, 9.0, 0.0], "bids"),
    ],
)
def test_mistakes_have_their_own_hint(name, mistake, hint):
    found = check(name, mistake)
    assert found.passed is False
    assert hint in found.message
