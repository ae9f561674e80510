"""Equal access: rows by hand, rates that keep them, and what they cost."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promo_repro.allocation import Problem, fairness, solve


def test_rows_by_hand():
    over, under, *others = fairness.parity_rows([0, 0, 0, 1], 0.1)
    assert over.groups.tolist() == pytest.approx([4 / 3 - 1, -1])
    assert (over.sense, over.bound) == ("<=", pytest.approx(0.4))
    assert (under.sense, under.bound) == (">=", pytest.approx(-0.4))
    assert [row.name for row in others] == ["group 2 over", "group 2 under"]
    assert others[0].groups.tolist() == pytest.approx([-1, 3])


def test_rates_by_hand():
    assert fairness.rates([0, 1, 1, 1], [2, -1, 0, -1]).tolist() == pytest.approx([1, 1 / 3])


@given(st.integers(0, 500), st.sampled_from([0.0, 0.05, 0.2]))
def test_the_optimum_keeps_the_tolerance_up_to_its_split_users(seed, tolerance):
    rng = np.random.default_rng(seed)
    group = np.r_[0, 1, rng.integers(0, 2, 58)]
    value = rng.normal(1 + 2 * group[:, None], 1, (60, 2))
    rows = fairness.parity_rows(group, tolerance)
    problem = Problem(value, np.ones((60, 2)), budget=20, rows=rows, group=group)
    result = solve(problem, "dual")
    given_out = (result.choice >= 0).astype(float)
    given_out[result.fractional.users] = result.fractional.shares.sum(axis=1)
    rate = np.bincount(group, given_out) / np.bincount(group)
    assert abs(rate - given_out.mean()).max() <= tolerance + 1e-7
    free = solve(Problem(value, np.ones((60, 2)), budget=20), "dual")
    assert result.objective <= free.objective + 1e-7


@pytest.mark.parametrize(
    ("group", "tolerance", "message"),
    [
        ([0, 1], -0.1, "tolerance is -0.1"),
        ([0, 1], np.nan, "tolerance is nan"),
        ([0, 2], 0.1, "without gaps"),
    ],
)
def test_bad_input(group, tolerance, message):
    with pytest.raises(ValueError, match=message):
        fairness.parity_rows(group, tolerance)
