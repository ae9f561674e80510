"""What a shop does without a model, and the classical models that a library fits series by series.

A forecaster is a function of `(panel, origin)` that returns quantiles in units, (n, H, 9), for the
levels of `metrics.LEVELS`; the fifth is the median and serves as the point forecast. None reads
units from `origin` on.
"""

import warnings
from collections.abc import Callable
from itertools import product

import numpy as np
import pandas as pd
from scipy.stats import norm
from statsmodels.tsa.arima.model import ARIMA
from statsmodels.tsa.exponential_smoothing.ets import ETSModel
from statsmodels.tsa.forecasting.theta import ThetaModel
from statsmodels.tsa.stattools import kpss

from promo_repro.claims import formula
from promo_repro.demand.metrics import LEVELS
from promo_repro.demand.panels import Panel

Forecaster = Callable[[Panel, int], np.ndarray]
MEDIAN = LEVELS.index(0.5)
SHORTEST = 10  # points below which no model is fitted


@formula("eq-04-seasonal-naive")
def seasonal_naive(history, horizon: int, season: int = 1) -> np.ndarray:
    """Repeat the last season: forecast of y_{T+h} is the last value at the same place.

    `history` (..., T), returns (..., horizon). Raises `ValueError` if T < season.
    """
    past = np.asarray(history, float)
    if past.shape[-1] < season:
        raise ValueError(f"{past.shape[-1]} points are fewer than one season of {season}")
    return past[..., past.shape[-1] - season + np.arange(horizon) % season]


@formula("eq-04-season-average")
def season_average(history, horizon: int, season: int = 1, seasons: int = 4) -> np.ndarray:
    """Mean of the last `seasons` values at the same place of the season; as `seasonal_naive`."""
    past = np.asarray(history, float)
    if past.shape[-1] < season * seasons:
        raise ValueError(f"{past.shape[-1]} points are fewer than {seasons} seasons of {season}")
    last = past[..., past.shape[-1] - season * seasons :]
    mean = last.reshape(*past.shape[:-1], seasons, season).mean(axis=-2)
    return mean[..., np.arange(horizon) % season]


@formula("eq-04-exponential-smoothing")
def exponential_smoothing(history, alpha: float) -> np.ndarray:
    r"""Simple exponential smoothing, the level after the last point.

    .. math:: \ell_t = \alpha y_t + (1 - \alpha) \ell_{t-1}, \qquad \ell_1 = y_1

    `history` (..., T), returns (...). Raises `ValueError` unless 0 ≤ α ≤ 1.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha is {alpha}, not between 0 and 1")
    past = np.asarray(history, float)
    weights = alpha * (1 - alpha) ** np.arange(past.shape[-1])[::-1]
    weights[0] = (1 - alpha) ** (past.shape[-1] - 1)
    return past @ weights


def quantiles_around(point: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Return quantiles around `point` (n, H) from past errors (n, w, H) on the log scale.

    Errors log(1 + actual) − log(1 + forecast) are pooled over series after division by each
    series' root mean square, so that a handful of windows is enough. The median is the point.
    """
    size = np.sqrt(np.mean(errors**2, axis=(1, 2), keepdims=True)) + 1e-9
    pooled = np.quantile((errors / size).reshape(-1, errors.shape[2]), LEVELS, axis=0).T
    spread = size * (pooled - pooled[:, [MEDIAN]])
    return np.maximum(np.expm1(np.log1p(point)[..., None] + spread), 0)


def _rule(forecast, shortest: Callable[[Panel], int]) -> Forecaster:
    """Make a forecaster of a rule: its quantiles come from the errors it made before the origin."""

    def forecaster(panel: Panel, origin: int) -> np.ndarray:
        past, horizon = panel.units[:, :origin], panel.horizon
        ends = range(shortest(panel), origin - horizon + 1)
        if not ends:
            raise ValueError(f"{panel.name}: {origin} periods are too few for this forecaster")
        made = np.stack([forecast(past[:, :end], horizon, panel.season) for end in ends], axis=1)
        seen = np.stack([past[:, end : end + horizon] for end in ends], axis=1)
        point = forecast(past, horizon, panel.season)
        return quantiles_around(point, np.log1p(seen) - np.log1p(made))

    return forecaster


