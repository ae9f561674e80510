"""How precisely a run computes, chosen once for all of it."""

from contextlib import AbstractContextManager, nullcontext

import torch

PRECISIONS = ("float32", "bfloat16")


def autocast(device: str | torch.device, precision: str = "float32") -> AbstractContextManager:
    """Return the context in which a step runs; the same code serves the CPU and CUDA.

    With `bfloat16` matrix products take and give 16 bits, while weights, optimiser and sums stay
    in single precision. Raises `ValueError` for an unknown precision.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"unknown precision {precision!r}; choose one of {', '.join(PRECISIONS)}")
    if precision == "float32":
        return nullcontext()
    return torch.autocast(torch.device(device).type, dtype=torch.bfloat16)
