"""Global models: closed forms against scikit-learn, learning, and no look ahead."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from promo_repro.demand import baselines, models
from promo_repro.demand.baselines import MEDIAN
from promo_repro.demand.metrics import LEVELS, pinball_loss
from tests.demand.conftest import panel_of

SMALL = models.Training(hidden=6, epochs=8, batch=64, rate=2e-2, dropout=0.0)
FORECASTERS = {
    "naive": baselines.naive,
    "season": baselines.last_season,
    "average": baselines.average,
    "mean": baselines.overall_mean,
    "ets": baselines.ets,
    "theta": baselines.theta,
    "arima": baselines.arima,
    "ridge": models.ridge(),
    "ridge, window": models.ridge(weights=models.recent(8)),
    "boosting": models.boosting(5),
    "boosting, median": models.boosting(5, median_only=True),
    "forest": models.forest(3),
    "lstm": models.recurrent("lstm", 0, SMALL),
    "gru": models.recurrent("gru", 0, SMALL),
}


@pytest.mark.parametrize("name", FORECASTERS)
def test_shuffling_the_future_leaves_every_forecast_unchanged(weekly, rng, name):
    panel = weekly.take(range(1 if name in ("ets", "theta", "arima") else 4))
    origin = weekly.origins[0]
    moved = panel.units.copy()
    moved[:, origin:] = rng.permuted(moved[:, origin:], axis=1)
    forecast = FORECASTERS[name](panel, origin)
    np.testing.assert_array_equal(forecast, FORECASTERS[name](replace(panel, units=moved), origin))
    assert forecast.shape == (len(panel.units), 4, 9)
    assert (np.diff(forecast, axis=-1) >= -1e-9).all()
    assert (forecast >= 0).all()


def test_ridge_equals_scikit_learn(rng):
    x, y, weights = rng.normal(size=(30, 4)), rng.normal(size=(30, 2)), rng.uniform(0, 2, 30)
    peer = Ridge(3.0, fit_intercept=False)
    own = models.ridge_weights(x, y, 3.0).T
    assert own == pytest.approx(peer.fit(x, y).coef_)
    weighted = models.ridge_weights(x, y, 3.0, weights).T
    assert weighted == pytest.approx(peer.fit(x, y, sample_weight=weights).coef_)


def test_ridge_by_hand_and_refusals():
    assert models.ridge_weights([[1.0], [2.0]], [[1.0], [2.0]], 5.0) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="penalty is 0"):
        models.ridge_weights([[1.0]], [[1.0]], 0)
    for x, y in (([[np.nan]], [[1.0]]), ([[1.0]], [[np.inf]])):
        with pytest.raises(ValueError, match="has NaN"):
            models.ridge_weights(x, y, 1.0)


def error(forecaster, panel):
    origin = panel.origins[-1]
    return np.abs(forecaster(panel, origin)[..., MEDIAN] - panel.actual(origin)).mean()


@pytest.mark.parametrize("name", ["ridge", "boosting", "forest", "gru"])
def test_the_plan_helps_where_it_matters(weekly, name):
    learner = {
        "ridge": models.ridge(1.0),
        "boosting": models.boosting(60, median_only=True),
        "forest": models.forest(20),
        "gru": models.recurrent("gru", 0, replace(SMALL, epochs=60)),
    }[name]
    assert error(learner, weekly) < 0.7 * error(learner, weekly.without_plan())


def test_nets_learn_the_season(daily):
    net = models.recurrent("lstm", 0, replace(SMALL, epochs=60))
    assert error(net, daily) < 0.8 * error(baselines.overall_mean, daily)


def test_nets_are_reproducible_and_depend_on_the_seed(weekly):
    def run(seed):
        return models.recurrent("gru", seed, replace(SMALL, dropout=0.2))(weekly, 32)

    np.testing.assert_array_equal(run(0), run(0))
    assert (run(0) != run(1)).any()


def test_torch_pinball_is_the_metric(rng):
    y, q = rng.normal(size=(5, 3)), rng.normal(size=(5, 3, 9))
    own = models.pinball(torch.as_tensor(y), torch.as_tensor(q))
    assert own.item() == pytest.approx(pinball_loss(y, q, LEVELS).mean())


def test_linear_model_forecasts_later_origins_and_other_series(weekly):
    model = models.train_linear(weekly, 30)
    assert model.forecast(weekly, 30) == pytest.approx(models.ridge()(weekly, 30))
    assert model.forecast(weekly, 34).shape == (12, 4, 9)
    part = models.train_linear(weekly.take(range(6)), 30).forecast(weekly, 30)
    assert np.isfinite(part).all()


def test_weights_of_windows(weekly):
    w = models.training_windows(weekly, 30, 12)
    assert models.recent(3)(w)[0].tolist() == [0] * 12 + [1] * 3
    assert models.decaying(2)(w)[5, -3:].tolist() == pytest.approx([0.5, 2**-0.5, 1])


def test_too_few_points_and_constant_series(weekly):
    for name in ("ridge", "boosting", "forest", "gru"):
        with pytest.raises(ValueError, match="too few for 12 of context"):
            FORECASTERS[name](weekly, 15)
    flat = panel_of(np.full((5, 40), 7.0))
    for name in ("ridge", "boosting", "gru", "naive"):
        median = FORECASTERS[name](flat, 36)[..., MEDIAN]
        assert median == pytest.approx(7, rel=0.35 if name == "gru" else 1e-6)


def test_ridge_of_any_leading_axes(rng):
    x, y = rng.normal(size=(2, 3, 20, 4)), rng.normal(size=(2, 3, 20, 1))
    own = models.ridge_weights(x, y, 2.0)
    assert own.shape == (2, 3, 4, 1)
    assert own[1, 2] == pytest.approx(models.ridge_weights(x[1, 2], y[1, 2], 2.0))


def test_nets_work_on_the_device_of_their_input(weekly):
    net = models.net_for("gru", weekly, SMALL, 0).to("meta")
    w = models.training_windows(weekly, 30, 12)
    context, seen, ahead, target = models._tensors(w, "meta")
    out = net(context, seen, ahead)
    assert (out.device.type, tuple(out.shape)) == ("meta", (len(context), 4, len(LEVELS)))
    assert models.pinball(target, out).device.type == "meta"