def _mean(history, horizon, season):
    return np.repeat(history.mean(axis=1, keepdims=True), horizon, axis=1)


naive = _rule(lambda history, horizon, season: seasonal_naive(history, horizon), lambda panel: 1)
last_season = _rule(seasonal_naive, lambda panel: panel.season)
average = _rule(season_average, lambda panel: 4 * panel.season)
overall_mean = _rule(_mean, lambda panel: 8)


def _per_series(fit: Callable[[np.ndarray, int, int], tuple[np.ndarray, np.ndarray]]) -> Forecaster:
    """Make a forecaster of a library's model of one series: mean and sd on the log scale.

    A constant series, or one of fewer than `SHORTEST` points, cannot be fitted: its forecast is
    its last value, without spread. The library warns when it replaces start values, or when its
    search for the maximum ends early; the best parameters found are kept.
    """

    def forecaster(panel: Panel, origin: int) -> np.ndarray:
        result = np.empty((len(panel.units), panel.horizon, len(LEVELS)))
        for row, series in enumerate(np.log1p(panel.units[:, :origin])):
            if len(series) < SHORTEST or np.ptp(series) == 0:
                mean, sd = np.full(panel.horizon, series[-1]), np.zeros(panel.horizon)
            else:
                with warnings.catch_warnings(record=True):
                    warnings.simplefilter("always")
                    mean, sd = fit(series, panel.horizon, panel.season)
            result[row] = mean[:, None] + sd[:, None] * norm.ppf(LEVELS)
        return np.maximum(np.expm1(result), 0)

    return forecaster


def _best(models):
    """Fit all models and return the fit of the lowest corrected Akaike criterion."""
    return min((model.fit(**options) for model, options in models), key=lambda fit: fit.aicc)


def _ets(series, horizon, season):
    forms = [{"trend": None}, {"trend": "add", "damped_trend": True}]
    if season > 1:
        forms = [form | {"seasonal": "add", "seasonal_periods": season} for form in forms]
    fit = _best([(ETSModel(pd.Series(series), error="add", **form), {"disp": 0}) for form in forms])
    ahead = fit.get_prediction(start=len(series), end=len(series) + horizon - 1)
    return np.asarray(ahead.predicted_mean), np.sqrt(np.asarray(ahead.forecast_variance))


def differences(series) -> int:
    """Return 1 if the KPSS test rejects a constant level of the series (T,) at 5 %, else 0."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of p-values outside the table, which are not used
        statistic, _, _, critical = kpss(series, regression="c", nlags="auto")
    return int(statistic > critical["5%"])


def _arima(series, horizon, season):
    # Criteria of likelihoods compare only among equal numbers of differences: d is tested first.
    d, seasonal = (0, (0, 1, 1, season)) if season > 1 else (differences(series), (0, 0, 0, 0))
    orders = [(p, d, q) for p, q in product(range(3), repeat=2) if p + q <= 2]
    fit = _best([(ARIMA(series, order=order, seasonal_order=seasonal), {}) for order in orders])
    ahead = fit.get_forecast(horizon)
    return np.asarray(ahead.predicted_mean), np.asarray(ahead.se_mean)


def _theta(series, horizon, season):
    model = ThetaModel(series, period=season, deseasonalize=season > 1)
    fit = model.fit()
    interval = np.asarray(fit.prediction_intervals(horizon, alpha=0.05))
    return np.asarray(fit.forecast(horizon)), np.diff(interval)[:, 0] / (2 * norm.ppf(0.975))


ets, arima, theta = map(_per_series, (_ets, _arima, _theta))
