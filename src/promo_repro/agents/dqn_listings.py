"""The DQN listings of D1 and the training listing of D2, defect by defect.

Nothing is copied: each function rebuilds, as small as it can be, one thing that the listings do, so
that it can be run, measured, and run again mended. The sketches say in our own words which names a
listing assigns and reads.
"""

import ast
from itertools import pairwise

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

# Names --------------------------------------------------------------------------------------------

NETWORK = """\
import tables
import arrays
import tensors
from tensors import layers, optimisers

class Values(layers.Module):
    def __init__(self, inputs, outputs):
        self.one = layers.Linear(inputs, 256)
        self.two = layers.Linear(256, outputs)
        self.start = arrays.zeros(inputs)
        self.rule = optimisers.Adam(tensors.listed(self))

    def forward(self, state):
        return self.two(functional.relu(self.one(state)))
"""
NETWORK_MENDED = NETWORK.replace("import tables", "from tensors import functional")
LAUNCH = """\
from shop import Table, Network, Adam, normal, train

inputs, outputs = 3, 3
rate, exploration = 0.5, 0.1
data = Table(normal(10, 3), rate)
network = Network(inputs, outputs)
optimiser = Adam(network, 0.01)
train(data, network, optimiser, rate, exploration)
"""
SHUFFLED = "\n".join(reversed(LAUNCH.splitlines()))
LOOPED = LAUNCH.replace("train(data", "for _ in range(1_000):\n    train(data")
SUPERVISED = """\
from keras.optimizers.schedules import ExponentialDecay
from keras.callbacks import EarlyStopping

def learn(model, training, validation, epochs):
    optimiser = keras.optimizers.Adam(0.001)
    loss = keras.losses.CategoricalCrossentropy()
    score = keras.metrics.Accuracy()
    stop = EarlyStopping("val_loss", 3)
    return model.fit(training, epochs, validation, callbacks=[stop])
"""
SUPERVISED_MENDED = SUPERVISED.replace(
    "from keras.optimizers.schedules import ExponentialDecay", "import keras"
).replace("    stop =", "    model.compile(optimiser, loss, score)\n    stop =")


def _names(code: str) -> tuple[list[tuple[int, str]], list[tuple[int, str]], set[str]]:
    """(line, name) of all that is bound and of all that is read; imports and variables."""
    bound, read, kept = [(0, "range")], [], set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            bound.append((node.lineno, node.name))
            continue
        elif isinstance(node, ast.arg):
            bound.append((node.lineno, node.arg))
            continue
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            read.append((node.lineno, node.id))
            continue
        elif isinstance(node, ast.Name):
            names = [node.id]
        else:
            continue
        bound += [(node.lineno, name) for name in names]
        kept.update(names)
    return bound, read, kept


def undefined_names(code: str) -> int:
    """Number of names that are read but bound on no earlier line: each is a NameError."""
    bound, read, _ = _names(code)
    return len({name for line, name in read if not any(n == name and x < line for x, n in bound)})


def unread_names(code: str) -> int:
    """Number of imported modules and of variables that `code` never reads."""
    _, read, kept = _names(code)
    return len(kept - {name for _, name in read})


def calls_in_loops(code: str, name: str) -> int:
    """Number of calls of `name` that stand inside a loop."""
    loops = [each for each in ast.walk(ast.parse(code)) if isinstance(each, ast.For | ast.While)]
    return sum(
        isinstance(each, ast.Call) and isinstance(each.func, ast.Name) and each.func.id == name
        for loop in loops
        for each in ast.walk(loop)
    )


# The data class -----------------------------------------------------------------------------------


class PrintedTable:
    """What the printed data class does: the state is the stored table with one row scaled."""

    def __init__(self, numbers, factor: float = 0.5):
        self.numbers = np.array(numbers, dtype=float)
        self.factor = factor
        self.state = None

    def __len__(self):
        return len(self.numbers)

    def reset(self, generator: np.random.Generator) -> np.ndarray:
        """Store the table as the state; hand out noise, one number per row."""
        self.state = self.numbers.copy()
        return generator.normal(size=len(self.numbers))

    def step(self, action: int) -> tuple[np.ndarray, float]:
        """The table with row `action` scaled, whatever happened before, and its sum."""
        if action not in range(3):
            raise ValueError(f"there is no promotion {action}")
        self.state = self.numbers.copy()
        self.state[action] *= self.factor
        return self.state, float(self.state.sum())


