"""Forecasters that learn one model from all series at once.

Each is a factory: called with its settings it gives a forecaster of `(panel, origin)`, as in
`baselines`. All work on the windows of `windows`, so none can see units from the origin on.
"""

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from threadpoolctl import threadpool_limits
from torch import Tensor, nn

from promo_repro.claims import formula
from promo_repro.demand.baselines import Forecaster, quantiles_around
from promo_repro.demand.cells import Recurrent
from promo_repro.demand.metrics import LEVELS
from promo_repro.demand.panels import Panel
from promo_repro.demand.windows import Windows, forecast_windows, to_units, training_windows


def context_of(panel: Panel) -> int:
    """Return how many periods a forecaster looks back: four weeks of days, or twelve weeks."""
    return 28 if panel.season > 1 else 12


@formula("eq-04-ridge")
def ridge_weights(features, target, penalty: float, weights=None) -> np.ndarray:
    r"""Weights that minimise :math:`\sum_i w_i \|y_i - x_i^\top \beta\|^2 + \lambda\|\beta\|^2`.

    .. math:: \hat\beta = (X^\top D X + \lambda I)^{-1} X^\top D y, \quad D = \operatorname{diag} w

    `features` (..., n, k), `target` (..., n, m), `weights` (n,); returns (..., k, m). Raises
    `ValueError` unless λ > 0 and everything is finite.
    """
    if not penalty > 0:
        raise ValueError(f"penalty is {penalty}; it must be positive")
    x, y = np.asarray(features, float), np.asarray(target, float)
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("features or target has NaN; fill or drop those rows first")
    weighted = x if weights is None else x * np.asarray(weights, float)[:, None]
    gram = np.swapaxes(weighted, -1, -2) @ x + penalty * np.eye(x.shape[-1])
    return np.linalg.solve(gram, np.swapaxes(weighted, -1, -2) @ y)


def linear_features(w: Windows, h: int) -> np.ndarray:
    """Return what the linear model of horizon h sees: (n · w, k).

    The context, what is known of the target period and of the last period, the mean of what is
    known over the context, and a constant.
    """
    blocks = [w.context, w.ahead[:, :, h], w.seen[:, :, -1], w.seen.mean(axis=2)]
    rows = np.concatenate([*blocks, np.ones((*w.level.shape, 1))], axis=2)
    return rows.reshape(-1, rows.shape[2])


@dataclass(frozen=True)
class LinearModel:
    """A fitted pooled autoregression: `beta` (H, k), and its residuals (n, w, H) on the log scale.

    It can forecast from later origins than it was trained for, and other series.
    """

    beta: np.ndarray
    residuals: np.ndarray

    def forecast(self, panel: Panel, origin: int) -> np.ndarray:
        """Return quantiles in units, (n, H, Q); they come from the training residuals."""
        now = forecast_windows(panel, origin, context_of(panel))
        z = np.stack([linear_features(now, h) @ b for h, b in enumerate(self.beta)], axis=-1)
        point = to_units(z[..., None], now.level[:, 0])[..., 0]
        if len(self.residuals) != len(panel.units):  # other series: one common spread
            pooled = self.residuals.reshape(1, -1, panel.horizon)
            return quantiles_around(point, np.broadcast_to(pooled, (len(point), *pooled.shape[1:])))
        return quantiles_around(point, self.residuals)


def train_linear(panel: Panel, origin: int, penalty: float = 30.0, weights=None) -> LinearModel:
    """Fit one ridge regression per horizon to the windows of all series before `origin`.

    `weights` is a function of the windows that returns (n, w) weights, such as `recent` or
    `decaying`; without it all windows count alike.
    """
    train = training_windows(panel, origin, context_of(panel))
    weight = np.ones(train.level.shape) if weights is None else weights(train)
    beta, residuals = [], []
    for h in range(panel.horizon):
        x, y = linear_features(train, h), train.target[:, :, h].reshape(-1, 1)
        beta.append(ridge_weights(x, y, penalty, weight.ravel())[:, 0])
        residuals.append((y[:, 0] - x @ beta[-1]).reshape(train.level.shape))
    used = (weight > 0).any(axis=0)
    return LinearModel(np.array(beta), np.stack(residuals, axis=-1)[:, used])


