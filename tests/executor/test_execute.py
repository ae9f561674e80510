"""The executor with real kernels: what is run, what is not, and what a failure leaves behind."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from toyshop_project import CELLS, write_notebook

from promo_repro.book import execute as executor
from promo_repro.book.execute import BookError, Event, Outcome, execute
from promo_repro.claims import MIME as VERDICT


def run(root, *names, **options):
    """Execute and return name → outcome."""
    outcomes = execute(names, root=root, package="toyshop", **options)
    return {outcome.name: outcome for outcome in outcomes}


def statuses(root, *names, **options):
    return {name: outcome.status for name, outcome in run(root, *names, **options).items()}


def chapter(root, name):
    return nbformat.read(root / "book" / "chapters" / f"{name}.ipynb", as_version=4)


def cell(notebook, cell_id):
    return next(cell for cell in notebook.cells if cell.id == cell_id)


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def replace_cells(root, name, *cells):
    write_notebook(root, name, list(cells))


@pytest.fixture
def wanted(monkeypatch):
    """Let the executor decide, but not run: collects the names of the chapters it would run."""
    names = []

    def note(chapters, *_):
        names.extend(chapter.name for chapter in chapters)
        return [Outcome(chapter.name, "ran") for chapter in chapters]

    monkeypatch.setattr(executor, "_run", note)
    return names


# What a run leaves ------------------------------------------------------------------------------


def test_first_execution_runs_every_chapter_two_at_a_time(executed):
    root, outcomes = executed
    assert [(outcome.name, outcome.status) for outcome in outcomes] == [
        (name, "ran") for name in CELLS
    ]
    outputs = cell(chapter(root, "01_alpha"), "alpha-reward").outputs
    assert outputs == [{"output_type": "stream", "name": "stdout", "text": "10\n"}]


def test_record_tells_how_the_chapter_was_made(executed):
    record = chapter(executed[0], "01_alpha").metadata.promo_repro
    assert (record.profile, record.device) == ("quick", "cpu")
    assert record.data == ["data/log.csv"]
    assert 0 < record.seconds < 60
    assert 10 < record.peak_memory_mb < 2000
    assert {"src/toyshop/rewards.py", "data/log.csv", "requirements.lock"} <= record.inputs.keys()
    assert record.versions["numpy"]


def test_no_trace_of_the_run_but_the_record(executed):
    root, _ = executed
    notebook = chapter(root, "01_alpha")
    record = notebook.metadata.pop("promo_repro")
    text = json.dumps(notebook)
    assert "papermill" not in text
    assert str(root) not in text + json.dumps(record)
    assert list((root / "_build").iterdir()) == []


def test_injected_parameters_are_hidden_and_marker_is_filled(executed):
    notebook = chapter(executed[0], "01_alpha")
    ids = [cell.id for cell in notebook.cells]
    assert ids[:3] == ["title", "parameters", "injected-parameters"]
    assert "remove-cell" in notebook.cells[2].metadata.tags
    assert "<!--" not in notebook.cells[0].source
    assert notebook.cells[0].source.endswith(" s on the CPU (quick profile)")


def test_figure_description_reaches_the_cell(executed):
    options = cell(chapter(executed[0], "01_alpha"), "alpha-figure").metadata.mystnb
    assert options.image == {"alt": "A rising line."}
    assert options.figure == {"caption": "Clicks by day.", "name": "fig-01-clicks"}


def test_code_is_folded_where_only_its_result_is_of_interest(executed):
    notebook = chapter(executed[0], "01_alpha")
    assert cell(notebook, "alpha-figure").metadata.tags == ["hide-input"]
    assert "tags" not in cell(notebook, "alpha-set").metadata


@pytest.mark.parametrize(
    ("source", "output", "folded"),
    [
        ("import math\nfrom math import pi", None, True),
        ("import math\nmath.pi", None, False),
        ("number('n', 1)", {"metadata": {"scrapbook": {"name": "n"}}}, True),
        ("verdict('D1-N06')", {"data": {VERDICT: {}, "text/plain": "."}}, True),
        ("table", {"data": {"text/plain": "."}}, False),
    ],
)
def test_imports_numbers_and_verdicts_are_folded(source, output, folded):
    own = nbformat.v4.new_code_cell(source)
    outputs = [nbformat.v4.new_output("display_data", **output)] if output else []
    executor._take_outputs(own, nbformat.v4.new_code_cell(source, outputs=outputs))
    assert own.metadata.get("tags", []) == (["hide-input"] if folded else [])


def test_two_executions_differ_only_in_time_and_memory(root):
    first = chapter(root, "01_alpha")
    assert statuses(root, "01_alpha", force=True) == {"01_alpha": "ran"}
    second = chapter(root, "01_alpha")
    for notebook in (first, second):
        record = notebook.metadata.promo_repro
        del record["seconds"], record["peak_memory_mb"]
        notebook.cells[0].source = notebook.cells[0].source.split("Run time")[0]
    assert first == second


# What is run again ------------------------------------------------------------------------------


def test_unchanged_is_not_run(root, wanted):
    before = (root / "book/chapters/01_alpha.ipynb").stat().st_mtime_ns
    assert statuses(root) == dict.fromkeys(CELLS, "fresh")
    assert wanted == []
    assert (root / "book/chapters/01_alpha.ipynb").stat().st_mtime_ns == before


def test_prose_edit_is_merged_without_running(root, wanted):
    outputs = cell(chapter(root, "01_alpha"), "alpha-reward").outputs
    edit(root / "notebooks/01_alpha.ipynb", "Prose.", "Better prose.")
    assert statuses(root) == {"01_alpha": "text", "02_beta": "fresh", "03_gamma": "fresh"}
    assert wanted == []
    merged = chapter(root, "01_alpha")
    assert "Better prose." in merged.cells[0].source
    assert merged.cells[0].source.endswith(" s on the CPU (quick profile)")
    assert cell(merged, "alpha-reward").outputs == outputs
    assert cell(merged, "alpha-figure").metadata.mystnb.image.alt == "A rising line."
    assert statuses(root, "01") == {"01_alpha": "fresh"}


def test_module_edit_runs_exactly_the_importers(root):
    edit(root / "src/toyshop/rewards.py", "2 *", "3 *")
    outcomes = run(root)
    assert {name: outcome.status for name, outcome in outcomes.items()} == {
        "01_alpha": "ran",
        "02_beta": "fresh",
        "03_gamma": "fresh",
    }
    assert outcomes["01_alpha"].message == "changed: src/toyshop/rewards.py"
    assert cell(chapter(root, "01_alpha"), "alpha-reward").outputs[0].text == "15\n"
    assert set(statuses(root).values()) == {"fresh"}


@pytest.mark.parametrize(
    ("path", "again"),
    [
        ("src/toyshop/tables.py", ["02_beta"]),  # reached by relative imports only
        ("src/toyshop/policy/__init__.py", ["02_beta"]),
        ("src/toyshop/late.py", ["03_gamma"]),  # imported by a name known at run time
        ("src/toyshop/__init__.py", list(CELLS)),
        ("src/toyshop/unused.py", []),
        ("data/log.csv", ["01_alpha"]),  # declared
        ("data/extra.txt", ["03_gamma"]),  # not declared, but seen to be opened
        ("requirements.lock", list(CELLS)),
    ],
)
def test_file_edit_runs_what_depends_on_it(root, wanted, path, again):
    with (root / path).open("a") as file:
        file.write("# more\n")
    execute(root=root, package="toyshop")
    assert wanted == again


def test_code_edit_runs_the_chapter(root, wanted):
    edit(root / "notebooks/02_beta.ipynb", "[1, 4]", "[1, 5]")
    execute(root=root, package="toyshop")
    assert wanted == ["02_beta"]


@pytest.mark.parametrize("change", [{"profile": "full"}, {"parameters": {"seed": 1}}])
def test_other_profile_or_parameter_runs_again(root, wanted, change):
    execute(["02_beta"], root=root, package="toyshop", **change)
    assert wanted == ["02_beta"]


def test_other_python_or_package_version_runs_again(root, wanted, monkeypatch):
    monkeypatch.setattr(executor.platform, "python_version", lambda: "3.99.0")
    execute(["02_beta"], root=root, package="toyshop")
    monkeypatch.undo()
    monkeypatch.setattr(executor, "_versions", lambda: {"numpy": "0.1"})
    monkeypatch.setattr(executor, "_run", lambda chapters, *_: [])
    with pytest.raises(KeyError):  # the patched runner lost the chapter, so it was to be run
        execute(["02_beta"], root=root, package="toyshop")
    assert wanted == ["02_beta"]


def test_damaged_output_is_made_again(root, wanted):
    (root / "book/chapters/02_beta.ipynb").write_text("{")
    execute(root=root, package="toyshop")
    assert wanted == ["02_beta"]


def test_parameters_reach_the_kernel(root):
    events = []
    execute(
        ["01"],
        root=root,
        package="toyshop",
        parameters={"rate": "0.25"},
        profile="full",
        progress=events.append,
    )
    text = cell(chapter(root, "01_alpha"), "alpha-set").outputs[0].text
    assert text.endswith("} 0.25 full cpu\n")
    start, end = events
    assert start == Event("01_alpha")
    assert str(start) == "01_alpha: running"
    assert re.fullmatch(r"01_alpha: ran in \d+ s \(changed: parameters\)", str(end))


# What is refused --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        (["09_dqn"], {}, "no chapter '09_dqn'; the chapters are 01_alpha, 02_beta, 03_gamma"),
        ([], {"profile": "fast"}, "unknown profile 'fast'; choose one of quick, full"),
        ([], {"device": "tpu"}, "unknown device 'tpu'"),
        ([], {"jobs": 0}, "jobs is 0"),
        ([], {"parameters": {"sede": 1}}, "unknown parameter 'sede'; it has profile, seed"),
        ([], {"parameters": {"seed": "one"}}, "parameter 'seed': 'one' is not a int"),
        ([], {"parameters": {"seed": 0.5}}, "parameter 'seed': 0.5 is not a int"),
        ([], {"parameters": {"profile": "full"}}, "set by the option --profile"),
    ],
)
def test_bad_request_is_one_clear_error_before_anything_runs(root, wanted, names, options, message):
    with pytest.raises(BookError) as error:
        execute(names, root=root, package="toyshop", **options)
    assert message in str(error.value)
    assert wanted == []


def test_cuda_without_a_gpu_is_refused(root, wanted, monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(BookError, match="sees no CUDA device"):
        execute(root=root, package="toyshop", device="cuda")
    assert wanted == []


@pytest.mark.parametrize(
    ("data", "message"),
    [("data/lost.csv", "data/lost.csv does not exist"), ("no_such_set", "'no_such_set'")],
)
def test_missing_declared_data_is_refused(root, wanted, data, message):
    write_notebook(root, "02_beta", CELLS["02_beta"], [data])
    with pytest.raises(BookError, match=message):
        execute(root=root, package="toyshop")
    assert wanted == []


def test_data_set_not_fetched_is_refused(root, wanted, monkeypatch):
    datasets = pytest.importorskip("promo_repro.datasets")
    monkeypatch.setattr(datasets, "paths", lambda name: [root / "data" / f"{name}.parquet"])
    write_notebook(root, "02_beta", CELLS["02_beta"], ["hillstrom"])
    with pytest.raises(BookError, match=r"lacks hillstrom.parquet; run `promo-repro data fetch`"):
        execute(root=root, package="toyshop")
    assert wanted == []


def test_data_set_read_but_not_declared_fails_the_chapter(root):
    cached = root / "data/cache/ecdat/Catsup.pkl.xz"
    cached.parent.mkdir(parents=True)
    cached.write_text("x")
    cells = [("beta-open", f"print(open({str(cached.relative_to(root))!r}).read())")]
    write_notebook(root, "02_beta", cells)
    before = (root / "book/chapters/02_beta.ipynb").read_bytes()
    (outcome,) = execute(["02_beta"], root=root, package="toyshop")
    assert outcome.status == "failed"
    assert "reads ecdat, which its metadata `promo_repro.data` lacks" in outcome.message
    assert (root / "book/chapters/02_beta.ipynb").read_bytes() == before


def test_broken_notebook_is_refused(root):
    (root / "notebooks/02_beta.ipynb").write_text("{")
    with pytest.raises(BookError, match=r"02_beta\.ipynb is not a readable notebook"):
        execute(root=root, package="toyshop")


def test_module_that_does_not_parse_is_refused(root, wanted):
    (root / "src/toyshop/tables.py").write_text("HEADER = 1\nHEADER = = 2\n")
    with pytest.raises(BookError, match=r"02_beta imports .* tables\.py, line 2: invalid syntax"):
        execute(root=root, package="toyshop")
    assert wanted == []


def test_parameters_cell_must_be_literals(root):
    edit(root / "notebooks/02_beta.ipynb", "rate = 0.5", "rate = 1 / 2")
    with pytest.raises(BookError, match="parameters cell may only hold lines"):
        execute(root=root, package="toyshop")


# What a failure leaves --------------------------------------------------------------------------

SLOW = "import os, time\nopen('_build/pid', 'w').write(str(os.getpid()))\ntime.sleep(60)"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise ValueError('no such arm\\ndetails')", "ValueError: no such arm"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "the kernel died"),
        ("import warnings\nwarnings.warn('old call')", "UserWarning: old call (warnings are err"),
        ("display('one')\n" + CELLS["01_alpha"][2][1], "it shows more than its figure"),
    ],
    ids=["error", "dead kernel", "warning", "crowded figure"],
)
def test_failure_names_the_cell_and_keeps_the_last_good_output(root, code, reason):
    good = (root / "book/chapters/02_beta.ipynb").read_bytes()
    replace_cells(root, "02_beta", ("beta-fine", "1 + 1"), ("beta-bad", code))
    assert_failed(root, good, run(root, "02_beta")["02_beta"], reason)


def assert_failed(root, good, outcome, reason):
    """The last cell of 02_beta failed for this reason, and nothing else has changed."""
    assert outcome.status == "failed"
    assert outcome.failing_cell == "beta-bad"
    assert outcome.message.startswith(f"02_beta, cell beta-bad (number 4): {reason}")
    assert "\n" not in outcome.message
    assert (root / "book/chapters/02_beta.ipynb").read_bytes() == good
    kept = {path.name for path in (root / "_build/failed").iterdir()}
    assert kept == {"02_beta.ipynb", "02_beta.txt"}
    assert statuses(root, "01", "03") == {"01_alpha": "fresh", "03_gamma": "fresh"}


def test_time_out_is_a_failure_like_the_others(root, monkeypatch):
    good = (root / "book/chapters/02_beta.ipynb").read_bytes()
    replace_cells(root, "02_beta", ("beta-fine", "1 + 1"), ("beta-bad", SLOW))
    # The clock jumps as soon as the slow cell runs, however long the kernel took to start.
    clock = property(lambda run: 1000.0 if (root / "_build" / "pid").exists() else 0.0)
    monkeypatch.setattr(executor._Run, "seconds", clock)
    assert_failed(root, good, run(root, "02_beta", timeout=60)["02_beta"], "took longer than 60 s")
    assert ends(started_kernel(root))


def test_silencing_warnings_does_not_outlive_its_cell(root):
    silence = "import warnings\nwarnings.simplefilter('ignore')\nwarnings.warn('unseen')"
    speak = "warnings.warn('seen')"
    replace_cells(root, "02_beta", ("beta-silence", silence), ("beta-speak", speak))
    outcome = run(root, "02_beta")["02_beta"]
    assert outcome.failing_cell == "beta-speak"


SCRIPT = """\
import sys
from pathlib import Path

