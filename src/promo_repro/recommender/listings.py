"""The networks of the listings in D2, D3 and D4, rebuilt as small as shows what they do."""

import ast
import builtins
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import torch
from torch import nn

from promo_repro.recommender import losses
from promo_repro.recommender.networks import Network, fit

# Names and data flow of the listings, in our own words --------------------------------------------

D2_BUILDER = """\
def build():
    first = Input(num_features)
    last = Dense(num_classes)(Dense(num_hidden)(first))
    return Model(first, last)

build()
"""
D4_SCRIPT = """\
model = tf.two_dense_layers()
model.fit(x_train, y_train)
model.evaluate(x_test, y_test)
"""
D3_CLASS = """\
class Recommender(nn.Module):
    layers = nn.two_linear_layers()
"""
D3_SCRIPT = """\
recommender = Recommender()
optimiser = optim.Adam(recommender)
for row in rows:
    probability = recommender(torch.tensor(row))
    optimiser.step(nn.BCELoss(probability, row))
discounts = DiscountModel()
for row in rows:
    state = torch.tensor(row)
    discount = discounts(state)
"""
# What D3's text says that the script does: the recommender's probability is the state.
D3_SCRIPT_AS_DESCRIBED = D3_SCRIPT.replace(
    "state = torch.tensor(row)", "state = recommender(torch.tensor(row))"
)


def missing_names(code: str, given: Sequence[str] = ()) -> tuple[str, ...]:
    """Names that `code` reads, and that neither it, `given` nor Python defines; sorted.

    Found in the syntax tree, without running anything.
    """
    tree = ast.parse(code)
    bound, read = set(given) | set(dir(builtins)), set()
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Load()):
                read.add(name)
            case ast.Name(id=name) | ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                bound.add(name)
    return tuple(sorted(read - bound))


class _Anything:
    """Stands in for any object: it can be called, subclassed, indexed and looped over."""

    def __init__(self, *_args, **_kwargs): ...

    def __call__(self, *_args, **_kwargs):
        return self

    def __getattr__(self, _name):
        return _Anything

    def __iter__(self):
        return iter([self])

    def __mro_entries__(self, _bases):
        return ()


def names_asked_for(code: str, given: Sequence[str] = ()) -> tuple[str, ...]:
    """The same, found by running `code` until no `NameError` is left; sorted.

    Each missing name, and those in `given`, stand for a dummy object.
    """
    asked: list[str] = []
    while True:
        namespace = {"__name__": __name__} | {name: _Anything() for name in (*given, *asked)}
        try:
            exec(compile(code, "<sketch>", "exec"), namespace)
        except NameError as error:
            asked.append(error.name)
        else:
            return tuple(sorted(asked))


def influences(code: str, source: str, target: str) -> bool:
    """Whether the value of `source` can reach the variable `target` through assignments."""
    feeds: dict[str, set[str]] = {}
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pass
            case ast.For(target=ast.Name(id=name), iter=value):
                pass
            case _:
                continue
        feeds.setdefault(name, set()).update(
            each.id for each in ast.walk(value) if isinstance(each, ast.Name)
        )
    reached, waiting = set(), [target]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting.extend(feeds.get(name, ()))
    return source in reached


# Structure ----------------------------------------------------------------------------------------


def weight_shapes(sizes: Sequence[int], hidden: str = "relu", output: str = "softmax"):
    """Shapes of the weight matrices of the network, first layer first."""
    network = Network(sizes, hidden, output, torch.Generator().manual_seed(0))
    return tuple(tuple(weight.shape) for weight in network.weights)


def hidden_layers(sizes: Sequence[int]) -> int:
    """Number of hidden layers of a network given by its sizes: all but its input and output."""
    return len(sizes) - 2


def fully_connected_layers(sizes: Sequence[int]) -> int:
    """Number of weight matrices of a built network."""
    return len(weight_shapes(sizes))


def hidden_layers_built(sizes: Sequence[int]) -> int:
    """The number of hidden layers, counted in a built network: its weight matrices but the last."""
    return fully_connected_layers(sizes) - 1


