"""Studies: planted effects are found, formulas by hand, nothing else changes."""

import json
from dataclasses import replace

import numpy as np
import pytest

from promo_repro.demand import backtest, baselines, models, studies
from tests.demand.conftest import panel_of


def test_saving_by_hand():
    reference, candidate = np.full((3, 4), 2.0), np.full((3, 4), 1.5)
    assert studies.saving(reference, candidate) == (0.25, 0.25, 0.25)
    assert studies.saved_share(reference, candidate) == 0.25
    assert studies.saved_at_most(candidate, reference) == pytest.approx(-1 / 3)
    assert studies.level_of_error(candidate, reference) == (0.75, 0.75)


def test_interval_ends_are_ordered(rng):
    reference, candidate = rng.uniform(1, 2, (2, 5, 30))
    value, low, high = studies.saving(reference, candidate)
    assert studies.saved_share(reference, candidate) == low < value
    assert studies.saved_at_most(reference, candidate) == high > value


def test_shares_in_words():
    assert studies.interval_percent((0.052, -0.01, 0.0934)) == "5.2 (-1.0 to 9.3)"
    assert studies.interval_percent((0.052, -0.01, 0.0934), 0) == "5 (-1 to 9)"
    assert studies.saved_percent(np.full((3, 4), 2.0), np.full((3, 4), 1.5), 0) == "25 (25 to 25)"


def test_scaled_errors_are_the_mase(weekly):
    errors = studies.scaled_errors(weekly, lambda o: models.ridge()(weekly, o))
    loss = backtest.backtest(models.ridge(), weekly)
    assert errors == pytest.approx(loss.mase(backtest.scales(weekly), weekly.horizon))
    assert errors == pytest.approx(studies.refitted(weekly))


def test_a_frozen_model_equals_the_refitted_one_at_its_own_origin(weekly):
    refitted = studies.refitted(weekly)
    kept = studies.frozen(weekly, weekly.origins[0])
    assert kept[0] == pytest.approx(refitted[0])
    assert (kept[1] != refitted[1]).any()
    everything = studies.trained_on(weekly, range(12))
    assert everything == pytest.approx(refitted)


def test_damage_and_repair(weekly):
    hurt = studies.damaged(weekly, 0.2, 50.0)
    changed = hurt.units != weekly.units
    assert changed.mean() == pytest.approx(0.2, abs=0.05)
    assert hurt.units[changed] == pytest.approx(50 * weekly.units[changed])
    assert not (studies.damaged(weekly, 1.0, 2.0, since=30).units != weekly.units)[:, :30].any()
    mended = studies.clipped(studies.damaged(weekly, 0.2, 50.0, since=10))
    assert mended.units.max() < hurt.units.max() / 5
    assert (studies.learnt_from(weekly, hurt)).mean() > studies.refitted(weekly).mean()
    assert studies.clipped(weekly, factor=1e9).units == pytest.approx(weekly.units)
    for share in (-0.1, 1.1):
        with pytest.raises(ValueError, match="share is"):
            studies.damaged(weekly, share, 2.0)


def test_clipping_sees_the_past_only(weekly):
    later = weekly.units.copy()
    later[:, 30:] *= 9
    a = studies.clipped(weekly).units
    b = studies.clipped(replace(weekly, units=later)).units
    np.testing.assert_array_equal(a[:, :30], b[:, :30])


def test_plain_units_lose_where_sizes_differ(rng, weekly):
    sizes = replace(weekly, units=weekly.units * np.geomspace(1, 1000, 12)[:, None])
    plain, relative = studies.raw_scale(sizes), studies.refitted(sizes)
    assert plain.shape == relative.shape == (2, 12)
    assert plain.mean() > relative.mean()


