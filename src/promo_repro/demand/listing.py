"""The forecasting listings of D5, rebuilt defect by defect.

Nothing is copied: each function is a smallest example of our own in which one thing that the
listings do can be seen. The layers are those of `cells`; that the Keras layers named in the
listings behave in the same way is tested against Keras.
"""

import ast
import inspect
import textwrap
from collections.abc import Callable, Collection

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import mean_absolute_error, mean_squared_error
from sklearn.preprocessing import MinMaxScaler
from torch import Tensor, nn

from promo_repro.claims import formula
from promo_repro.datasets.complete_journey import CompleteJourney
from promo_repro.demand.cells import Recurrent, lstm_forward

UNITS, RATE, SPLIT = 64, 0.2, 800  # width, dropout and split that the listings print


def hourly_sales(journey: CompleteJourney, rows: int = 1176) -> pd.DataFrame:
    """Return hourly grocery units as the table that the listing reads: time, date, sales.

    1,176 hours are seven weeks, from Monday of week 10 on; 800 of them are the listing's split.
    """
    start = pd.Timestamp("2017-02-27")
    sold = journey.query(
        """SELECT date_trunc('hour', timestamp) AS time, sum(quantity) AS sales
           FROM transactions t JOIN products p USING (product_id)
           WHERE p.department = 'GROCERY' GROUP BY ALL"""
    ).set_index("time")["sales"]
    time = pd.date_range(start, periods=rows, freq="h", unit="us", name="time")
    sales = sold.reindex(time).fillna(0).astype(float)
    return pd.DataFrame({"time": time, "date": time.normalize(), "sales": sales.to_numpy()})


class PrintedNet(nn.Module):
    """The printed stack: LSTM over (B, steps, 1) that returns every step, dropout, one output."""

    def __init__(self, generator: torch.Generator, units: int = UNITS, rate: float = RATE):
        super().__init__()
        self.lstm = Recurrent("lstm", 1, units, generator)
        self.dropout = nn.Dropout(rate)
        self.dense = _dense(units, generator)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, steps, 1) to one number per step, (B, steps, 1)."""
        zero = x.new_zeros(len(x), self.lstm.hidden)
        states = lstm_forward(x.transpose(0, 1), zero, zero, self.lstm.parameters_of_cell)
        return self.dense(self.dropout(states.transpose(0, 1)))


def layer_kinds(net: nn.Module) -> tuple[str, ...]:
    """Return the kinds of the layers of a net, in order."""
    return tuple(type(layer).__name__ for layer in net.children())


@formula("D5-L07", "D5-L09", "eq-04-parameters")
def parameter_count(units: int, inputs: int = 1) -> int:
    """Trainable numbers of an LSTM layer with one bias and a dense output, 4u(u + d + 1) + u + 1.

    Raises `ValueError` for layers without units or inputs.
    """
    if units < 1 or inputs < 1:
        raise ValueError("a layer needs at least one unit and one input")
    return 4 * units * (units + inputs + 1) + units + 1


def counted_parameters(units: int) -> int:
    """Count the trainable numbers of `PrintedNet`, the second bias of the cell left out."""
    net = PrintedNet(torch.Generator().manual_seed(0), units)
    return sum(p.numel() for name, p in net.named_parameters() if name != "lstm.b_u")


def output_shape(rows: int, columns: int) -> tuple[int, ...]:
    """Return the shape of what the printed net gives for a table of `rows` and `columns`."""
    net = PrintedNet(torch.Generator().manual_seed(0), units=3)
    return tuple(net(torch.zeros(rows, columns, 1)).shape)


def one_step_shape(rows: int, columns: int) -> tuple[int, ...]:
    """Return the shape that one forecast per row has; `columns` are the features of a step."""
    net = nn.Sequential(Recurrent("lstm", columns, 3, torch.Generator()), nn.Linear(3, 1))
    return tuple(net(torch.zeros(rows, 5, columns)).shape)


def influence(rows: int = 6, columns: int = 3, layout: str = "columns") -> np.ndarray:
    """Return |∂ forecast of the last row / ∂ each cell of the table|, (rows, columns).

    `layout` "columns" is the printed one, in which every row is a sequence of its own and its
    columns are the steps; "rows" is the mended one, in which rows are steps and columns features.
    Raises `ValueError` for another layout.
    """
    generator = torch.Generator().manual_seed(0)
    table = torch.rand(rows, columns, generator=generator).requires_grad_()
    if layout == "columns":
        net = PrintedNet(generator, units=8).eval()
        net(table[..., None])[-1].sum().backward()
    elif layout == "rows":
        Recurrent("lstm", columns, 8, generator)(table[None]).sum().backward()
    else:
        raise ValueError(f"layout is {layout!r}; choose 'columns' or 'rows'")
    return table.grad.abs().numpy()


def weight_of_history(rows: int = 6, columns: int = 3, layout: str = "columns") -> float:
    """Share of the influence on the last row's forecast that comes from earlier rows."""
    gradient = influence(rows, columns, layout)
    return float(gradient[:-1].sum() / gradient.sum())


