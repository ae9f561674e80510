"""Checkpoints: written whole or not at all, and exact when read back."""

import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

FORMAT = 1


def capture(parts: Mapping[str, Any]) -> dict[str, Any]:
    """State of the parts of a run; what `restore` needs to go on from here.

    A part is a `torch.Generator`, a tensor, a sequence of tensors, or has a `state_dict`, as
    modules, optimisers and schedules have. Tensors are not copied: save the result before the next
    step.
    """
    return {name: _state(part) for name, part in parts.items()}


def restore(parts: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    """Bring the parts, in place, into a captured state; they keep their device and dtype.

    Raises `ValueError` when the state is that of other parts.
    """
    if parts.keys() != state.keys():
        raise ValueError(
            f"the checkpoint holds {', '.join(state)}, and the run has {', '.join(parts)}; it was "
            "written by another version or another kind of run"
        )
    for name, part in parts.items():
        try:
            _set(part, state[name])
        except (RuntimeError, ValueError) as error:
            raise ValueError(f"{name} in the checkpoint does not fit the run: {error}") from error


def _state(part):
    if isinstance(part, torch.Generator):
        return part.get_state()
    if isinstance(part, Tensor):
        return part.detach()
    if isinstance(part, list | tuple):
        return [each.detach() for each in part]
    return part.state_dict()


@torch.no_grad()
def _set(part, state) -> None:
    if isinstance(part, torch.Generator):
        part.set_state(state.cpu())
    elif isinstance(part, Tensor):
        if part.shape != state.shape:
            raise ValueError(f"shape {tuple(state.shape)}, expected {tuple(part.shape)}")
        part.copy_(state)
    elif isinstance(part, list | tuple):
        for own, saved in zip(part, state, strict=True):
            _set(own, saved)
    else:
        part.load_state_dict(state)


def save(path: Path, state: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """Write a checkpoint beside the last one and put it in its place when it is complete.

    `settings` say which run this is; `load` compares them. Raises `OSError`, and leaves the last
    checkpoint as it was, when the disk is full or the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            torch.save({"format": FORMAT, "settings": dict(settings), **state}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except (OSError, RuntimeError) as error:
        # PyTorch's writer reports a failed write as a RuntimeError; the cause is the OSError.
        cause = error if isinstance(error, OSError) else error.__context__
        if not isinstance(cause, OSError):
            raise
        raise OSError(
            cause.errno,
            f"the checkpoint could not be written ({cause.strerror}); the one before it is intact. "
            "Make room, or choose another folder, and go on with --resume",
            str(path),
        ) from error
    finally:
        part.unlink(missing_ok=True)


def load(path: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Read a checkpoint of the run that `settings` describe.

    Raises `FileNotFoundError` if there is none, and `ValueError` if the file is damaged or belongs
    to a run with other settings.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint {path}; start without --resume")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        complete = state.get("format") == FORMAT
    except (RuntimeError, OSError, EOFError, AttributeError, pickle.UnpicklingError) as error:
        raise ValueError(f"{path} is damaged and cannot be read; start without --resume") from error
    if not complete:
        raise ValueError(f"{path} was written by another version; start without --resume")
    changed = [
        f"{name} is {settings.get(name)!r}, was {state['settings'].get(name)!r}"
        for name in sorted({*settings, *state["settings"]})
        if settings.get(name) != state["settings"].get(name)
    ]
    if changed:
        raise ValueError(
            f"{path} belongs to a run with other settings ({'; '.join(changed)}); resume with "
            "those, or choose another folder"
        )
    return state
