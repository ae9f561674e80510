"""Which device a run uses."""

DEVICES = ("auto", "cpu", "cuda")


def resolve(name: str = "auto") -> str:
    """Return `"cpu"` or `"cuda"` for a requested device name.

    `auto` takes a CUDA device when PyTorch sees one. Raises `ValueError` for an unknown name and
    for `cuda` on a computer without one.
    """
    if name not in DEVICES:
        raise ValueError(f"unknown device {name!r}; choose one of {', '.join(DEVICES)}")
    if name == "cpu":
        return "cpu"
    import torch  # here, because loading it costs a second that "cpu" need not pay

    if torch.cuda.is_available():
        return "cuda"
    if name == "cuda":
        raise ValueError(
            "device 'cuda' was asked for, but PyTorch sees no CUDA device; "
            "use device 'cpu' or 'auto', or install a CUDA build of PyTorch"
        )
    return "cpu"
