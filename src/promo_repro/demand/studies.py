"""Experiments behind the answers of D5's appendix; all on the tasks of `panels`.

Each study returns scaled absolute errors by origin and series (a MASE per cell), so that any two
can be compared pairwise with `saved_share`. Drift and damaged records are planted, which the names
say.

`python -m promo_repro.demand.studies` trains the nets of `net_strategies` with three seeds (about
ten minutes on one core) and writes their errors to `data/results/04_demand/`.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch

from promo_repro.claims import formula
from promo_repro.datasets import complete_journey
from promo_repro.demand import backtest, models, panels
from promo_repro.demand.baselines import MEDIAN, Forecaster
from promo_repro.demand.listing import ridge_work, training_work
from promo_repro.demand.panels import Panel
from promo_repro.demand.windows import Windows, training_windows
from promo_repro.project import root


def saved_share(reference, candidate, seed: int = 0) -> float:
    """Lower end of the 95 % interval of the share of the reference's loss that a candidate saves.

    Both are (origins, series) losses of the same forecasts; see `backtest.ratio_interval`. Above
    zero: the candidate is better. At or below: it has not been shown to be.
    """
    return saving(reference, candidate, seed)[1]


def saved_at_most(reference, candidate, seed: int = 0) -> float:
    """Upper end of the same interval."""
    return saving(reference, candidate, seed)[2]


def saving(reference, candidate, seed: int = 0) -> tuple[float, float, float]:
    """Share of the reference's loss that the candidate saves: value and 95 % interval."""
    return backtest.ratio_interval(np.subtract(reference, candidate), reference, seed)


def saved_percent(reference, candidate, digits: int = 1) -> str:
    """`saving` in percent with its interval, as a table shows it: "5.2 (1.0 to 9.3)"."""
    return interval_percent(saving(reference, candidate), digits)


def interval_percent(interval: tuple[float, float, float], digits: int = 1) -> str:
    """A share and the ends of its interval in percent, "5.2 (1.0 to 9.3)"."""
    value, low, high = (f"{100 * x:.{digits}f}" for x in interval)
    return f"{value} ({low} to {high})"


def lower_ends(references: Sequence, candidates: Sequence, seed: int = 0) -> tuple[float, ...]:
    """`saved_share` of each candidate against the reference at the same place."""
    pairs = zip(references, candidates, strict=True)
    return tuple(saved_share(reference, candidate, seed) for reference, candidate in pairs)


def upper_ends(references: Sequence, candidates: Sequence, seed: int = 0) -> tuple[float, ...]:
    """`saved_at_most` of each candidate against the reference at the same place."""
    pairs = zip(references, candidates, strict=True)
    return tuple(saved_at_most(reference, candidate, seed) for reference, candidate in pairs)


RULES = ("naive", "seasonal naive", "mean", "average of 4 seasons")


def best_rule(losses: Mapping[str, np.ndarray]) -> str:
    """Name the rule without a model, one of `RULES`, that lost least over all cells."""
    return min((rule for rule in RULES if rule in losses), key=lambda rule: losses[rule].mean())


def level_of_error(absolute, demand, seed: int = 0) -> tuple[float, float]:
    """Ends of the 95 % interval of absolute errors over demand, both (origins, series)."""
    return backtest.ratio_interval(absolute, demand, seed)[1:]


def scaled_errors(panel: Panel, forecast: Callable[[int], np.ndarray]) -> np.ndarray:
    """Return the MASE by origin and series of `forecast(origin)`, quantiles (n, H, Q)."""
    errors = np.stack(
        [np.abs(panel.actual(o) - forecast(o)[..., MEDIAN]).mean(axis=1) for o in panel.origins]
    )
    return errors / backtest.scales(panel)


def refitted(panel: Panel, **options) -> np.ndarray:
    """Errors of the linear model that is trained anew at every origin."""
    return scaled_errors(
        panel, lambda o: models.train_linear(panel, o, **options).forecast(panel, o)
    )


