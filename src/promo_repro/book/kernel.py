"""What the executor sets up inside a chapter's kernel, before its first cell runs.

An IPython extension. It makes warnings errors, and it leaves a trace of what the chapter really
used: the project's modules that were imported, the project's data files that were opened, and the
data sets of which the cache was opened.
"""

import json
import os
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

TRACE = "PROMO_REPRO_TRACE"
CACHE = Path("data", "cache")
READ_ONLY_MASK = os.O_WRONLY | os.O_RDWR


@dataclass(frozen=True)
class Allowed:
    """A warning that does not stop a chapter: since when, and which dependency is to blame."""

    since: str
    reason: str
    category: type[Warning] = Warning
    message: str = ""
    module: str = ""


ALLOWED = (
    Allowed(
        since="2026-11-21",
        reason="raised in destructors, where Python can only print it, not turn it into an error",
        category=ResourceWarning,
    ),
    Allowed(
        since="2026-11-21",
        reason="the kernel's own code, between the cells; an error there would kill the kernel",
        module=r"(ipykernel|IPython|jupyter_client|tornado|traitlets|zmq|asyncio|debugpy)(\.|$)",
    ),
)


def make_warnings_errors(*_: object) -> None:
    """Turn every warning into an error, except the allowed ones.

    Called before each cell: libraries put filters of their own in front while they are imported.
    """
    warnings.simplefilter("error")
    for entry in ALLOWED:
        warnings.filterwarnings("ignore", entry.message, entry.category, entry.module)


class Trace:
    """The modules and data files of the project that this process has used so far."""

    def __init__(self, target: Path, root: Path) -> None:
        self.target, self.root = target, root
        self.opened: set[str] = set()
        self.ignored: set[str | None] = {None}  # names of files that do not count, looked at once
        self.data_sets: set[str] = set()

    def note(self, event: str, arguments: tuple) -> None:
        """Audit hook: remember files opened for reading."""
        if event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
            path, mode, flags = arguments
            if mode in ("r", "rb", "rt") or (mode is None and not (flags or 0) & READ_ONLY_MASK):
                self.opened.add(os.fsdecode(path))
            self._note_data_set(Path(os.path.abspath(os.fsdecode(path))))

    def _note_data_set(self, path: Path) -> None:
        """Remember whose cache is opened, be it to read what is there or to fill it."""
        if path.is_relative_to(self.root / CACHE):
            self.data_sets.add(path.relative_to(self.root / CACHE).parts[0])

    def used(self) -> list[str]:
        """Return the project's files, relative to the root, in alphabetical order."""
        modules = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
        names = {*modules, *self.opened} - self.ignored
        paths = {name: Path(os.path.abspath(name)) for name in names}
        self.ignored |= {name for name, path in paths.items() if not self._counts(path)}
        counting = {paths[name] for name in names - self.ignored if paths[name].is_file()}
        return sorted(path.relative_to(self.root).as_posix() for path in counting)

    def _counts(self, path: Path) -> bool:
        """Whether it is a file of the project that decides what a chapter finds.

        What is kept in `data/cache` is made from data that count already.
        """
        inside = any(path.is_relative_to(self.root / part) for part in ("src", "data"))
        made = path.suffix == ".pyc" or any(part.endswith(".egg-info") for part in path.parts)
        return inside and not path.is_relative_to(self.root / CACHE) and not made

    def write(self, *_: object) -> None:
        """Write the trace aside and move it into place: the reader never sees half of it."""
        partial = self.target.with_suffix(".partial")
        found = {"pid": os.getpid(), "used": self.used(), "data_sets": sorted(self.data_sets)}
        partial.write_text(json.dumps(found))
        os.replace(partial, self.target)


def load_ipython_extension(shell) -> None:
    """Called by IPython when the kernel starts."""
    shell.events.register("pre_run_cell", make_warnings_errors)
    if TRACE in os.environ:
        trace = Trace(Path(os.environ[TRACE]), Path.cwd())
        trace.write()
        sys.addaudithook(trace.note)
        shell.events.register("post_run_cell", trace.write)