def test_windows_left_out(weekly):
    w = models.training_windows(weekly, 30, 12)
    skewed, random = studies.without(studies.exceptional, 0.25)
    assert skewed(w).mean() == random(w).mean() == pytest.approx(0.75, abs=0.01)
    assert (skewed(w) != random(w)).any()
    size = np.abs(w.target).max(axis=2)
    assert size[skewed(w) > 0].max() <= size[skewed(w) == 0].min()
    for share in (0, 1):
        with pytest.raises(ValueError, match="share is"):
            studies.without(studies.exceptional, share)
    early = studies.without(studies.late, 0.5)[0](w)
    assert early[:, 0].all()
    assert not early[:, -1].any()


def test_a_scenario_that_was_never_seen_costs(rng):
    """Sales double in promoted weeks; who has hardly seen one cannot know it."""
    deal = (rng.random((40, 40)) < 0.15) * 1.0
    plan = np.stack([-0.2 * deal, deal, deal], axis=2)
    units = rng.poisson(rng.uniform(20, 200, (40, 1)) * (1 + deal))
    panel = panel_of(units, plan=plan)
    w = models.training_windows(panel, 30, 12)
    assert np.unique(studies.promoted(w).round(9)).tolist() == [0, 2.2]
    skewed, rival = studies.skew_costs(panel, studies.promoted, 0.6)
    assert rival.mean() < 0.9 * skewed.mean()


def test_online_ridge_is_the_refit():
    assert studies.online_gap((10, 1, 25)) < 1e-10
    assert studies.online_gap((10, 1, 25), left_out=3) > 1e-4
    x, y = np.array([[1.0], [2.0], [3.0]]), np.array([1.0, 2.0, 4.0])
    assert studies.online_ridge(x, y, (2, 1), 2.0) == pytest.approx([17 / 16])
    for batches in ((2,), (2, 2)):
        with pytest.raises(ValueError, match="do not cover"):
            studies.online_ridge(x, y, batches, 1.0)
    with pytest.raises(ValueError, match="do not cover"):
        studies.online_ridge(x, y[:2], (2, 1), 1.0)


def test_sharded_gradients_are_the_whole_gradient():
    assert studies.sharded_gradient_gap(4) < 1e-12
    assert studies.sharded_gradient_gap(1) < 1e-12
    assert studies.sharded_gradient_gap(4, dropped=1) > 1e-6
    with pytest.raises(ValueError, match="do not divide"):
        studies.sharded_gradient_gap(5)


def test_work_is_divided_not_reduced():
    assert studies.work_per_device(100, 4) == 0.25
    assert studies.work_per_device(10, 3) == 0.4
    assert studies.work_per_device(3, 3) == pytest.approx(1 / 3)
    assert studies.work_of_all_devices(100, 4) == 1
    for shards in (0, 11):
        with pytest.raises(ValueError, match="do not fit"):
            studies.work_per_device(10, shards)
    assert studies.work_per_device(10, 1) == 1


def test_drift_is_where_it_was_planted():
    panel = studies.drifting(0, series=400)
    z = np.log1p(panel.units) - 4

    def slope(part):
        return (part[:, 1:] * part[:, :-1]).sum() / (part[:, :-1] ** 2).sum()

    assert slope(z[:, 5:31]) == pytest.approx(0.8, abs=0.05)
    assert slope(z[:, 33:]) == pytest.approx(-0.5, abs=0.05)
    steady = np.log1p(studies.drifting(0, series=400, change=None).units) - 4
    assert slope(steady[:, 33:]) == pytest.approx(0.8, abs=0.05)


def test_costs_and_service():
    assert studies.pooled_cost([[2, 0]], [[1, 4]], 3, 0.5).tolist() == [[6.5, 2]]
    value, low, high = studies.served([[1, 1]], [[4, 4]])
    assert (value, low, high) == (0.75, 0.75, 0.75)