def frozen(panel: Panel, trained_at: int, **options) -> np.ndarray:
    """Errors of the linear model that is trained once, at `trained_at`, and then kept."""
    model = models.train_linear(panel, trained_at, **options)
    return scaled_errors(panel, lambda o: model.forecast(panel, o))


def trained_on(panel: Panel, rows) -> np.ndarray:
    """Errors on all series of a linear model that has learnt from the series `rows` only."""
    part = panel.take(rows)
    return scaled_errors(panel, lambda o: models.train_linear(part, o).forecast(panel, o))


def damaged(panel: Panel, share: float, factor: float, seed: int = 0, since: int = 0) -> Panel:
    """Return the panel with this share of its cells multiplied by `factor`: planted errors.

    Only periods from `since` on are damaged. Raises `ValueError` for a share outside [0, 1].
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share is {share}, not between 0 and 1")
    hit = np.random.default_rng(seed).random(panel.units.shape) < share
    hit[:, :since] = False
    return replace(panel, units=np.where(hit, panel.units * factor, panel.units))


def clipped(panel: Panel, factor: float = 4.0, window: int = 8) -> Panel:
    """Return the panel with each value limited to `factor` times the median of those before it.

    The median is of the last `window` values as limited before; the first `window` values stay.
    Nothing later is looked at.
    """
    units = panel.units.copy()
    for t in range(window, units.shape[1]):
        units[:, t] = np.minimum(units[:, t], factor * np.median(units[:, t - window : t], axis=1))
    return replace(panel, units=units)


def learnt_from(clean: Panel, records: Panel) -> np.ndarray:
    """Errors against the clean units of a linear model that saw the units of `records` only."""
    return scaled_errors(clean, lambda o: models.train_linear(records, o).forecast(records, o))


def copied(panel: Panel, share: float, draws: int = 3) -> np.ndarray:
    """Errors on true units after learning from records with this share of weeks counted twice.

    Mean over `draws` of which weeks these are.
    """
    return np.mean(
        [learnt_from(panel, damaged(panel, share, 2.0, draw)) for draw in range(draws)], axis=0
    )


def blended(panel: Panel, members: Sequence[Forecaster]) -> np.ndarray:
    """Errors of the mean of the members' quantiles."""
    return scaled_errors(panel, lambda o: np.mean([member(panel, o) for member in members], axis=0))


def demand_raised(panel: Panel, deeper: float, seed: int = 0) -> float:
    """Lower end of the 95 % interval of the rise of forecast demand under lower planned prices.

    The linear model with the plan forecasts twice: with the prices as planned, and with the prices
    of the periods ahead lowered by the share `deeper`. The first column of the plan is the log
    price ratio. Raises `ValueError` unless 0 <= deeper < 1.
    """
    if not 0 <= deeper < 1:
        raise ValueError(f"deeper is {deeper}; a price falls by a share from 0 to below 1")
    planned, lowered = [], []
    for origin in panel.origins:
        model = models.train_linear(panel, origin)
        plan = panel.plan.copy()
        plan[:, origin : origin + panel.horizon, 0] += np.log1p(-deeper)
        for made, task in ((planned, panel), (lowered, replace(panel, plan=plan))):
            made.append(model.forecast(task, origin)[..., MEDIAN].sum(axis=1))
    return backtest.ratio_interval(np.subtract(lowered, planned), planned, seed)[1]


def raw_scale(panel: Panel, penalty: float = 30.0) -> np.ndarray:
    """Errors of the pooled linear model on plain units: no logarithm, no level, no scale."""
    context = models.context_of(panel)

    def features(window, exogenous):
        return np.concatenate([window, exogenous, np.ones((*window.shape[:2], 1))], axis=2)

    def forecast(origin):
        w = training_windows(panel, origin, context)
        past = w.ends[:, None] + np.arange(-context, 0)
        point = np.empty((len(panel.units), panel.horizon))
        for h in range(panel.horizon):
            x = features(panel.units[:, past], w.ahead[:, :, h])
            y = panel.units[:, w.ends + h].reshape(-1, 1)
            beta = models.ridge_weights(x.reshape(-1, x.shape[2]), y, penalty)
            now = models.forecast_windows(panel, origin, context)
            last = panel.units[:, None, origin - context : origin]
            point[:, h] = (features(last, now.ahead[:, :, h]) @ beta)[:, 0, 0]
        return np.repeat(np.maximum(point, 0)[..., None], MEDIAN + 1, axis=2)

    return scaled_errors(panel, forecast)


