"""A subject's folder is a program: no command runs its Python before somebody agreed to this content."""

import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from operator_demo import cli, trust
from operator_demo.commands import completion, output
from operator_demo.engine import connect
from operator_demo.errors import UsageError
from operator_demo.evaluation import campaign
from operator_demo.own_variables import foreign_environment
from operator_demo.stage.environment import Environment
from operator_demo.subject import load
from operator_demo.subject_code import read_code

SUBJECT = """
import pathlib
pathlib.Path({marker!r}).touch()

class Mine:
    name, title, invariants, members, quorum = "mine", "My system", (), ("a",), 1
    def observe(self, members, deadline): ...
    def violations(self, observation): ...
    def data_plane(self, members, deadline): ...
    def agreement(self, members, keys, deadline): ...
    def redundancy(self, baseline, now): ...

SUBJECT = Mine()
"""
SCENARIO = "title: A member is killed\nfault: {kind: kill, target: a}\ncause: process_killed\n"


class Folder:
    def __init__(self, path: Path) -> None:
        self.path, self._marker = path, path.parent / "ran"
        (path / "scenarios").mkdir(parents=True)
        (path / "compose.yaml").write_text("services: {a: {image: x}}\n")
        (path / "scenarios" / "member-kill.yaml").write_text(SCENARIO)
        (path / "subject.py").write_text(SUBJECT.format(marker=str(self._marker)))
        self.campaign = path.parent / "campaign.yaml"
        self.campaign.write_text(f"subjects: {{{path}: all}}\nmodels: [rehearsal]\n")

    @property
    def has_run(self) -> bool:
        return self._marker.exists()


@pytest.fixture
def folder(short: Path) -> Folder:
    return Folder(short / "its_mine")


@pytest.fixture(autouse=True)
def no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "on_terminal", lambda: False)


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def type_in(text: str) -> None:
        monkeypatch.setattr(output, "on_terminal", lambda: True)
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))

    return type_in


