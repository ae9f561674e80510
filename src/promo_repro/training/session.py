"""One run from start to result: the processes, the reports, the loop, and what came out."""

import json
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table
from scipy import stats
from torch import Tensor

from promo_repro.project import commit
from promo_repro.training import report
from promo_repro.training.loop import CHECKPOINT, Run, Setting, train
from promo_repro.training.team import team

RESULT = "result.json"


def conduct(
    method: str,
    make: Callable[[Setting], Run],
    setting: Setting,
    folder: Path,
    console: Console,
    *,
    resume: bool = False,
) -> None:
    """Train what `make` makes; print its result and write it with where it comes from.

    `folder` gets the checkpoint, the TensorBoard log, and `result.json`.
    Under `torchrun` all processes train together and the first one reports. Raises `ValueError`
    when the folder already holds a run that is not to be resumed; see also `loop.train`.
    """
    if not resume and (folder / CHECKPOINT).exists():
        raise ValueError(
            f"{folder} holds a run already; go on with it (--resume), name another (--folder), or "
            "delete it"
        )
    settings = {
        "method": method,
        "profile": "full" if setting.full else "quick",
        "seeds": setting.seeds,
        "seed": setting.seed,
        "device": setting.device,
        "precision": setting.precision,
        "compiled": setting.compiled,
    }
    with ExitStack() as stack:
        group = stack.enter_context(team(setting.device))
        run = make(replace(setting, team=group))
        observers = []
        if group.leads:
            observers = [
                stack.enter_context(report.tensorboard(folder)),
                stack.enter_context(report.progress(console, run.steps)),
            ]
        curve = train(run, folder, settings, resume=resume, observers=observers, team=group)
    if not group.leads:
        return
    rows = summary(method, curve[-1][1])
    record = {
        "command": " ".join(["promo-repro", *sys.argv[1:]]),
        "commit": commit(),
        "device": setting.device,
        "seeds": list(range(setting.seed, setting.seed + setting.seeds)),
        "simulated": run.simulated,
        "rows": rows,
    }
    (folder / RESULT).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    console.print(table(rows, run.simulated))
    console.print(f"Curves: tensorboard --logdir {folder}", soft_wrap=True, highlight=False)


def summary(method: str, metrics: Mapping[str, Tensor]) -> list[dict]:
    """Mean of each metric over the seeds, with its 95 % interval (Student's t).

    One seed has no interval: `lo` and `hi` are then None.
    """
    rows = []
    for name, values in metrics.items():
        n, mean = values.numel(), float(values.mean())
        lo = hi = None
        if n > 1:
            half = float(stats.t.ppf(0.975, n - 1) * values.std() / n**0.5)
            lo, hi = mean - half, mean + half
        row = {"method": method, "metric": name, "value": mean, "lo": lo, "hi": hi, "n": n}
        rows.append(row)
    return rows


def table(rows: list[dict], simulated: bool) -> Table:
    """The rows for the terminal."""
    where = "simulated" if simulated else "on the shop's data"
    shown = Table("metric", "mean", "95 % interval", "seeds", title=f"After training, {where}")
    for row in rows:
        interval = "none from one seed"
        if row["lo"] is not None:
            interval = f"{row['lo']:.4f} to {row['hi']:.4f}"
        shown.add_row(row["metric"], f"{row['value']:.4f}", interval, str(row["n"]))
    return shown