def weight_of_later_columns(columns: int = 3, output: int = 0) -> float:
    """Share of the influence on one output column that comes from columns right of it.

    The LSTM reads the columns in order, so the forecast of the first column (sales) cannot use the
    others (hour, weekday).
    """
    generator = torch.Generator().manual_seed(0)
    row = torch.rand(1, columns, 1, generator=generator).requires_grad_()
    PrintedNet(generator, units=8).eval()(row)[0, output].sum().backward()
    gradient = row.grad.abs()[0, :, 0]
    return float(gradient[output + 1 :].sum() / gradient.sum())


def alignment(rows: int, offset: int = 1) -> int:
    """Return how many rows the target lies ahead of its input when rows are paired as printed."""
    table = np.arange(rows)
    ahead = np.unique(table[offset:] - table[:-offset])
    if len(ahead) != 1:
        raise ValueError("inputs and targets are not aligned")
    return int(ahead[0])


def rows_after_cuts(rows: int) -> int:
    """Return how many test rows are scored once the test table lost its first row before."""
    test = np.arange(rows)[1:]
    return len(test[1:])


def future_share(order, split: int) -> float:
    """Share of training rows that are later than the first test row; `order` (n,) are times.

    Raises `ValueError` if the split leaves no test row.
    """
    times = np.asarray(order, float)
    if not 0 < split < len(times):
        raise ValueError(f"a split at row {split} leaves no test rows of {len(times)}")
    return float(np.mean(times[:split] > times[split:].min()))


@formula("eq-04-minmax-moments")
def scaled_moments(values) -> tuple[float, float]:
    r"""Mean and standard deviation of min-max scaled values, from those of the values.

    .. math:: \big((\bar x - \min) / r, \; s / r\big), \qquad r = \max - \min

    Raises `ValueError` for a constant.
    """
    x = np.asarray(values, float)
    reach = x.max() - x.min()
    if reach == 0:
        raise ValueError("all values are equal: a constant has no range")
    return float((x.mean() - x.min()) / reach), float(x.std() / reach)


def moments_after_scaler(values) -> tuple[float, float]:
    """Mean and standard deviation after scikit-learn's `MinMaxScaler`."""
    scaled = MinMaxScaler().fit_transform(np.reshape(values, (-1, 1)))
    return float(scaled.mean()), float(scaled.std())


def round_trip_error(values, times: int) -> float:
    """Mean error in units after scaling `times` times and scaling back once."""
    scaler = MinMaxScaler().fit(np.reshape(values, (-1, 1)))
    scaled = np.reshape(values, (-1, 1))
    for _ in range(times):
        scaled = scaler.transform(scaled)
    return float(np.abs(scaler.inverse_transform(scaled)[:, 0] - np.ravel(values)).mean())


def mixed_error(actual, forecast) -> float:
    """Mean absolute error over all columns of a table (n, k), as the printed evaluation has it."""
    return float(np.abs(np.subtract(actual, forecast)).mean())


def target_error(actual, forecast) -> float:
    """Mean absolute error of the first column (n, k), by scikit-learn."""
    return float(mean_absolute_error(np.asarray(actual)[:, 0], np.asarray(forecast)[:, 0]))