class MendedTable(PrintedTable):
    """The same with a memory: a promotion scales its column of the state that it finds."""

    def reset(self, generator: np.random.Generator) -> np.ndarray:
        super().reset(generator)
        return self.state.copy()

    def step(self, action: int) -> tuple[np.ndarray, float]:
        if action not in range(3):
            raise ValueError(f"there is no promotion {action}")
        self.state = self.state.copy()
        self.state[:, action] *= self.factor
        return self.state, float(self.state.sum())


def _begun(table, factor, mended):
    shop = (MendedTable if mended else PrintedTable)(table, factor)
    return shop, shop.reset(np.random.default_rng(0))


def reward_of_promoting(table, action: int, factor: float) -> float:
    """How much a promotion adds to the printed reward, against leaving the table as it is."""
    shop, _ = _begun(table, factor, mended=False)
    return shop.step(action)[1] - float(np.sum(table))


def trace_of_first(table, first: int, second: int, factor: float, mended: bool = False) -> float:
    """How far the state after two promotions depends on the first one, as the largest change."""
    ends = []
    for action in (first, second):
        shop, _ = _begun(table, factor, mended)
        shop.step(action)
        ends.append(shop.step(second)[0])
    return float(np.abs(ends[0] - ends[1]).max())


def customers_reached(rows: int, columns: int, action: int, mended: bool = False) -> int:
    """Number of customers (rows) whose numbers a promotion changes."""
    shop, _ = _begun(np.ones((rows, columns)), 0.5, mended)
    return int((shop.step(action)[0] != 1).any(axis=1).sum())


def refuses(action: int) -> bool:
    """Whether the printed step refuses an action: it knows the numbers 0, 1 and 2."""
    shop, _ = _begun(np.ones((3, 3)), 0.5, mended=False)
    try:
        shop.step(action)
    except ValueError:
        return True
    return False


def numbers_held(rows: int, columns: int, reset: bool) -> int:
    """How many numbers the object's state has, before or after its first reset."""
    shop = PrintedTable(np.ones((rows, columns)))
    if reset:
        shop.reset(np.random.default_rng(0))
    return 0 if shop.state is None else shop.state.size


def starts_where_it_says(table, mended: bool = False) -> bool:
    """Whether reset hands out the state that it stores."""
    shop, handed_out = _begun(table, 0.5, mended)
    return np.array_equal(handed_out, shop.state)


def reward_after_change(table, factor: float) -> float:
    """The reward of promotion 0; `factor` is the printed price factor and discount in one."""
    return _begun(table, factor, mended=False)[0].step(0)[1]


def shapes_in_an_episode(rows: int, columns: int, mended: bool = False) -> int:
    """Number of different shapes that the observations of one episode have."""
    shop, first = _begun(np.ones((rows, columns)), 0.5, mended)
    return len({first.shape, shop.step(0)[0].shape})


def length_of(rows: int, columns: int) -> int:
    """What `len` gives for the printed class."""
    return len(PrintedTable(np.ones((rows, columns))))


class _Rows(PrintedTable):
    def __getitem__(self, index):
        return self.numbers[index]


def yields_batches(rows: int, mended: bool = False) -> bool:
    """Whether torch can draw a batch from an object with a length but no items."""
    table = (_Rows if mended else PrintedTable)(np.ones((rows, 3)))
    try:
        return len(next(iter(DataLoader(table)))) == 1
    except (TypeError, AttributeError, NotImplementedError):
        return False


# The training function ----------------------------------------------------------------------------


def accepts(inputs: int, length: int) -> bool:
    """Whether a network with `inputs` takes an observation of `length` numbers."""
    try:
        nn.Linear(inputs, 3)(torch.zeros(length))
    except RuntimeError:
        return False
    return True


def chosen_by_numpy(promotions: int, detached: bool) -> bool:
    """Whether NumPy's argmax takes the output of a network; it needs values without gradient."""
    output = nn.Linear(promotions, promotions)(torch.zeros(promotions))
    try:
        np.asarray(output.detach() if detached else output).argmax()
    except RuntimeError:
        return False
    return True


def possible_choices(rows: int, promotions: int) -> int:
    """How many actions an argmax over the whole output (rows, promotions) can name."""
    return np.argmax(np.arange(rows * promotions).reshape(rows, promotions)) + 1


def never_ends(table, factor: float) -> bool:
    """Whether an episode of the printed loop goes on for ever once it has taken a step.

    The loop runs while the state's sum is positive. Every state after the first is the table with
    one row scaled, so if all three sums are positive, no sequence of promotions ends it.
    """
    shop, _ = _begun(table, factor, mended=False)
    return all(shop.step(action)[1] > 0 for action in range(3))


