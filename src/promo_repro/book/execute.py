"""Execute the notebooks into the book's chapters, each only when one of its inputs changed.

The sources in `notebooks/` stay free of outputs. `book/chapters/` holds the executed copies, and
each copy says in its metadata `promo_repro` from which inputs it was made:

- its own code cells (not its prose), the profile, the other parameters and the device;
- the files of the package that it imports, directly or through others, and those that the kernel
  was seen to import by a name known only at run time;
- the data it declares in the notebook's metadata (`promo_repro: {"data": [...]}`: files or folders
  of the repository, or names of data sets) and the project's data files it was seen to open; a
  chapter that opens a data set without naming it fails;
- `requirements.lock`, the Python version and the installed versions of the main packages.
"""

import ast
import contextlib
import hashlib
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import nbformat
from nbformat import NotebookNode
from nbformat.warnings import MissingIDFieldWarning

from promo_repro import project
from promo_repro.book import kernel
from promo_repro.book.closure import closure, imported_names
from promo_repro.claims.verdict import MIME as VERDICT
from promo_repro.training import device as devices

PROFILES = ("quick", "full")
TIMEOUT = {"quick": 900.0, "full": float("inf")}
VERSIONS = (
    "duckdb", "ipykernel", "matplotlib", "numpy", "pandas", "pyarrow", "scikit-learn", "scipy",
    "sympy", "torch",
)  # fmt: skip
METADATA = "promo_repro"
INJECTED = "injected-parameters"
RUN_TIME = "<!-- run-time -->"
# The only tags that change what running a cell does; all others are presentation.
RUN_TAGS = {"parameters", "raises-exception", "skip-execution"}
THREAD_VARIABLES = (
    "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS",
)  # fmt: skip
KERNEL_CONFIG = """\
c = get_config()  # noqa: F821
c.IPKernelApp.log_level = 40
c.IPKernelApp.extensions = ["promo_repro.book.kernel"]
c.IPKernelApp.reraise_ipython_extension_failures = True
c.IPKernelApp.exec_PYTHONSTARTUP = False
c.HistoryManager.enabled = False
"""


class BookError(ValueError):
    """The book cannot be made from what was given; the message says why and what to do."""


class _CellError(BookError):
    """A cell ran, but its outputs cannot be put into the book."""

    def __init__(self, cell_id: str, reason: str) -> None:
        super().__init__(reason)
        self.cell_id = cell_id


@dataclass(frozen=True)
class Outcome:
    """What became of one chapter.

    `fresh`: nothing changed, not run; `text`: only prose changed, merged without running; `ran`;
    `failed`: the last good output, if any, is as it was. `seconds` is how long this run took (0
    if none), `message` why it ran or failed, `failing_cell` the id of the cell that failed.
    """

    name: str
    status: Literal["fresh", "text", "ran", "failed"]
    seconds: float = 0.0
    message: str = ""
    failing_cell: str | None = None


@dataclass(frozen=True)
class Event:
    """A chapter starts (`outcome` is None) or is done; as text, a line to show."""

    name: str
    outcome: Outcome | None = None

    def __str__(self) -> str:
        if self.outcome is None:
            return f"{self.name}: running"
        match self.outcome.status:
            case "fresh":
                return f"{self.name}: nothing changed, not run"
            case "text":
                return f"{self.name}: only the text changed, merged without running"
            case "failed":
                return f"failed: {self.outcome.message}"
        why = f" ({self.outcome.message})" if self.outcome.message else ""
        return f"{self.name}: ran in {self.outcome.seconds:.0f} s{why}"


@dataclass(frozen=True)
class _Chapter:
    """A notebook, and everything its result depends on: name → digest or plain value.

    `inputs` is what its source says, `recorded` the files its last good run was seen to use.
    """

    name: str
    source: NotebookNode
    parameters: dict[str, Any]
    inputs: dict[str, str]
    recorded: dict[str, str]
    previous: NotebookNode | None

    @property
    def record(self) -> Mapping[str, Any]:
        """What the last good output says about itself; empty when there is none."""
        return self.previous.metadata.get(METADATA, {}) if self.previous else {}

    def changes(self) -> list[str]:
        """Names of the inputs that differ from those of the last good output."""
        before = self.record.get("inputs", {})
        now = {**self.recorded, **self.inputs}
        names = before.keys() | now.keys()
        return sorted(name for name in names if before.get(name) != now.get(name))