def share_dropped(rate: float, size: int = 200_000) -> tuple[float, float]:
    """Share of units that dropout sets to zero in training, and the mean that it leaves of ones."""
    torch_layer = nn.Dropout(rate)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        out = torch_layer(torch.ones(size))
    return float((out == 0).double().mean()), float(out.double().mean())


def adam_first_step(rate: float, gradient: float = 3.0) -> float:
    """Size of Adam's first step: the learning rate, whatever the size of the gradient."""
    weight = nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimiser = torch.optim.Adam([weight], lr=rate)
    (gradient * weight).sum().backward()
    optimiser.step()
    return float(weight.detach().abs())


def undefined_names(used: Collection[str], defined: Collection[str]) -> tuple[str, ...]:
    """Return the names that a program uses and nobody defines, sorted."""
    return tuple(sorted(set(used) - set(defined)))


def statements(function: Callable) -> int:
    """Count the statements in the body of a function or class, docstrings left out."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    found = [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]
    plain = [
        n for n in found if not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))
    ]
    return len(plain) - 1


@formula("eq-04-training-work")
def training_work(rows: int, steps: int, units: int, epochs: int, inputs: int = 1) -> int:
    """Multiplications to train an LSTM of d inputs a step: forward and twice that backward.

    3 · epochs · rows · steps · 4u(u + d). Raises `ValueError` for a size below one.
    """
    if min(rows, steps, units, epochs, inputs) < 1:
        raise ValueError("all sizes must be at least one")
    return 3 * epochs * rows * steps * 4 * units * (units + inputs)


@formula("eq-04-ridge-work")
def ridge_work(rows: int, features: int) -> int:
    """Multiplications of a ridge regression by its normal equations, n k² + k³ / 3, rounded up."""
    if min(rows, features) < 1:
        raise ValueError("all sizes must be at least one")
    return rows * features**2 + -(-(features**3) // 3)


def work_ratio(rows: int, steps: int, units: int, epochs: int, features: int) -> float:
    """Return how many times the work of a ridge regression the training of the net takes."""
    return training_work(rows, steps, units, epochs) / ridge_work(rows, features)


def taught_policy(shares, rewards, by: str, steps: int = 300) -> np.ndarray:
    """Train a softmax over offers (K,) and return its probabilities (K,).

    `shares` are how often each offer was made in the records, `rewards` what each earns. `by` is
    "labels", the categorical cross-entropy on the offers of the records as D2 has it, or "reward",
    the expected reward, as reinforcement learning has it. Raises `ValueError` for another.
    """
    shares, rewards = (torch.as_tensor(x, dtype=torch.float64) for x in (shares, rewards))
    losses = {
        "labels": lambda log_p: -(shares * log_p).sum(),
        "reward": lambda log_p: -(rewards * log_p.exp()).sum(),
    }
    if by not in losses:
        raise ValueError(f"by is {by!r}; choose 'labels' or 'reward'")
    logits = nn.Parameter(torch.zeros_like(shares))
    optimiser = torch.optim.Adam([logits], lr=0.1)
    for _ in range(steps):
        optimiser.zero_grad()
        losses[by](logits.log_softmax(0)).backward()
        optimiser.step()
    return logits.softmax(0).detach().numpy()


class RunningError:
    """A metric that is fed batches, as Keras's are: it has an update and a result, nothing else."""

    def __init__(self):
        self.total, self.count = 0.0, 0

    def update_state(self, actual, forecast) -> None:
        errors = np.abs(np.subtract(actual, forecast))
        self.total, self.count = self.total + errors.sum(), self.count + errors.size

    def result(self) -> float:
        return float(self.total / self.count)


# The printed program as a chain of steps. Each takes the state and a flag: mended or not.


def _read(state, mended):
    frame = state["frame"]
    state["train"], state["test"] = frame[:SPLIT].copy(), frame[SPLIT:].copy()


def _features(state, mended):
    for name in ("train", "test") if mended else ("train",):
        table = state[name]
        table["hour"] = table["time"].dt.hour
        table["day_of_week"] = table["time"].dt.day_of_week
        state[name] = table.drop(columns=["time", "date"])


