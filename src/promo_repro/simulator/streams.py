"""Random numbers with an address: the uniforms of a user in a step, whoever asks and when.

A stream is a key and a purpose. Its uniforms come from the counter-based generator Philox, with
the counter (user, row, step, purpose), so they do not depend on how users are split over batches
or processes, nor on what was drawn before. The purposes keep the randomness of the world apart from
that of exploration, of the replay memory and of evaluation.
"""

import numpy as np
import torch

PURPOSES = ("environment", "customers", "exploration", "replay", "evaluation")
PER_BLOCK = 8  # single-precision uniforms that one value of Philox's counter yields


class Stream:
    """The uniforms of one purpose under one key."""

    def __init__(self, key: int, purpose: str = "environment"):
        if purpose not in PURPOSES:
            raise ValueError(f"unknown purpose {purpose!r}; choose from {', '.join(PURPOSES)}")
        self.key = int(key)
        self.purpose = purpose
        self._bits = np.random.Philox(key=self.key)
        self._generator = np.random.Generator(self._bits)
        self._state = self._bits.state

    def uniforms(self, step: int, rows: int, count: int, first: int = 0) -> np.ndarray:
        """Uniforms in [0, 1), float32 (rows, count), of the users first … first + count − 1."""
        block, skip = divmod(first, PER_BLOCK)
        found = np.empty((rows, skip + count), np.float32)
        for row in range(rows):
            self._state["state"]["counter"][:] = block, row, step, PURPOSES.index(self.purpose)
            self._state["buffer_pos"] = 4  # nothing is left over from the last call
            self._state["has_uint32"] = 0
            self._bits.state = self._state
            self._generator.random(out=found[row], dtype=np.float32)
        return found[:, skip:]


def key_of(generator) -> int:
    """A key drawn from a `numpy.random.Generator` or a `torch.Generator`."""
    if isinstance(generator, np.random.Generator):
        return int(generator.integers(2**62))
    if isinstance(generator, torch.Generator):
        return int(torch.randint(2**62, (), generator=generator, device=generator.device))
    raise TypeError(
        f"{generator!r} is no generator; pass a numpy.random.Generator or a torch.Generator"
    )