def test_augmented_windows_keep_the_originals(weekly):
    w = models.training_windows(weekly, 30, 12)
    more = studies.augmented(w, 3, seed=0)
    n = len(w.ends)
    assert more.context.shape == (12, 3 * n, 12)
    np.testing.assert_array_equal(more.context[:, :n], w.context)
    np.testing.assert_array_equal(more.target[:, 2 * n :], w.target)
    noise = more.context[:, n:] - np.tile(w.context, (1, 2, 1))
    assert noise.std() == pytest.approx(0.1, rel=0.05)


def test_strategies_of_a_net(weekly):
    small = models.Training(hidden=4, epochs=2, batch=64)
    errors = studies.net_strategies(weekly, 0, small)
    assert tuple(errors) == studies.STRATEGIES
    assert all(e.shape == (2, 12) and np.isfinite(e).all() for e in errors.values())
    np.testing.assert_array_equal(errors["kept"][0], errors["trained anew"][0])
    np.testing.assert_array_equal(errors["kept"][0], errors["continued"][0])
    assert (errors["kept"][1] != errors["continued"][1]).any()


def test_strategies_do_not_know_the_plan(weekly, monkeypatch):
    monkeypatch.setattr(studies, "net_strategies", lambda panel, seed: {
        name: np.full((2, 12), seed + panel.plan.shape[2]) for name in studies.STRATEGIES
    })  # fmt: skip
    errors = studies.strategies_of_seeds(weekly, (3, 5))
    assert tuple(errors) == studies.STRATEGIES
    assert errors["kept"][:, 0, 0].tolist() == [3, 5]


def test_strategies_under_drift_are_of_other_series_by_seed(monkeypatch):
    seen = []
    monkeypatch.setattr(studies, "net_strategies", lambda panel, seed: seen.append(panel) or {
        name: np.full((3, 60), float(seed)) for name in studies.STRATEGIES
    })  # fmt: skip
    errors = studies.strategies_under_drift((1, 2))
    assert errors["kept"].shape == (1, 3, 120)
    assert errors["kept"][0, 0, [0, -1]].tolist() == [1, 2]
    assert seen[0].origins[0] == 39
    assert (seen[0].units != seen[1].units).any()


def test_strategies_come_back_as_written(monkeypatch, tmp_path):
    monkeypatch.setattr(studies, "root", lambda: tmp_path)
    (tmp_path / studies.backtest.FOLDER).mkdir(parents=True)
    with pytest.raises(ValueError, match=r"strategies.npz is missing; run"):
        studies.load_strategies()
    errors = {name: np.full((2, 3, 4), 0.5) for name in studies.STRATEGIES}
    studies._save("strategies", errors, (0, 1), simulated=False)
    assert studies.load_strategies()["kept"].tolist() == errors["kept"].tolist()
    record = json.loads((tmp_path / backtest.FOLDER / "strategies.json").read_text())
    assert record["rows"][0] == {
        "method": "trained anew", "metric": "MASE", "value": 0.5, "lo": 0.5, "hi": 0.5, "n": 12
    }  # fmt: skip


def test_dirt_ratio_by_hand():
    clean = np.array([2.0, 2, 2, 2, 3, 3])
    assert studies.dirt_ratio(clean, clean, [4], 2) == 1
    assert studies.dirt_ratio(clean * [1, 1, 1, 7, 1, 1], clean, [4], 2) == pytest.approx(2)
    assert studies.dirt_ratio(clean * 10, clean, [4], 2) == pytest.approx(17)


def test_concentration_by_hand():
    losses = np.array([[8.0, 1, 0, 1], [0, 0, 5, 5]])
    assert studies.concentration(losses, 0.25) == 0.4
    assert studies.concentration(losses, 0.5) == 0.7
    assert studies.concentration(losses, 0.01) == 0.4
    for part in (0, 1):
        with pytest.raises(ValueError, match="part is"):
            studies.concentration(losses, part)
    with pytest.raises(ValueError, match="no series has a loss"):
        studies.concentration(np.zeros((2, 3)))
    assert studies.concentration([[0.5, 0.0]], 0.5) == 1


