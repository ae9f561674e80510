"""Dense networks: the layer equation, what layers without a nonlinearity are worth, joint training.

Shapes: `x` (n, inputs), weights (outputs, inputs), biases (outputs,). Device and dtype come from
the generator and the arguments.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise, product

import numpy as np
import torch
from scipy.optimize import linprog
from torch import Tensor, nn

from promo_repro.claims import formula
from promo_repro.recommender import losses

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda z: z,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "softmax": lambda z: torch.softmax(z, -1),
}
XOR = (np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), np.array([0, 1, 1, 0]))


def activation(name: str) -> Callable[[Tensor], Tensor]:
    """The activation of this name; raises `ValueError` for an unknown one."""
    if name not in ACTIVATIONS:
        raise ValueError(f"no activation {name!r}; choose from {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]


# Forward and backward -----------------------------------------------------------------------------


@formula("D4-F01", "eq-03-layer")
def layer(previous, weight, bias, nonlinearity: str) -> Tensor:
    """Output of one layer, φ(W x + b) for each row x of `previous` (n, inputs).

    `weight` (outputs, inputs), `bias` (outputs,); the result is (n, outputs). Any axes may stand
    before the last one of `previous`, also none.
    """
    previous, weight, bias = (torch.as_tensor(each) for each in (previous, weight, bias))
    if previous.shape[-1] != weight.shape[1] or weight.shape[:1] != bias.shape:
        raise ValueError(
            f"a weight of shape {tuple(weight.shape)} and a bias of shape {tuple(bias.shape)} "
            f"do not fit inputs of width {previous.shape[-1]}"
        )
    return activation(nonlinearity)(previous @ weight.T + bias)


@formula("eq-03-backpropagation")
def layer_gradients(previous, weight, bias, nonlinearity: str, upstream):
    """Derivatives of a loss with respect to weight, bias and input of a layer.

    `upstream` (n, outputs) is its derivative with respect to the layer's output. With
    δ = upstream · φ′(z): Σ δ xᵀ, Σ δ and Wᵀ δ. The softmax has the full Jacobian instead of φ′.
    """
    out = layer(previous, weight, bias, nonlinearity)
    delta = {
        "identity": upstream,
        "relu": upstream * torch.sign(out),
        "sigmoid": upstream * out * (1 - out),
        "softmax": out * (upstream - (upstream * out).sum(1, keepdim=True)),
    }[nonlinearity]
    return delta.T @ previous, delta.sum(0), delta @ weight


@formula("D2-F05", "eq-03-network")
def forward(x, parameters: Sequence, hidden: str, output: str) -> Tensor:
    """Output f(x; θ) of a network: layers with the activation `hidden`, the last with `output`.

    `parameters` θ is a list of pairs (weight, bias), first layer first.
    """
    *inner, last = parameters
    for weight, bias in inner:
        x = layer(x, weight, bias, hidden)
    return layer(x, *last, output)


@formula("eq-03-collapse")
def collapse(parameters: Sequence) -> tuple[Tensor, Tensor]:
    """Weight and bias of the one affine map that affine layers in a row amount to.

    W₂(W₁x + b₁) + b₂ = (W₂W₁)x + (W₂b₁ + b₂), and so on for more layers.
    """
    weight, bias = parameters[0]
    for next_weight, next_bias in parameters[1:]:
        weight, bias = next_weight @ weight, next_weight @ bias + next_bias
    return weight, bias


class Network(nn.Module):
    """Dense network whose forward pass is `forward`; `sizes` from the input to the output.

    Weights are uniform within ±√(6 / (inputs + outputs)) (Glorot and Bengio, 2010), biases zero,
    as in Keras. `dtype` defaults to torch's own.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        hidden: str,
        output: str,
        generator: torch.Generator,
        dtype: torch.dtype | None = None,
    ):
        super().__init__()
        if len(sizes) < 2 or min(sizes) < 1:
            raise ValueError(f"sizes are {tuple(sizes)}; give at least inputs and outputs, all > 0")
        activation(hidden), activation(output)
        self.hidden, self.output = hidden, output
        place = {"generator": generator, "device": generator.device, "dtype": dtype}
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for inputs, outputs in pairwise(sizes):
            bound = (6 / (inputs + outputs)) ** 0.5
            uniform = torch.rand(outputs, inputs, **place)
            self.weights.append((2 * uniform - 1) * bound)
            self.biases.append(torch.zeros_like(uniform[:, 0]))

    @property
    def theta(self) -> list[tuple[Tensor, Tensor]]:
        """The parameters as pairs (weight, bias)."""
        return list(zip(self.weights, self.biases, strict=True))

    def forward(self, x: Tensor) -> Tensor:
        return forward(x, self.theta, self.hidden, self.output)

    def scores(self, x: Tensor) -> Tensor:
        """What the output activation is applied to."""
        return forward(x, self.theta, self.hidden, "identity")