def exceptional(w: Windows) -> np.ndarray:
    """How far the targets of each window go from its level at most: (n, w)."""
    return np.abs(w.target).max(axis=2)


def promoted(w: Windows) -> np.ndarray:
    """How strongly the targets of each window are promoted at most: (n, w); plan as in `PLAN`."""
    price, display, mailer = np.moveaxis(w.ahead[..., -3:], -1, 0)
    return (display + mailer - price).max(axis=2)


def late(w: Windows) -> np.ndarray:
    """When each window ends: (n, w)."""
    return np.broadcast_to(w.ends.astype(float), w.level.shape)


def without(score: Callable[[Windows], np.ndarray], share: float, seed: int = 0):
    """Two choices of training windows that leave out equally many.

    Returns a pair of weight functions: the first leaves out the `share` of windows with the
    highest `score`, the second as many at random. Raises `ValueError` unless 0 < share < 1.
    """
    if not 0 < share < 1:
        raise ValueError(f"share is {share}, not between 0 and 1")

    def skewed(w: Windows):
        values = score(w)
        return (values <= np.quantile(values, 1 - share)) * 1.0

    def random(w: Windows):
        return np.random.default_rng(seed).permutation(skewed(w).ravel()).reshape(w.level.shape)

    return skewed, random


def skew_costs(panel: Panel, score: Callable[[Windows], np.ndarray], share: float):
    """Errors of the linear model without the windows of the highest score, and of its rival.

    The rival leaves out as many windows at random; see `without`.
    """
    return tuple(refitted(panel, weights=weights) for weights in without(score, share))


@formula("eq-04-online-ridge")
def online_ridge(features, targets, batches: Sequence[int], penalty: float) -> np.ndarray:
    r"""Ridge weights from sums that are updated batch by batch; old rows are not kept.

    .. math:: A \leftarrow A + X_b^\top X_b, \quad m \leftarrow m + X_b^\top y_b,
              \qquad \hat\beta = A^{-1} m, \quad A_0 = \lambda I

    `features` (n, k), `targets` (n,), `batches` the numbers of rows of the batches, which sum to n.
    Raises `ValueError` if they do not.
    """
    x, y = np.asarray(features, float), np.asarray(targets, float)
    if sum(batches) != len(x) or len(x) != len(y):
        raise ValueError(f"batches of {sum(batches)} rows do not cover {len(x)} rows")
    gram, moment = penalty * np.eye(x.shape[1]), np.zeros(x.shape[1])
    start = 0
    for size in batches:
        rows = slice(start, start + size)
        gram += x[rows].T @ x[rows]
        moment += x[rows].T @ y[rows]
        start += size
    return np.linalg.solve(gram, moment)


def online_gap(
    batches: Sequence[int], features: int = 6, seed: int = 0, left_out: int = 0
) -> float:
    """Largest difference between online weights and a refit without the last `left_out` rows."""
    rng = np.random.default_rng(seed)
    n = sum(batches)
    x, y = rng.normal(size=(n, features)), rng.normal(size=n)
    kept = n - left_out
    refit = models.ridge_weights(x[:kept], y[:kept, None], 1.0)[:, 0]
    return float(np.abs(online_ridge(x, y, batches, 1.0) - refit).max())


