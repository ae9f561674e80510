"""The command line: help for a newcomer, one clear line for a mistake."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from promo_repro.claims import inventory
from promo_repro.cli import _join_parameters, _parameter, app


def run(*words):
    command = "from promo_repro.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", command, *words], capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("execute",),
        ("train",),
        ("build",),
        ("status",),
        ("claims",),
        ("data",),
        ("data", "fetch"),
        ("data", "check"),
    ],
)
def test_help_is_there(words):
    result = CliRunner().invoke(app, [*words, "--help"])
    assert result.exit_code == 0
    assert "Usage" in result.output


@pytest.mark.parametrize(
    ("given", "parsed"),
    [
        (["-p", "seed", "1"], ["-p", "seed=1"]),
        (["-p", "seed=1", "07"], ["-p", "seed=1", "07"]),
        (["a", "-p", "x", "y", "-p", "u", "v", "b"], ["a", "-p", "x=y", "-p", "u=v", "b"]),
        (["-p"], ["-p"]),
        (["-p", "seed"], ["-p", "seed"]),
    ],
)
def test_parameters_may_be_two_words(given, parsed):
    assert _join_parameters(given) == parsed


@pytest.mark.parametrize(
    ("text", "pair"),
    [("seed=1", ("seed", 1)), ("x=0.5", ("x", 0.5)), ("name=abc", ("name", "abc"))],
)
def test_parameter_values_are_typed(text, pair):
    assert _parameter(text) == pair


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("execute", "99_nothing"), "99_nothing"),
        (("execute", "07_bandits", "-p", "zzz", "1"), "zzz"),
        (("execute", "07_bandits", "-p", "zzz"), "zzz"),
        (("claims", "--document", "D9"), "unknown document 'D9'"),
        (("claims", "--kind", "X"), "unknown kind 'X'"),
        (("claims", "--verdict", "maybe"), "unknown verdict 'maybe'"),
        (("data", "check", "nothing"), "nothing"),
    ],
)
def test_a_mistake_is_one_line_without_a_traceback(words, says):
    result = run(*words)
    assert result.returncode == 1
    assert result.stderr.startswith("Error:")
    assert says in result.stderr
    assert "Traceback" not in result.stderr


def test_status_as_json_covers_the_inventory():
    card = json.loads(run("status", "--json").stdout)
    assert card["schema"].startswith("promo-repro.scorecard/")
    assert [claim["id"] for claim in card["claims"]] == list(inventory())
    assert sum(card["totals"].values()) == len(inventory())


def test_claims_are_filtered():
    result = run("claims", "--document", "D4", "--kind", "F")
    assert "D4-F01" in result.stdout
    assert f"2 of {len(inventory())} claims" in result.stdout
