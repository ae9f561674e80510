"""A computer with an accelerator that it does not have: tensors know their device and shape only.

PyTorch lets Python register a device type; in fake mode its operations are shape computations,
which refuse to mix it with CPU tensors exactly as CUDA does. So a step that runs here moves no
tensor behind the back of its device. To be used in a process of its own.
"""

from contextlib import contextmanager

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

NAME = "npu_of_tests"


class Generator(torch.Generator):
    """A generator that says that it lives on the accelerator."""

    def __new__(cls, device=None):
        return super().__new__(cls)

    device = property(lambda self: torch.device(NAME))


@contextmanager
def accelerator():
    _setup_privateuseone_for_python_backend(NAME)
    real, torch.Generator = torch.Generator, Generator
    try:
        with FakeTensorMode():
            yield NAME
    finally:
        torch.Generator = real
