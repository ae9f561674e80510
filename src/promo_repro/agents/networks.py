"""Dense networks of many agents at once: the leading axis is the agent.

K agents that share nothing but the loop, such as one run for each of K seeds, hold their weights
in one tensor (K, in, out) per layer, and a batched matrix product moves all of them together.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise

import torch
from torch import Tensor

from promo_repro.claims import formula

# In place: nothing else reads what they are given, and new memory costs more than the arithmetic.
ACTIVATIONS = {"relu": torch.relu_, "tanh": torch.tanh_, "identity": lambda z: z}


class MLP:
    """K networks of one shape: x (K, B, in) → (K, B, out); hidden layers ReLU, the last affine.

    Weights and biases start uniform within ±1/√in, as in `torch.nn.Linear`, those of the last layer
    times `last`; they come from the generator, which also says on which device they live.
    """

    def __init__(
        self,
        agents: int,
        sizes: Sequence[int],
        generator: torch.Generator,
        hidden: str = "relu",
        dtype: torch.dtype = torch.float32,
        last: float = 1.0,
    ):
        if agents < 1 or len(sizes) < 2 or min(sizes) < 1:
            raise ValueError(
                f"agents is {agents} and sizes are {tuple(sizes)}; give at least one agent and the "
                "widths of input and output, all positive"
            )
        if hidden not in ACTIVATIONS:
            raise ValueError(f"no activation {hidden!r}; choose from {', '.join(ACTIVATIONS)}")
        self.agents, self.sizes, self.hidden = agents, tuple(sizes), hidden
        place = {"generator": generator, "device": generator.device, "dtype": dtype}
        self.weights, self.biases = [], []
        for depth, (inputs, outputs) in enumerate(pairwise(sizes), 2):
            bound = inputs**-0.5 * (last if depth == len(sizes) else 1)
            for kept, rows in ((self.weights, inputs), (self.biases, 1)):
                uniform = torch.rand(agents, rows, outputs, **place)
                kept.append((2 * uniform - 1) * bound)
        # The last weights lie column by column: BLAS takes half the time when columns are few.
        self.weights[-1] = self.weights[-1].mT.contiguous().mT
        for each in self.parameters():
            each.requires_grad_()

    def parameters(self) -> list[Tensor]:
        """All weights and biases: a list, since an iterator would be empty at its second use."""
        return [*self.weights, *self.biases]

    def __call__(self, x: Tensor) -> Tensor:
        if x.ndim != 3 or x.shape[0] != self.agents or x.shape[2] != self.sizes[0]:
            raise ValueError(
                f"input has shape {tuple(x.shape)}; expected ({self.agents}, batch, "
                f"{self.sizes[0]}) for agents, rows and features"
            )
        *inner, (weight, bias) = zip(self.weights, self.biases, strict=True)
        for each, shift in inner:
            x = ACTIVATIONS[self.hidden](torch.baddbmm(shift, x, each))
        if self.sizes[-1] == 1 and self.agents > 1:
            # A batched product with one column is several times slower than this sum.
            return (x * weight.mT).sum(dim=-1, keepdim=True) + bias
        return torch.baddbmm(bias, x, weight)

    def copy(self) -> "MLP":
        """A copy with equal weights that no optimiser trains: a target network."""
        other = object.__new__(MLP)
        other.agents, other.sizes, other.hidden = self.agents, self.sizes, self.hidden
        other.weights = [each.detach().clone() for each in self.weights]
        other.biases = [each.detach().clone() for each in self.biases]
        return other


@formula("eq-10-soft-update")
@torch.no_grad()
def soft_update(target: Iterable[Tensor], online: Iterable[Tensor], rate: float) -> None:
    """Move target parameters towards the online ones in place, θ' ← (1 − τ) θ' + τ θ.

    `rate` τ in (0, 1]; 1 copies.
    """
    if not 0 < rate <= 1:
        raise ValueError(f"the rate of a soft update is {rate}; it must lie in (0, 1]")
    for slow, fast in zip(target, online, strict=True):
        slow.lerp_(fast, rate)


@contextmanager
def frozen(parameters: Iterable[Tensor]) -> Iterator[None]:
    """Let gradients flow through a network, but not into its parameters."""
    parameters = list(parameters)
    for each in parameters:
        each.requires_grad_(False)
    try:
        yield
    finally:
        for each in parameters:
            each.requires_grad_(True)
