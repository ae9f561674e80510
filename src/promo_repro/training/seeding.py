"""Random numbers with a name: one seed gives any number of independent generators."""

import hashlib

import torch


def generator(seed: int, *name: str | int, device: str | torch.device = "cpu") -> torch.Generator:
    """Return the generator that `seed` holds under `name`, such as `(0, "weights", 3)`.

    Its state comes from a hash of seed and name. A new stream therefore changes none of the others,
    as it would if they were drawn, or numbered, one after another. Raises `ValueError` for a seed
    that is no whole number from 0 on, and without a name.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ValueError(f"seed is {seed!r}; give a whole number, 0 or larger")
    if not name:
        raise ValueError("a generator needs a name, such as 'weights'; give one")
    digest = hashlib.sha256("/".join(map(str, (seed, *name))).encode()).digest()
    # PyTorch's CPU generator looks at 32 bits of its seed only.
    return torch.Generator(device=device).manual_seed(int.from_bytes(digest[:4], "big"))
