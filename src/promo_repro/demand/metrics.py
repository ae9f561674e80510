"""Scores of forecasts, each formula once.

`actual` and `forecast` are arrays of one shape; the last axis is the forecast period. Scores
average over everything unless they say otherwise. Bad input (NaN, other shapes, nothing to score)
raises `ValueError`.
"""

import numpy as np

from promo_repro.claims import formula

LEVELS = tuple(level / 10 for level in range(1, 10))


@formula("D5-Q01", "eq-04-mse")
def mean_squared_error(actual, forecast) -> float:
    r"""Mean squared error, :math:`\frac1n \sum_i (y_i - \hat y_i)^2`, in squared units."""
    y, f = _pair(actual, forecast)
    return float(np.mean((y - f) ** 2))


@formula("D5-Q02", "eq-04-mae")
def mean_absolute_error(actual, forecast) -> float:
    r"""Mean absolute error, :math:`\frac1n \sum_i |y_i - \hat y_i|`, in the units of the series."""
    y, f = _pair(actual, forecast)
    return float(np.mean(np.abs(y - f)))


@formula("D5-Q03", "eq-04-rmse")
def root_mean_squared_error(actual, forecast) -> float:
    r"""Root of the mean squared error, in the units of the series; it ranks as the MSE does."""
    return float(np.sqrt(mean_squared_error(actual, forecast)))


@formula("eq-04-wape")
def weighted_absolute_percentage_error(actual, forecast) -> float:
    r"""All absolute errors over all demand, :math:`\sum_i |y_i - \hat y_i| / \sum_i |y_i|`.

    Raises `ValueError` if there was no demand at all.
    """
    y, f = _pair(actual, forecast)
    total = np.abs(y).sum()
    if total == 0:
        raise ValueError("actual is zero everywhere: no share of it can be formed")
    return float(np.abs(y - f).sum() / total)


@formula("eq-04-mase-scale")
def seasonal_scale(history, season: int = 1) -> np.ndarray:
    r"""Mean absolute change over one season within the history, the unit of the MASE.

    .. math:: s = \frac{1}{T - m} \sum_{t=m+1}^{T} |y_t - y_{t-m}|

    `history` (..., T); returns (...). Raises `ValueError` for a history that is not longer than
    the season, and for a constant one, whose scale would be zero.
    """
    past = np.asarray(history, float)
    if past.shape[-1] <= season:
        raise ValueError(f"{past.shape[-1]} points are too few for a season of {season}")
    scale = np.abs(past[..., season:] - past[..., :-season]).mean(axis=-1)
    if not np.isfinite(scale).all() or (scale == 0).any():
        raise ValueError("a series is constant over its seasons or has NaN: it has no MASE")
    return scale


@formula("eq-04-mase")
def mean_absolute_scaled_error(actual, forecast, scale) -> np.ndarray:
    """Mean absolute error of each series in units of its `scale` (...): returns (...).

    Below one, the forecast errs less than the naive step did in the history.
    """
    y, f = _pair(actual, forecast)
    return np.abs(y - f).mean(axis=-1) / scale


@formula("eq-04-pinball")
def pinball_loss(actual, quantiles, levels=LEVELS) -> np.ndarray:
    r"""Quantile loss of each series and level, mean over periods.

    .. math:: \rho_\tau(y, q) = \max\{\tau (y - q), (\tau - 1)(y - q)\}

    `actual` (..., H), `quantiles` (..., H, Q) for `levels` (Q,) in (0, 1); returns (..., Q).
    """
    y, q = np.asarray(actual, float)[..., None], np.asarray(quantiles, float)
    tau = np.asarray(levels, float)
    if q.shape != (*y.shape[:-1], len(tau)):
        raise ValueError(f"quantiles {q.shape} does not fit actual {y.shape[:-1]} and the levels")
    if not ((tau > 0) & (tau < 1)).all():
        raise ValueError(f"levels {levels} must lie between 0 and 1")
    return np.maximum(tau * (y - q), (tau - 1) * (y - q)).mean(axis=-2)


@formula("eq-04-weighted-quantile-loss")
def weighted_quantile_loss(actual, quantiles, levels=LEVELS) -> float:
    """Twice the pinball loss of all levels over all demand, mean over levels.

    For the median alone it is the weighted absolute percentage error.
    """
    total = np.abs(np.asarray(actual, float)).mean()
    if total == 0:
        raise ValueError("actual is zero everywhere: no share of it can be formed")
    return float(2 * pinball_loss(actual, quantiles, levels).mean() / total)


@formula("eq-04-coverage")
def coverage(actual, lower, upper) -> float:
    """Share of the actual values inside the closed interval from `lower` to `upper`."""
    y, low = _pair(actual, lower)
    _, high = _pair(actual, upper)
    return float(np.mean((low <= y) & (y <= high)))


def _pair(actual, forecast):
    y, f = np.asarray(actual, float), np.asarray(forecast, float)
    if y.shape != f.shape:
        raise ValueError(f"actual {y.shape} and forecast {f.shape} differ in shape")
    if not (y.size and np.isfinite(y).all() and np.isfinite(f).all()):
        raise ValueError("actual or forecast is empty or has NaN: drop those periods first")
    return y, f
