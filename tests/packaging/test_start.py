"""The first lines of the single file: which Python, which cache, and what a user is told when neither is there."""

import os
import re
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest
from single_file import Run

VERSION = re.compile(r"operator-demo \d+\.\d+\.\d+ \(commit (none|[0-9a-f]{7,})(, modified)?\)\n")
NOBODY = "nobody"


def python(version: str) -> str:
    """A real interpreter of that version, not a shim; skips where there is none."""
    shims = Path.home() / ".pyenv/versions"
    found = [str(path) for path in shims.glob(f"{version}.*/bin/python3")]
    for candidate in [*found, shutil.which(f"python{version}")]:
        if candidate and subprocess.run([candidate, "-c", ""], stderr=subprocess.DEVNULL, check=False).returncode == 0:
            return candidate
    pytest.skip(f"no Python {version} here")


def shebang_words(file: Path) -> list[str]:
    with file.open("rb") as opened:
        return opened.readline().decode().split()


def test_version_names_version_and_commit(start: Run) -> None:
    result = start("--version")
    assert VERSION.fullmatch(result.stdout)
    assert (result.returncode, result.stderr) == (0, "")


def test_the_file_runs_by_its_own_first_line(built_file: Path, cache: Path) -> None:
    assert shebang_words(built_file) == ["#!/usr/bin/env", "-S", "python3", "-IS"]
    environment = {"PATH": os.environ["PATH"], "SHIV_ROOT": str(cache), "PYTHONPATH": "/nonexistent"}
    result = subprocess.run([built_file, "--version"], env=environment, capture_output=True, text=True, check=True)
    assert VERSION.fullmatch(result.stdout)


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_runs_under_each_supported_python(start: Run, empty_store: None, version: str) -> None:
    chosen = python(version)
    for command in (["--version"], ["--help"], ["subjects"], ["audit", "list"]):
        result = start(*command, python=chosen)
        assert result.returncode == 0, result.stderr
        assert "Warning" not in result.stderr


@pytest.mark.parametrize("version", ["3.6", "3.7", "3.8", "3.9", "3.10"])
class TestUnderAnOlderPython:
    def test_goes_on_with_a_newer_one_from_path(self, start: Run, tmp_path: Path, version: str) -> None:
        old, new = python(version), python("3.11")
        # First a shim for a Python which is not there, as pyenv has them.
        shim = tmp_path / "python3.14"
        shim.write_text("#!/bin/sh\nexit 127\n")
        shim.chmod(0o755)
        (tmp_path / "python3.11").symlink_to(new)
        result = start("--version", python=old, flags=("-I",), PATH=str(tmp_path))
        assert VERSION.fullmatch(result.stdout), result.stderr
        assert start("no-such-command", python=old, flags=("-I",), PATH=str(tmp_path)).returncode == 2

    def test_says_which_is_needed_where_there_is_none(self, start: Run, tmp_path: Path, version: str) -> None:
        (tmp_path / "python3").symlink_to(python(version))
        result = start("--version", python=python(version), flags=("-I",), PATH=str(tmp_path))
        assert result.returncode == 3
        assert result.stderr == (
            f"operator-demo: Python 3.11 or newer is needed; this is {version} and PATH has no newer one.\n"
        )


def test_a_renamed_file_uses_what_is_unpacked(start: Run, built_file: Path, cache: Path, tmp_path: Path) -> None:
    start("--version")
    before = sorted(cache.iterdir())
    renamed = tmp_path / "my talk.pyz"
    shutil.copy(built_file, renamed)
    assert VERSION.fullmatch(start("--version", file=renamed).stdout)
    assert sorted(cache.iterdir()) == before


def test_without_shiv_root_it_unpacks_into_the_home(start: Run, tmp_path: Path) -> None:
    assert start("--version", SHIV_ROOT=None).returncode == 0
    assert list((tmp_path / ".shiv").glob("operator-demo_*/site-packages/operator_demo/cli.py"))


@pytest.fixture
def temp() -> "os.PathLike[str]":
    """A temporary folder that everybody may use, as /tmp; not below pytest's, which is root's alone."""
    folder = Path(tempfile.mkdtemp(prefix="operator-demo-test-", dir="/tmp"))
    folder.chmod(0o1777)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def open_file(built_file: Path, temp: Path) -> Path:
    """The file where nobody can read it."""
    return Path(shutil.copy(built_file, temp / "operator-demo"))


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to start the file as another user")
class TestAsAUserWithoutAWritableHome:
    PYTHON = "/usr/bin/python3"  # one that another user may run

    @pytest.mark.parametrize("home", ["/usr", "/nonexistent", None])
    def test_unpacks_where_only_that_user_can_write(
        self, start: Run, open_file: Path, temp: Path, home: str | None
    ) -> None:
        result = start(
            "--version", python=self.PYTHON, file=open_file, user=NOBODY, HOME=home, SHIV_ROOT=None, TMPDIR=str(temp)
        )
        assert VERSION.fullmatch(result.stdout), result.stderr
        (root,) = temp.glob("operator-demo-*")
        assert stat.S_IMODE(root.stat().st_mode) == 0o700
        assert list(root.glob("operator-demo_*/site-packages"))

    def test_refuses_a_folder_that_somebody_else_made_there(self, start: Run, open_file: Path, temp: Path) -> None:
        import pwd

        (temp / f"operator-demo-{pwd.getpwnam(NOBODY).pw_uid}").mkdir(mode=0o777)
        result = start(
            "--version", python=self.PYTHON, file=open_file, user=NOBODY, HOME="/usr", SHIV_ROOT=None, TMPDIR=str(temp)
        )
        assert (result.returncode, result.stdout) == (3, "")
        assert "is not a folder that only you can write" in result.stderr
        assert result.stderr.count("\n") == 1

    def test_an_unusable_shiv_root_is_one_sentence(self, start: Run, open_file: Path) -> None:
        result = start("--version", python=self.PYTHON, file=open_file, user=NOBODY, SHIV_ROOT="/usr/nothing")
        assert (result.returncode, result.stdout) == (3, "")
        assert "cannot unpack into /usr/nothing: Permission denied." in result.stderr
        assert result.stderr.count("\n") == 1


def test_unpacking_prunes_earlier_builds_but_none_that_runs(start: Run, tmp_path: Path) -> None:
    import fcntl

    root = tmp_path / "root"
    unused, used, foreign = (root / name for name in ("operator-demo_a", "operator-demo_b", "other-tool_c"))
    for folder in (unused, used, foreign):
        folder.mkdir(parents=True)
    held = os.open(used, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_SH)  # as every running process does
        assert start("--version", SHIV_ROOT=str(root)).returncode == 0
    finally:
        os.close(held)
    assert [path.exists() for path in (unused, used, foreign)] == [False, True, True]


def test_starts_side_by_side_unpack_once(built_file: Path, tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "SHIV_ROOT": str(tmp_path)}
    starts = [
        subprocess.Popen([built_file, "--version"], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    assert all(VERSION.fullmatch(process.communicate(timeout=60)[0]) for process in starts)
    assert len(list(tmp_path.glob("operator-demo_*"))) == 1