def accepted_widths(sizes: Sequence[int], widths: Sequence[int]) -> tuple[int, ...]:
    """Those of `widths` that a batch of inputs may have."""
    network = Network(sizes, "relu", "softmax", torch.Generator().manual_seed(0))
    accepted = []
    for width in widths:
        try:
            network(torch.zeros(3, width))
        except ValueError:
            continue
        accepted.append(width)
    return tuple(accepted)


def _outputs(sizes: Sequence[int], hidden: str, output: str, seed: int) -> np.ndarray:
    generator = torch.Generator().manual_seed(seed)
    network = Network(sizes, hidden, output, generator, torch.float64)
    x = torch.randn(500, sizes[0], generator=generator, dtype=torch.float64)
    return network(x).detach().numpy()


def output_range(sizes: Sequence[int], hidden: str, output: str, seed: int) -> tuple[float, float]:
    """Least and largest output of a network with random weights over 500 random rows."""
    p = _outputs(sizes, hidden, output, seed)
    return float(p.min()), float(p.max())


def row_sums(sizes: Sequence[int], hidden: str, output: str, seed: int) -> tuple[float, float]:
    """Least and largest sum of the outputs for one row, over the same rows."""
    total = _outputs(sizes, hidden, output, seed).sum(axis=1)
    return float(total.min()), float(total.max())


def depends_on_own_row(sizes: Sequence[int], normalised: bool, seed: int = 0) -> float:
    """Largest change of one user's output when all other users of the batch are replaced.

    0 for y_i = f(x_i; θ); not 0 when the features are standardised by the batch (`normalised`).
    """
    generator = torch.Generator().manual_seed(seed)
    network = Network(sizes, "relu", "softmax", generator, torch.float64)
    x = torch.randn(2, 50, sizes[0], generator=generator, dtype=torch.float64)
    x[1, 0] = x[0, 0]
    if normalised:
        x = (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True)
    with torch.no_grad():
        first, second = (network(batch)[0] for batch in x)
    return float((first - second).abs().max())


def reproduced_by_theta(sizes: Sequence[int], copied: int, seed: int = 0) -> float:
    """Largest difference between f and a second network that takes over `copied` of its layers.

    Weights and biases are random. 0 when all layers are copied: θ is all that f depends on.
    """
    generator = torch.Generator().manual_seed(seed)
    f, copy = (Network(sizes, "relu", "softmax", generator, torch.float64) for _ in range(2))
    x = torch.randn(100, sizes[0], generator=generator, dtype=torch.float64)
    with torch.no_grad():
        for bias in (*f.biases, *copy.biases):
            bias.normal_(generator=generator)
        for theirs, own in list(zip(f.theta, copy.theta, strict=True))[:copied]:
            for source, target in zip(theirs, own, strict=True):
                target.copy_(source)
        return float((f(x) - copy(x)).abs().max())


def recommendation_gap(inputs: int, outputs: int, seed: int = 0) -> float:
    """Mean |p_A − p_B| over 200 users when D3's network is fed x_u alone.

    A and B are the first and the last output; with one output, nothing tells the items apart.
    """
    generator = torch.Generator().manual_seed(seed)
    network = Network((inputs, 100, outputs), "identity", "sigmoid", generator)
    with torch.no_grad():
        p = network(torch.randn(200, inputs, generator=generator))
    return float((p[:, 0] - p[:, -1]).abs().mean())


def numbers_per_user(inputs: int, outputs: int) -> int:
    """How many numbers D3's network returns for one user."""
    network = Network(
        (inputs, 100, outputs), "identity", "sigmoid", torch.Generator().manual_seed(0)
    )
    return network(torch.zeros(inputs)).numel()


# D3's training loop -------------------------------------------------------------------------------