def execute(
    names: Iterable[str] | None = None,
    *,
    profile: str = "quick",
    device: str = "cpu",
    jobs: int = 1,
    force: bool = False,
    parameters: Mapping[str, Any] | None = None,
    timeout: float | None = None,
    root: Path | None = None,
    package: str = "promo_repro",
    progress: Callable[[Event], None] = lambda event: None,
) -> list[Outcome]:
    """Bring the executed chapters up to date and return one outcome per chapter, in book order.

    `names` are notebook names (`07_bandits`, or just `07`); none means all. `parameters` overrides
    values of the notebooks' parameters cell. `jobs` chapters run at the same time on the CPU, one
    at a time on a GPU. `timeout` is in seconds per chapter (15 minutes for the quick profile, no
    limit for the full one). A chapter that fails, takes too long, loses its kernel or is stopped
    by Ctrl-C is an outcome `failed`, not an exception; the others are still run, except after
    Ctrl-C.

    Raises `BookError`, before anything runs, for an unknown name, profile, device or parameter, a
    device that is not there, and declared data that cannot be found.
    """
    root = Path(root or project.root()).resolve()
    if profile not in PROFILES:
        raise BookError(f"unknown profile {profile!r}; choose one of {', '.join(PROFILES)}")
    if jobs < 1:
        raise BookError(f"jobs is {jobs}; at least one chapter has to run at a time")
    try:
        device = devices.resolve(device)
    except ValueError as error:
        raise BookError(str(error)) from error
    settings = {"profile": str(profile), "device": device}
    paths = select(root, names)
    chapters = [_chapter(path, root, package, settings, parameters or {}) for path in paths]

    outcomes = {}
    stale = []
    for chapter in chapters:
        if force or chapter.changes():
            stale.append(chapter)
        else:
            outcomes[chapter.name] = _merge(chapter, root)
            progress(Event(chapter.name, outcomes[chapter.name]))
    limit = TIMEOUT[profile] if timeout is None else timeout
    for outcome in _run(stale, root, limit, 1 if device == "cuda" else jobs, progress):
        outcomes[outcome.name] = outcome
    return [outcomes[chapter.name] for chapter in chapters]


def select(root: Path, names: Iterable[str] | None) -> list[Path]:
    """Return the notebooks that `names` mean, in book order; raises `BookError` for an unknown."""
    known = sorted((root / "notebooks").glob("*.ipynb"))
    if not known:
        raise BookError(f"no notebooks in {root / 'notebooks'}; run from a clone of the repository")
    if not names:
        return known
    wanted = set()
    for name in names:
        stem = Path(name).name.removesuffix(".ipynb")
        match = [path for path in known if stem in (path.stem, path.stem.split("_")[0])]
        if not match:
            stems = ", ".join(path.stem for path in known)
            raise BookError(f"no chapter {name!r}; the chapters are {stems}")
        wanted.update(match)
    return [path for path in known if path in wanted]


# Inputs -----------------------------------------------------------------------------------------


def _chapter(
    path: Path, root: Path, package: str, settings: dict[str, str], overrides: Mapping[str, Any]
) -> _Chapter:
    source = _read(path)
    parameters = {**_parameters(path.stem, source, overrides), **settings}
    target = _target(root, path.stem)
    try:
        previous = _read(target) if target.exists() else None
    except BookError:
        previous = None  # a damaged output is made again, like a missing one
    used = previous.metadata.get(METADATA, {}).get("used", []) if previous else []
    recorded = {file: _file_digest(root / file) for file in used}
    inputs = _inputs(path.stem, source, root, package, parameters)
    return _Chapter(path.stem, source, parameters, inputs, recorded, previous)


def _read(path: Path) -> NotebookNode:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", MissingIDFieldWarning)
            notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
    except MissingIDFieldWarning as error:
        remedy = "run `python -m promo_repro.book.notebooks --fix` on it"
        raise BookError(f"{path.name} has cells without an id; {remedy}") from error
    except (OSError, ValueError, nbformat.ValidationError) as error:
        reason = str(error).strip().splitlines()[0]
        raise BookError(f"{path} is not a readable notebook: {reason}") from error
    return notebook