def recent(periods: int):
    """Weights that keep the windows of the last `periods` periods: a time window."""
    return lambda w: np.broadcast_to((w.ends[-1] - w.ends < periods) * 1.0, w.level.shape)


def decaying(half_life: float):
    """Weights that halve each `half_life` periods."""
    return lambda w: np.broadcast_to(0.5 ** ((w.ends[-1] - w.ends) / half_life), w.level.shape)


def ridge(penalty: float = 30.0, weights=None) -> Forecaster:
    """Pooled linear autoregression, trained anew at each origin; see `train_linear`."""
    return lambda panel, origin: train_linear(panel, origin, penalty, weights).forecast(
        panel, origin
    )


def tree_features(panel: Panel, w: Windows) -> np.ndarray:
    """Return features of every window and horizon: (n, w, H, k).

    The recent context, its mean and spread, the values at the target's place in the last seasons,
    the horizon, and what is known of the target period and, on average, of the context.
    """
    n, count, context = w.context.shape
    horizon = panel.horizon
    recent = w.context[:, :, -min(context, 12) :]
    summary = np.stack([w.context.std(axis=2), w.context[:, :, -4:].mean(axis=2), w.level], axis=2)
    common = np.concatenate([recent, summary, w.seen.mean(axis=2)], axis=2)
    blocks = [
        np.broadcast_to(common[:, :, None], (n, count, horizon, common.shape[2])),
        np.broadcast_to(np.arange(horizon)[:, None], (n, count, horizon, 1)),
        w.ahead,
    ]
    if panel.season > 1:
        place = np.arange(horizon) % panel.season
        back = context - panel.season * np.arange(1, 5)[None, :] + place[:, None]
        blocks.append(w.context[:, :, back])
    return np.concatenate(blocks, axis=3)


@dataclass(frozen=True)
class _Trees:
    """Train a tree model on all windows; `median_only` gives quantiles from the residuals."""

    make: object
    median_only: bool
    every: int

    def __call__(self, panel: Panel, origin: int) -> np.ndarray:
        # On tables of this size several threads mostly wait for each other.
        with threadpool_limits(1):
            return self._forecast(panel, origin)

    def _forecast(self, panel: Panel, origin: int) -> np.ndarray:
        train = training_windows(panel, origin, context_of(panel), self.every)
        now = forecast_windows(panel, origin, context_of(panel))
        x, y = tree_features(panel, train), train.target
        ahead = tree_features(panel, now)[:, 0]
        flat, target = x.reshape(-1, x.shape[-1]), y.reshape(-1)
        if self.median_only:
            model = self.make(0.5).fit(flat, target)
            z = model.predict(ahead.reshape(-1, ahead.shape[-1])).reshape(ahead.shape[:2])
            fitted = model.predict(flat).reshape(y.shape)
            return quantiles_around(to_units(z[..., None], now.level[:, 0])[..., 0], y - fitted)
        z = np.stack(
            [
                self.make(level)
                .fit(flat, target)
                .predict(ahead.reshape(-1, ahead.shape[-1]))
                .reshape(ahead.shape[:2])
                for level in LEVELS
            ],
            axis=-1,
        )
        return to_units(np.sort(z, axis=-1), now.level[:, 0])


def boosting(rounds: int = 60, median_only: bool = False, every: int = 1) -> Forecaster:
    """Gradient boosting (scikit-learn's histogram version), one model per quantile."""

    def make(level):
        return HistGradientBoostingRegressor(
            loss="quantile",
            quantile=level,
            max_iter=rounds,
            learning_rate=0.08,
            max_leaf_nodes=15,
            min_samples_leaf=40,
            random_state=0,
        )

    return _Trees(make, median_only, every)


def forest(trees: int = 30, seed: int = 0, every: int = 1) -> Forecaster:
    """Random forest for the mean of z; its quantiles come from the residuals."""

    def make(_level):
        return RandomForestRegressor(
            trees, min_samples_leaf=10, max_features=0.4, max_samples=0.5, random_state=seed
        )

    return _Trees(make, True, every)


@dataclass(frozen=True)
class Training:
    """How a net is trained; chosen on the origin four weeks before the first test origin."""

    hidden: int = 32
    epochs: int = 20
    batch: int = 256
    rate: float = 4e-3
    dropout: float = 0.1


