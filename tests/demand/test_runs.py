"""The nets as the command trains them: those of `models.train_net`, and exact when resumed."""

import numpy as np
import pytest
import torch

from promo_repro.demand import models, runs
from promo_repro.demand.models import Training
from promo_repro.demand.windows import training_windows
from promo_repro.training.ensemble import Ensemble
from promo_repro.training.loop import Setting, train

SMALL = Training(hidden=6, epochs=2, batch=32)


def test_the_loss_is_that_of_each_net_alone(weekly):
    windows = training_windows(weekly, weekly.origins[0], models.context_of(weekly))
    rows = [each[:16].expand(2, *each[:16].shape) for each in models._tensors(windows, "cpu")]
    alone = [models.net_for("lstm", weekly, SMALL, seed) for seed in (0, 1)]
    nets = Ensemble([models.net_for("lstm", weekly, SMALL, seed) for seed in (0, 1)])
    together = runs.pinball_loss(nets, rows, None)
    for net, loss in zip(alone, together, strict=True):
        context, seen, ahead, target = (each[0] for each in rows)
        torch.testing.assert_close(loss, models.pinball(target, net(context, seen, ahead)))


def test_it_learns_and_measures_units_it_has_not_seen(weekly, tmp_path):
    run = runs.forecasters(
        "lstm", weekly, Training(hidden=12, epochs=80, batch=64, rate=1e-2), Setting(seeds=2)
    )
    untrained = run.trainable.evaluate()["MASE"]
    curve = train(run, tmp_path, {})
    assert (curve[-1][1]["MASE"] < 0.8 * untrained).all()
    later = weekly.units.copy()
    later[:, weekly.origins[0] :] += 50
    changed = runs.forecasters(
        "lstm", type(weekly)(**{**vars(weekly), "units": later}), SMALL, Setting()
    )
    same = runs.forecasters("lstm", weekly, SMALL, Setting())
    losses = [each.trainable.step()["loss"] for each in (changed, same)]
    assert torch.equal(*losses)  # nothing from the origin on is learnt from
    assert changed.trainable.evaluate()["MASE"] != same.trainable.evaluate()["MASE"]


def test_resumes_bit_for_bit(weekly):
    whole, half, resumed = (
        runs.forecasters("lstm", weekly, SMALL, Setting(seeds=2)).trainable for _ in range(3)
    )
    cut = whole.steps // 2
    for _ in range(cut):
        half.step()
    resumed.load_state_dict(half.state_dict())
    losses = [whole.step()["loss"] for _ in range(whole.steps)][cut:]
    assert torch.equal(torch.stack(losses), torch.stack([resumed.step()["loss"] for _ in losses]))


def test_mase_is_that_of_the_medians(weekly):
    net, origin = models.net_for("lstm", weekly, SMALL, 0), weekly.origins[0]
    task = type(weekly)(**{**vars(weekly), "origins": (origin,)})
    forecast = models.net_forecast(net, weekly, origin)[..., len(models.LEVELS) // 2]
    actual = weekly.units[:, origin : origin + weekly.horizon]
    steps = np.abs(np.diff(weekly.units[:, :origin])).mean(axis=1)
    expected = (np.abs(actual - forecast).mean(axis=1) / steps).mean()
    assert runs.mase(net, task, "cpu") == pytest.approx(expected)
