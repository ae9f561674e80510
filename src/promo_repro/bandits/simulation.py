"""Many independent runs of one policy at once.

Only time is a Python loop; replications and arms are array axes. Replications are processed in
blocks that fit into the processor's cache. Each block has a random stream of its own, spawned
from the generator that is passed in, so the blocks can be computed in any order and the first n
replications do not depend on how many follow once the blocks are full.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np

from promo_repro.bandits.checks import positive_integer

# Arms × replications per block: the two arrays of statistics (float32) stay in a 1 MiB cache.
CELLS_PER_BLOCK = 65_536


@dataclass(frozen=True)
class Result:
    """Outcome of a simulation; R replications, C checkpoints, N arms.

    `checkpoints` (C,) numbers of decisions made, `regret` (R, C) cumulative pseudo-regret there,
    `pulls` and `successes` (R, N) at the end.
    """

    checkpoints: np.ndarray
    regret: np.ndarray
    pulls: np.ndarray
    successes: np.ndarray

    @property
    def mean_regret(self):
        """Mean over replications at each checkpoint, (C,)."""
        return self.regret.mean(axis=0)

    @property
    def half_width(self):
        """Half the width of the 95 % interval of the mean at each checkpoint, (C,)."""
        return 1.96 * self.regret.std(axis=0, ddof=1) / np.sqrt(len(self.regret))


class History:
    """What the policy has seen in one block: float32 arrays (arms, replications)."""

    def __init__(self, arms, replications, values=None, discount=1.0, window=None):
        self.arms = arms
        self.pulls = np.zeros((arms, replications), np.float32)
        self.successes = np.zeros((arms, replications), np.float32)
        self.values = values
        self.discount = discount
        self.recent = deque() if window else None
        self.window = window
        self.plays = 0.0

    def success_rates(self):
        """Successes per pull, 0 for an arm never pulled."""
        return self.successes / (self.pulls + np.float32(1e-30))  # changes no pulls but 0

    def worth(self, rates):
        """Rewards that belong to success rates."""
        return rates if self.values is None else rates * self.values

    def means(self):
        """Mean reward of each arm, 0 for an arm never pulled."""
        return self.worth(self.success_rates())

    def record(self, cells, success):
        """Add one decision per replication; `cells` are flat positions arm · R + replication."""
        if self.discount < 1:
            self.pulls *= np.float32(self.discount)
            self.successes *= np.float32(self.discount)
            self.plays *= self.discount
        self._add(cells, np.float32(1), success)
        self.plays += 1
        if self.window:
            self.recent.append((cells, success))
            if len(self.recent) > self.window:
                cells, success = self.recent.popleft()
                self._add(cells, np.float32(-1), -success)
                self.plays -= 1

    def _add(self, cells, pulls, successes):
        # Views of contiguous arrays: one position per replication, so none is hit twice.
        self.pulls.reshape(-1)[cells] += pulls
        self.successes.reshape(-1)[cells] += successes


def simulate(
    policy, arms, horizon, replications, rng, *, update_every=1, checkpoints=None, random_order=True
):
    """Run `policy` against `arms` for `horizon` decisions in `replications` independent runs.

    `rng` is a `numpy.random.Generator`. `update_every` > 1 makes the policy learn in batches: it
    sees the outcomes of that many decisions at once. `checkpoints` are numbers of decisions at
    which cumulative regret is kept (default: about a hundred, evenly spaced). Equal scores are
    decided by an order of the arms that is drawn anew for each replication; without
    `random_order` the first of them wins. Raises `ValueError` for a horizon, number of
    replications or batch below 1, or rates given for fewer time steps.
    """
    horizon = positive_integer("horizon", horizon)
    replications = positive_integer("replications", replications)
    update_every = positive_integer("update_every", update_every)
    if arms.rates.ndim == 2 and len(arms.rates) < horizon:
        raise ValueError(f"rates covers {len(arms.rates)} time steps; the horizon is {horizon}")
    marks = checkpoint_marks(checkpoints, horizon)
    size = max(1, CELLS_PER_BLOCK // arms.count)
    sizes = [min(size, replications - start) for start in range(0, replications, size)]
    streams = rng.spawn(len(sizes))
    blocks = [
        _block(policy, arms, horizon, n, stream, update_every, marks, random_order)
        for n, stream in zip(sizes, streams, strict=True)
    ]
    regret, pulls, successes = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    return Result(marks, regret, pulls, successes)


def checkpoint_marks(checkpoints, horizon):
    if checkpoints is None:
        return np.unique(np.linspace(1, horizon, min(horizon, 101)).astype(int))
    marks = np.unique(np.asarray(checkpoints, dtype=int))
    if marks.size == 0 or marks[0] < 1 or marks[-1] > horizon:
        raise ValueError(f"checkpoints must lie between 1 and the horizon {horizon}")
    return marks


def _block(policy, arms, horizon, replications, rng, update_every, marks, random_order):
    """One block of replications: (regret (R, C), pulls (R, N), successes (R, N))."""
    shape = (arms.count, replications)
    # In the policy's arrays, row k of a replication stands for arm order[k].
    order = np.repeat(np.arange(arms.count)[:, None], replications, axis=1)
    if random_order:
        rng.permuted(order, axis=0, out=order)
    values = None if arms.values is None else arms.values.astype(np.float32)[order]
    memory = {key: getattr(policy, key) for key in ("discount", "window") if hasattr(policy, key)}
    seen = History(*shape, values, **memory)
    total = History(*shape) if seen.discount < 1 or seen.window else seen
    rates = np.broadcast_to(arms.rates, (horizon, arms.count))
    gaps = (arms.means.max(axis=-1, keepdims=True) - arms.means) + np.zeros((horizon, 1))
    columns = np.arange(replications)
    regret = np.zeros(replications)
    curve = np.empty((replications, len(marks)))
    pending, mark = [], 0
    for t in range(horizon):
        cells = policy.choose(seen, t + 1, rng) * replications + columns
        chosen = order.reshape(-1)[cells]
        success = rng.random(replications, dtype=np.float32) < rates[t].take(chosen)
        regret += gaps[t].take(chosen)
        pending.append((cells, success.astype(np.float32)))
        if len(pending) == update_every or t + 1 == horizon:
            for outcome in pending:
                seen.record(*outcome)
                if total is not seen:
                    total.record(*outcome)
            pending.clear()
        if t + 1 == marks[mark]:
            curve[:, mark] = regret
            mark = min(mark + 1, len(marks) - 1)
    back = np.argsort(order, axis=0)
    pulls = np.take_along_axis(total.pulls, back, axis=0).T
    successes = np.take_along_axis(total.successes, back, axis=0).T
    return curve, pulls, successes
