"""Metrics: by hand, against scikit-learn and utilsforecast, and clear refusals."""

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as peer
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from utilsforecast import losses

from promo_repro.demand import metrics as m

values = arrays(float, (3, 5), elements=st.floats(0.5, 100))


@given(values, values)
def test_squared_and_absolute_errors_equal_scikit_learn(y, f):
    assert m.mean_squared_error(y, f) == pytest.approx(peer.mean_squared_error(y, f))
    assert m.mean_absolute_error(y, f) == pytest.approx(peer.mean_absolute_error(y, f))
    rmse = peer.root_mean_squared_error(y.ravel(), f.ravel())
    assert m.root_mean_squared_error(y, f) == pytest.approx(rmse)


@given(values, values, st.sampled_from(m.LEVELS))
def test_pinball_equals_scikit_learn(y, f, level):
    own = m.pinball_loss(y, f[..., None], [level])
    assert own.shape == (3, 1)
    for row in range(3):
        expected = peer.mean_pinball_loss(y[row], f[row], alpha=level)
        assert own[row, 0] == pytest.approx(expected, abs=1e-12)


def long_table(y, columns):
    n, periods = y.shape
    frame = pd.DataFrame({"unique_id": np.repeat(np.arange(n), periods), "y": y.ravel()})
    frame["ds"] = np.tile(np.arange(periods), n)
    return frame.assign(**{name: column.ravel() for name, column in columns.items()})


def test_scaled_and_quantile_scores_equal_utilsforecast(rng):
    history, y = rng.uniform(1, 9, (4, 20)), rng.uniform(1, 9, (4, 6))
    f, low, high = rng.uniform(1, 9, (4, 6)), y - rng.normal(size=y.shape), y + 1
    train = long_table(history, {})
    frame = long_table(y, {"f": f, "low": low, "high": high})
    for season in (1, 7):
        own = m.mean_absolute_scaled_error(y, f, m.seasonal_scale(history, season))
        assert own == pytest.approx(losses.mase(frame, ["f"], season, train)["f"].to_numpy())
    own = m.pinball_loss(y, f[..., None], [0.3])[:, 0]
    assert own == pytest.approx(losses.quantile_loss(frame, {"f": "f"}, 0.3)["f"].to_numpy())
    frame = frame.rename(columns={"low": "f-lo-80", "high": "f-hi-80"})
    own = np.mean(losses.coverage(frame, ["f"], 80)["f"])
    assert m.coverage(y, low, high) == pytest.approx(own)


def test_by_hand():
    assert m.mean_squared_error([1, 2], [3, 2]) == 2
    assert m.root_mean_squared_error([1, 2], [3, 2]) == pytest.approx(2**0.5)
    assert m.mean_absolute_error([1, 2], [3, 1]) == 1.5
    assert m.weighted_absolute_percentage_error([1, 3], [2, 1]) == 0.75
    assert m.seasonal_scale([1, 4, 2, 8], 2) == 2.5
    assert m.seasonal_scale([1, 4, 2]) == 2.5
    assert m.mean_absolute_scaled_error([[1, 2]], [[3, 2]], [4]).tolist() == [0.25]
    # Under- and over-forecast of two units at level 0.9 cost 1.8 and 0.2.
    assert m.pinball_loss([2, 0], [[0], [2]], [0.9]) == pytest.approx([1.0])
    assert m.coverage([1, 2, 3, 4], [1, 1, 4, 1], [1, 3, 5, 3]) == 0.5


def test_quantile_loss_of_the_median_is_the_percentage_error(rng):
    y, f = rng.uniform(1, 9, (3, 4)), rng.uniform(1, 9, (3, 4))
    expected = m.weighted_absolute_percentage_error(y, f)
    assert m.weighted_quantile_loss(y, f[..., None], [0.5]) == pytest.approx(expected)


def test_scale_of_several_series_and_of_few_points():
    assert m.seasonal_scale([[1, 2, 4], [5, 5, 9]]).tolist() == [1.5, 2]
    assert m.seasonal_scale([0, 3], 1) == 3
    with pytest.raises(ValueError, match="3 points are too few for a season of 3"):
        m.seasonal_scale([1, 2, 3], 3)
    for constant in ([2, 2, 2], [1, np.nan, 2], [[1, 2], [3, 3]]):
        with pytest.raises(ValueError, match="constant over its seasons or has NaN"):
            m.seasonal_scale(constant)


def test_refusals():
    with pytest.raises(ValueError, match="differ in shape"):
        m.mean_squared_error([1, 2], [1])
    for y in ([], [1, np.nan]):
        with pytest.raises(ValueError, match="is empty or has NaN"):
            m.mean_absolute_error(y, y)
    with pytest.raises(ValueError, match="is empty or has NaN"):
        m.mean_absolute_error([1, 2], [np.inf, 2])
    with pytest.raises(ValueError, match="zero everywhere"):
        m.weighted_absolute_percentage_error([0, 0], [1, 1])
    with pytest.raises(ValueError, match="zero everywhere"):
        m.weighted_quantile_loss([0, 0], [[1], [1]], [0.5])
    with pytest.raises(ValueError, match="does not fit actual"):
        m.pinball_loss([1, 2], [1, 2], [0.5])
    with pytest.raises(ValueError, match=r"\(2, 3\) does not fit actual \(2, 3\)"):
        m.pinball_loss(np.ones((2, 3)), np.ones((2, 3)), [0.5])
    for level in (0, 1):
        with pytest.raises(ValueError, match="between 0 and 1"):
            m.pinball_loss([1], [[1]], [level])
    with pytest.raises(ValueError, match="differ in shape"):
        m.coverage([1, 2], [0, 0], [3])


def test_any_leading_axes(rng):
    history, y, f = (rng.uniform(1, 9, (2, 3, 6)) for _ in range(3))
    scale = m.seasonal_scale(history, 2)
    assert scale.shape == (2, 3)
    assert scale[1, 2] == pytest.approx(m.seasonal_scale(history[1, 2], 2))
    own = m.mean_absolute_scaled_error(y, f, scale)
    assert own[1, 0] == pytest.approx(np.abs(y[1, 0] - f[1, 0]).mean() / scale[1, 0])
    loss = m.pinball_loss(y, np.stack([f, f + 1], axis=-1), [0.2, 0.6])
    assert loss.shape == (2, 3, 2)
    assert loss[1, 1] == pytest.approx(
        m.pinball_loss(y[1, 1], np.stack([f[1, 1], f[1, 1] + 1], axis=-1), [0.2, 0.6])
    )
    with pytest.raises(ValueError, match=r"^6 points are too few for a season of 6"):
        m.seasonal_scale(history, 6)
