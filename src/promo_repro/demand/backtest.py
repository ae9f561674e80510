"""Rolling-origin back-test: the same origins, windows and scores for every method.

`python -m promo_repro.demand.backtest daily category product` makes the full results (most of an
hour on one core) and writes them to `data/results/04_demand/`: scores with intervals as JSON, and
the losses by origin and series, from which paired intervals are made, as compressed NumPy arrays.
"""

import argparse
import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from promo_repro.claims import formula
from promo_repro.datasets import complete_journey
from promo_repro.demand import baselines, models, panels
from promo_repro.demand.baselines import MEDIAN, Forecaster
from promo_repro.demand.inventory import order_each_period, order_up_to
from promo_repro.demand.metrics import LEVELS, pinball_loss, seasonal_scale
from promo_repro.demand.panels import Panel
from promo_repro.project import root

FOLDER = "data/results/04_demand"
SEEDS = (0, 1, 2)
SERVICE = (0.5, 0.7, 0.9)


@dataclass(frozen=True)
class Losses:
    """What one method lost at each origin on each series; every array is (origins, series).

    `absolute` and `squared` are sums over the horizon, `quantile` is twice the pinball loss,
    averaged over levels and summed over the horizon, `inside` the share of periods in the 80 %
    interval. `missed` and `left` (origins, series, services) are the units of newsvendor orders at
    the levels of `SERVICE`, `missed_up_to` and `left_up_to` those of the order-up-to rule.
    """

    absolute: np.ndarray
    squared: np.ndarray
    quantile: np.ndarray
    inside: np.ndarray
    missed: np.ndarray
    left: np.ndarray
    missed_up_to: np.ndarray
    left_up_to: np.ndarray

    @classmethod
    def of(cls, actual: np.ndarray, quantiles: np.ndarray) -> "Losses":
        """Score quantiles (n, H, Q) against `actual` (n, H): arrays (n,) of one origin."""
        error = actual - quantiles[..., MEDIAN]
        columns = [LEVELS.index(service) for service in SERVICE]
        orders = np.moveaxis(quantiles[..., columns], -1, 1)
        demand = np.broadcast_to(actual[:, None], orders.shape)
        inside = (quantiles[..., 0] <= actual) & (actual <= quantiles[..., -1])
        return cls(
            np.abs(error).sum(axis=1),
            (error**2).sum(axis=1),
            2 * pinball_loss(actual, quantiles).mean(axis=-1) * actual.shape[1],
            inside.mean(axis=1),
            *order_each_period(orders, demand),
            *order_up_to(orders, demand),
        )

    @classmethod
    def join(cls, parts: list["Losses"], how=np.stack) -> "Losses":
        """Join the losses of several origins (`np.stack`) or average those of several seeds."""
        return cls(*(how([getattr(p, name) for p in parts]) for name in cls.__annotations__))

    def mase(self, scale: np.ndarray, horizon: int) -> np.ndarray:
        """Mean absolute scaled error by origin and series; `scale` has the same shape."""
        return self.absolute / horizon / scale


def mean_over_seeds(parts: list[Losses]) -> Losses:
    """Return the mean loss of several runs: what one run loses on average, not an ensemble."""
    return Losses.join(parts, lambda arrays: np.mean(arrays, axis=0))


def backtest(forecaster: Forecaster, panel: Panel, origins=None) -> Losses:
    """Forecast from every origin of the panel and score on what was sold then."""
    chosen = panel.origins if origins is None else origins
    return Losses.join([Losses.of(panel.actual(o), forecaster(panel, o)) for o in chosen])


def scales(panel: Panel, origins=None) -> np.ndarray:
    """Return the MASE scale of each origin and series, from the history only."""
    chosen = panel.origins if origins is None else origins
    return np.stack([seasonal_scale(panel.units[:, :o], panel.season) for o in chosen])