COMMANDS = {
    "run": ["run", "FOLDER", "--auto"],
    "prepare": ["prepare", "FOLDER"],
    "chaos list": ["chaos", "list", "FOLDER"],
    "chaos": ["chaos", "inject", "kill", "--subject", "FOLDER", "--project", "p"],
    "scenarios": ["scenarios", "FOLDER"],
    "scenarios list": ["scenarios", "list", "FOLDER", "--json"],
    "scenarios show": ["scenarios", "show", "member-kill", "--subject", "FOLDER"],
    "scenarios check": ["scenarios", "check", "FOLDER/scenarios/member-kill.yaml", "--subject", "FOLDER"],
    "scenarios prove": ["scenarios", "prove", "FOLDER"],
    "eval": ["eval", "CAMPAIGN"],
}


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_without_a_terminal_nothing_runs_and_it_is_said_what_to_type(
        folder: Folder, fake_engine: Any, operator_demo: Callable[..., Any], words: list[str],
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", fake_engine.url)
    monkeypatch.setenv("OPERATOR_DEMO_FILE", sys.executable)
    words = [w.replace("FOLDER", str(folder.path)).replace("CAMPAIGN", str(folder.campaign)) for w in words]
    done = operator_demo(*words)
    assert done.status == 2, done.said
    assert not folder.has_run
    assert f"operator-demo {' '.join(words)} --trust" in done.err


@pytest.mark.parametrize("words", [COMMANDS["scenarios"], COMMANDS["scenarios show"], COMMANDS["scenarios check"]])
def test_with_trust_it_runs_and_is_asked_once_for_each_content(
        folder: Folder, operator_demo: Callable[..., Any], words: list[str]) -> None:
    words = [w.replace("FOLDER", str(folder.path)) for w in words]
    assert operator_demo(*words, "--trust").status == 0 and folder.has_run
    assert operator_demo(*words).status == 0
    (folder.path / "helper.py").write_text("x = 1\n")
    assert operator_demo(*words).status == 2
    (folder.path / "helper.py").unlink()
    assert operator_demo(*words).status == 0


def test_the_data_of_a_folder_may_change(folder: Folder, operator_demo: Callable[..., Any]) -> None:
    assert operator_demo("scenarios", str(folder.path), "--trust").status == 0
    (folder.path / "README").write_text("read me\n")
    (folder.path / "__pycache__").mkdir()
    (folder.path / "__pycache__" / "subject.cpython-311.pyc").write_bytes(b"x")
    assert operator_demo("scenarios", str(folder.path)).status == 0


@pytest.mark.parametrize(("answer", "status"), [("y\n", 0), ("n\n", 130), ("\n", 130)])
def test_on_a_terminal_it_is_asked(folder: Folder, operator_demo: Callable[..., Any], typed: Callable[[str], None],
                                   answer: str, status: int) -> None:
    typed(answer)
    done = operator_demo("scenarios", str(folder.path))
    assert (done.status, folder.has_run) == (status, status == 0)
    assert "subject.py" in done.said and "with all your rights" in done.said
    typed("")
    assert operator_demo("scenarios", str(folder.path)).status == status


@pytest.mark.parametrize("words", [["subjects"], ["scenarios", "etcd"], ["scenarios", "show", "member-kill"],
                                   ["tickets", "list", "--subject", "FOLDER"]])
def test_our_own_subjects_are_never_asked_for(operator_demo: Callable[..., Any], folder: Folder, words: list[str],
                                              short: Path) -> None:
    done = operator_demo(*(w.replace("FOLDER", str(folder.path)) for w in words))
    assert done.status in (0, 3)  # (3: there is no store to read)
    assert "trust" not in done.said and not folder.has_run
    assert not (short / "home" / ".operator" / "trust").exists()


def test_nothing_is_asked_of_a_folder_without_a_compose_file(folder: Folder,
                                                             operator_demo: Callable[..., Any]) -> None:
    (folder.path / "compose.yaml").unlink()
    done = operator_demo("scenarios", str(folder.path))
    assert "holds no Compose file" in done.err and "trust" not in done.said


def test_nothing_is_asked_of_a_folder_without_subject_py(folder: Folder, operator_demo: Callable[..., Any]) -> None:
    """Its other Python is not loaded: the Compose file is all that counts."""
    (folder.path / "subject.py").unlink()
    (folder.path / "compose.yaml").write_text("services: {a: {image: b}}\n")
    done = operator_demo("scenarios", str(folder.path))
    assert (done.status, folder.has_run) == (0, False)
    assert "member-kill" in done.out and "trust" not in done.said


def walked(command: click.Command = cli.cli, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    yield " ".join(path), command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from walked(found, (*path, name))


def test_every_command_that_takes_a_subject_takes_trust() -> None:
    """The lists of what is recorded only compare the name with those in the store."""
    takes = {name: {option for p in command.params for option in p.opts} for name, command in walked()
             if any(p.name == "subject" for p in command.params)}
    assert {name for name, options in takes.items() if "--trust" not in options} == {"tickets list", "audit list"}
    assert {"run", "prepare", "chaos list", "chaos inject", "scenarios list"} <= takes.keys()


def test_completion_runs_nothing(folder: Folder) -> None:
    command = cli.cli.get_command(click.Context(cli.cli), "run")
    assert command is not None
    context = click.Context(command)
    context.params["subject"] = str(folder.path)
    offered = completion.scenario(context, command.params[0], "")
    assert [item.value for item in offered] == ["member-kill"]
    assert [item.type for item in completion.subject(context, command.params[0], str(folder.path))] == ["dir"]
    assert not folder.has_run


def test_a_label_of_a_container_chooses_no_folder(folder: Folder, fake_engine: Any,
                                                  operator_demo: Callable[..., Any],
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    trust.remember(read_code(folder.path))
    labels = {"com.docker.compose.project": "p-operator", "com.docker.compose.service": "monitor",
              "io.operator-demo.subject": str(folder.path)}
    fake_engine.answers["/containers/json"] = (200, [{"Id": "c1", "Names": ["/monitor"], "Labels": labels}])
    fake_engine.answers["/containers/c1/json"] = (200, {
        "Id": "c1", "Name": "/monitor", "Config": {"Labels": labels, "Image": "x"}, "Image": "sha256:x",
        "State": {"Status": "running"}, "NetworkSettings": {"Networks": {}}})
    monkeypatch.setenv("DOCKER_HOST", fake_engine.url)
    done = operator_demo("chaos", "inject", "kill", "--project", "p")
    assert done.status != 0 and not folder.has_run
    assert "--subject" in done.err


def test_the_runs_of_a_campaign_have_the_trust_of_its_home(folder: Folder, short: Path,
                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    code = read_code(folder.path)
    with pytest.raises(UsageError):
        campaign.load(folder.campaign)
    (short / "run").mkdir()
    trust.share(short / "run")
    trust.share(short / "run")
    trust.remember(code)
    monkeypatch.setenv("OPERATOR_HOME", str(short / "run"))
    assert campaign.load(folder.campaign).trials
    (folder.path / "subject.py").write_text("1 / 0\n")
    with pytest.raises(UsageError, match="nobody has agreed"):
        load(str(folder.path))


def test_what_is_kept_is_for_this_user_alone(folder: Folder, short: Path) -> None:
    code = read_code(folder.path)
    trust.remember(code)
    (kept,) = (short / "home" / ".operator" / "trust" / "subjects").iterdir()
    assert json.loads(kept.read_text())["files"] == ["subject.py"]
    assert kept.stat().st_mode & 0o077 == 0 and kept.parent.stat().st_mode & 0o077 == 0


def test_a_campaign_may_not_name_our_variables(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-0123456789")
    file = short / "c.yaml"
    file.write_text("subjects: {etcd: [member-kill]}\nmodels: [rehearsal]\noptions: ['${ANTHROPIC_API_KEY:-none}']\n")
    assert campaign.load(file).options == ["none"]
    assert not any(name.startswith(("ANTHROPIC_", "OPERATOR_")) for name in foreign_environment(os.environ))


@pytest.mark.parametrize("hostile", ["../../elsewhere", "/etc", "run-1/../../x", ""])
def test_labels_that_are_no_names_become_no_paths(fake_engine: Any, operator_demo: Callable[..., Any], short: Path,
                                                  monkeypatch: pytest.MonkeyPatch, hostile: str) -> None:
    labels = {"com.docker.compose.project": hostile, "com.docker.compose.service": "a", "io.operator-demo.run": hostile}
    fake_engine.answers["/containers/json"] = (200, [{"Id": "c1", "Names": ["/c"], "Labels": labels, "Created": 1,
                                                      "State": "running"}])
    fake_engine.answers["/containers/c1/json"] = (200, {
        "Id": "c1", "Name": "/c", "Config": {"Labels": labels, "Image": "x"}, "Image": "sha256:x",
        "State": {"Status": "running"}, "NetworkSettings": {"Networks": {}}})
    monkeypatch.setenv("DOCKER_HOST", fake_engine.url)
    assert operator_demo("down", "--all").said == "Nothing to take down.\n"
    engine = connect(fake_engine.url)
    try:
        assert Environment(engine, "p").leftover_run() == ""
    finally:
        engine.close()
