"""Build the static book from the executed chapters, keeping the last good one on failure."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from promo_repro.book import pages
from promo_repro.book.execute import BookError
from promo_repro.book.html_lint import lint

SHOWN_LINES = 12


@dataclass(frozen=True)
class BuildReport:
    """What a build did. `site` holds the pages; `totals` counts the claims by verdict."""

    site: Path
    skipped: bool
    seconds: float
    pages: int
    totals: dict[str, int] = field(default_factory=dict)

    @property
    def index(self) -> Path:
        """The page to open."""
        return self.site / "index.html"


def build(root: Path, force: bool = False) -> BuildReport:
    """Render the book of the project `root` into `root`/_build/html.

    Nothing is done when no input changed since the last good build: the pages and extension in
    book/, the settings, the executed chapters, the inventory, the lock file, and the modules that
    generate pages. The new site is built and linted aside and takes the place of the old one only
    when both succeeded.

    Raises `BookError` when the table of contents and the executed chapters differ, when Sphinx
    gives an error or a warning, and when the lint finds a problem.
    """
    start = time.monotonic()
    site, record = root / "_build" / "html", root / "_build" / "html-inputs.json"
    _require_chapters(root)
    key = inputs_hash(root)
    last = json.loads(record.read_text()) if record.is_file() else {}
    if not force and last.get("inputs") == key and (site / "index.html").is_file():
        return BuildReport(site, True, time.monotonic() - start, last["pages"], last["totals"])

    scorecard = pages.generate(root)
    aside = root / "_build" / "aside"
    shutil.rmtree(aside, ignore_errors=True)
    log = root / "_build" / "sphinx.log"
    built = _run_jupyter_book(root, aside, log)
    _finish(built, scorecard)
    _lint(built, root / "_build" / "lint.log")
    _swap(built, site)
    shutil.rmtree(aside)
    count = sum(1 for page in site.rglob("*.html") if "_static" not in page.parts)
    # Generated pages are inputs too, so the hash is taken again now that they are written.
    record.write_text(
        json.dumps({"inputs": inputs_hash(root), "pages": count, "totals": scorecard.totals})
    )
    return BuildReport(site, False, time.monotonic() - start, count, scorecard.totals)


def inputs_hash(root: Path) -> str:
    """Return the hash of everything that the built pages depend on."""
    digest = hashlib.sha256(sys.version.encode())
    for path in _inputs(root):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _inputs(root: Path) -> Iterator[Path]:
    for name in ("_config.yml", "requirements.lock"):
        if (root / name).is_file():
            yield root / name
    package = root / "src" / "promo_repro"
    for folder in (root / "book", root / "data" / "claims", package / "book", package / "claims"):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path
    if (package / "figures.py").is_file():
        yield package / "figures.py"


def _require_chapters(root: Path) -> None:
    """Raise unless the table of contents names exactly the chapters that have been executed."""
    toc = yaml.safe_load((root / "book" / "_toc.yml").read_text(encoding="utf-8"))
    files = [entry["file"] for part in toc["parts"] for entry in part["chapters"]]
    listed = {Path(name).name for name in files if name.startswith("chapters/")}
    executed = {path.stem for path in (root / "book" / "chapters").glob("*.ipynb")}
    if missing := " ".join(sorted(listed - executed)):
        raise BookError(f"not executed yet: {missing}; run promo-repro execute {missing}")
    if unlisted := " ".join(sorted(executed - listed)):
        raise BookError(
            f"executed, but not in book/_toc.yml: {unlisted}; add it there, or remove it from "
            "book/chapters"
        )


def _run_jupyter_book(root: Path, aside: Path, log: Path) -> Path:
    """Run Jupyter Book with warnings as errors and return the folder of the HTML."""
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", "book"]
    command += ["-W", "-n", "--keep-going", "--all", "--path-output", str(aside)]
    environment = os.environ | {"PROMO_REPRO_ROOT": str(root), "SPHINX_NO_COLOR": "1"}
    with log.open("w", encoding="utf-8") as out:
        code = subprocess.run(
            command, cwd=root, env=environment, stdout=out, stderr=subprocess.STDOUT, check=False
        ).returncode
    if code:
        raise BookError(_sphinx_failure(log.read_text(encoding="utf-8"), log.relative_to(root)))
    return aside / "_build" / "html"


def _sphinx_failure(text: str, log: Path) -> str:
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    causes = [line for line in text.splitlines() if re.search(r"\b(WARNING|ERROR)\b", line)]
    lines = causes or text.splitlines()[-SHOWN_LINES:]
    more = f"\n... and {len(lines) - SHOWN_LINES} more" if len(lines) > SHOWN_LINES else ""
    shown = "\n".join(lines[:SHOWN_LINES])
    return f"Sphinx could not build the book without warnings:\n{shown}{more}\n(log: {log})"


def _finish(built: Path, scorecard: pages.Scorecard) -> None:
    """Add the machine-readable scorecard, and drop what no reader needs."""
    text = json.dumps(scorecard.to_json(), ensure_ascii=False, indent=1)
    (built / "scorecard.json").write_text(text + "\n", encoding="utf-8")
    for path in built.rglob("*.map"):
        path.unlink()


def _lint(built: Path, log: Path) -> None:
    problems = [str(problem) for problem in lint(built)]
    log.write_text("\n".join([*problems, f"{len(problems)} problems"]) + "\n", encoding="utf-8")
    if problems:
        more = (
            f"\n... and {len(problems) - SHOWN_LINES} more" if len(problems) > SHOWN_LINES else ""
        )
        shown = "\n".join(problems[:SHOWN_LINES])
        raise BookError(f"the built pages have problems:\n{shown}{more}\n(log: _build/{log.name})")


def _swap(built: Path, site: Path) -> None:
    """Put the new site in the place of the old one; no moment leaves a mixture of the two."""
    old = site.with_name("html-old")
    shutil.rmtree(old, ignore_errors=True)
    if site.exists():
        site.rename(old)
    built.rename(site)
    shutil.rmtree(old, ignore_errors=True)
