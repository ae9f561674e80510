"""A step compiled by PyTorch, with the plain step to fall back on.

On CUDA the compiler also records CUDA graphs where it can, which saves the launches that small
networks spend most of their time on. Learning rates have to be tensors (`rates_as_tensors`): a
number would be compiled into the step, and each change would compile it anew.
"""

import copy
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch

from promo_repro.training.checkpoint import capture, restore


class Compiled:
    """`function`, compiled at its first call; plain, with one warning, if that fails.

    `parts` are what the function changes, as for `checkpoint.capture`: a failed first call is
    undone before the plain one. An error of the function itself comes from the plain call.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        parts: Callable[[], Mapping[str, Any]],
        device: str | torch.device = "cpu",
        backend: str | Callable = "inductor",
    ):
        graphs = torch.device(device).type == "cuda" and backend == "inductor"
        mode = "reduce-overhead" if graphs else None
        self.plain, self.parts = function, parts
        self.function = torch.compile(function, backend=backend, mode=mode)
        self.tried = False

    def __call__(self, *arguments):
        if self.tried:
            return self.function(*arguments)
        self.tried = True
        before = copy.deepcopy(capture(self.parts()))
        try:
            with warnings.catch_warnings(action="ignore"):  # the compiler's, about itself
                return self.function(*arguments)
        except Exception as error:
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            warnings.warn(
                f"the step runs uncompiled, because compiling it failed: {reason}", stacklevel=2
            )
            self.function = self.plain
            restore(self.parts(), before)
            return self.plain(*arguments)


def rates_as_tensors(optimiser: torch.optim.Optimizer, device: str | torch.device) -> None:
    """Keep the learning rates of an optimiser in tensors; their values stay."""
    for group in optimiser.param_groups:
        group["lr"] = torch.tensor(float(group["lr"]), device=device)
