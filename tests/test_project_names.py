"""What a killed test process left on the engine is removed by the next one."""

import signal
import subprocess
import sys
from pathlib import Path

import project_names

NAMER = """
import sys, time, pathlib, project_names
project_names.FOLDER = pathlib.Path(sys.argv[1])
print(project_names.new_name(), flush=True)
sys.stdin.read()
"""


def namer(folder: Path) -> tuple["subprocess.Popen[str]", str]:
    process = subprocess.Popen([sys.executable, "-c", NAMER, folder], cwd=Path(__file__).parent, text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout
    return process, process.stdout.readline().strip()


def removed(folder: Path) -> list[str]:
    names: list[str] = []
    project_names.remove_left(names.append, folder)
    return names


def test_the_projects_of_a_killed_process_are_removed_once(tmp_path: Path) -> None:
    process, name = namer(tmp_path)
    assert removed(tmp_path) == []  # it lives
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert removed(tmp_path) == [name]
    assert not project_names.are_left(tmp_path)


def test_an_orderly_end_leaves_no_names(tmp_path: Path) -> None:
    process, _ = namer(tmp_path)
    process.communicate()
    assert not project_names.are_left(tmp_path)