def demands(panel: Panel, origins=None) -> np.ndarray:
    """Return the units sold over the horizon of each origin and series."""
    chosen = panel.origins if origins is None else origins
    return np.stack([panel.actual(o).sum(axis=1) for o in chosen])


@formula("eq-04-two-way-bootstrap")
def ratio_interval(top, bottom, seed: int = 0, draws: int = 2000) -> tuple[float, float, float]:
    """Return Σ top / Σ bottom with its 95 % interval over origins *and* series.

    Both arrays are (origins, series). Origins and series are drawn with replacement independently
    of each other (the pigeonhole bootstrap), because all series share the shocks of an origin.
    Give a difference of losses as `top` for a paired comparison, and ones as `bottom` for a mean.
    Raises `ValueError` for NaN or different shapes.
    """
    top, bottom = np.asarray(top, float), np.asarray(bottom, float)
    if top.ndim != 2 or top.shape != bottom.shape:
        raise ValueError(f"top {top.shape} and bottom {bottom.shape} must be (origins, series)")
    if not (np.isfinite(top).all() and np.isfinite(bottom).all()):
        raise ValueError("the losses have NaN: some forecast was not made")
    rng = np.random.default_rng(seed)
    origins, series = top.shape
    rows = rng.multinomial(origins, np.full(origins, 1 / origins), draws)
    columns = rng.multinomial(series, np.full(series, 1 / series), draws)
    drawn = [np.einsum("bo,os,bs->b", rows, x, columns, optimize=True) for x in (top, bottom)]
    low, high = np.quantile(drawn[0] / drawn[1], [0.025, 0.975])
    return float(top.sum() / bottom.sum()), float(low), float(high)


def mean_difference(a, b, seed: int = 0) -> tuple[float, float, float]:
    """Return the mean of a − b over origins and series with its 95 % interval; paired."""
    difference = np.subtract(a, b)
    return ratio_interval(difference, np.ones_like(difference), seed)


EVERY = {"daily": 3, "category": 1, "product": 1}  # how many periods lie between training windows


def methods(task: str, device: str = "cpu") -> dict[str, Forecaster]:
    """Return every method of a task by name; nets come once a seed, as "GRU, seed 0"."""
    every = EVERY[task]
    found = {
        "naive": baselines.naive,
        "mean": baselines.overall_mean,
        "average of 4 seasons": baselines.average,
        "ETS": baselines.ets,
        "Theta": baselines.theta,
        "ARIMA": baselines.arima,
        "ridge AR": models.ridge(),
        "boosting": models.boosting(every=every),
        "random forest": models.forest(every=every),
    }
    if task == "daily":
        found = {"seasonal naive": baselines.last_season} | found
    for kind in ("lstm", "gru"):
        for seed in SEEDS:
            net = models.recurrent(kind, seed, device=device, every=every)
            found[f"{kind.upper()}, seed {seed}"] = net
    return found


PLANNED = ("ridge AR", "boosting", "random forest", "LSTM", "GRU")
# Members of the blends: one of each family. The mean of their quantiles is the forecast.
BLENDS = {
    "blend": ("ETS", "ridge AR", "boosting", "GRU, seed 0"),
    "blend + plan": ("ridge AR + plan", "boosting + plan", "GRU + plan, seed 0"),
}


def forecasts(panel: Panel, wanted: Mapping[str, Forecaster]) -> dict[str, np.ndarray]:
    """Forecast from every origin, with and without the plan if there is one.

    Returns quantiles (origins, n, H, Q) by method, the blends included whose members are there.
    """
    made = {}
    for name, forecaster in wanted.items():
        blind = panel.without_plan()
        made[name] = np.stack([forecaster(blind, o) for o in panel.origins])
        if panel.plan.shape[2] and name.startswith(PLANNED):
            kind, _, seed = name.partition(", ")
            planned = ", ".join(filter(None, (f"{kind} + plan", seed)))
            made[planned] = np.stack([forecaster(panel, o) for o in panel.origins])
    for name, members in BLENDS.items():
        if made.keys() >= set(members):
            made[name] = np.mean([made[member] for member in members], axis=0)
    return made


