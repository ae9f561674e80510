"""The command `promo-repro`: execute chapters, build the book, ask what has been judged."""

import json
import os
import sys
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from promo_repro.project import root

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Personalised Promotions, Re-derived: execute the chapters, build the book, read the "
    "verdicts. `make book` does all of it in the right order.",
)
data_app = typer.Typer(no_args_is_help=True, help="Fetch the data sets, or check those at hand.")
app.add_typer(data_app, name="data")
console = Console()


class Profile(StrEnum):
    quick = "quick"
    full = "full"


class Device(StrEnum):
    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class Precision(StrEnum):
    float32 = "float32"
    bfloat16 = "bfloat16"


class Method(StrEnum):
    dqn = "dqn"
    ddpg = "ddpg"
    sac = "sac"
    lstm = "lstm"
    recommender = "recommender"


# The room that trains a method, and the function in its module `runs` that says how.
TRAINED = {
    Method.dqn: ("agents", "dqn_run"),
    Method.ddpg: ("agents", "ddpg_run"),
    Method.sac: ("agents", "sac_run"),
    Method.lstm: ("demand", "lstm"),
    Method.recommender: ("recommender", "recommender"),
}


@app.command()
def execute(
    chapters: Annotated[
        list[str] | None,
        typer.Argument(help="Chapters such as 07_bandits; all of them if none is named."),
    ] = None,
    profile: Annotated[
        Profile,
        typer.Option(help="quick: about a minute a chapter; full: as large as it deserves."),
    ] = Profile.quick,
    device: Annotated[
        Device, typer.Option(help="auto takes a GPU when there is one.")
    ] = Device.auto,
    jobs: Annotated[int, typer.Option(min=1, help="Chapters that run side by side.")] = 1,
    force: Annotated[bool, typer.Option(help="Run also what has not changed.")] = False,
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            "-p", metavar="NAME VALUE", help="Set a parameter of the chapters, as in -p seed 1."
        ),
    ] = None,
) -> None:
    """Run the chapters whose code, module, data or parameters have changed since their last run.

    Results go to book/chapters/. A chapter that fails leaves its last good result in place.
    """
    from promo_repro.book import execute as executor

    outcomes = executor.execute(
        chapters or None,
        profile=profile,
        device=device,
        jobs=jobs,
        force=force,
        parameters=dict(_parameter(text) for text in parameter or ()),
        progress=_report_chapter,
    )
    if any(outcome.status == "failed" for outcome in outcomes):
        raise typer.Exit(1)


@app.command()
def train(
    method: Annotated[
        Method,
        typer.Argument(
            help="dqn chooses a promotion, ddpg and sac a discount, for simulated customers; lstm "
            "forecasts weekly or daily sales; recommender foretells the next basket."
        ),
    ],
    profile: Annotated[
        Profile, typer.Option(help="quick: about a minute or two; full: longer, or more data.")
    ] = Profile.quick,
    device: Annotated[
        Device, typer.Option(help="auto takes a GPU when there is one.")
    ] = Device.auto,
    seeds: Annotated[
        int,
        typer.Option(min=1, help="How many runs, with different random numbers, in one batch."),
    ] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Where the random numbers start.")] = 0,
    precision: Annotated[
        Precision, typer.Option(help="bfloat16 halves the bits of matrix products: for GPUs.")
    ] = Precision.float32,
    compiled: Annotated[
        bool,
        typer.Option(
            "--compile",
            help="Compile the step (torch.compile, on a GPU with CUDA graphs); takes minutes to "
            "start, and goes on without where it fails.",
        ),
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoint that a stopped run left.")
    ] = False,
    folder: Annotated[
        Path | None,
        typer.Option(help="Where the run is kept; runs/METHOD-PROFILE if none is named."),
    ] = None,
) -> None:
    """Train one method on its own, watched by TensorBoard; stop it with Ctrl-C at any time.

    The folder of the run holds its checkpoint, its curves (tensorboard --logdir runs) and, at the
    end, result.json. For several processes or GPUs put this in front of the command:
    torchrun --nproc-per-node 2 --no-python
    """
    from promo_repro.training import resolve
    from promo_repro.training.loop import Setting
    from promo_repro.training.session import conduct

    room, name = TRAINED[method]
    setting = Setting(
        full=profile is Profile.full,
        seeds=seeds,
        seed=seed,
        device=resolve(device),
        precision=precision.value,
        compiled=compiled,
    )
    make = getattr(import_module(f"promo_repro.{room}.runs"), name)
    folder = folder or root() / "runs" / f"{method}-{profile}"
    try:
        conduct(method.value, make, setting, folder, console, resume=resume)
    except KeyboardInterrupt as stop:  # here, because Typer would end without a word
        said = str(stop) or "Stopped at once; what was saved before is untouched."
        Console(stderr=True).print(said, highlight=False, soft_wrap=True)
        raise typer.Exit(130) from None


@app.command()
def build(
    force: Annotated[bool, typer.Option(help="Build also if nothing has changed.")] = False,
) -> None:
    """Make the book out of the executed chapters: evidence pages, HTML, checks of the HTML."""
    from promo_repro.book.build import build as build_book

    report = build_book(root(), force=force)
    what = "Nothing has changed" if report.skipped else f"{report.pages} pages built"
    counts = ", ".join(f"{count} {status}" for status, count in report.totals.items())
    console.print(
        f"{what} ({report.seconds:.0f} s). Open {os.path.relpath(report.index)} [{counts}]",
        soft_wrap=True,
        highlight=False,
        markup=False,
    )


