"""Where the project's files are, and which commit they are."""

import os
import subprocess
from pathlib import Path


def root() -> Path:
    """Return the project folder: the one that holds `_config.yml` and `notebooks/`.

    `PROMO_REPRO_ROOT` wins; otherwise the current folder and its parents are tried, then the
    checkout that this file belongs to.

    Raises `FileNotFoundError` when there is none, as in a wheel used outside a clone.
    """
    if "PROMO_REPRO_ROOT" in os.environ:
        candidates = [Path(os.environ["PROMO_REPRO_ROOT"])]
    else:
        candidates = [Path.cwd(), *Path.cwd().parents, Path(__file__).resolve().parents[2]]
    for folder in candidates:
        if (folder / "_config.yml").is_file() and (folder / "notebooks").is_dir():
            return folder.resolve()
    raise FileNotFoundError(
        f"no project folder (one with _config.yml and notebooks/) at or above {candidates[0]}; "
        "run from a clone of the repository, or set PROMO_REPRO_ROOT to it"
    )


def commit() -> str:
    """Return the commit that is checked out, for the record of a result, or "unknown"."""
    command = ["git", "-C", str(root()), "rev-parse", "--short", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