def run(panel: Panel, device: str = "cpu") -> dict[str, Losses]:
    """Back-test every method of the task, the nets once a seed and on `device`."""
    actual = [panel.actual(o) for o in panel.origins]
    return {
        name: Losses.join([Losses.of(y, q) for y, q in zip(actual, quantiles, strict=True)])
        for name, quantiles in forecasts(panel, methods(panel.name, device)).items()
    }


def averaged(losses: Mapping[str, Losses]) -> dict[str, Losses]:
    """Return the losses by method, the seeds of a net averaged."""
    groups: dict[str, list[Losses]] = {}
    for name, loss in losses.items():
        groups.setdefault(name.split(", seed")[0], []).append(loss)
    return {name: mean_over_seeds(parts) for name, parts in groups.items()}


def scores(losses: Mapping[str, Losses], panel: Panel, origins=None) -> list[dict]:
    """Return rows {method, metric, value, lo, hi, n}: MASE, WAPE, weighted quantile loss, cover."""
    scale, demand = scales(panel, origins), demands(panel, origins)
    rows = []
    for name, loss in losses.items():
        one = np.ones_like(demand)
        for metric, top, bottom in (
            ("MASE", loss.mase(scale, panel.horizon), one),
            ("WAPE", loss.absolute, demand),
            ("quantile loss", loss.quantile, demand),
            ("coverage of 80 %", loss.inside, one),
        ):
            value, low, high = ratio_interval(top, bottom)
            scored = {"value": value, "lo": low, "hi": high, "n": demand.size}
            rows.append({"method": name, "metric": metric, **scored})
    return rows


def save(panel: Panel, losses: Mapping[str, Losses], folder: Path | None = None) -> None:
    """Write the scores as JSON and the losses as compressed arrays."""
    folder = root() / FOLDER if folder is None else folder
    folder.mkdir(parents=True, exist_ok=True)
    record = {
        "command": f"python -m promo_repro.demand.backtest {panel.name}",
        "commit": commit(),
        "device": "CPU, one thread",
        "seeds": list(SEEDS),
        "simulated": False,
        "rows": scores(averaged(losses), panel),
    }
    (folder / f"{panel.name}.json").write_text(json.dumps(record, indent=1) + "\n")
    arrays = {
        f"{name}|{field}": getattr(loss, field).astype(np.float32)
        for name, loss in losses.items()
        for field in Losses.__annotations__
    }
    np.savez_compressed(folder / f"{panel.name}.npz", **arrays)


def load(task: str, folder: Path | None = None) -> dict[str, Losses]:
    """Read the committed losses of a task.

    Raises `ValueError` with the command that makes them, if they are not there.
    """
    path = (root() / FOLDER if folder is None else folder) / f"{task}.npz"
    if not path.is_file():
        raise ValueError(f"{path.name} is missing; run `python -m promo_repro.demand.backtest`")
    with np.load(path) as stored:
        names = dict.fromkeys(key.split("|")[0] for key in stored)
        return {
            name: Losses(*(stored[f"{name}|{f}"].astype(float) for f in Losses.__annotations__))
            for name in names
        }


def commit() -> str:
    """Return the commit that is measured, or "unknown" outside a repository."""
    command = ["git", "-C", str(root()), "rev-parse", "--short", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


TASKS = {
    "daily": panels.daily_departments,
    "category": panels.weekly_categories,
    "product": panels.product_weeks,
}


def main(arguments: list[str] | None = None) -> None:
    """Run the full back-test of the tasks named, or of all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tasks", nargs="*", default=list(TASKS))
    journey = complete_journey.load()
    for task in parser.parse_args(arguments).tasks:
        panel = TASKS[task](journey)
        save(panel, run(panel))


if __name__ == "__main__":
    main()