@app.command()
def status(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the whole scorecard as JSON.")
    ] = False,
) -> None:
    """Count the verdicts in the executed chapters, by document."""
    card = _scorecard()
    if as_json:
        print(json.dumps(card.to_json(), ensure_ascii=False, indent=1))
        return
    documents = sorted({entry.claim.document for entry in card.entries})
    table = Table("verdict", *documents, "all", title=f"Verdicts (profile: {card.profile})")
    for name, total in card.totals.items():
        counts = [
            sum(e.status == name and e.claim.document == d for e in card.entries) for d in documents
        ]
        table.add_row(name, *map(str, counts), str(total))
    console.print(table)


@app.command()
def claims(
    document: Annotated[str | None, typer.Option(help="D1, D2, D3, D4 or D5.")] = None,
    kind: Annotated[
        str | None,
        typer.Option(help="Letter of the kind: F N L P A R C S Q (formula, number, ...)."),
    ] = None,
    verdict: Annotated[str | None, typer.Option(help="A verdict, or open for none yet.")] = None,
    chapter: Annotated[str | None, typer.Option(help="Topic, such as bandits or data.")] = None,
) -> None:
    """List the claims of the five documents and what has become of them."""
    from promo_repro.claims import OPEN, STATUSES
    from promo_repro.claims.inventory import KINDS

    entries = _scorecard().entries
    known = {
        "document": (document, sorted({e.claim.document for e in entries})),
        "kind": (kind, list(KINDS)),
        "verdict": (verdict, [*STATUSES, OPEN]),
        "chapter": (chapter, sorted({e.claim.chapter for e in entries})),
    }
    for option, (given, choices) in known.items():
        if given is not None and given not in choices:
            raise ValueError(f"unknown {option} {given!r}; choose one of {', '.join(choices)}")
    chosen = [
        e
        for e in entries
        if document in (None, e.claim.document)
        and (kind is None or KINDS[kind] == e.claim.kind)
        and verdict in (None, e.status)
        and chapter in (None, e.claim.chapter)
    ]
    table = Table("claim", "section", "verdict", "statement")
    for entry in chosen:
        table.add_row(entry.claim.id, entry.claim.section, entry.status, entry.claim.statement)
    console.print(table)
    console.print(f"{len(chosen)} of {len(entries)} claims")


@data_app.command("fetch")
def data_fetch(
    names: Annotated[
        list[str] | None, typer.Argument(help="Data sets; all if none is named.")
    ] = None,
) -> None:
    """Download what is missing, check every file, and keep it in the cache."""
    from promo_repro import datasets

    _show_data(datasets.fetch(names or None))


@data_app.command("check")
def data_check(
    names: Annotated[
        list[str] | None, typer.Argument(help="Data sets; all if none is named.")
    ] = None,
) -> None:
    """Check the files at hand against their checksums; download nothing."""
    from promo_repro import datasets

    rows = datasets.check(names or None)
    _show_data(rows)
    if any(row.status != "ok" for row in rows):
        raise typer.Exit(1)


def main() -> None:
    """Entry point: an expected error is one line on standard error, not a traceback."""
    try:
        app(_join_parameters(sys.argv[1:]))
    except (ValueError, OSError, FloatingPointError) as error:
        Console(stderr=True).print(
            f"[bold red]Error:[/] {escape(str(error))}", highlight=False, soft_wrap=True
        )
        sys.exit(1)
    except KeyboardInterrupt:
        Console(stderr=True).print("Stopped. What had been built before is untouched.")
        sys.exit(130)


def _join_parameters(arguments: list[str]) -> list[str]:
    """Turn `-p name value`, two words as in papermill, into the `-p name=value` typer can parse."""
    joined, rest = [], iter(arguments)
    for word in rest:
        joined.append(word)
        if word == "-p":
            name = next(rest, None)
            value = next(rest, None) if name and "=" not in name else None
            joined += [text for text in (f"{name}={value}" if value is not None else name,) if text]
    return joined


def _parameter(text: str) -> tuple[str, object]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"-p {text} has no value; write -p {text} VALUE")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def _scorecard():
    from promo_repro.claims import collect, inventory

    return collect(root() / "book" / "chapters", inventory())


def _report_chapter(event) -> None:
    """One line when a chapter starts and one when it is done; a failure says where and why."""
    outcome = event.outcome
    if outcome is None:
        text = f"{event.name}: running ..."
    elif outcome.status == "failed":
        text = f"{event.name}: [bold red]failed[/] after {outcome.seconds:.0f} s. "
        text += escape(outcome.message)
    elif outcome.status == "ran":
        reason = f" ({outcome.message})" if outcome.message else ""
        text = f"{event.name}: executed in {outcome.seconds:.0f} s{reason}"
    else:
        text = f"{event.name}: " + {"fresh": "up to date", "text": "text updated"}[outcome.status]
    console.print(text, highlight=False, soft_wrap=True)


def _show_data(rows) -> None:
    table = Table("data set", "status", "rows", "MB", "from")
    for row in rows:
        table.add_row(
            row.name, row.status, f"{row.rows:,}", f"{row.bytes / 1e6:.1f}", str(row.path)
        )
    console.print(table)