def _target(root: Path, name: str) -> Path:
    return root / "book" / "chapters" / f"{name}.ipynb"


def declared_parameters(notebook: NotebookNode) -> dict[str, Any]:
    """Return name → default value of the cell tagged `parameters` (empty without one)."""
    defaults = {}
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", ()):
            for statement in ast.parse(cell.source).body:
                if isinstance(statement, ast.Assign):
                    value = ast.literal_eval(statement.value)
                    defaults.update({target.id: value for target in statement.targets})
    return defaults


def _parameters(name: str, notebook: NotebookNode, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the defaults overridden by what is given; text is converted to the default's type."""
    try:
        defaults = declared_parameters(notebook)
    except (SyntaxError, ValueError, AttributeError) as error:
        message = f"{name}: the parameters cell may only hold lines `name = literal` ({error})"
        raise BookError(message) from error
    for setting in ("profile", "device"):
        if setting not in defaults:
            raise BookError(f"{name}: no {setting!r} in a cell tagged `parameters`; add it there")
        if setting in given:
            raise BookError(f"{setting!r} is set by the option --{setting}, not as a parameter")
    values = dict(defaults)
    for key, value in given.items():
        if key not in defaults:
            raise BookError(f"{name}: unknown parameter {key!r}; it has {', '.join(defaults)}")
        values[key] = _like(defaults[key], value, f"{name}: parameter {key!r}")
    return values


def _like(default: Any, value: Any, what: str) -> Any:
    """Return `value` as the type of `default`; text such as "20" is read as Python would."""
    if isinstance(value, str) and not isinstance(default, str):
        try:
            value = ast.literal_eval(value)
        except (SyntaxError, ValueError) as error:
            raise BookError(f"{what}: {value!r} is not a {type(default).__name__}") from error
    if type(default) is float and type(value) is int:
        return float(value)
    if default is not None and type(value) is not type(default):
        raise BookError(f"{what}: {value!r} is not a {type(default).__name__}")
    return value


def _inputs(
    name: str,
    notebook: NotebookNode,
    root: Path,
    package: str,
    parameters: Mapping[str, Any],
) -> dict[str, str]:
    """Return what the source says the chapter's outputs depend on."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    code = [(cell.source, sorted(RUN_TAGS & {*cell.metadata.get("tags", ())})) for cell in cells]
    imports = [found for cell in cells for found in _imports(cell.source)]
    try:
        modules = closure(imports, root / "src", package)
    except ValueError as error:
        raise BookError(f"{name} imports a module that does not parse: {error}") from error
    files = {"requirements.lock", *(path.relative_to(root).as_posix() for path in modules)}
    declared = notebook.metadata.get(METADATA, {}).get("data", [])
    return {
        "code": _digest(json.dumps(code).encode()),
        "parameters": json.dumps(dict(parameters), sort_keys=True),
        "python": platform.python_version(),
        "packages": json.dumps(_versions()),
        "kernel set-up": _file_digest(Path(kernel.__file__)),
        **{file: _file_digest(root / file) for file in files},
        **{label: _file_digest(path) for label, path in _data(name, declared, root)},
    }


def _imports(code: str) -> list[str]:
    lines = ["pass" if line.lstrip().startswith(("%", "!")) else line for line in code.splitlines()]
    try:
        return list(imported_names("\n".join(lines)))
    except SyntaxError:
        return []  # the run will say so, with the cell


def _data(name: str, declared: Iterable[str], root: Path) -> Iterator[tuple[str, Path]]:
    """Yield label and path of each declared data file; folders stand for their files."""
    for entry in declared:
        path = root / entry
        if path.is_file():
            yield entry, path
        elif path.is_dir():
            for file in sorted(found for found in path.rglob("*") if found.is_file()):
                yield file.relative_to(root).as_posix(), file
        elif "/" in entry:
            raise BookError(f"{name}: declared data file {entry} does not exist")
        else:
            yield from ((f"{entry}: {file.name}", file) for file in _dataset(name, entry))


def _dataset(name: str, dataset: str) -> list[Path]:
    from promo_repro import datasets  # here, because loading it costs a second that most need not

    try:
        files = [Path(path) for path in datasets.paths(dataset)]
    except (OSError, ValueError) as error:
        raise BookError(f"{name}: declared data set {dataset!r}: {error}") from error
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        remedy = "run `promo-repro data fetch`"
        raise BookError(f"{name}: data set {dataset!r} lacks {', '.join(missing)}; {remedy}")
    return files


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _file_digest(path: Path) -> str:
    if not path.is_file():
        return "absent"
    status = path.stat()
    return _digest_of_version(path, status.st_mtime_ns, status.st_size)


@cache
def _digest_of_version(path: Path, *_version: int) -> str:
    """Many chapters share a file; it is read again only when it has another time or size."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _versions() -> dict[str, str]:
    found = {}
    for name in VERSIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


# Running ----------------------------------------------------------------------------------------


@dataclass
class _Run:
    """One chapter being executed by a process of its own, in a folder of its own."""

    chapter: _Chapter
    folder: Path
    process: subprocess.Popen
    started: float = field(default_factory=time.time)

    @property
    def seconds(self) -> float:
        return time.time() - self.started

    def trace(self) -> dict[str, Any]:
        path = self.folder / "trace.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def stop(self) -> None:
        """End the chapter's processes, the kernel first: it has a session of its own."""
        if "pid" in self.trace() and self.process.poll() is None:
            _kill(self.trace()["pid"])
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _run(
    chapters: list[_Chapter],
    root: Path,
    timeout: float,
    jobs: int,
    progress: Callable[[Event], None],
) -> list[Outcome]:
    """Run the chapters, at most `jobs` at a time; return their outcomes in the order of ending."""
    if not chapters:
        return []
    _write_if_changed(root / ".ipython/profile_default/ipython_kernel_config.py", KERNEL_CONFIG)
    environment = _environment(root, jobs)
    (root / "_build").mkdir(exist_ok=True)
    waiting, running, outcomes = list(chapters), [], []

    def done(outcome: Outcome) -> None:
        outcomes.append(outcome)
        progress(Event(outcome.name, outcome))

    with tempfile.TemporaryDirectory(dir=root / "_build", prefix="executing-") as folder:
        try:
            while waiting or running:
                while waiting and len(running) < jobs:
                    progress(Event(waiting[0].name))
                    running.append(_start(waiting[0], Path(folder), root, environment))
                    waiting.pop(0)
                time.sleep(0.05)
                for run in list(running):
                    if run.process.poll() is not None or run.seconds > timeout:
                        outcome = _finish(run, root, timeout)
                        running.remove(run)
                        done(outcome)
        except KeyboardInterrupt:
            for run in running:
                run.stop()
                done(_failure(run, root, "stopped by Ctrl-C"))
            for chapter in waiting:
                reason = f"{chapter.name}: not run, stopped by Ctrl-C"
                done(Outcome(chapter.name, "failed", message=reason))
        finally:
            for run in running:
                run.stop()
    return outcomes


def _write_if_changed(path: Path, content: str) -> None:
    if not path.exists() or path.read_text() != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def _environment(root: Path, jobs: int) -> dict[str, str]:
    """Return the environment of the kernels: the project's own settings, none of the user's."""
    own = str(Path(__file__).parents[2])
    search = dict.fromkeys([str(root / "src"), own, *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {
        **os.environ,
        "IPYTHONDIR": str(root / ".ipython"),
        "JUPYTER_PREFER_ENV_PATH": "1",
        # What is hashed is what is imported, wherever the package was installed from.
        "PYTHONPATH": os.pathsep.join(search),
        # The order of a printed set must not differ from run to run.
        "PYTHONHASHSEED": "0",
        "PROMO_REPRO_ROOT": str(root),
    }
    environment.pop("PYTHONWARNINGS", None)
    if jobs > 1:
        threads = str(max(1, (os.cpu_count() or 1) // jobs))
        environment.update(dict.fromkeys(THREAD_VARIABLES, threads))
    return environment


def _start(chapter: _Chapter, parent: Path, root: Path, environment: dict[str, str]) -> _Run:
    folder = parent / chapter.name
    folder.mkdir()
    nbformat.write(chapter.source, folder / "source.ipynb")
    # Relative paths: papermill would take braces in a path for parameters.
    relative = folder.relative_to(root)
    job = {
        "source": str(relative / "source.ipynb"),
        "target": str(relative / "executed.ipynb"),
        "result": str(relative / "result.json"),
        "parameters": chapter.parameters,
    }
    (folder / "job.json").write_text(json.dumps(job))
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "promo_repro.book.worker", str(relative / "job.json")],
            cwd=root,
            env={
                **environment,
                "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
                kernel.TRACE: str(folder / "trace.json"),
            },
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the executor, which then ends the chapters
        )
    return _Run(chapter, folder, process)


def _finish(run: _Run, root: Path, timeout: float) -> Outcome:
    result_path = run.folder / "result.json"
    if run.process.poll() is None:
        run.stop()
        return _failure(run, root, f"took longer than {timeout:g} s")
    run.process.stdin.close()
    if not result_path.exists():
        return _failure(run, root, f"its process ended with exit code {run.process.returncode}")
    result = json.loads(result_path.read_text())
    if result["error"]:
        return _failure(run, root, result["error"])
    try:
        _publish(run, root, result["peak_memory_mb"])
    except _CellError as error:
        return _failure(run, root, str(error), error.cell_id)
    except BookError as error:
        return _failure(run, root, str(error))
    changes = run.chapter.changes() if run.chapter.previous else []
    return Outcome(run.chapter.name, "ran", run.seconds, _summary(changes))


def _summary(changes: list[str]) -> str:
    if not changes:
        return ""
    more = f" and {len(changes) - 3} more" if len(changes) > 3 else ""
    return f"changed: {', '.join(changes[:3])}{more}"


def _failure(run: _Run, root: Path, reason: str, cell_id: str | None = None) -> Outcome:
    """Keep what there is of the failed run for inspection, and say what happened where.

    Without `cell_id`, it happened in the cell that was started last.
    """
    name, partial = run.chapter.name, run.folder / "executed.ipynb"
    cell_id = cell_id or _last_started(partial)
    positions = {cell.id: number for number, cell in enumerate(run.chapter.source.cells, 1)}
    if cell_id is None:
        where = "before its first cell"
    elif cell_id in positions:
        where = f"cell {cell_id} (number {positions[cell_id]})"
    else:
        cell_id = where = INJECTED  # papermill gives the cell that it adds an id of chance
    failed = root / "_build" / "failed"
    failed.mkdir(exist_ok=True)
    for kept in (run.folder / "log.txt", partial):
        if kept.exists():
            target = failed / f"{name}{kept.suffix}"
            shutil.move(kept, target)
    message = f"{name}, {where}: {reason}; see {target.relative_to(root).as_posix()}"
    return Outcome(name, "failed", run.seconds, message, cell_id)


def _last_started(partial: Path) -> str | None:
    """Return the id of the code cell that papermill started last."""
    try:
        cells = nbformat.read(partial, as_version=4).cells
    except (OSError, ValueError):
        return None  # ended before papermill saved, or while it did
    started = [
        cell.id
        for cell in cells
        if cell.cell_type == "code" and cell.metadata.get("papermill", {}).get("start_time")
    ]
    return started[-1] if started else None


# Publishing -------------------------------------------------------------------------------------


def _publish(run: _Run, root: Path, peak_memory_mb: int) -> None:
    """Replace the chapter's last good output by what this run found."""
    chapter = run.chapter
    executed = _read(run.folder / "executed.ipynb")
    own = chapter.source.metadata.get(METADATA, {})
    if missing := sorted({*run.trace().get("data_sets", [])} - {*own.get("data", [])}):
        names = ", ".join(missing)
        raise BookError(f"the chapter reads {names}, which its metadata `promo_repro.data` lacks")
    used = run.trace().get("used", [])
    # What was hashed before the run counts: a file that changed since is then seen to differ.
    seen = {
        file: chapter.recorded.get(file) or _digest_of_loaded(root / file, run) for file in used
    }
    inputs = {**seen, **chapter.inputs}
    record = {
        **own,
        "profile": chapter.parameters["profile"],
        "device": chapter.parameters["device"],
        "parameters": chapter.parameters,
        "seconds": round(run.seconds, 1),
        "peak_memory_mb": peak_memory_mb,
        "python": platform.python_version(),
        "versions": _versions(),
        "key": _digest(json.dumps(inputs, sort_keys=True).encode()),
        "inputs": inputs,
        "used": used,
    }
    code = [cell for cell in executed.cells if cell.cell_type == "code"]
    _replace(_target(root, chapter.name), _assemble(chapter.source, code, record))


def _digest_of_loaded(path: Path, run: _Run) -> str:
    if path.exists() and path.stat().st_mtime > run.started:
        return "changed during the run"
    return _file_digest(path)


def _merge(chapter: _Chapter, root: Path) -> Outcome:
    """Put the outputs that are still valid under the prose as it is now."""
    code = [cell for cell in chapter.previous.cells if cell.cell_type == "code"]
    own = chapter.source.metadata.get(METADATA, {})
    merged = _assemble(chapter.source, code, {**chapter.record, **own})
    if merged == chapter.previous:
        return Outcome(chapter.name, "fresh")
    _replace(_target(root, chapter.name), merged)
    return Outcome(chapter.name, "text")


def _assemble(
    source: NotebookNode, executed: list[NotebookNode], record: Mapping[str, Any]
) -> NotebookNode:
    """Return the source with the outputs of the executed code cells and nothing else of them.

    `executed` are the code cells in order, the injected parameters among them. Built from the
    source, the result holds no time stamp and no path of the run, and cell ids are the source's.
    """
    notebook = nbformat.from_dict(json.loads(json.dumps(source)))
    notebook.metadata[METADATA] = nbformat.from_dict(json.loads(json.dumps(record)))
    outputs = iter(executed)
    cells = []
    for cell in notebook.cells:
        cells.append(cell)
        if cell.cell_type == "markdown":
            cell.source = cell.source.replace(RUN_TIME, run_time(record))
            continue
        if cell.cell_type != "code":
            continue
        _take_outputs(cell, next(outputs))
        if "parameters" in cell.metadata.get("tags", ()):
            cells.append(_injected(next(outputs)))
    notebook.cells = cells
    return notebook


def run_time(record: Mapping[str, Any]) -> str:
    """Return, in words, how long a chapter took and on what."""
    seconds = round(record["seconds"])
    time_taken = f"{seconds} s" if seconds < 100 else f"{seconds // 60} min {seconds % 60} s"
    hardware = {"cpu": "the CPU", "cuda": "a GPU"}[record["device"]]
    return f"{time_taken} on {hardware} ({record['profile']} profile)"


def _injected(executed: NotebookNode) -> NotebookNode:
    cell = nbformat.v4.new_code_cell(executed.source, id=INJECTED)
    cell.metadata.tags = [INJECTED, "remove-cell"]
    cell.execution_count = executed.execution_count
    return cell


def _take_outputs(cell: NotebookNode, executed: NotebookNode) -> None:
    cell.outputs, cell.execution_count = executed.outputs, executed.execution_count
    shown = [output for output in cell.outputs if "data" in output]
    for output in filter(_is_figure, shown):
        if len(shown) > 1:
            # myst-nb makes every output of a figure's cell a figure of that name.
            raise _CellError(cell.id, "it shows more than its figure; split the cell")
        described = output.metadata["image/svg+xml"]
        options = cell.metadata.setdefault("mystnb", NotebookNode())
        options["image"] = {"alt": described["alt"]}
        options["figure"] = {key: described[key] for key in ("caption", "name")}
    tags = cell.metadata.get("tags", [])
    if _is_means_to_an_end(cell) and not any(tag.startswith(("hide-", "remove-")) for tag in tags):
        cell.metadata.tags = [*tags, "hide-input"]


def _is_means_to_an_end(cell: NotebookNode) -> bool:
    """Whether a reader wants what the cell shows rather than its code, which is then folded.

    So it is with imports, with numbers recorded for the text, with figures and with verdicts.
    """
    with contextlib.suppress(SyntaxError):  # a magic command is not Python
        statements = ast.parse(cell.source).body
        if statements and all(isinstance(s, ast.Import | ast.ImportFrom) for s in statements):
            return True
    shown = [output for output in cell.outputs if "data" in output]
    return bool(shown) and all(
        VERDICT in output.data or "scrapbook" in output.metadata or _is_figure(output)
        for output in shown
    )


def _is_figure(output: NotebookNode) -> bool:
    return any(isinstance(about, dict) and "alt" in about for about in output.metadata.values())


def _replace(target: Path, notebook: NotebookNode) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    nbformat.write(notebook, partial)
    os.replace(partial, target)
