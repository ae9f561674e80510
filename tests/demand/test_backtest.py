"""Back-test: losses by hand, the interval's formula, and results that come back as written."""

import json
from dataclasses import replace

import numpy as np
import pytest

from promo_repro.demand import backtest as bt
from promo_repro.demand import baselines, models
from promo_repro.demand.metrics import LEVELS


def test_losses_by_hand():
    actual = np.array([[10.0, 4.0]])
    quantiles = np.broadcast_to(np.arange(1.0, 10.0), (1, 2, 9))  # median 5, upper 9
    loss = bt.Losses.of(actual, quantiles)
    assert loss.absolute.tolist() == [5 + 1]
    assert loss.squared.tolist() == [25 + 1]
    assert loss.inside.tolist() == [0.5]
    # Orders at 0.5, 0.7 and 0.9 are 5, 7 and 9 units in both periods.
    assert loss.missed.tolist() == [[5, 3, 1]]
    assert loss.left.tolist() == [[1, 3, 5]]
    assert loss.left_up_to.tolist() == [[1, 3, 5]]
    tau, q = np.array(LEVELS), np.arange(1.0, 10.0)
    expected = sum(2 * np.maximum(tau * (y - q), (tau - 1) * (y - q)).mean() for y in (10, 4))
    assert loss.quantile == pytest.approx([expected])


def test_joining_and_averaging():
    parts = [bt.Losses(*(np.full(3, value),) * 8) for value in (1.0, 3.0)]
    assert bt.Losses.join(parts).absolute.shape == (2, 3)
    assert bt.mean_over_seeds(parts).left.tolist() == [2, 2, 2]
    groups = bt.averaged({"GRU, seed 0": parts[0], "GRU, seed 1": parts[1], "naive": parts[0]})
    assert list(groups) == ["GRU", "naive"]
    assert groups["GRU"].absolute.tolist() == [2, 2, 2]
    assert parts[1].mase(np.full(3, 0.5), 4).tolist() == [1.5] * 3


def test_backtest_scores_what_was_sold(weekly):
    loss = bt.backtest(baselines.naive, weekly)
    origin = weekly.origins[1]
    expected = np.abs(weekly.actual(origin) - weekly.units[:, [origin - 1]]).sum(axis=1)
    assert loss.absolute[1] == pytest.approx(expected)
    assert bt.demands(weekly)[1].tolist() == weekly.actual(origin).sum(axis=1).tolist()
    scale = np.abs(np.diff(weekly.units[:, :origin])).mean(axis=1)
    assert bt.scales(weekly)[1] == pytest.approx(scale)
    assert bt.backtest(baselines.naive, weekly, origins=(20,)).absolute.shape == (1, 12)


def by_loops(top, bottom, seed, draws):
    rng = np.random.default_rng(seed)
    o, s = top.shape
    rows = rng.multinomial(o, np.full(o, 1 / o), draws)
    columns = rng.multinomial(s, np.full(s, 1 / s), draws)
    ratios = []
    for r, c in zip(rows, columns, strict=True):
        weight = np.outer(r, c)
        ratios.append((weight * top).sum() / (weight * bottom).sum())
    return np.quantile(ratios, [0.025, 0.975])


def test_interval_equals_the_long_way(rng):
    top, bottom = rng.normal(size=(4, 6)), rng.uniform(1, 2, (4, 6))
    value, *ends = bt.ratio_interval(top, bottom, seed=3, draws=50)
    assert value == pytest.approx(top.sum() / bottom.sum())
    assert ends == pytest.approx(by_loops(top, bottom, 3, 50).tolist())


def test_interval_of_a_mean(rng):
    a = rng.normal(1.0, 1.0, (8, 40))
    value, low, high = bt.mean_difference(a, np.zeros_like(a))
    assert low < value < high
    assert value == pytest.approx(a.mean())
    assert bt.mean_difference(a, a) == (0, 0, 0)


def test_interval_covers_shocks_that_all_series_share(rng):
    """With a common shock per origin, series alone would give far too short an interval."""
    covered = 0
    for draw in range(100):
        sample = rng.normal(size=(8, 1)) + 0.3 * rng.normal(size=(8, 30))
        _, low, high = bt.ratio_interval(sample, np.ones_like(sample), seed=draw, draws=300)
        covered += low <= 0 <= high
    assert covered >= 80


def test_interval_refuses():
    one = np.ones((2, 3))
    for top, bottom in ((one[0], one[0]), (one, np.ones((3, 2)))):
        with pytest.raises(ValueError, match="must be"):
            bt.ratio_interval(top, bottom)
    for top, bottom in ((one * np.nan, one), (one, one * np.inf)):
        with pytest.raises(ValueError, match="have NaN"):
            bt.ratio_interval(top, bottom)


def test_forecasts_with_plan_and_blend(weekly):
    panel = weekly.take(range(5))
    small = models.Training(hidden=4, epochs=1)
    wanted = {
        "ETS": baselines.naive,
        "ridge AR": models.ridge(),
        "boosting": models.boosting(2),
        "GRU, seed 0": models.recurrent("gru", 0, small),
    }
    made = bt.forecasts(panel, wanted)
    assert set(made) == {
        *wanted, "ridge AR + plan", "boosting + plan", "GRU + plan, seed 0", "blend", "blend + plan"
    }  # fmt: skip
    assert made["blend"] == pytest.approx(np.mean([made[name] for name in wanted], axis=0))
    assert (made["ridge AR"] != made["ridge AR + plan"]).any()
    assert made["blend"].shape == (2, 5, 4, 9)


def test_every_task_names_its_methods():
    for task in bt.TASKS:
        assert {"naive", "ETS", "Theta", "ARIMA", "LSTM, seed 0", "GRU, seed 2"} <= set(
            bt.methods(task)
        )
        assert ("seasonal naive" in bt.methods(task)) == (task == "daily")


def test_results_come_back_as_written(weekly, tmp_path):
    losses = {name: bt.backtest(f, weekly) for name, f in (("naive", baselines.naive),)}
    bt.save(weekly, losses, tmp_path)
    back = bt.load("synthetic", tmp_path)
    assert back["naive"].absolute == pytest.approx(losses["naive"].absolute, rel=1e-6)
    record = json.loads((tmp_path / "synthetic.json").read_text())
    assert set(record) >= {"command", "commit", "device", "seeds", "simulated", "rows"}
    assert record["command"].endswith("backtest synthetic")
    assert {row["metric"] for row in record["rows"]} == {
        "MASE", "WAPE", "quantile loss", "coverage of 80 %"
    }  # fmt: skip
    with pytest.raises(ValueError, match=r"daily.npz is missing; run"):
        bt.load("daily", tmp_path)


def test_run_scores_every_method(weekly, monkeypatch):
    monkeypatch.setattr(bt, "methods", lambda task, device: {"naive": baselines.naive})
    panel = replace(weekly, name="synthetic")
    assert bt.run(panel)["naive"].absolute == pytest.approx(
        bt.backtest(baselines.naive, panel).absolute
    )
