"""The project folder is found, and its files tell one story."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from promo_repro.project import commit, root

LOCKED = {
    canonicalize_name(line.split("==")[0]): line.split("==")[1]
    for line in (root() / "requirements.lock").read_text().splitlines()
}
PROJECT = tomllib.loads((root() / "pyproject.toml").read_text())["project"]


def test_root_is_found_from_a_subfolder(monkeypatch):
    expected = root()
    monkeypatch.chdir(expected / "data" / "claims")
    assert root() == expected


def test_a_wrong_root_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("PROMO_REPRO_ROOT", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=re.escape(str(tmp_path))):
        root()


def test_the_commit_is_unknown_outside_a_repository(monkeypatch, tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "_config.yml").touch()
    monkeypatch.setenv("PROMO_REPRO_ROOT", str(tmp_path))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert commit() == "unknown"


def test_the_commit_is_the_one_checked_out(monkeypatch, tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "_config.yml").touch()
    monkeypatch.setenv("PROMO_REPRO_ROOT", str(tmp_path))
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "first"], check=True)
    assert re.fullmatch("[0-9a-f]{4,40}", commit())


def test_every_line_of_the_lock_pins_one_version():
    for line in (root() / "requirements.lock").read_text().splitlines():
        assert re.fullmatch(r"[\w.-]+==[\w.!+]+", line), line


@pytest.mark.parametrize("extra", [None, "book", "test"])
def test_the_lock_satisfies_pyproject(extra):
    declared = PROJECT["dependencies"] if extra is None else PROJECT["optional-dependencies"][extra]
    for text in declared:
        requirement = Requirement(text)
        version = LOCKED[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{text}: locked is {version}"


def test_environment_yml_takes_its_versions_from_the_lock():
    environment = yaml.safe_load((root() / "environment.yml").read_text())["dependencies"]
    pip = next(entry["pip"] for entry in environment if isinstance(entry, dict))
    assert "-r requirements.lock" in pip
    assert not [line for line in pip if "==" in line]
    python = next(entry for entry in environment if str(entry).startswith("python="))
    assert Requirement(f"python{PROJECT['requires-python']}").specifier.contains(python[7:])


def test_address_and_author_are_those_of_the_config():
    config = yaml.safe_load((root() / "_config.yml").read_text())
    citation = yaml.safe_load((root() / "CITATION.cff").read_text())
    assert citation["repository-code"] == config["repository"]["url"]
    assert citation["authors"] == [{"name": config["author"]}]
    assert citation["version"] == PROJECT["version"]


@pytest.mark.parametrize("name", ["LICENSE", "CITATION.cff", "CHANGELOG.md", "CONTRIBUTING.md"])
def test_the_papers_of_a_project_exist(name):
    assert Path(root() / name).stat().st_size > 500


def test_rooms_import_only_downwards():
    """The floors of the module: a room imports from below, never from beside or above."""
    floors = [
        {"project", "figures", "prose", "exercises", "claims", "training"},
        {"datasets"},
        {"response"},
        {"simulator"},
        {"profiles", "recommender", "demand", "pricing", "bandits", "agents", "responsible",
         "evaluation", "allocation"},
        {"strategy"},
        {"service", "book"},
        {"cli"},
    ]  # fmt: skip
    floor = {room: level for level, rooms in enumerate(floors) for room in rooms}
    source = root() / "src" / "promo_repro"
    for path in source.rglob("*.py"):
        here = path.relative_to(source).parts[0].removesuffix(".py")
        if here == "__init__":
            continue
        assert here in floor, f"{here} is a room without a floor"
        for there in re.findall(r"^\s*(?:from|import) promo_repro\.(\w+)", path.read_text(), re.M):
            same_room = there == here
            on_ground = floor[there] == floor[here] == 0
            assert same_room or on_ground or floor[there] < floor[here], f"{path}: {there}"
