"""Windows: alignment, the way there and back, and nothing from the future."""

from dataclasses import replace

import numpy as np
import pytest

from promo_repro.demand import windows as w


def test_level_and_relative_by_hand():
    assert w.log_level([0, 4, 2]) == pytest.approx(np.log(3))
    assert w.log_level([[1, 3], [0, 0]]).tolist() == pytest.approx([np.log(3), 0])
    assert w.to_relative([1, 7], np.log(2)).tolist() == pytest.approx([0, np.log(4)])


def test_there_and_back(rng):
    units, level = rng.uniform(0, 50, (3, 5)), rng.uniform(0, 3, 3)
    z = w.to_relative(units, level)
    assert w.to_units(z[..., None], level)[..., 0] == pytest.approx(units)
    assert w.to_units(np.array([[-9.0]]), 0.0) == 0


def test_windows_are_aligned(weekly):
    cut = w.training_windows(weekly, 30, 12)
    assert cut.ends.tolist() == list(range(12, 27))
    one = 3  # the window that ends at 15
    past, future = weekly.units[2, 3:15], weekly.units[2, 15:19]
    level = np.log1p(past.mean())
    assert cut.level[2, one] == pytest.approx(level)
    assert cut.context[2, one] == pytest.approx(np.log1p(past) - level)
    assert cut.target[2, one] == pytest.approx(np.log1p(future) - level)
    assert cut.ahead[2, one, :, -1].tolist() == weekly.plan[2, 15:19, 0].tolist()
    assert cut.seen[2, one, :, -1].tolist() == weekly.plan[2, 3:15, 0].tolist()
    assert w.training_windows(weekly, 30, 12, every=5).ends.tolist() == [16, 21, 26]


def test_forecast_window_ends_at_the_origin(weekly):
    now = w.forecast_windows(weekly, 30, 12)
    assert now.ends.tolist() == [30]
    assert np.isnan(now.target).all()
    assert now.ahead[5, 0, :, -1].tolist() == weekly.plan[5, 30:34, 0].tolist()
    past = weekly.units[5, 18:30]
    assert now.level[5, 0] == pytest.approx(np.log1p(past.mean()))


def test_season_indicators(daily):
    known = w.known(daily)
    assert known.shape == (4, 84, 8)
    assert known[1, 9, 1:].tolist() == [0, 0, 1, 0, 0, 0, 0]


def test_shuffling_the_future_changes_no_window(weekly, rng):
    moved = weekly.units.copy()
    moved[:, 30:] = rng.permuted(moved[:, 30:], axis=1)
    other = replace(weekly, units=moved)
    for cut in (w.training_windows, w.forecast_windows):
        a, b = cut(weekly, 30, 12), cut(other, 30, 12)
        for name in w.Windows.__annotations__:
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


def test_refusals(weekly):
    with pytest.raises(ValueError, match="15 periods are too few for 12 of context"):
        w.training_windows(weekly, 15, 12)
    assert w.training_windows(weekly, 16, 12).ends.tolist() == [12]
    with pytest.raises(ValueError, match="11 periods are fewer than the context 12"):
        w.forecast_windows(weekly, 11, 12)


def test_any_leading_axes(rng):
    units = rng.uniform(1, 9, (2, 3, 6))
    level = w.log_level(units)
    assert level[1, 2] == pytest.approx(w.log_level(units[1, 2]))
    z = w.to_relative(units, level)
    assert z[1, 2] == pytest.approx(w.to_relative(units[1, 2], level[1, 2]))
    assert w.to_units(z[..., None], level)[..., 0] == pytest.approx(units)
