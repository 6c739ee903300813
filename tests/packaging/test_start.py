"""The first lines of the single file: under which Python, from which place, whatever the environment says."""

import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import docker
import pytest
from single_file import ROOT, Run, go

VERSION = re.compile(r"operator-demo \d+\.\d+\.\d+ \(commit (none|[0-9a-f]{7,})(, modified)?\)\n")


def python(version: str) -> str:
    """A real interpreter of that version, not a shim; skips where there is none."""
    versions = Path.home() / ".pyenv/versions"
    found = [str(path) for path in versions.glob(f"{version}.*/bin/python")]
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


# -- Pythons ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_runs_under_each_supported_python(start: Run, empty_store: None, version: str) -> None:
    chosen = python(version)
    for command in (["--version"], ["--help"], ["subjects"], ["audit", "list"], ["completion", "zsh"]):
        result = start(*command, python=chosen)
        assert result.returncode == 0, result.stderr
        assert "Warning" not in result.stderr


@pytest.mark.skipif(not Path("/usr/bin/python3").exists(), reason="no Python of the system's")
def test_runs_under_the_systems_python(start: Run, empty_store: None) -> None:
    if subprocess.run(["/usr/bin/python3", "-c", "import sys; assert sys.version_info >= (3, 11)"]).returncode:
        pytest.skip("it is too old")
    assert VERSION.fullmatch(start("--version", python="/usr/bin/python3").stdout)


@pytest.mark.wide
@pytest.mark.engine
def test_every_module_imports_under_the_agents_python(built_file: Path) -> None:
    """The agent's own modules too, with what is compiled for it."""
    script = """
import importlib, pkgutil, sys
names = ["operator_demo", "subjects", "anthropic"]
for name in names:
    module = importlib.import_module(name)
    if hasattr(module, "__path__") and name != "anthropic" and not name.startswith("anthropic."):
        names += [n for _, n, _ in pkgutil.iter_modules(module.__path__, name + ".")
                  if not n.endswith("__main__") and n != "operator_demo._bootstrap"]
print(sys.version_info[:2], len(names))
"""
    client = docker.from_env()
    tag = next((tag for image in client.images.list("operator-demo/agent") for tag in image.tags), None)
    if tag is None:
        pytest.skip("no image of the agent is built")
    packages = "/tmp/shiv/$(ls /tmp/shiv)/site-packages"
    command = f"python3 -IS /file --version && python3 -ISc 'import sys; sys.path.insert(0, \"'{packages}'\"){script}'"
    container = client.containers.create(tag, ["sh", "-c", command], environment={"SHIV_ROOT": "/tmp/shiv"},
                                         network_disabled=True)
    try:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            archive.add(built_file, "file")
        container.put_archive("/", packed.getvalue())
        container.start()
        status = container.wait(timeout=120)["StatusCode"]
        output = container.logs().decode()
    finally:
        container.remove(force=True)
    assert status == 0, output
    assert re.search(r"^\(3, 13\) \d\d+$", output, re.MULTILINE), output


@pytest.mark.parametrize("version", ["2.7", "3.10", *(pytest.param(version, marks=pytest.mark.wide) for version in (
    "3.6", "3.7", "3.8", "3.9"))])
class TestUnderAnOlderPython:
    def flags(self, version: str) -> tuple[str, ...]:
        return () if version == "2.7" else ("-I",)

    def test_goes_on_with_a_newer_one_from_path(self, start: Run, tmp_path: Path, version: str) -> None:
        old, new = python(version), python("3.11")
        # First a shim for a Python which is not there, as pyenv has them.
        shim = tmp_path / "python3.14"
        shim.write_text("#!/bin/sh\nexit 127\n")
        shim.chmod(0o755)
        (tmp_path / "python3.11").symlink_to(new)
        result = start("--version", python=old, flags=self.flags(version), PATH=str(tmp_path))
        assert VERSION.fullmatch(result.stdout), result.stderr
        result = start("no-such-command", python=old, flags=self.flags(version), PATH=str(tmp_path))
        assert result.returncode == 2

    def test_says_which_is_needed_where_there_is_none(self, start: Run, tmp_path: Path, version: str) -> None:
        (tmp_path / "python3").symlink_to(python(version))
        result = start("--version", python=python(version), flags=self.flags(version), PATH=str(tmp_path))
        assert result.returncode == 3
        assert result.stderr == (
            f"operator-demo: Python 3.11 or newer is needed; this is {version} and PATH has no newer one. "
            "Install one and try again.\n"
        )


def test_a_python_without_all_of_its_library_is_named(small: Run, tmp_path: Path) -> None:
    result = small("raise", SHIV_ROOT=str(tmp_path))
    assert (result.returncode, result.stderr) == (
        3,
        f"operator-demo: No module named 'sqlite3' in this Python ({sys.executable}). "
        "Install all of its standard library.\n",
    )


