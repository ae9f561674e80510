"""Many networks of one architecture as one: their weights have a leading axis."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap


class Ensemble:
    """K modules that share nothing but the loop, such as one for each of K seeds.

    Called with inputs that have a leading axis K, each module sees its own part, and one batched
    operation moves all of them. Keyword arguments are for every module; random numbers drawn
    inside differ between the modules.
    """

    def __init__(self, modules: Sequence[nn.Module]):
        if not modules:
            raise ValueError("an ensemble has no module; give at least one")
        weights, self.buffers = stack_module_state(list(modules))
        self.weights = {name: each.detach().requires_grad_() for name, each in weights.items()}
        self.module = modules[0]

    def parameters(self) -> list[Tensor]:
        """The weights of all modules, each (K, ...)."""
        return list(self.weights.values())

    def __call__(self, *inputs: Tensor, **constant) -> Tensor:
        def one(weights, buffers, *parts):
            return functional_call(self.module, (weights, buffers), parts, constant)

        return vmap(one, randomness="different")(self.weights, self.buffers, *inputs)

    def clip_gradients(self, largest: float) -> None:
        """Scale the gradient of each module down to the norm `largest` where it is longer."""
        gradients = [each.grad for each in self.parameters()]
        norm = torch.stack([each.flatten(1).norm(dim=1) for each in gradients]).norm(dim=0)
        scale = (largest / (norm + 1e-6)).clamp(max=1)
        for each in gradients:
            each.mul_(scale.view(-1, *[1] * (each.ndim - 1)))

    @torch.no_grad()
    def members(self) -> list[nn.Module]:
        """The modules one by one, with copies of their weights."""
        found = []
        for k in range(len(self.parameters()[0])):
            module = copy.deepcopy(self.module)
            state = {**self.weights, **self.buffers}
            module.load_state_dict({name: each[k] for name, each in state.items()})
            found.append(module)
        return found
