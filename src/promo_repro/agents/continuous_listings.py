"""D3's discount listings, defect by defect, each rebuilt as small as shows it.

The sketches say in our own words which names the listings read, write and pass on; nothing of
TensorFlow is needed to see what goes wrong.
"""

import ast
import builtins

import numpy as np
import torch

from promo_repro.agents.ddpg import critic_loss
from promo_repro.agents.networks import MLP

# Names and data flow ------------------------------------------------------------------------------

DISCOUNT_CLASS = """\
import tensor_library
from layers import Sequential, Dense, Activation

class DiscountModel(tensor_library.Model):
    def __init__(self, state_dim, action_dim, hidden_dim, learning_rate):
        self.state_dim = state_dim
        self.action_dim = action_dim
        self.hidden_dim = hidden_dim
        self.learning_rate = learning_rate
        self.first = Activation(Dense(self.hidden_dim, self.state_dim))
        self.last = Activation(Dense(self.action_dim, self.hidden_dim))

    def call(self, x):
        return self.last(self.first(x))

    def update(self, state, action, reward, next_state):
        guess = self.last(next_state)
        loss = tensor_library.mean((guess - action) ** 2)
        optimizer.apply(loss, self.trainable)
"""
# The same with an update that a critic's target needs.
MENDED_CLASS = (
    DISCOUNT_CLASS.replace("Sequential, ", "")
    .replace(
        "guess = self.last(next_state)",
        "target = reward + self.critic(next_state, self.call(next_state))",
    )
    .replace("(guess - action) ** 2", "(self.critic(state, action) - target) ** 2")
    .replace("optimizer.apply(loss", "self.optimizer(self.learning_rate).apply(loss")
)
SCRIPT_IMPORTS = """\
import pandas
import numpy
from datetime import datetime

table = pandas.read("data")
"""


def unused_imports(code: str) -> int:
    """Number of imported names that `code` never reads."""
    tree = ast.parse(code)
    imported = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    read = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return len(imported - read)


def idle_attributes(code: str) -> tuple[str, ...]:
    """Attributes of `self` that `code` sets and never reads, sorted."""
    stored, read = set(), set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Attribute):
            (stored if isinstance(node.ctx, ast.Store) else read).add(node.attr)
    return tuple(sorted(stored - read))