# -- hostile environments ---------------------------------------------------------------------------------------------


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A folder of modules none of which may be imported."""
    folder = tmp_path / "hostile"
    folder.mkdir()
    for name in ("click", "docker", "operator_demo", "zipfile", "tempfile", "sitecustomize", "usercustomize", "yaml"):
        (folder / f"{name}.py").write_text(f"print('HOSTILE {name}')\nraise SystemExit(99)\n")
    return folder


@pytest.mark.parametrize("cached", [True, False], ids=["later start", "first start"])
def test_nothing_of_the_environment_is_imported(
    start: Run, empty_store: None, hostile: Path, tmp_path: Path, cached: bool
) -> None:
    site = tmp_path / f"home/.local/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    shutil.copytree(hostile, site)
    (site / "hook.pth").write_text("import usercustomize\n")
    places = {"PYTHONPATH": f"{hostile}:", "PYTHONHOME": str(hostile), "PYTHONSTARTUP": str(hostile / "click.py"),
              "PYTHONUSERBASE": str(tmp_path / "home/.local"), "PYTHONINSPECT": "1", "PYTHONWARNINGS": "error",
              "HOME": str(tmp_path / "home"), "PYTHONBREAKPOINT": "click.x", "PYTHONPYCACHEPREFIX": str(hostile),
              "PYTHONSAFEPATH": "", "PYTHONPLATLIBDIR": "hostile"}
    if not cached:
        places["SHIV_ROOT"] = str(tmp_path / "new")
    for command in (["--version"], ["subjects"], ["audit", "list"]):
        result = start(*command, cwd=hostile, **places)
        assert result.returncode == 0, result.stderr
        assert "HOSTILE" not in result.stdout + result.stderr
    assert sorted(path.name for path in hostile.iterdir() if path.suffix != ".py") == []


@pytest.mark.parametrize("cached", [True, False], ids=["later start", "first start"])
def test_nor_where_the_file_is_given_to_a_python_without_flags(
    start: Run, empty_store: None, hostile: Path, tmp_path: Path, cached: bool
) -> None:
    """What Python imports by itself before our first line (sitecustomize) is not ours to prevent."""
    (hostile / "sitecustomize.py").unlink()
    (hostile / "usercustomize.py").unlink()
    root = {} if cached else {"SHIV_ROOT": str(tmp_path / "new")}
    for command in (["--version"], ["subjects"], ["audit", "list"]):
        result = start(*command, flags=(), cwd=hostile, PYTHONPATH=f":{hostile}", **root)
        assert result.returncode == 0, result.stderr
        assert "HOSTILE" not in result.stdout + result.stderr


def test_packages_installed_beside_python_are_not_seen(start: Run, tmp_path: Path) -> None:
    """-I alone keeps the site-packages of the interpreter itself in reach."""
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    (site,) = venv.glob("lib/python*/site-packages")
    (site / "click.py").write_text("raise SystemExit(99)\n")
    result = start("--version", python=str(venv / "bin/python"), flags=("-I",))
    assert VERSION.fullmatch(result.stdout), result.stderr


# -- places -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Vorführung 演示.pyz", "it's \"$HOME\";"])
def test_runs_under_any_name_at_any_place(start: Run, built_file: Path, cache: Path, tmp_path: Path, name: str) -> None:
    start("--version")
    before = sorted(cache.iterdir())
    folder = tmp_path / "ein Ordner mit Ümläuten"
    folder.mkdir()
    moved = folder / name
    shutil.copy(built_file, moved)
    moved.chmod(0o444)
    folder.chmod(0o555)
    for locale in ("C", "C.UTF-8", None):
        assert VERSION.fullmatch(start("--version", file=moved, LC_ALL=locale).stdout)
    assert VERSION.fullmatch(start("--version", file=Path(name), cwd=folder).stdout)
    assert sorted(cache.iterdir()) == before, "it was unpacked again"
    folder.chmod(0o755)


@pytest.mark.parametrize("target", ["absolute", "relative"])
def test_runs_through_a_symbolic_link(start: Run, built_file: Path, tmp_path: Path, target: str) -> None:
    (tmp_path / "bin").mkdir()
    link = tmp_path / "bin/demo"
    link.symlink_to(built_file if target == "absolute" else os.path.relpath(built_file, link.parent))
    assert VERSION.fullmatch(start("--version", file=link).stdout)
    environment = {"PATH": f"{link.parent}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    result = subprocess.run(["demo", "--version"], env=environment, capture_output=True, text=True, check=True)
    assert VERSION.fullmatch(result.stdout)


def test_runs_in_a_folder_that_is_gone(built_file: Path, cache: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f"cd '{gone}' && rmdir '{gone}' && '{sys.executable}' -IS '{built_file}' --version"
    result = subprocess.run(["sh", "-c", script], env={"SHIV_ROOT": str(cache)}, capture_output=True, text=True)
    assert VERSION.fullmatch(result.stdout), result.stderr


def test_a_damaged_file_says_so(small_file: Callable[[str], Path], tmp_path: Path) -> None:
    original = small_file("a")
    with zipfile.ZipFile(original) as archive:
        entry = archive.getinfo("site-packages/operator_demo/cli.py")
    raw = bytearray(original.read_bytes())
    middle = entry.header_offset + 30 + len(entry.filename) + entry.compress_size // 2
    raw[middle] ^= 0xFF
    damaged = tmp_path / "damaged"
    damaged.write_bytes(raw)
    result = go(damaged, SHIV_ROOT=str(tmp_path / "root"))
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (3, "", 1)
    assert re.match(r"operator-demo: \S+ is damaged \(.+\)\. Copy or build it again\.$", result.stderr)
    assert list((tmp_path / "root").iterdir()) == []


def test_a_work_tree_runs_too() -> None:
    result = subprocess.run([sys.executable, "-m", "operator_demo", "--version"], cwd=ROOT, capture_output=True,
                            text=True, check=True)
    assert result.stdout == "operator-demo 0.1.0 (work tree)\n"