def test_ends_of_several_intervals(rng):
    a, b = rng.uniform(1, 2, (2, 5, 30))
    assert studies.lower_ends((a, b), (b, a)) == (
        studies.saved_share(a, b), studies.saved_share(b, a)
    )  # fmt: skip
    assert studies.upper_ends((a, b), (b, b)) == (studies.saved_at_most(a, b), 0)
    with pytest.raises(ValueError, match="shorter"):
        studies.lower_ends((a, b), (a,))


def test_best_rule_is_a_rule():
    losses = {name: np.full((2, 3), size) for name, size in (("mean", 3), ("naive", 2), ("GRU", 1))}
    assert studies.best_rule(losses) == "naive"
    assert studies.best_rule({**losses, "seasonal naive": np.zeros((2, 3))}) == "seasonal naive"


def test_copies_by_draw(weekly):
    assert studies.copied(weekly, 0.0, 2) == pytest.approx(studies.refitted(weekly))
    once = [studies.learnt_from(weekly, studies.damaged(weekly, 0.3, 2.0, k)) for k in (0, 1)]
    assert studies.copied(weekly, 0.3, 2) == pytest.approx(np.mean(once, axis=0))
    assert (once[0] != once[1]).any()


def test_blend_of_one_and_of_two(weekly):
    ridge, naive = models.ridge(), baselines.naive
    assert studies.blended(weekly, [ridge]) == pytest.approx(studies.refitted(weekly))
    middle = (ridge(weekly, 32) + naive(weekly, 32))[..., baselines.MEDIAN] / 2
    expected = np.abs(weekly.actual(32) - middle).mean(axis=1) / backtest.scales(weekly)[0]
    assert studies.blended(weekly, [ridge, naive])[0] == pytest.approx(expected)


def test_lower_prices_raise_demand_where_demand_falls_with_price(rng):
    price = rng.choice([0.0, -0.3], (400, 40), p=[0.7, 0.3])
    units = rng.poisson(rng.uniform(50, 200, (400, 1)) * np.exp(-2 * price))
    panel = panel_of(units, plan=price[:, :, None])
    assert studies.demand_raised(panel, 0.0) == 0
    # An elasticity of -2: a fall by a tenth is a rise by 0.9 ** -2 - 1, shrunken a little.
    assert 0.1 < studies.demand_raised(panel, 0.1) < 0.9**-2 - 1
    for deeper in (-0.1, 1.0):
        with pytest.raises(ValueError, match="deeper is"):
            studies.demand_raised(panel, deeper)


def test_burdens_by_hand(weekly):
    lstm = studies.burden_of_lstm(weekly, 30)
    windows = 12 * len(models.training_windows(weekly, 30, 12).ends)
    step = 4 * 32 * (32 + 3)  # units: 32; inputs: sales, calendar and deal
    assert lstm.training == 3 * 20 * windows * 12 * step
    assert lstm.forecast == 12 * step
    assert lstm.stored > step
    ridge = studies.burden_of_ridge(weekly, 30)
    features = 12 + 2 + 2 + 2 + 1
    assert ridge.forecast == ridge.stored == 4 * features
    assert ridge.training == 4 * (windows * features**2 + -(-(features**3) // 3))
    one, ten = (studies.burden_of_forest(weekly, 30, trees) for trees in (1, 10))
    assert all(0 < a < b for a, b in zip(one, ten, strict=True))
    assert one.forecast < 4 * one.stored / 3
    assert studies.times_lighter(weekly, 30, "LSTM") == (1, 1, 1)
    lighter = studies.times_lighter(weekly, 30, "ridge")
    assert studies.times_fewer_operations(weekly, 30, "ridge") == lighter[:2]
    assert studies.times_fewer_numbers(weekly, 30, "ridge") == lstm.stored / ridge.stored
    assert studies.times_lighter(weekly, 30, "ridge").forecast == 12 * step / (4 * features)
