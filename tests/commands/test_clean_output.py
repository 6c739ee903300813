"""Text from outside reaches the terminal without what a terminal would obey, whichever command prints it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

EVIL = "before\x1b]52;c;aGVsbG8=\x07\x1b[2J\x9b2J\u202eafter"  # the clipboard, the screen, the direction of writing
HARMLESS = "before\\u202eafter"
SCENARIO = """\
title: "EVIL"
fault: {kind: kill}
cause: process_killed
invariants: [member_down]
story: {fault: {narration: "EVIL", notes: "EVIL"}}
repair: ["EVIL"]
"""


def assert_clean(done: Any) -> None:
    assert HARMLESS in done.said
    for character in "\x1b\x07\x9b\u202e":
        assert character not in done.said


@pytest.fixture
def evil_scenario(short: Path) -> Path:
    escaped = json.dumps(EVIL)[1:-1]  # YAML takes these escapes too
    file = short / "evil.yaml"
    file.write_text(SCENARIO.replace("EVIL", escaped))
    return file


@pytest.mark.parametrize("command", [("scenarios", "show"), ("scenarios", "check")], ids=" ".join)
def test_a_scenario_file(command: tuple[str, ...], evil_scenario: Path, operator_demo: Callable[..., Any]) -> None:
    done = operator_demo(*command, str(evil_scenario))
    assert done.status == 0, done.err
    assert_clean(done)


def test_a_mistake_in_a_scenario_file(evil_scenario: Path, operator_demo: Callable[..., Any]) -> None:
    evil_scenario.write_text(evil_scenario.read_text().replace("kind: kill", f"kind: {json.dumps(EVIL)}"))
    for command in ("check", "show"):
        done = operator_demo("scenarios", command, str(evil_scenario))
        assert done.status == 2
        assert "\x1b" not in done.said and "before" in done.said


def container(**labels: str) -> dict[str, Any]:
    labels = {"com.docker.compose.project": "demo-etcd", "com.docker.compose.service": "etcd1",
              "io.operator-demo.run": "run-1"} | labels
    return {"Id": "c1", "Name": "/c1", "Created": 1, "State": "running", "Labels": labels, "Image": "x",
            "Config": {"Labels": labels, "Image": "x"}, "NetworkSettings": {"Networks": {}}}


@pytest.mark.parametrize("label", ["com.docker.compose.service", "io.operator-demo.run"])
def test_a_label_on_a_shared_engine(label: str, operator_demo: Callable[..., Any], fake_engine: Any) -> None:
    evil = container(**{label: EVIL})
    fake_engine.answers["/containers/json"] = (200, [evil])
    fake_engine.answers["/containers/c1/json"] = (200, evil | {"State": {"Status": "running"}})
    done = operator_demo("--host", fake_engine.url, "status")
    assert done.status == 0, done.err
    assert_clean(done)


def test_a_label_that_is_no_name_of_a_project_is_not_shown(operator_demo: Callable[..., Any], fake_engine: Any) -> None:
    fake_engine.answers["/containers/json"] = (200, [container(**{"com.docker.compose.project": EVIL})])
    assert operator_demo("--host", fake_engine.url, "status").said == "No demo is on the engine.\n"


@pytest.mark.parametrize(("path", "command"), [
    ("/info", ("status",)), ("/info", ("down",)), ("/info", ("doctor",)), ("/volumes", ("status",)),
    ("/volumes", ("down",)), ("/volumes", ("down", "--project", "x")),
])
def test_what_an_engine_says_of_an_error(path: str, command: tuple[str, ...], operator_demo: Callable[..., Any],
                                         fake_engine: Any) -> None:
    fake_engine.answers[path] = (500, {"message": EVIL})
    assert_clean(operator_demo("--host", fake_engine.url, *command))


def test_what_an_engine_says_of_itself(operator_demo: Callable[..., Any], fake_engine: Any) -> None:
    fake_engine.answers["/info"] = (200, {"ID": "fake", "OperatingSystem": EVIL, "Driver": EVIL})
    assert_clean(operator_demo("--host", fake_engine.url, "doctor"))


def test_the_name_of_a_context(short: Path, operator_demo: Callable[..., Any]) -> None:
    (short / "home/.docker").mkdir()
    (short / "home/.docker/config.json").write_text(json.dumps({"currentContext": EVIL}))
    done = operator_demo("status")
    assert done.status == 3
    assert "\x1b" not in done.said


@pytest.mark.parametrize("words", [("run", "--display", EVIL), ("audit", "list", f"--{EVIL}"), (EVIL,),
                                   ("eval", f"/{EVIL}"), ("--host", f"tcp://{EVIL}:1", "status")], ids=range(5))
def test_words_of_the_command_line(words: tuple[str, ...], operator_demo: Callable[..., Any]) -> None:
    done = operator_demo(*words)
    assert done.status in (2, 3)
    assert "\x1b" not in done.said and "\x07" not in done.said


def test_a_defect_of_the_program() -> None:
    """Python itself would print the text of the exception as it is."""
    script = f"from operator_demo import cli; cli.cli = lambda **_: [][{EVIL!r}]; cli.main()"
    done = subprocess.run([sys.executable, "-c", script.replace("[][", "{}[")], capture_output=True, text=True,
                          cwd=Path(__file__).parents[2])
    assert done.returncode == 1
    assert "KeyError" in done.stderr and "Traceback" in done.stderr
    assert "\x1b" not in done.stderr


def test_a_defect_in_a_thread() -> None:
    script = f"""
import threading
from operator_demo import cli

def fail():
    raise RuntimeError({EVIL!r})

def work(**_):
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()

cli.cli = work
cli.main()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True,
                          cwd=Path(__file__).parents[2])
    assert done.returncode == 0
    assert "RuntimeError" in done.stderr and "Traceback" in done.stderr
    assert HARMLESS in done.stderr and "\x1b" not in done.stderr