@formula("eq-04-data-parallel")
def sharded_gradient_gap(shards: int, rows: int = 96, seed: int = 0, dropped: int = 0) -> float:
    """Largest difference between the gradient of all rows and the mean of the shards' gradients.

    A GRU on random data; each of `shards` equal parts is differentiated by itself, as devices
    would, and the last `dropped` parts are lost. Raises `ValueError` if the rows do not divide.
    """
    if rows % shards:
        raise ValueError(f"{rows} rows do not divide into {shards} equal shards")
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(rows, 5, 2, generator=generator, dtype=torch.float64)
    encoder = models.Recurrent("gru", 2, 4, generator).double()

    def gradient(part):
        encoder.zero_grad()
        encoder(part).square().mean().backward()
        return torch.cat([p.grad.ravel() for p in encoder.parameters()])

    parts = torch.stack([gradient(part) for part in x.chunk(shards)[: shards - dropped]])
    return float((gradient(x) - parts.mean(dim=0)).abs().max())


@formula("eq-04-work-per-device")
def work_per_device(rows: int, shards: int) -> float:
    """Share of the rows that one of `shards` devices differentiates in a step."""
    if not 0 < shards <= rows:
        raise ValueError(f"{shards} shards do not fit {rows} rows")
    return -(-rows // shards) / rows


def work_of_all_devices(rows: int, shards: int) -> float:
    """Rows that all devices together differentiate in a step, over those of one device alone."""
    return shards * work_per_device(rows, shards)


def drifting(seed: int = 0, series: int = 60, periods: int = 51, change: int | None = 31) -> Panel:
    """Simulated weekly units whose dependence on the past turns over at `change` (None: never).

    Log units follow an autoregression with coefficient 0.8 before and −0.5 after the change.
    """
    rng = np.random.default_rng(seed)
    log_units = np.zeros((series, periods))
    for t in range(1, periods):
        rho = 0.8 if change is None or t < change else -0.5
        log_units[:, t] = rho * log_units[:, t - 1] + 0.3 * rng.normal(size=series)
    units = np.round(np.exp(4 + log_units))
    origins = tuple(periods - 4 * back for back in (3, 2, 1))
    nothing = np.zeros((series, periods, 0))
    return Panel(
        "drift (simulated)",
        tuple(range(series)),
        units,
        np.zeros((periods, 1)),
        nothing,
        season=1,
        origins=origins,
        horizon=4,
    )


def pooled_cost(missed, left, shortage_cost: float, holding_cost: float) -> np.ndarray:
    """Cost of orders by origin and series, from the units missed and left, (origins, series)."""
    return shortage_cost * np.asarray(missed) + holding_cost * np.asarray(left)


def served(missed, demand, seed: int = 0) -> tuple[float, float, float]:
    """Share of demand that was met, with its 95 % interval; (origins, series)."""
    demand = np.asarray(demand, float)
    return backtest.ratio_interval(demand - missed, demand, seed)


def dirt_ratio(raw, clean, origins: Sequence[int], horizon: int = 4) -> float:
    """How many times the error grows when forecasts of `clean` are made from `raw` records.

    Both are weekly totals (T,). The forecast is the mean of the last four weeks; its error is
    summed over the `horizon` weeks after each origin.
    """
    raw, clean = np.asarray(raw, float), np.asarray(clean, float)
    actual = np.stack([clean[o : o + horizon] for o in origins])

    def error(history):
        made = np.array([history[o - 4 : o].mean() for o in origins])
        return np.abs(actual - made[:, None]).sum()

    return float(error(raw) / error(clean))


@formula("eq-04-concentration")
def concentration(losses, part: float = 0.1) -> float:
    """Share of a summed loss that the worst `part` of the series make up; (origins, series).

    Raises `ValueError` unless 0 < part < 1 and some loss is positive.
    """
    if not 0 < part < 1:
        raise ValueError(f"part is {part}, not between 0 and 1")
    by_series = np.sort(np.sum(losses, axis=0))[::-1]
    if by_series[0] <= 0:
        raise ValueError("no series has a loss")
    return float(by_series[: max(1, round(part * len(by_series)))].sum() / by_series.sum())


class Burden(NamedTuple):
    """Operations to train a model, operations to forecast one series, and numbers to store."""

    training: float
    forecast: float
    stored: float


def burden_of_lstm(panel: Panel, origin: int) -> Burden:
    """Multiplications of the recurrence alone, as if the head cost nothing; all its numbers."""
    w = training_windows(panel, origin, models.context_of(panel))
    how = models.Training()
    sizes = (w.context.shape[2], how.hidden)
    inputs = 1 + w.seen.shape[3]
    net = models.net_for("lstm", panel, how, 0)
    return Burden(
        training_work(w.level.size, *sizes, how.epochs, inputs),
        training_work(1, *sizes, 1, inputs) / 3,
        sum(p.numel() for p in net.parameters()),
    )


def burden_of_ridge(panel: Panel, origin: int) -> Burden:
    """Multiplications of the normal equations and of one forecast; one weight a feature."""
    w = training_windows(panel, origin, models.context_of(panel))
    rows, features = models.linear_features(w, 0).shape
    weights = panel.horizon * features
    return Burden(panel.horizon * ridge_work(rows, features), weights, weights)


def burden_of_forest(panel: Panel, origin: int, trees: int = 30) -> Burden:
    """Comparisons to sort the rows of each node by each feature tried, and on the way to a leaf.

    A node keeps three numbers: feature, threshold and value.
    """
    w = training_windows(panel, origin, models.context_of(panel))
    forest = models.forest(trees).make(0.5)
    x = models.tree_features(panel, w)
    rows = x.reshape(-1, x.shape[-1])
    forest.fit(rows, w.target.reshape(-1))
    grown = [tree.tree_ for tree in forest.estimators_]
    sizes = np.concatenate([t.n_node_samples[t.children_left >= 0] for t in grown])
    tried = int(forest.max_features * rows.shape[1])
    visited = forest.decision_path(rows)[0].sum() / len(rows) - trees
    return Burden(
        float(tried * (sizes * np.log2(sizes)).sum()),
        float(panel.horizon * visited),
        3 * sum(t.node_count for t in grown),
    )


BURDENS = {"LSTM": burden_of_lstm, "ridge": burden_of_ridge, "forest": burden_of_forest}


def times_lighter(panel: Panel, origin: int, model: str) -> Burden:
    """How many times the burden of the LSTM that of a `model` of `BURDENS` is contained in."""
    heavy, light = burden_of_lstm(panel, origin), BURDENS[model](panel, origin)
    return Burden(*(a / b for a, b in zip(heavy, light, strict=True)))


def times_fewer_operations(panel: Panel, origin: int, model: str) -> tuple[float, float]:
    """The first two of `times_lighter`: operations to train, and to forecast."""
    return times_lighter(panel, origin, model)[:2]


def times_fewer_numbers(panel: Panel, origin: int, model: str) -> float:
    """The last of `times_lighter`: numbers to store."""
    return times_lighter(panel, origin, model).stored


# Studies of nets: several seeds, made once and committed.

STRATEGIES = (
    "trained anew",
    "kept",
    "continued",
    "half of the windows",
    "a tenth of the series",
    "a tenth, longer",
    "a tenth, augmented",
)


def augmented(w: Windows, copies: int, seed: int, size: float = 0.1) -> Windows:
    """Return the windows with `copies` noisy ones each: context times a random walk's exponential.

    Noise of standard deviation `size` is added to the log context; targets stay.
    """
    rng = np.random.default_rng(seed)
    noise = rng.normal(scale=size, size=(copies, *w.context.shape))
    noise[0] = 0

    def repeated(values):
        return np.concatenate([values] * copies, axis=1)

    return Windows(
        np.tile(w.ends, copies),
        np.concatenate([w.context + part for part in noise], axis=1),
        *(repeated(values) for values in (w.target, w.level, w.seen, w.ahead)),
    )


def net_strategies(panel: Panel, seed: int, training=None) -> dict[str, np.ndarray]:
    """Return the errors of a GRU under each of `STRATEGIES`, (origins, series).

    The net trained longer takes as many steps on the tenth as the augmented one.
    """
    training = models.Training() if training is None else training
    again = replace(training, epochs=max(1, training.epochs // 5), rate=training.rate / 4)
    longer = replace(training, epochs=4 * training.epochs)
    context = models.context_of(panel)
    few = panel.take(np.arange(0, len(panel.units), 10))

    def windows(task, origin, every=1):
        return training_windows(task, origin, context, every)

    def trained(w, how=training):
        return models.train_net(models.net_for("gru", panel, how, seed), w, how, seed)

    first = panel.origins[0]
    kept = trained(windows(panel, first))
    continued = trained(windows(panel, first))
    forecasts: dict[str, list[np.ndarray]] = {name: [] for name in STRATEGIES}
    for origin in panel.origins:
        if origin > first:
            w = windows(panel, origin)
            newest = w.ends > origin - 4 - context
            fresh = Windows(
                w.ends[newest],
                *(
                    getattr(w, f)[:, newest]
                    for f in ("context", "target", "level", "seen", "ahead")
                ),
            )
            models.train_net(continued, fresh, again, seed)
        nets = {
            "trained anew": trained(windows(panel, origin)),
            "kept": kept,
            "continued": continued,
            "half of the windows": trained(windows(panel, origin, every=2)),
            "a tenth of the series": trained(windows(few, origin)),
            "a tenth, longer": trained(windows(few, origin), longer),
            "a tenth, augmented": trained(augmented(windows(few, origin), 4, seed)),
        }
        for name, net in nets.items():
            forecasts[name].append(models.net_forecast(net, panel, origin))
    by_origin = {
        name: dict(zip(panel.origins, made, strict=True)) for name, made in forecasts.items()
    }
    return {name: scaled_errors(panel, made.__getitem__) for name, made in by_origin.items()}


def strategies_of_seeds(panel: Panel, seeds: Sequence[int]) -> dict[str, np.ndarray]:
    """Return the errors of `net_strategies` from history alone: (seeds, origins, series)."""
    runs = [net_strategies(panel.without_plan(), seed) for seed in seeds]
    return {name: np.stack([run[name] for run in runs]) for name in STRATEGIES}


def strategies_under_drift(seeds: Sequence[int]) -> dict[str, np.ndarray]:
    """Return the same errors on simulated series that turn over at the first origin.

    Every seed draws other series; (1, origins, series of all seeds).
    """
    runs = [net_strategies(drifting(seed, change=39), seed) for seed in seeds]
    return {name: np.hstack([run[name] for run in runs])[None] for name in STRATEGIES}


def main(arguments: list[str] | None = None) -> None:
    """Run the strategies on the products and under simulated drift, and write the results."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    seeds = range(parser.parse_args(arguments).seeds)
    shop = strategies_of_seeds(panels.product_weeks(complete_journey.load()), seeds)
    _save("strategies", shop, seeds, simulated=False)
    _save("strategies_drift", strategies_under_drift(seeds), seeds, simulated=True)


def _save(name: str, errors: Mapping[str, np.ndarray], seeds: Sequence[int], simulated: bool):
    rows = []
    for method, values in errors.items():
        value, low, high = backtest.mean_difference(values.mean(axis=0), 0 * values[0])
        scored = {"value": value, "lo": low, "hi": high, "n": values[0].size}
        rows.append({"method": method, "metric": "MASE", **scored})
    folder = root() / backtest.FOLDER
    record = {
        "command": "python -m promo_repro.demand.studies",
        "commit": backtest.commit(),
        "device": "CPU, one thread",
        "seeds": list(seeds),
        "simulated": simulated,
        "rows": rows,
    }
    (folder / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n")
    arrays = {method: values.astype(np.float32) for method, values in errors.items()}
    np.savez_compressed(folder / f"{name}.npz", **arrays)


def load_strategies(name: str = "strategies") -> dict[str, np.ndarray]:
    """Read the committed errors, (seeds, origins, series) by strategy.

    `name` is "strategies", or "strategies_drift" for the simulated ones. Raises `ValueError` with
    the command that makes them, if they are not there.
    """
    path = root() / backtest.FOLDER / f"{name}.npz"
    if not path.is_file():
        raise ValueError(f"{path.name} is missing; run `python -m promo_repro.demand.studies`")
    with np.load(path) as stored:
        return {name: stored[name].astype(float) for name in stored}


if __name__ == "__main__":
    main()