def idle_arguments(code: str, method: str) -> tuple[str, ...]:
    """Arguments of a method that its body never reads, sorted, without `self`."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.FunctionDef) and node.name == method:
            body = ast.walk(ast.Module(body=node.body, type_ignores=[]))
            read = {each.id for each in body if isinstance(each, ast.Name)}
            return tuple(sorted({each.arg for each in node.args.args} - read - {"self"}))
    raise ValueError(f"no method {method!r} in the code")


# The network --------------------------------------------------------------------------------------


def activation_error(applied_to: str) -> str:
    """The error of an activation that is applied to a "layer" or to its "output", "" for none."""
    layer = torch.nn.Linear(2, 3)
    value = {"layer": layer, "output": layer(torch.zeros(1, 2))}[applied_to]
    try:
        torch.relu(value)
    except TypeError as error:
        return type(error).__name__
    return ""


def actor(hidden: str, output: str, seed: int, rows: int = 500) -> np.ndarray:
    """Outputs (rows, 2) of a network 2-100-100-2 with random weights for random states, float64."""
    generator = torch.Generator().manual_seed(seed)
    place = {"generator": generator, "dtype": torch.float64}
    network = MLP(1, (2, 100, 100, 2), generator, hidden, torch.float64)
    x = 3 * torch.randn(1, rows, 2, **place)
    z = network(x)[0].detach()
    return (torch.sigmoid(z) if output == "sigmoid" else z).numpy()


def rate_range(output: str, seed: int) -> tuple[float, float]:
    """Least and largest "discount rate" with the activations inside, or lost: "identity"."""
    p = actor("relu" if output == "sigmoid" else "identity", output, seed)
    return float(p.min()), float(p.max())


def call_curvature(hidden: str, seed: int) -> float:
    """How far the three layers are from affine: largest |f(a + b) + f(0) − f(a) − f(b)|."""
    generator = torch.Generator().manual_seed(seed)
    network = MLP(1, (2, 100, 100, 2), generator, hidden, torch.float64)
    a, b = torch.randn(2, 1, 200, 2, generator=generator, dtype=torch.float64)
    gap = network(a + b) + network(torch.zeros_like(a)) - network(a) - network(b)
    return float(gap.detach().abs().max())


def layer_error(fed: int, layer: int) -> str:
    """The error of feeding `fed` numbers to layer 1, 2 or 3 of a 2-100-100-2 network."""
    widths = (2, 100, 100, 2)
    try:
        torch.nn.Linear(widths[layer - 1], widths[layer])(torch.zeros(1, fed))
    except RuntimeError as error:
        return type(error).__name__
    return ""


def weight_sizes(state: int, action: int, hidden: int) -> tuple[tuple[int, int], ...]:
    """Inputs and outputs of the weights of the three layers, in a network that is built."""
    network = MLP(1, (state, hidden, hidden, action), torch.Generator().manual_seed(0))
    return tuple(tuple(each.shape[1:]) for each in network.weights)


# The update ---------------------------------------------------------------------------------------


def unbound_names(code: str) -> tuple[str, ...]:
    """Names that the methods of `code` read and nothing in `code` binds, builtins aside."""
    tree = ast.parse(code)
    bound = {each.arg for each in ast.walk(tree) if isinstance(each, ast.arg)} | set(dir(builtins))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            bound |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.add(node.id)
        elif isinstance(node, ast.ClassDef | ast.FunctionDef):
            bound.add(node.name)
    read = {each.id for each in ast.walk(tree) if isinstance(each, ast.Name)}
    return tuple(sorted(read - bound))


def method_error(method: str) -> str:
    """The error of looking up a method of torch's Adam, the script's `optimizer`; "" for none."""
    optimiser = torch.optim.Adam([torch.zeros(1, requires_grad=True)])
    try:
        getattr(optimiser, method)
    except AttributeError as error:
        return type(error).__name__
    return ""


def foreign_error(library: str) -> str:
    """The error of giving a layer of one library an array of another, "" for its own tensor."""
    state = {"numpy": np.zeros(2, np.float32), "torch": torch.zeros(2)}[library]
    try:
        torch.nn.Linear(2, 3)(state)
    except TypeError as error:
        return type(error).__name__
    return ""


def imitation_step(reward: float, next_state, steps: int = 1, seed: int = 0) -> np.ndarray:
    """Change of the discounts (2,) at one state by D3's update, its shapes mended.

    The loss is the squared difference of the network's output at `next_state` and the action that
    was taken, which was its own output at the state (0.3, 0.2). `reward` is handed over, as in the
    listing, and plays no part.
    """
    del reward
    generator = torch.Generator().manual_seed(seed)
    network = MLP(1, (2, 100, 100, 2), generator, dtype=torch.float64)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    state = torch.tensor([[[0.3, 0.2]]], dtype=torch.float64)
    following = torch.as_tensor(next_state, dtype=torch.float64).reshape(1, 1, 2)
    before = torch.sigmoid(network(state)).detach()
    for _ in range(steps):
        loss = (torch.sigmoid(network(following)) - before).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return (torch.sigmoid(network(state)).detach() - before).ravel().numpy()


def imitation_move(next_state, steps: int, seed: int = 0) -> float:
    """Largest change of a discount after `steps` of D3's update."""
    return float(np.abs(imitation_step(1.0, next_state, steps, seed)).max())


def critic_step(reward: float, seed: int = 0) -> np.ndarray:
    """Change of the value of one action by a critic's update with this reward, (1,)."""
    generator = torch.Generator().manual_seed(seed)
    critic = MLP(1, (4, 100, 100, 1), generator, dtype=torch.float64)
    optimiser = torch.optim.Adam(critic.parameters(), lr=0.01)
    pair = torch.tensor([[[0.3, 0.2, 0.1, 0.1]]], dtype=torch.float64)
    before = critic(pair).detach()
    critic_loss(critic(pair)[..., 0], torch.full((1, 1), reward, dtype=torch.float64)).backward()
    optimiser.step()
    return (critic(pair).detach() - before).ravel().numpy()


def reward_effect(first: float, second: float, update: str) -> float:
    """How much another reward changes an update: that of the "listing", or of a "critic"."""
    if update == "listing":
        change = imitation_step(first, (0.2, 0.4)) - imitation_step(second, (0.2, 0.4))
    else:
        change = critic_step(first) - critic_step(second)
    return float(np.abs(change).max())