class Net(nn.Module):
    """Encoder over the context, then for each target period a small head that gives quantiles."""

    def __init__(self, kind, seen, ahead, horizon, training: Training, generator):
        super().__init__()
        self.encoder = Recurrent(kind, 1 + seen, training.hidden, generator)
        self.register_buffer("step", torch.eye(horizon))
        width = training.hidden + ahead + horizon
        self.first = _linear(width, training.hidden, generator)
        self.last = _linear(training.hidden, len(LEVELS), generator)
        self.dropout = training.dropout

    def forward(self, context: Tensor, seen: Tensor, ahead: Tensor, generator=None) -> Tensor:
        """Map context (B, L), seen (B, L, k), ahead (B, H, k) to quantiles of z, (B, H, Q)."""
        state = self.encoder(torch.cat([context[..., None], seen], dim=-1))
        if generator is not None and self.dropout:
            keep = torch.rand(state.shape, generator=generator, device=generator.device)
            state = state * (keep.to(state) > self.dropout) / (1 - self.dropout)
        batch, horizon = ahead.shape[:2]
        rows = [
            state[:, None].expand(batch, horizon, -1),
            ahead,
            self.step.to(ahead).expand(batch, horizon, horizon),
        ]
        return self.last(torch.relu(self.first(torch.cat(rows, dim=-1))))


def _linear(inputs: int, outputs: int, generator) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    with torch.no_grad():
        for weight in (layer.weight, layer.bias):
            weight.copy_((torch.rand(weight.shape, generator=generator) * 2 - 1) * inputs**-0.5)
    return layer


def pinball(target: Tensor, quantiles: Tensor) -> Tensor:
    """Mean quantile loss of target (B, H) and quantiles (B, H, Q); see `metrics.pinball_loss`."""
    tau = torch.tensor(LEVELS, dtype=quantiles.dtype, device=quantiles.device)
    error = target[..., None] - quantiles
    return torch.maximum(tau * error, (tau - 1) * error).mean()


def _tensors(w: Windows, device, dtype=torch.float32):
    """Return context, seen, ahead and target of all windows with one row each."""
    arrays = (w.context, w.seen, w.ahead, w.target)
    flat = (a.reshape(-1, *a.shape[2:]) for a in arrays)
    return tuple(torch.as_tensor(np.ascontiguousarray(a), dtype=dtype, device=device) for a in flat)


def train_net(net: Net, w: Windows, training: Training, seed: int, device="cpu") -> Net:
    """Train `net` on windows of all series; the order of the batches and the dropout are seeded."""
    context, seen, ahead, target = _tensors(w, device)
    generator = torch.Generator(device=device).manual_seed(seed)
    steps = training.epochs * -(-len(context) // training.batch)
    optimiser = torch.optim.Adam(net.parameters(), lr=training.rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, training.rate, total_steps=steps)
    for _ in range(training.epochs):
        order = torch.randperm(len(context), generator=generator, device=device)
        for rows in order.split(training.batch):
            optimiser.zero_grad()
            out = net(context[rows], seen[rows], ahead[rows], generator)
            pinball(target[rows], out).backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
            schedule.step()
    return net


def net_for(kind: str, panel: Panel, training: Training, seed: int, device="cpu") -> Net:
    """Return an untrained net whose inputs fit the panel."""
    width = panel.calendar.shape[1] + panel.plan.shape[2]
    width += panel.season if panel.season > 1 else 0
    generator = torch.Generator().manual_seed(seed)
    return Net(kind, width, width, panel.horizon, training, generator).to(device)


def net_forecast(net: Net, panel: Panel, origin: int, device="cpu") -> np.ndarray:
    """Return the quantiles in units, (n, H, Q), that a trained net gives at `origin`."""
    now = forecast_windows(panel, origin, context_of(panel))
    with torch.no_grad():
        z = net(*_tensors(now, device)[:3]).cpu().double().numpy()
    return to_units(np.sort(z, axis=-1), now.level[:, 0])


def recurrent(kind: str, seed: int, training: Training | None = None, device="cpu", every: int = 1):
    """One LSTM or GRU for all series, trained on the quantile loss of all windows."""
    training = Training() if training is None else training

    def forecaster(panel: Panel, origin: int) -> np.ndarray:
        w = training_windows(panel, origin, context_of(panel), every)
        net = train_net(net_for(kind, panel, training, seed, device), w, training, seed, device)
        return net_forecast(net, panel, origin, device)

    return forecaster
