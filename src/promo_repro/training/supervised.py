"""Networks that learn from the rows of a data set, one network for each seed, in one batch."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from promo_repro.training.checkpoint import capture, restore
from promo_repro.training.compiled import Compiled, rates_as_tensors
from promo_repro.training.ensemble import Ensemble
from promo_repro.training.loop import Run, Setting
from promo_repro.training.precision import autocast
from promo_repro.training.seeding import generator

LONGEST = 1.0  # norm to which a gradient is clipped


class Supervised:
    """K networks, each going through the same rows in an order of its own.

    `loss(nets, rows, dropout)` gives the losses (K,) of `rows`, tensors (K, B, ...) taken from
    `data`, tensors (N, ...); `dropout` is the generator for what is random inside. `measure(nets)`
    gives metrics (K,). Adam, clipped gradients, and one cycle of the learning rate up to `rate`
    over `epochs` passes. Rows that do not fill a last batch wait for the next pass.
    """

    def __init__(
        self,
        nets: Ensemble,
        data: Sequence[Tensor],
        loss: Callable[[Ensemble, Sequence[Tensor], torch.Generator], Tensor],
        measure: Callable[[Ensemble], Mapping[str, Tensor]],
        setting: Setting,
        *,
        unit: str,
        batch: int,
        epochs: int,
        rate: float,
    ):
        self.nets, self.data, self.loss, self.measure = nets, list(data), loss, measure
        self.setting, self.unit, self.limits = setting, unit, {}
        rows = len(self.data[0])
        batch = min(batch, rows)
        self.batches = rows // batch
        self.steps = epochs * self.batches
        self.share = setting.team.share(batch, f"{unit} of a batch")
        self.amount = setting.seeds * self.share

        self.optimiser = torch.optim.Adam(nets.parameters(), lr=rate)
        if setting.compiled:
            rates_as_tensors(self.optimiser, setting.device)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser, rate, total_steps=max(self.steps, 2)
        )
        # All processes shuffle alike and take their own part; what they drop out is their own.
        device, rank = setting.device, setting.team.rank
        self.shuffling = generator(setting.seed, "shuffling", device=device)
        self.dropout = generator(setting.seed, "dropout", rank, device=device)
        self.order = torch.zeros(setting.seeds, rows, dtype=torch.int64, device=device)
        self.done = torch.zeros((), dtype=torch.int64)
        self.update = Compiled(self.learn, self.parts, device) if setting.compiled else self.learn

    def run(self, marks: int, simulated: bool) -> Run:
        """The whole training, measured about `marks` times."""
        return Run(self, self.steps, max(1, self.steps // marks), simulated)

    def step(self) -> dict[str, Tensor]:
        """One batch for every network."""
        place = int(self.done) % self.batches
        if place == 0:
            draw = torch.rand(self.order.shape, generator=self.shuffling, device=self.order.device)
            self.order.copy_(draw.argsort(dim=1))
        self.done += 1
        team = self.setting.team
        first = (place * team.size + team.rank) * self.share
        return {"loss": self.update(self.order[:, first : first + self.share])}

    def learn(self, chosen: Tensor) -> Tensor:
        """One step on the rows `chosen` (K, B); the losses (K,)."""
        with autocast(self.setting.device, self.setting.precision):
            loss = self.loss(self.nets, [each[chosen] for each in self.data], self.dropout)
        self.optimiser.zero_grad()
        loss.sum().backward()  # each network's loss is a mean, and their sum gives each its own
        self.setting.team.average(each.grad for each in self.nets.parameters())
        self.nets.clip_gradients(LONGEST)
        self.optimiser.step()
        self.schedule.step()
        return loss.detach()

    def evaluate(self) -> Mapping[str, Tensor]:
        return self.measure(self.nets)

    def parts(self) -> dict:
        """What a step changes."""
        return {
            "weights": self.nets.parameters(),
            "optimiser": self.optimiser,
            "schedule": self.schedule,
            "shuffling": self.shuffling,
            "dropout": self.dropout,
            "order": self.order,
            "done": self.done,
        }

    def state_dict(self) -> dict:
        return capture(self.parts())

    def load_state_dict(self, state: Mapping) -> None:
        restore(self.parts(), state)
