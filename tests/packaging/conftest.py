import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from single_file import BUILD_PYTHON, ROOT, Run, go, pack, tree

from operator_demo.store import Store


@pytest.fixture(scope="session")
def built_file() -> Path:
    """The single file as `./build.sh` left it: what is tested is what a presenter gets."""
    path = Path(os.environ.get("OPERATOR_DEMO_TESTED", ROOT / "operator-demo"))
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

    def run(*arguments: str, file: Path = built_file, **rest: object) -> "subprocess.CompletedProcess[str]":
        defaults = {"HOME": str(tmp_path), "OPERATOR_HOME": str(tmp_path / "operator"), "SHIV_ROOT": str(cache)}
        return go(file, *arguments, **(defaults | rest))  # type: ignore[arg-type]

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


@pytest.fixture(scope="session")
def small_file(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """small_file("word"): packed as the real one and started by the same code, but unpacked in no time; prints the
    word and where it was unpacked."""
    if not BUILD_PYTHON.is_file():
        pytest.fail("there is no .build/venv: run ./build.sh first")
    folder = tmp_path_factory.mktemp("small")

    def make(word: str = "a") -> Path:
        file = folder / word
        if not file.exists():
            pack(file, tree(folder / f"{word}.tree", word))
        return file

    return make


@pytest.fixture
def small(small_file: Callable[[str], Path]) -> Run:
    """small(..., SHIV_ROOT=...): start such a file."""
    return partial(go, small_file("a"))


@pytest.fixture
def temp() -> Iterator[Path]:
    """A temporary folder that everybody may use, as /tmp; not below pytest's, which is root's alone."""
    folder = Path(tempfile.mkdtemp(prefix="operator-demo-test-", dir="/tmp"))
    folder.chmod(0o1777)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """mounted("size=2m,noexec"): a file system in memory with these options, empty."""
    if os.getuid() != 0:
        pytest.skip("needs root, to mount a file system")
    places: list[Path] = []

    def mount(options: str) -> Path:
        place = tmp_path / f"mounted{len(places)}"
        place.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"mode=755,{options}", "tmpfs", place]
        done = subprocess.run(command, capture_output=True)
        if done.returncode:
            pytest.skip(f"cannot mount here: {done.stderr.decode().strip()}")
        places.append(place)
        return place

    yield mount
    for place in places:
        subprocess.run(["umount", "-l", place], check=True)