def purchases(rows: int, inputs: int, seed: int) -> pd.DataFrame:
    """Simulated table as D3's script reads it: `inputs` features, then the label, all named."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, inputs))
    y = rng.random(rows) < 1 / (1 + np.exp(-x[:, 0] + x[:, 1]))
    names = [f"feature {k}" for k in range(inputs)]
    return pd.DataFrame(np.column_stack([x, y]), columns=[*names, "bought"])


def as_row(row: pd.Series):
    """A row of the table as `iterrows` gives it."""
    return row


def as_doubles(row: pd.Series) -> np.ndarray:
    """A row of the table as an array; pandas keeps 64 bits."""
    return row.to_numpy()


def as_floats(row: pd.Series) -> np.ndarray:
    """A row of the table in the 32 bits of the network's weights."""
    return row.to_numpy(dtype=np.float32)


def epochs_completed(
    table: pd.DataFrame, convert: Callable, outputs: int, epochs: int, *, batched: bool = False
) -> tuple[int, str]:
    """Epochs that D3's training loop gets through, and the error that stops it ("" for none).

    One Adam step a row: x from all columns but the last and y from the last by `convert` (`as_row`,
    `as_doubles` or `as_floats`), a leading axis of length 1 around y, and around x if `batched`;
    torch's BCELoss of the network's output and y. D3 prints `as_row`, 2 outputs, not batched.
    """
    generator = torch.Generator().manual_seed(0)
    sizes = (table.shape[1] - 1, 100, outputs)
    network = Network(sizes, "identity", "sigmoid", generator)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.001)
    for epoch in range(epochs):
        for _, row in table.iterrows():
            try:
                x = torch.tensor(convert(row.iloc[:-1]))
                y = torch.tensor(convert(row.iloc[-1:])).unsqueeze(0)
                loss = nn.BCELoss()(network(x.unsqueeze(0) if batched else x), y)
            except (ValueError, RuntimeError) as error:
                return epoch, f"{type(error).__name__}: {error}"
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return epochs, ""


def full_epochs(
    table: pd.DataFrame, convert: Callable, outputs: int, epochs: int, *, batched: bool = False
) -> int:
    """Epochs that D3's training loop gets through."""
    return epochs_completed(table, convert, outputs, epochs, batched=batched)[0]