def fit(
    network: nn.Module,
    x: Tensor,
    target: Tensor,
    loss: Callable[[Tensor, Tensor], Tensor],
    *,
    epochs: int,
    generator: torch.Generator,
    batch_size: int | None = None,
    rate: float = 0.001,
) -> int:
    """Train in place with Adam on the mean of `loss(target, network.scores(x))`; return the steps.

    `batch_size` None takes all rows at once; otherwise each epoch shuffles the rows anew.
    """
    if len(x) != len(target):
        raise ValueError(f"{len(x)} rows of x, but {len(target)} targets")
    optimiser = torch.optim.Adam(network.parameters(), lr=rate)
    steps = 0
    for _ in range(epochs):
        rows = torch.arange(len(x), device=x.device)
        if batch_size is not None:
            rows = torch.randperm(len(x), generator=generator, device=x.device)
        for batch in rows.split(batch_size or len(x)):
            optimiser.zero_grad()
            (loss(target[batch], network.scores(x[batch])) / len(batch)).backward()
            optimiser.step()
            steps += 1
    return steps


# Layers without a nonlinearity --------------------------------------------------------------------


def departure_from_affine(names: Sequence[str], points) -> tuple[float, ...]:
    """How far each activation is from affine: largest |φ(a + b) + φ(0) − φ(a) − φ(b)|.

    a and b run over all pairs of `points`, and an affine φ gives 0.
    """
    a = torch.as_tensor(points, dtype=torch.float64)[:, None]
    b, zero = a.T, torch.zeros((), dtype=torch.float64)
    gaps = [phi(a + b) + phi(zero) - phi(a) - phi(b) for phi in map(activation, names)]
    return tuple(float(gap.abs().max()) for gap in gaps)


def collapse_error(sizes: Sequence[int], hidden: str, seed: int) -> float:
    """Largest difference between a network's probabilities and those of its collapsed layer.

    Sigmoid output, random weights and biases and 200 random rows, in float64. It is rounding error
    without a nonlinearity between the layers: the network then is a logistic regression.
    """
    generator = torch.Generator().manual_seed(seed)
    network = Network(sizes, hidden, "sigmoid", generator, torch.float64)
    x = torch.randn(200, sizes[0], generator=generator, dtype=torch.float64)
    with torch.no_grad():
        for bias in network.biases:
            bias.normal_(generator=generator)
        gap = network(x) - layer(x, *collapse(network.theta), "sigmoid")
    return float(gap.abs().max())


def separable(points, labels) -> bool:
    """Whether a line (a plane, ...) has all points with label 1 on one side, the others opposite.

    Decided exactly, by a linear program: some (w, b) has (2y − 1)(w·x + b) ≥ 1 for all points.
    """
    points, sign = np.asarray(points, dtype=float), 2 * np.asarray(labels) - 1
    rows = -sign[:, None] * np.column_stack([points, np.ones(len(points))])
    free = [(None, None)] * rows.shape[1]
    return linprog(np.zeros(rows.shape[1]), rows, -np.ones(len(rows)), bounds=free).status == 0