def _scale(state, mended):
    state["columns"] = state["train"].columns
    state["scaler"] = MinMaxScaler().fit(state["train"])
    state["train"] = state["scaler"].transform(state["train"])
    state["test"] = state["scaler"].transform(state["test"])


def _first_fit(state, mended):
    state["net"] = PrintedNet(torch.Generator().manual_seed(0), units=2).eval()
    _paired(state["train"][:-1], state["train"][1:])


def _second_fit(state, mended):
    train = state["train"][:-1]
    _paired(train[:-1] if mended else train, train[1:])


def _paired(inputs, targets):
    # Keras refuses to train when the numbers of samples differ.
    if len(inputs) != len(targets):
        raise ValueError(f"{len(inputs)} inputs but {len(targets)} targets")


def _second_scaling(state, mended):
    if not mended:
        # A table that was scaled before passes the scaler again, without any error.
        again = pd.DataFrame(state["test"], columns=state["columns"])
        state["test"] = state["scaler"].transform(again)


def _predict(state, mended):
    with torch.no_grad():
        rows = torch.as_tensor(state["test"][:-1], dtype=torch.float32)[..., None]
        state["forecast"] = state["net"](rows).numpy()
    if mended:
        state["forecast"] = state["forecast"][..., 0]


def _scale_back(state, mended):
    state["forecast"] = state["scaler"].inverse_transform(state["forecast"])
    state["actual"] = state["scaler"].inverse_transform(state["test"][1:])


def _metric_object(state, mended):
    metric = RunningError()
    if mended:
        metric.update_state(state["actual"], state["forecast"])
        state["error"] = metric.result()
    else:
        state["error"] = metric.predict([state["forecast"], state["actual"]])


def _metric_function(state, mended):
    pair = (state["actual"], state["forecast"])
    if mended:
        state["error"] = mean_squared_error(*pair), mean_absolute_error(*pair)
    else:
        state["error"] = mean_squared_error([*pair])


def _print(state, mended):
    state["text"] = f"{np.max(state['error']):.2f}"


PROGRAM = {
    "read and split": _read,
    "time features": _features,
    "scale": _scale,
    "first training": _first_fit,
    "second training": _second_fit,
    "scale the test rows again": _second_scaling,
    "predict": _predict,
    "scale back": _scale_back,
    "metric": _metric_object,
    "print": _print,
}
FAQ_PROGRAM = PROGRAM | {"metric": _metric_function}
# Some steps fail through the fault of an earlier one: the test table lacks the time features, and
# predictions of one number per step keep a third axis that no scaler takes.
CAUSES = {"scale": "time features", "scale back": "predict"}
REPAIRS = ("time features", "second training", "predict", "metric")


def first_failure(frame: pd.DataFrame, repairs: Collection[str] = (), faq: bool = False) -> str:
    """Run the printed program and return its first failing step with the error, or "runs".

    Steps named in `repairs` are mended. `faq` takes the metric of the second evaluation listing.
    """
    state = {"frame": frame}
    for name, step in (FAQ_PROGRAM if faq else PROGRAM).items():
        try:
            step(state, name in repairs)
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            return f"{name}: {type(error).__name__}"
    return "runs"


def steps_passed(frame: pd.DataFrame, repairs: Collection[str] = (), faq: bool = False) -> int:
    """Return how many steps of the printed program succeed before the first failure."""
    failure = first_failure(frame, repairs, faq).split(":")[0]
    names = list(PROGRAM)
    return len(names) if failure == "runs" else names.index(failure)


def repairs_needed(frame: pd.DataFrame, known: tuple[str, ...] = ()) -> int:
    """Return how many further steps have to be mended, one after the other, until it runs."""
    done = list(known)
    while (failure := first_failure(frame, done)) != "runs":
        step = failure.split(":")[0]
        cause = CAUSES.get(step, step)
        if cause in done:
            raise ValueError(f"step {step!r} fails even when mended: the table does not fit")
        done.append(cause)
    return len(done) - len(known)


# The mended pipeline, on the same table.


