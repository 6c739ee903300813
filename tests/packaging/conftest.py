import os
import subprocess
import sys
from pathlib import Path

import pytest
from single_file import ROOT, Run

from operator_demo.store import Store


@pytest.fixture(scope="session")
def built_file() -> Path:
    """The single file as `./build.sh` left it: what is tested is what a presenter gets."""
    path = ROOT / "operator-demo"
    if not path.is_file():
        pytest.fail("there is no ./operator-demo: run ./build.sh first")
    return path


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SHIV_ROOT that all tests share, so that they unpack once."""
    return tmp_path_factory.mktemp("shiv")


@pytest.fixture
def start(built_file: Path, cache: Path, tmp_path: Path) -> Run:
    """Run the file under a Python: start("--version", python=..., flags=[...], file=..., SHIV_ROOT=...)."""

    def run(
        *arguments: str,
        python: str = sys.executable,
        flags: tuple[str, ...] = ("-IS",),
        file: Path = built_file,
        user: str | None = None,
        **environment: str | None,
    ) -> "subprocess.CompletedProcess[str]":
        chosen = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "OPERATOR_HOME": str(tmp_path / "operator"),
            "SHIV_ROOT": str(cache),
        } | environment
        return subprocess.run(
            [python, *flags, str(file), *arguments],
            env={name: value for name, value in chosen.items() if value is not None},
            user=user,
            cwd="/",
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


@pytest.fixture(scope="session")
def packages(built_file: Path, cache: Path) -> Path:
    """The unpacked site-packages of the file."""
    subprocess.run([sys.executable, "-IS", built_file, "--version"], env={"SHIV_ROOT": str(cache)}, check=True)
    (found,) = cache.glob("operator-demo_*/site-packages")
    return found


@pytest.fixture
def empty_store(tmp_path: Path) -> None:
    """The host's store, as `start` names it, with nothing recorded."""
    Store(tmp_path / "operator/tickets.db").close()