def best_linear_accuracy(points, labels) -> float:
    """Highest accuracy of any logistic regression: over all labellings that a line can give."""
    labels = np.asarray(labels)
    if len(labels) > 10:
        raise ValueError(f"{len(labels)} points have 2^{len(labels)} labellings; give at most 10")
    lines = (t for t in product([0, 1], repeat=len(labels)) if separable(points, t))
    return max(float((labels == t).mean()) for t in lines)


def best_accuracy_by_grid(points, labels, directions: int = 720) -> float:
    """The same in the plane by brute force: every direction of a grid, cut between all points."""
    points, labels = np.asarray(points, dtype=float), np.asarray(labels)
    angle = 2 * np.pi * np.arange(directions) / directions
    height = np.column_stack([np.cos(angle), np.sin(angle)]) @ points.T
    cuts = np.column_stack([height - 1e-9, height.max(axis=1) + 1])
    above = height[:, None, :] > cuts[:, :, None]
    return float((above == labels).mean(axis=-1).max())


def trained_accuracy(points, labels, hidden: str, seed: int = 0, starts: int = 3) -> float:
    """Best accuracy over some starts of a network with 8 hidden units and a sigmoid output."""
    x = torch.as_tensor(points, dtype=torch.float64)
    y = torch.as_tensor(labels, dtype=torch.float64)[:, None]
    generator = torch.Generator().manual_seed(seed)
    best = 0.0
    for _ in range(starts):
        network = Network((x.shape[1], 8, 1), hidden, "sigmoid", generator, x.dtype)
        loss = losses.binary_cross_entropy_of_score
        fit(network, x, y, loss, epochs=150, rate=0.1, generator=generator)
        best = max(best, float(((network(x) > 0.5) == (y > 0.5)).double().mean()))
    return best


def log_loss_of(x, y, rows: np.ndarray, hidden: str, seed: int, epochs: int = 200) -> float:
    """Mean cross-entropy on the other rows of a network trained on `rows` (truth values).

    `x` (n, inputs), `y` (n,) of 0 and 1; 32 hidden units with the activation `hidden`, sigmoid
    output, Adam on all rows at once.
    """
    x, rows = torch.as_tensor(x), torch.as_tensor(rows)
    y = torch.as_tensor(y, dtype=x.dtype, device=x.device)[:, None]
    generator = torch.Generator(device=x.device).manual_seed(seed)
    network = Network((x.shape[1], 32, 1), hidden, "sigmoid", generator, x.dtype)
    loss = losses.binary_cross_entropy_of_score
    fit(network, x[rows], y[rows], loss, epochs=epochs, rate=0.02, generator=generator)
    with torch.no_grad():
        return float(loss(y[~rows], network.scores(x[~rows]))) / int((~rows).sum())


# Joint training -----------------------------------------------------------------------------------


