"""The command line starts at once and runs on any machine: what it may import, and what not."""

import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
from single_file import Run

LAZY = ("docker", "anthropic", "rich.live", "pydantic", "requests")
HOST_COMMANDS = [
    ["--version"],
    ["--help"],
    ["run", "--help"],
    ["prepare", "--help"],
    ["status"],
    ["down", "--help"],
    ["audit", "list"],
    ["tickets", "list"],
    ["subjects"],
    ["scenarios"],
    ["replay", "etcd/member-kill"],
    ["doctor"],
]

# Import every module of the program but the agent's, with no compiled module in reach but Python's own.
IMPORT_ALL = """
import importlib, importlib.machinery, pkgutil, sys
tree, own = sys.argv[1:]
SKIPPED = ("operator_demo.agent", "operator_demo.__main__")
sys.path.insert(0, tree)
class Refused(Exception): pass
create = importlib.machinery.ExtensionFileLoader.create_module
def refuse(loader, spec):
    if not spec.origin.startswith(own):
        raise Refused(spec.origin)
    return create(loader, spec)
importlib.machinery.ExtensionFileLoader.create_module = refuse
names = ["operator_demo", "subjects"]
for name in names:
    module = importlib.import_module(name)
    if hasattr(module, "__path__"):
        names += [n for _, n, _ in pkgutil.iter_modules(module.__path__, name + ".") if n not in SKIPPED]
print(len(names))
"""
OWN_COMPILED = sysconfig.get_path("stdlib")


def imported(start: Run, command: list[str]) -> set[str]:
    result = start(*command, flags=("-IS", "-X", "importtime"))
    assert "Traceback" not in result.stderr
    names = {line.rpartition("|")[2].strip() for line in result.stderr.splitlines() if line.startswith("import time:")}
    assert "operator_demo.cli" in names
    return names


@pytest.mark.parametrize("command", [["--version"], ["--help"], ["audit", "list"], ["replay", "etcd/member-kill"],
                                     ["report", "etcd/member-kill", "-o", "-"]], ids=" ".join)
def test_a_command_that_only_reads_loads_neither_docker_nor_anthropic_nor_the_screen(
    start: Run, empty_store: None, command: list[str]
) -> None:
    assert imported(start, command).isdisjoint(LAZY)


@pytest.mark.parametrize("command", HOST_COMMANDS, ids=" ".join)
def test_a_host_command_loads_no_compiled_module_but_pythons_own(
    start: Run, empty_store: None, command: list[str]
) -> None:
    result = start(*command, flags=("-IS", "-v"))
    assert "import 'operator_demo.cli'" in result.stderr
    loaded = re.findall(r"^# extension module '\S+' loaded from '([^']+)'", result.stderr, re.MULTILINE)
    assert [path for path in loaded if not path.startswith(OWN_COMPILED)] == []
    assert "anthropic" not in re.findall(r"^import '(\w+)'", result.stderr, re.MULTILINE)


def import_all(tree: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-IS", "-c", IMPORT_ALL, str(tree), OWN_COMPILED], capture_output=True, text=True, timeout=120
    )


def test_everything_but_the_agent_imports_without_compiled_modules(packages: Path) -> None:
    result = import_all(packages)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) > 20


def test_the_check_above_notices_a_compiled_module(packages: Path, tmp_path: Path) -> None:
    own = next(Path(sysconfig.get_config_var("DESTSHARED")).glob("_*.so"))
    for package in ("operator_demo", "subjects"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    shutil.copy(own, tmp_path / "operator_demo" / own.name)
    result = import_all(tmp_path)
    assert "Refused" in result.stderr


def test_the_file_carries_compiled_modules_for_the_agents_container_alone(built_file: Path) -> None:
    with zipfile.ZipFile(built_file) as archive:
        compiled = [name for name in archive.namelist() if re.search(r"\.(so|pyd|dylib)$", name)]
    assert sorted(re.sub(r"^site-packages/(\w+)/.*cpython-(\d+)-(\w+)-.*", r"\1 \2 \3", name) for name in compiled) == [
        f"{package} 313 {machine}" for package in ("jiter", "pydantic_core") for machine in ("aarch64", "x86_64")
    ]


def test_data_files_travel_inside(packages: Path) -> None:
    """Else the program works in a work tree and not as a file."""
    root = Path(__file__).resolve().parents[2]
    suffixes = {".yaml", ".yml", ".json", ".sql", ".sh", ".md", ".txt", ".Dockerfile", ".opdemo"}
    for folder in ("operator_demo", "compose_templates", "subjects"):
        for path in (root / folder).rglob("*"):
            if path.is_file() and (path.suffix in suffixes or path.name == "Dockerfile"):
                assert (packages / path.relative_to(root)).is_file(), f"{path} is missing in the file"