def time_features(frame: pd.DataFrame) -> np.ndarray:
    """Return hour of the day and weekday as points on circles, (n, 4), for any rows."""
    hour = 2 * np.pi * frame["time"].dt.hour.to_numpy() / 24
    day = 2 * np.pi * frame["time"].dt.day_of_week.to_numpy() / 7
    return np.column_stack([np.sin(hour), np.cos(hour), np.sin(day), np.cos(day)])


def _sequences(frame: pd.DataFrame, scale: float, context: int):
    """Return inputs (m, L, 6) and one-step targets (m,) of every row that has `context` before it.

    A step holds the sales of one hour, and the time features of the hour after it.
    """
    sales = frame["sales"].to_numpy() / scale
    steps = np.column_stack([sales[:-1], time_features(frame)[1:]])
    view = np.lib.stride_tricks.sliding_window_view(steps, context, axis=0)
    return np.moveaxis(view, 2, 1).astype(np.float32), sales[context:].astype(np.float32)


def mended_forecast(
    frame: pd.DataFrame, context: int = 24, epochs: int = 12, units: int = 16, seed: int = 0
) -> np.ndarray:
    """Forecast each hour after the split from the hours before it; returns (n − split,).

    Rows are steps, features are built for all rows alike, the scale is the training mean and is
    undone once, the net returns its last state, and targets are one step ahead.
    """
    scale = float(frame["sales"][:SPLIT].mean())
    x, y = (torch.as_tensor(a) for a in _sequences(frame, scale, context))
    generator = torch.Generator().manual_seed(seed)
    net = nn.ModuleList([Recurrent("lstm", x.shape[2], units, generator), _dense(units, generator)])
    cut = SPLIT - context
    _train(lambda rows: net[1](net[0](x[rows]))[:, 0], net, y, cut, epochs, generator)
    with torch.no_grad():
        return net[1](net[0](x[cut:]))[:, 0].double().numpy() * scale


def printed_forecast(
    frame: pd.DataFrame, epochs: int = 12, units: int = UNITS, seed: int = 0
) -> np.ndarray:
    """The same forecasts with the printed layout, everything else mended; returns (n − split,).

    Each row is a sequence of the columns sales, hour and weekday, and the net is trained to give
    the columns of the next row; the first output, scaled back by its own column, is the forecast.
    """
    table = np.column_stack(
        [frame["sales"], frame["time"].dt.hour, frame["time"].dt.day_of_week]
    ).astype(float)
    scaler = MinMaxScaler().fit(table[:SPLIT])
    x = torch.as_tensor(scaler.transform(table), dtype=torch.float32)
    generator = torch.Generator().manual_seed(seed)
    net = PrintedNet(generator, units, rate=0.0)
    inputs, target = x[:-1, :, None], x[1:]
    _train(lambda rows: net(inputs[rows])[..., 0], net, target, SPLIT - 1, epochs, generator)
    with torch.no_grad():
        out = net(inputs[SPLIT - 1 :])[..., 0].double().numpy()
    return out[:, 0] * scaler.data_range_[0] + scaler.data_min_[0]


def _dense(inputs: int, generator) -> nn.Linear:
    layer = nn.Linear(inputs, 1)
    with torch.no_grad():
        for weight in (layer.weight, layer.bias):
            weight.copy_((torch.rand(weight.shape, generator=generator) * 2 - 1) * 0.1)
    return layer


def _train(forward, net, target, rows: int, epochs: int, generator) -> None:
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-2)
    for _ in range(epochs):
        for batch in torch.randperm(rows, generator=generator).split(64):
            optimiser.zero_grad()
            (forward(batch) - target[batch]).square().mean().backward()
            optimiser.step()


def hourly_naive(frame: pd.DataFrame, season: int) -> np.ndarray:
    """Forecast each hour after the split by the value one season before; returns (n − split,)."""
    sales = frame["sales"].to_numpy()
    return sales[SPLIT - season : len(sales) - season]


def hourly_errors(frame: pd.DataFrame, forecast: np.ndarray, block: int = 24) -> np.ndarray:
    """Return absolute errors after the split by day, (days, hours): blocks for the bootstrap."""
    error = np.abs(frame["sales"].to_numpy()[SPLIT:] - forecast)
    whole = len(error) // block * block
    return error[:whole].reshape(-1, block)