class SharedTrunk(nn.Module):
    """Two outputs on one hidden ReLU layer: the joint model that D3's two separate ones are not."""

    def __init__(self, inputs: int, hidden: int, generator: torch.Generator, dtype=None):
        super().__init__()
        self.trunk = Network((inputs, hidden), "relu", "relu", generator, dtype)
        self.heads = nn.ModuleList(
            Network((hidden, 1), "relu", "sigmoid", generator, dtype) for _ in range(2)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.trunk(x)
        first, second = (head(features)[:, 0] for head in self.heads)
        return first, second


class TwoNetworks(nn.Module):
    """Two networks of their own, as D3's recommender and discount model."""

    def __init__(self, inputs: int, hidden: int, generator: torch.Generator, dtype=None):
        super().__init__()
        self.parts = nn.ModuleList(
            Network((inputs, hidden, 1), "relu", "sigmoid", generator, dtype) for _ in range(2)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        first, second = (part(x)[:, 0] for part in self.parts)
        return first, second


def _weights(model: nn.Module) -> Tensor:
    return nn.utils.parameters_to_vector(model.parameters()).detach()


def joint_training_gap(
    x, y, seed: int, *, shared: bool = False, clip: float | None = None, steps: int = 60
) -> float:
    """Largest difference of any weight after training on D3's summed loss or on its parts.

    `x` (n, inputs), `y` (n,) of 0 and 1. One run takes Adam steps on the sum of the two losses;
    the other, from the same start, minimises the recommender's loss and then the discount model's,
    each with an optimiser of its own. `shared` gives both models one hidden layer, which in the
    second run only the recommender trains; `clip` bounds the norm of each gradient.
    """
    x = torch.as_tensor(x)
    y = torch.as_tensor(y, dtype=x.dtype, device=x.device)
    kind = SharedTrunk if shared else TwoNetworks

    def start():
        generator = torch.Generator(device=x.device).manual_seed(seed)
        return kind(x.shape[1], 16, generator, x.dtype)

    def train(model, parameters, loss):
        optimiser = torch.optim.Adam(parameters, lr=0.01)
        for _ in range(steps):
            optimiser.zero_grad()
            (loss(*model(x)) / len(x)).backward()
            if clip is not None:
                nn.utils.clip_grad_norm_(parameters, clip)
            optimiser.step()

    together, apart = start(), start()
    train(together, list(together.parameters()), lambda p, g: losses.total_loss(y, p, g))
    second = list((apart.heads if shared else apart.parts)[1].parameters())
    first = [each for each in apart.parameters() if not any(each is other for other in second)]
    train(apart, first, lambda p, g: losses.binary_cross_entropy(y, p))
    train(apart, second, lambda p, g: losses.discount_loss(y, g))
    return float((_weights(together) - _weights(apart)).abs().max())


def discount_path(x, y, seed: int, steps: Sequence[int]) -> np.ndarray:
    """Discount rates (len(steps), n) after so many Adam steps on D3's discount loss.

    `x` (n, inputs), `y` (n,) of 0 and 1: whether the customer bought. 16 hidden ReLU units.
    """
    x = torch.as_tensor(x)
    y = torch.as_tensor(y, dtype=x.dtype, device=x.device)[:, None]
    generator = torch.Generator(device=x.device).manual_seed(seed)
    network = Network((x.shape[1], 16, 1), "relu", "sigmoid", generator, x.dtype)
    path, done = [], 0
    for target in steps:
        fit(
            network,
            x,
            y,
            lambda label, z: losses.discount_loss(label, torch.sigmoid(z)),
            epochs=target - done,
            rate=0.01,
            generator=generator,
        )
        done = target
        path.append(network(x).detach()[:, 0])
    return torch.stack(path).cpu().numpy()


def held_out_loss(
    x, y, other, rows: np.ndarray, second: str, seed: int, *, steps: int = 150
) -> float:
    """Mean cross-entropy of the recommender on held-out rows, by what it is trained with.

    `x` (n, inputs); `y` and `other` (n,) of 0 and 1; `rows` (n,) truth values, the training rows.
    `second` is "alone", "discount" (a shared hidden layer, and D3's discount loss on the second
    output) or "task" (a shared layer, and the cross-entropy of `other`).
    """
    x, rows = torch.as_tensor(x), torch.as_tensor(rows)
    y, other = (torch.as_tensor(each, dtype=x.dtype, device=x.device) for each in (y, other))
    generator = torch.Generator(device=x.device).manual_seed(seed)
    model = SharedTrunk(x.shape[1], 32, generator, x.dtype)
    added = {
        "alone": lambda g: 0 * g.sum(),
        "discount": lambda g: losses.discount_loss(y[rows], g),
        "task": lambda g: losses.binary_cross_entropy(other[rows], g),
    }
    if second not in added:
        raise ValueError(f"no second loss {second!r}; choose from {', '.join(added)}")
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(steps):
        p, g = model(x[rows])
        optimiser.zero_grad()
        loss = losses.binary_cross_entropy(y[rows], p) + added[second](g)
        (loss / int(rows.sum())).backward()
        optimiser.step()
    with torch.no_grad():
        p, _ = model(x[~rows])
        return float(losses.binary_cross_entropy(y[~rows], p)) / int((~rows).sum())
