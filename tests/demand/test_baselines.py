"""Baselines by hand; library models on series whose forecast is known; fallbacks."""

import numpy as np
import pytest
from statsmodels.tsa.holtwinters import SimpleExpSmoothing

from promo_repro.demand import baselines as b
from promo_repro.demand.metrics import LEVELS
from tests.demand.conftest import panel_of


def test_seasonal_naive_by_hand():
    assert b.seasonal_naive([1, 2, 3, 4, 5], 5, 2).tolist() == [4, 5, 4, 5, 4]
    assert b.seasonal_naive([[1, 2], [3, 4]], 2).tolist() == [[2, 2], [4, 4]]
    assert b.seasonal_naive([7, 8], 1, 2).tolist() == [7]
    with pytest.raises(ValueError, match="2 points are fewer than one season of 3"):
        b.seasonal_naive([1, 2], 1, 3)


def test_season_average_by_hand():
    past = [9, 9, 1, 2, 3, 6]
    assert b.season_average(past, 3, 2, 2).tolist() == [2, 4, 2]
    assert b.season_average(past, 2, 1, 3).tolist() == pytest.approx([11 / 3] * 2)
    assert b.season_average([[1, 3, 5, 7]], 1).tolist() == [[4]]
    with pytest.raises(ValueError, match="6 points are fewer than 4 seasons of 2"):
        b.season_average(past, 3, 2)
    with pytest.raises(ValueError, match="3 points are fewer than 2 seasons of 2"):
        b.season_average([1, 2, 3], 1, 2, 2)


def test_exponential_smoothing_by_hand_and_equals_statsmodels(rng):
    assert b.exponential_smoothing([4, 8], 0.25) == 5
    assert b.exponential_smoothing([4, 8, 2], 1) == 2
    assert b.exponential_smoothing([4, 8, 2], 0) == 4
    series = rng.uniform(1, 9, 30)
    peer = SimpleExpSmoothing(series, initialization_method="known", initial_level=series[0])
    fit = peer.fit(smoothing_level=0.3, optimized=False)
    assert b.exponential_smoothing(series, 0.3) == pytest.approx(fit.forecast(1)[0])
    for alpha in (-0.1, 1.1, np.nan):
        with pytest.raises(ValueError, match="alpha is"):
            b.exponential_smoothing(series, alpha)


def test_quantiles_are_centred_ordered_and_calibrated(rng):
    errors = rng.normal(scale=0.2, size=(6, 400, 2))
    quantiles = b.quantiles_around(np.full((6, 2), 100.0), errors)
    assert quantiles[..., b.MEDIAN] == pytest.approx(100)
    assert (np.diff(quantiles, axis=-1) > 0).all()
    actual = np.expm1(np.log1p(100) + rng.normal(scale=0.2, size=(6, 5000, 2)))
    below = (actual[..., None] <= quantiles[:, None]).mean(axis=(0, 1, 2))
    assert below == pytest.approx(LEVELS, abs=0.03)


@pytest.mark.parametrize("name", ["naive", "last_season", "average", "overall_mean"])
def test_rules_give_quantiles(daily, name):
    quantiles = getattr(b, name)(daily, daily.origins[0])
    assert quantiles.shape == (4, 14, 9)
    assert np.isfinite(quantiles).all()
    assert (quantiles >= 0).all()


def test_rules_forecast_what_they_say(weekly):
    past = weekly.units[:, :32]
    assert b.naive(weekly, 32)[..., b.MEDIAN] == pytest.approx(np.repeat(past[:, [-1]], 4, 1))
    expected = np.repeat(past.mean(1, keepdims=True), 4, 1)
    assert b.overall_mean(weekly, 32)[..., b.MEDIAN] == pytest.approx(expected)
    with pytest.raises(ValueError, match="too few for this forecaster"):
        b.overall_mean(weekly, 11)


@pytest.mark.parametrize("name", ["ets", "arima", "theta"])
def test_library_models_find_the_level_and_fall_back(rng, name):
    noisy = np.expm1(4 + 0.05 * rng.normal(size=(1, 40)))
    constant = np.full((1, 40), 6.0)
    quantiles = getattr(b, name)(panel_of(np.vstack([noisy, constant])), 36)
    assert np.log1p(quantiles[0, :, b.MEDIAN]) == pytest.approx(4, abs=0.06)
    assert quantiles[1] == pytest.approx(6)
    short = getattr(b, name)(panel_of(noisy, origins=(9,)), 9)
    assert short == pytest.approx(np.broadcast_to(noisy[0, 8], short.shape))


def test_a_level_needs_no_differences_and_a_walk_one(rng):
    noise = rng.normal(size=60)
    assert b.differences(noise) == 0
    assert b.differences(noise.cumsum() + np.arange(60)) == 1


@pytest.mark.parametrize("name", ["ets", "theta"])
def test_library_models_see_the_season(daily, name):
    origin = daily.origins[-1]
    error = np.abs(getattr(b, name)(daily, origin)[..., b.MEDIAN] - daily.actual(origin)).mean()
    flat = np.abs(b.overall_mean(daily, origin)[..., b.MEDIAN] - daily.actual(origin)).mean()
    assert error < 0.75 * flat


def test_rules_of_any_leading_axes(rng):
    past = rng.uniform(1, 9, (2, 3, 8))
    assert b.seasonal_naive(past, 3, 2)[1, 2] == pytest.approx(b.seasonal_naive(past[1, 2], 3, 2))
    assert b.season_average(past, 3, 2)[1, 2] == pytest.approx(b.season_average(past[1, 2], 3, 2))
    own = b.exponential_smoothing(past, 0.4)
    assert own[1, 2] == pytest.approx(b.exponential_smoothing(past[1, 2], 0.4))
    with pytest.raises(ValueError, match=r"^8 points are fewer than one season of 9"):
        b.seasonal_naive(past, 1, 9)
    with pytest.raises(ValueError, match=r"^8 points are fewer than 4 seasons of 3"):
        b.season_average(past, 1, 3)