from promo_repro.book.execute import execute

outcomes = execute(["02", "03"], root=Path(sys.argv[1]), package="toyshop", force=True)
print(*(outcome.message for outcome in outcomes), sep="\\n")
sys.exit(any(outcome.status == "failed" for outcome in outcomes))
"""


def started_kernel(root: Path) -> int:
    """Wait until the slow cell runs and return the process id of its kernel."""
    pid = root / "_build" / "pid"
    deadline = time.monotonic() + 30
    while not (pid.exists() and pid.read_text()):
        assert time.monotonic() < deadline, "the slow cell did not start"
        time.sleep(0.05)
    return int(pid.read_text())


def ends(pid: int) -> bool:
    """Whether the process is gone, or a mere entry in the table, within a few seconds."""
    for _ in range(100):
        try:
            if ") Z " in Path(f"/proc/{pid}/stat").read_text():
                return True
            os.kill(pid, 0)
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.1)
    return False


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "killed"])
def test_stopped_executor_keeps_outputs_and_leaves_no_kernel(root, end):
    good = (root / "book/chapters/02_beta.ipynb").read_bytes()
    replace_cells(root, "02_beta", ("beta-slow", SLOW))
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(root)],
        stdout=subprocess.PIPE,
        text=True,
        # A run in the background inherits an ignored Ctrl-C; a terminal does not ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    kernel = started_kernel(root)
    process.send_signal(end)
    output, _ = process.communicate(timeout=20)
    assert process.returncode != 0
    assert ends(kernel)
    assert (root / "book/chapters/02_beta.ipynb").read_bytes() == good
    if end == signal.SIGINT:
        first, second = output.splitlines()
        assert first.startswith("02_beta, cell beta-slow (number 3): stopped by Ctrl-C")
        assert second == "03_gamma: not run, stopped by Ctrl-C"