def endless_share(rows: int, columns: int, factor: float, draws: int, seed: int) -> float:
    """Part of normal tables, drawn as printed, for which an episode can never end."""
    rng = np.random.default_rng(seed)
    tables = rng.normal(size=(draws, rows, columns))
    return float(np.mean([never_ends(table, factor) for table in tables]))


def learns_from(episodes: int, every: int) -> float:
    """Part of the episodes whose transitions are used for an update."""
    return len(range(0, episodes, every)) / episodes


def loss_takes(target_is_tensor: bool) -> bool:
    """Whether torch's squared-error loss takes a target that is, or is not, a tensor."""
    try:
        nn.MSELoss()(torch.zeros(3), torch.tensor([0.5] * 3) if target_is_tensor else 0.5)
    except AttributeError:
        return False
    return True


def promotions_moved(promotions: int, action: int, whole: bool) -> int:
    """How many values get a gradient: all if the output is compared with the target, else one."""
    value = torch.zeros(promotions, requires_grad=True)
    guess = value if whole else value[action]
    (guess - 1.0).square().mean().backward()
    return int((value.grad != 0).sum())


def next_value(values, customer: int, everybody: bool) -> float:
    """Largest next value of a customer; as printed, the maximum runs over all customers."""
    values = np.asarray(values, dtype=float)
    return float(values.max() if everybody else values[customer].max())


def gradient_of(passes: int, cleared: bool) -> float:
    """Gradient after some equal passes of size 1; without clearing it adds up."""
    weight = torch.zeros(1, requires_grad=True)
    for _ in range(passes):
        if cleared:
            weight.grad = None
        weight.sum().backward()
    return float(weight.grad)


def unreported(rewards) -> float:
    """Total of an episode's rewards less the number that the printed loop reports as the total.

    The loop reports the reward that reset returned; those of the steps go to another name.
    """
    last_reward = total = 0.0
    for reward in rewards:
        total += reward
    return total - last_reward


def first_step(rate: float, name: str = "AdamW") -> float:
    """Length of the first step of one of torch's optimisers, for a gradient of any size."""
    weight = torch.zeros(1, requires_grad=True)
    optimiser = getattr(torch.optim, name)([weight], lr=rate)
    (7.0 * weight).sum().backward()
    optimiser.step()
    return float(weight.detach().abs())


def weights_of(sizes) -> int:
    """Number of weights and biases of a stack of linear layers, counted in torch's."""
    layers = nn.Sequential(*(nn.Linear(a, b) for a, b in pairwise(sizes)))
    return sum(each.numel() for each in layers.parameters())


# The whole ----------------------------------------------------------------------------------------

# What has to be mended before the four listings run to their end, in the order of appearance.
OBSTACLES = (
    "relu comes from a module that is not imported",
    "the first state has ten numbers, the network takes three",
    "argmax of values that carry a gradient",
    "argmax over ten customers names actions that do not exist",
    "the target of the loss is no tensor",
    "an episode never ends",
)


def obstacles(mended: int = 0, rows: int = 10, promotions: int = 3) -> int:
    """How many obstacles still stop the listings once the first `mended` are out of the way.

    Each is tried, not assumed.
    """
    positive = np.ones((rows, promotions))
    stops = (
        undefined_names(NETWORK) > 0,
        not accepts(promotions, rows),
        not chosen_by_numpy(promotions, detached=False),
        possible_choices(rows, promotions) > promotions,
        not loss_takes(target_is_tensor=False),
        never_ends(positive, 0.5),
    )
    return sum(stops[mended:])


# D2: training as classification -------------------------------------------------------------------


def exactly_equal(probabilities, labels) -> float:
    """Keras's `Accuracy` on the output of a softmax: the part of entries equal to the label."""
    return float(np.mean(np.asarray(probabilities, float) == np.asarray(labels, float)))


def agreeing(probabilities, labels) -> float:
    """Categorical accuracy: how often the largest probability is the labelled class."""
    return float(np.mean(np.argmax(probabilities, 1) == np.argmax(labels, 1)))


def stopped_at(losses, patience: int) -> int:
    """The epoch, from 0, in which early stopping ends; the last one if it never does."""
    best, waited = float("inf"), 0
    for epoch, loss in enumerate(losses):
        best, waited = (loss, 0) if loss < best else (best, waited + 1)
        if waited == patience:
            return epoch
    return len(losses) - 1


def kept_excess(losses, patience: int, restore: bool = False) -> float:
    """How far the validation loss of the weights that are kept lies above the least one seen.

    Without `restore` the last weights are kept, those of `patience` epochs after the best.
    """
    losses = np.asarray(losses, dtype=float)
    end = stopped_at(losses, patience)
    least = losses[: end + 1].min()
    return float((least if restore else losses[end]) - least)
