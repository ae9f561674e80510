"""`promo-repro train`: from the command line to a result, and every mistake in one line."""

import json
import os
import signal
import subprocess
import sys

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from typer.testing import CliRunner

from promo_repro import cli
from promo_repro.training.loop import CHECKPOINT
from promo_repro.training.session import RESULT
from tests.training.toy import lines


@pytest.fixture
def toy(monkeypatch):
    """The command trains lines instead of agents; what it was asked for is kept."""
    asked = []

    def make(setting):
        asked.append(setting)
        return lines(seeds=setting.seeds, seed=setting.seed)

    module = type(sys)("promo_repro.agents.runs")
    module.dqn_run = make
    monkeypatch.setattr(cli, "import_module", lambda name: module)
    return asked


def train(*words):
    result = CliRunner().invoke(cli.app, ["train", *map(str, words)])
    return result


def test_help_names_every_method_and_option():
    text = train("--help").output
    for word in ("dqn", "lstm", "--profile", "--device", "--seeds", "--resume", "Ctrl-C"):
        assert word in text


def test_every_method_has_its_maker():
    from importlib import import_module

    for method in cli.Method:
        room, name = cli.TRAINED[method]
        assert callable(getattr(import_module(f"promo_repro.{room}.runs"), name))


def test_options_reach_the_maker(toy, tmp_path):
    words = ("--profile", "full", "--seeds", 4, "--seed", 7, "--precision", "bfloat16", "--compile")
    assert train("dqn", *words, "--device", "cpu", "--folder", tmp_path).exit_code == 0
    (setting,) = toy
    assert (setting.full, setting.seeds, setting.seed, setting.device) == (True, 4, 7, "cpu")
    assert (setting.precision, setting.compiled) == ("bfloat16", True)


def test_a_run_leaves_result_curves_and_checkpoint(toy, tmp_path):
    done = train("dqn", "--seeds", 3, "--folder", tmp_path)
    assert done.exit_code == 0, done.output
    assert "step 60 of 60: loss" in done.output
    assert "points/s" in done.output
    assert "simulated" in done.output
    result = json.loads((tmp_path / RESULT).read_text())
    assert result.keys() == {"command", "commit", "device", "seeds", "simulated", "rows"}
    assert result["seeds"] == [0, 1, 2]
    assert result["simulated"] is True
    slope = next(row for row in result["rows"] if row["metric"] == "slope")
    assert slope.keys() == {"method", "metric", "value", "lo", "hi", "n"}
    values = torch.load(tmp_path / CHECKPOINT)["curve"][-1][1]["slope"]
    assert slope["n"] == 3
    assert slope["value"] == pytest.approx(float(values.mean()))
    # Student's t with two degrees of freedom, from a table: 4.303.
    half = 4.303 * float(values.std()) / 3**0.5
    assert [slope["lo"], slope["hi"]] == pytest.approx(
        [slope["value"] - half, slope["value"] + half], rel=1e-3
    )
    log = EventAccumulator(str(tmp_path))
    log.Reload()
    assert {"loss", "slope", "slope/smallest", "slope/largest", "points per second"} <= {
        *log.Tags()["scalars"]
    }
    assert [event.step for event in log.Scalars("slope")] == [20, 40, 60]
    assert log.Scalars("slope")[-1].value == pytest.approx(float(values.mean()))


def test_one_seed_has_no_interval(toy, tmp_path):
    done = train("dqn", "--seeds", 1, "--folder", tmp_path)
    rows = json.loads((tmp_path / RESULT).read_text())["rows"]
    assert all(row["lo"] is None and row["hi"] is None for row in rows)
    assert "none from one seed" in done.output


def test_a_run_is_not_overwritten_and_is_resumed(toy, tmp_path):
    assert train("dqn", "--folder", tmp_path).exit_code == 0
    before = (tmp_path / CHECKPOINT).read_bytes()
    again = train("dqn", "--folder", tmp_path)
    assert isinstance(again.exception, ValueError)
    assert "holds a run already" in str(again.exception)
    assert train("dqn", "--folder", tmp_path, "--resume").exit_code == 0
    assert (tmp_path / CHECKPOINT).read_bytes() == before


def test_other_options_do_not_resume(toy, tmp_path):
    train("dqn", "--folder", tmp_path)
    other = train("dqn", "--folder", tmp_path, "--resume", "--seeds", 5)
    assert "seeds is 5, was 3" in str(other.exception)


def command(*words):
    return [sys.executable, "-c", "from promo_repro.cli import main; main()", "train", *words]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("ddpg", "--resume", "--folder", "{}/none"), "start without --resume"),
        (("ddpg", "--device", "cuda"), "no CUDA device"),
        (("ddpg", "--folder", "/proc/run"), "/proc/run"),
    ],
)
def test_a_mistake_is_one_line(words, says, tmp_path):
    words = [word.format(tmp_path) for word in words]
    done = subprocess.run(command(*words), capture_output=True, text=True, timeout=300)
    assert done.returncode == 1
    assert done.stderr.startswith("Error:"), done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [("ppo",), ("dqn", "--seeds", "0"), ("dqn", "--profile", "huge")])
def test_typer_refuses_the_rest(words):
    assert train(*words).exit_code == 2


def test_ctrl_c_stops_with_a_word_and_the_run_goes_on(tmp_path):
    """The real thing: an agent in training, interrupted from outside, then resumed."""
    folder = tmp_path / "run"
    words = ("ddpg", "--seeds", "1", "--folder", str(folder))
    process = subprocess.Popen(
        command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert "step 50 of" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=300)[1]
    assert process.returncode == 130
    assert said.startswith("Stopped after step ")
    assert "--resume goes on from there" in said
    reached = torch.load(folder / CHECKPOINT)["step"]
    assert reached >= 50

    process = subprocess.Popen(
        command(*words, "--resume"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    line = process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=300)
    assert int(line.split()[1].replace(",", "")) > reached
