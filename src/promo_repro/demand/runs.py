"""The LSTM for the command `promo-repro train`: one net for each seed, all in one batch."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from promo_repro.datasets import complete_journey
from promo_repro.demand import models, panels, studies
from promo_repro.demand.models import Training
from promo_repro.demand.panels import Panel
from promo_repro.demand.windows import training_windows
from promo_repro.training.ensemble import Ensemble
from promo_repro.training.loop import Run, Setting
from promo_repro.training.supervised import Supervised

MARKS = 20


def lstm(setting: Setting) -> Run:
    """The LSTM of chapter 4: on weekly sales by category, or (full) on daily ones by department."""
    panel = panels.daily_departments if setting.full else panels.weekly_categories
    return forecasters("lstm", panel(complete_journey.load()), Training(), setting)


def forecasters(kind: str, panel: Panel, training: Training, setting: Setting) -> Run:
    """Nets of one kind on the windows before a panel's first origin, measured (MASE) there.

    The net, its loss and `training` are those of `models.train_net`.
    """
    origin, device = panel.origins[0], setting.device
    windows = training_windows(panel, origin, models.context_of(panel))
    seeds = range(setting.seed, setting.seed + setting.seeds)
    task = replace(panel, origins=(origin,))

    def measure(nets: Ensemble) -> dict[str, Tensor]:
        return {"MASE": torch.tensor([mase(net, task, device) for net in nets.members()])}

    return Supervised(
        Ensemble([models.net_for(kind, panel, training, seed, device) for seed in seeds]),
        models._tensors(windows, device),
        pinball_loss,
        measure,
        setting,
        unit="windows",
        batch=training.batch,
        epochs=training.epochs,
        rate=training.rate,
    ).run(MARKS, simulated=False)


def pinball_loss(nets: Ensemble, rows: Sequence[Tensor], dropout: torch.Generator) -> Tensor:
    """Quantile loss (K,) of each net on its windows: context, seen, ahead and target."""
    context, seen, ahead, target = rows
    return torch.vmap(models.pinball)(target, nets(context, seen, ahead, generator=dropout))


def mase(net: models.Net, task: Panel, device: str) -> float:
    """Mean absolute scaled error of a net's medians over the task's origins and series."""
    errors = studies.scaled_errors(task, lambda o: models.net_forecast(net, task, o, device))
    return float(errors.mean())