def first_step(rate: float, gradient: Sequence[float]) -> tuple[float, ...]:
    """Distance that each weight moves in the first step of Adam, for any gradient but 0."""
    weight = torch.zeros(len(gradient), dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.Adam([weight], lr=rate)
    (weight @ torch.tensor(gradient, dtype=torch.float64)).backward()
    optimiser.step()
    return tuple(weight.detach().abs().tolist())


def gradient_taken(x: Sequence[float], clear: bool) -> float:
    """Gradient of the loss w·x that the second step sees; without `clear` it has piled up."""
    weight = torch.zeros((), dtype=torch.float64, requires_grad=True)
    for value in x[:2]:
        if clear:
            weight.grad = None
        (weight * value).backward()
    return float(weight.grad)


# D4's training and evaluation ---------------------------------------------------------------------


def steps_taken(rows: int, epochs: int, batch_size: int) -> int:
    """Adam steps that training takes: epochs times batches, the last batch smaller."""
    generator = torch.Generator().manual_seed(0)
    network = Network((2, 2), "relu", "softmax", generator)
    x, target = torch.zeros(rows, 2), torch.full((rows, 2), 0.5)
    loss = losses.categorical_cross_entropy_of_score
    return fit(network, x, target, loss, epochs=epochs, batch_size=batch_size, generator=generator)


def visits_per_row(rows: int, epochs: int, batch_size: int) -> tuple[int, int]:
    """How often training looks at a row: least and most often of all rows."""
    generator = torch.Generator().manual_seed(0)
    network = Network((1, 1), "relu", "sigmoid", generator)
    visits = torch.zeros(rows, dtype=torch.int64)

    def count(row, z):
        visits[row] += 1
        return z.sum()

    x = torch.zeros(rows, 1)
    ids = torch.arange(rows)
    fit(network, x, ids, count, epochs=epochs, batch_size=batch_size, generator=generator)
    return int(visits.min()), int(visits.max())


def one_hot(labels, classes: int) -> np.ndarray:
    """Class numbers (n,) as a table (n, classes) with a single 1 in each row."""
    return np.eye(classes)[np.asarray(labels)]


def fit_error(target: np.ndarray, classes: int) -> str:
    """The error of one step of D4's network on `target`, "" for none."""
    generator = torch.Generator().manual_seed(0)
    network = Network((20, 64, classes), "relu", "softmax", generator)
    x = torch.zeros(len(target), 20)
    loss = losses.categorical_cross_entropy_of_score
    try:
        fit(network, x, torch.as_tensor(target), loss, epochs=1, generator=generator)
    except ValueError as error:
        return type(error).__name__
    return ""


def evaluation(probabilities, labels) -> tuple[float, float]:
    """Loss and accuracy on labelled rows, in the order of Keras' `evaluate`.

    `probabilities` (n, K), `labels` (n,) class numbers.
    """
    p = torch.as_tensor(probabilities)
    target = one_hot(labels, p.shape[1])
    loss = float(losses.categorical_cross_entropy(target, p)) / len(p)
    return loss, float((p.argmax(1).numpy() == np.asarray(labels)).mean())


def evaluation_entry(probabilities, labels, index: int) -> float:
    """The entry of `evaluation` with this index."""
    return evaluation(probabilities, labels)[index]


def training_gain(rate: float, epochs: int, seed: int = 0) -> tuple[float, float]:
    """Fall of the loss and rise of the accuracy on the training rows of a learnable problem.

    500 simulated rows, 20 features, 3 classes by a linear rule; D2's network with 64 hidden units.
    """
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(500, 20, generator=generator)
    labels = (x @ torch.randn(20, 3, generator=generator)).argmax(1)
    network = Network((20, 64, 3), "relu", "softmax", generator)
    target = torch.as_tensor(one_hot(labels, 3), dtype=x.dtype)

    def now():
        with torch.no_grad():
            return np.array(evaluation(network(x), labels))

    before = now()
    loss = losses.categorical_cross_entropy_of_score
    fit(network, x, target, loss, epochs=epochs, batch_size=32, rate=rate, generator=generator)
    loss_change, accuracy_change = now() - before
    return float(-loss_change), float(accuracy_change)


# What D4's softmax over promotions learns ---------------------------------------------------------


def thin(arm, usual, share: float, rng: np.random.Generator) -> np.ndarray:
    """Rows of a uniformly randomised test that look as if a past policy had chosen the arms.

    `arm` (n,) as randomised and `usual` (n,) the arm that the policy prefers, both 0..K−1. Kept
    rows have the usual arm with probability `share`, the others with (1 − share) / (K − 1) each.
    Returns truth values (n,). `share` must be at least 1 / K.
    """
    arm, usual = np.asarray(arm), np.asarray(usual)
    others = int(max(arm.max(), usual.max()))
    other = (1 - share) / others
    if share > 1 or share * (others + 1) < 1 - 1e-9:
        raise ValueError(f"share is {share}; the usual arm must be the most frequent one")
    return rng.random(len(arm)) < np.where(arm == usual, 1.0, other / share)


def customer_features(customers: pd.DataFrame) -> np.ndarray:
    """Standardised features (n, 9) of the customers of the Hillstrom test.

    Recency, log of the past year's spend, which merchandise was bought, newcomer or not, place of
    residence and channel.
    """
    columns = {
        "recency": customers["recency"],
        "history": np.log(customers["history"]),
        "mens": customers["mens"],
        "womens": customers["womens"],
        "newbie": customers["newbie"],
        "urban": customers["zip_code"] == "Urban",
        "rural": customers["zip_code"] == "Rural",
        "web": customers["channel"] == "Web",
        "phone": customers["channel"] == "Phone",
    }
    x = np.column_stack([np.asarray(column, dtype=float) for column in columns.values()])
    spread = x.std(axis=0)
    if (spread == 0).any():
        constant = [name for name, each in zip(columns, spread, strict=True) if each == 0]
        raise ValueError(f"{', '.join(constant)} is the same for all customers; give more of them")
    return (x - x.mean(axis=0)) / spread


def imitate(x, arm, arms: int, seed: int, *, epochs: int = 10, batch_size: int = 32) -> Network:
    """D4's network, trained as D4 does to name the promotion that each customer was given.

    `x` (n, features), `arm` (n,). One hidden layer of 64 ReLU units, softmax, Adam.
    """
    x = torch.as_tensor(x, dtype=torch.float32)
    generator = torch.Generator(device=x.device).manual_seed(seed)
    network = Network((x.shape[1], 64, arms), "relu", "softmax", generator)
    target = torch.as_tensor(one_hot(arm, arms), dtype=x.dtype, device=x.device)
    loss = losses.categorical_cross_entropy_of_score
    fit(network, x, target, loss, epochs=epochs, batch_size=batch_size, generator=generator)
    return network


def respond(x, arm, reward, arms: int, seed: int, *, epochs: int = 10, batch_size: int = 32):
    """The same network with the promotion as an input and the response as its target.

    Returns the network; its input is (features, one-hot promotion), its output P(response).
    """
    x = torch.as_tensor(x, dtype=torch.float32)
    generator = torch.Generator(device=x.device).manual_seed(seed)
    network = Network((x.shape[1] + arms, 64, 1), "relu", "sigmoid", generator)
    given = torch.as_tensor(one_hot(arm, arms), dtype=x.dtype, device=x.device)
    target = torch.as_tensor(reward, dtype=x.dtype, device=x.device)[:, None]
    loss = losses.binary_cross_entropy_of_score
    both = torch.cat([x, given], 1)
    fit(network, both, target, loss, epochs=epochs, batch_size=batch_size, generator=generator)
    return network


def best_response(network: Network, x, arms: int) -> np.ndarray:
    """The promotion with the highest predicted response for each customer (n,)."""
    x = torch.as_tensor(x, dtype=torch.float32)
    each = torch.eye(arms, dtype=x.dtype, device=x.device)
    with torch.no_grad():
        predicted = [
            network(torch.cat([x, promotion.expand(len(x), arms)], 1))[:, 0] for promotion in each
        ]
    return torch.stack(predicted, 1).argmax(1).cpu().numpy()


def most_likely(network: Network, x) -> np.ndarray:
    """The promotion to which D4's network gives the highest probability (n,)."""
    with torch.no_grad():
        return network(torch.as_tensor(x, dtype=torch.float32)).argmax(1).cpu().numpy()


def matched_value(chosen, arm, reward) -> tuple[float, float, float]:
    """Value of a policy on a uniformly randomised test: mean and 95 % interval.

    `chosen` (n,) what the policy would give, `arm` (n,) what chance gave, `reward` (n,). The mean
    reward of those for whom both are equal.
    """
    reward = np.asarray(reward, dtype=float)[np.asarray(chosen) == np.asarray(arm)]
    if len(reward) < 2:
        raise ValueError("fewer than two customers were given what the policy chooses")
    mean, half = reward.mean(), 1.96 * reward.std(ddof=1) / len(reward) ** 0.5
    return float(mean), float(mean - half), float(mean + half)


def matched_gain(chosen, other, arm, reward, arms: int) -> tuple[float, float, float]:
    """Value of one policy minus that of another: mean and 95 % interval, paired by customer.

    Inverse-propensity estimate with the known propensity 1 / `arms`; only customers whom the two
    policies treat differently contribute. Returns the lower end, the mean and the upper end.
    """
    arm, reward = np.asarray(arm), np.asarray(reward, dtype=float)
    sign = (np.asarray(chosen) == arm).astype(float) - (np.asarray(other) == arm)
    each = arms * sign * reward
    mean, half = each.mean(), 1.96 * each.std(ddof=1) / len(each) ** 0.5
    return float(mean - half), float(mean), float(mean + half)
