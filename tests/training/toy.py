"""A trainable small enough to follow by hand: K lines fitted to noisy points, one batch a step."""

import torch

from promo_repro.training.checkpoint import capture, restore
from promo_repro.training.loop import Run
from promo_repro.training.seeding import generator


class Lines:
    """K lines y = w x + b, trained by Adam on fresh points around y = 2x − 1."""

    unit, amount = "points", 32.0

    def __init__(self, seeds=2, seed=0, breaks_at=None, limits=None):
        self.weights = torch.zeros(seeds, 2, requires_grad=True)
        self.optimiser = torch.optim.Adam([self.weights], lr=0.1)
        self.points = generator(seed, "points")
        self.done = torch.zeros((), dtype=torch.int64)
        self.breaks_at, self.limits = breaks_at, limits or {}

    def step(self):
        self.done += 1
        x = torch.rand(len(self.weights), 16, generator=self.points)
        noise = torch.randn(x.shape, generator=self.points)
        target = 2 * x - 1 + 0.1 * noise
        w, b = self.weights.unbind(dim=1)
        loss = (w[:, None] * x + b[:, None] - target).square().mean(dim=1)
        if self.breaks_at is not None and self.done >= self.breaks_at:
            loss = loss * torch.tensor([1.0, float("nan")])
        self.optimiser.zero_grad()
        loss.sum().backward()
        self.optimiser.step()
        return {"loss": loss.detach()}

    def evaluate(self):
        return {"slope": self.weights[:, 0]}

    def parts(self):
        return {
            "weights": self.weights,
            "optimiser": self.optimiser,
            "points": self.points,
            "done": self.done,
        }

    def state_dict(self):
        return capture(self.parts())

    def load_state_dict(self, state):
        restore(self.parts(), state)


def lines(steps=60, every=20, **options) -> Run:
    return Run(Lines(**options), steps, every, simulated=True)
