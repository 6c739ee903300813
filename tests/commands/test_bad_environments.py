"""An engine that cannot be found, a home that cannot be used: one clear message and status 3, never a traceback."""

import hashlib
import json
import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
COMMANDS = {
    "doctor": ["doctor"],
    "status": ["status"],
    "run": ["run", "etcd", "--auto", "--display", "plain", "--model", "rehearsal"],
    "down": ["down"],
    "audit list": ["audit", "list"],
}
NEEDS_NO_ENGINE = ("audit list",)
every_command = pytest.mark.parametrize("command", COMMANDS)


def choose_context(home: Path, meta: Any) -> None:
    """Makes a Docker context the current one; `meta` is the content of its file, or the JSON value of it."""
    key = hashlib.sha256(b"mine").hexdigest()
    folder = home / ".docker" / "contexts" / "meta" / key
    folder.mkdir(parents=True)
    (folder / "meta.json").write_text(meta if isinstance(meta, str) else json.dumps(meta))
    (home / ".docker" / "config.json").write_text('{"currentContext": "mine"}')


def at(host: Any) -> Any:
    return {"Name": "mine", "Endpoints": {"docker": {"Host": host}}}


CONTEXTS = {
    "of Docker Desktop on Windows": (at("npipe:////./pipe/docker_engine"), "npipe:////./pipe/docker_engine"),
    "a descriptor": (at("fd://"), "fd://"),
    "a port that is no number": (at("tcp://127.0.0.1:port"), "tcp://127.0.0.1:port"),
    "a port that is too large": (at("tcp://127.0.0.1:99999"), "tcp://127.0.0.1:99999"),
    "half an IPv6 address": (at("tcp://[::1"), "tcp://[::1"),
    "a host that is a number": (at(5), "meta.json"),
    "a host that is a list": (at(["tcp://127.0.0.1"]), "meta.json"),
    "a host with a lone surrogate": ('{"Endpoints": {"docker": {"Host": "tcp://\\ud800:1"}}}', "Docker context 'mine'"),
    "no endpoint of docker": ({"Name": "mine", "Endpoints": {}}, "meta.json"),
    "endpoints that are a list": ({"Name": "mine", "Endpoints": []}, "meta.json"),
    "no JSON": ("{", "meta.json"),
    "too deep": ("[" * 100_000, "meta.json"),
    "a port where nobody listens": (at("tcp://127.0.0.1:1"), "connection refused"),
}


@every_command
@pytest.mark.parametrize("context", CONTEXTS)
def test_a_context_that_cannot_be_used(command: str, context: str, short: Path, operator_demo: Callable[..., Any]
                                       ) -> None:
    meta, words = CONTEXTS[context]
    choose_context(short / "home", meta)
    done = operator_demo(*COMMANDS[command])
    assert done.status == 3, done.said
    assert command in NEEDS_NO_ENGINE or words in done.said
    assert "Traceback" not in done.said


HOSTS = ["tcp://127.0.0.1:port", "tcp://[::1", "npipe:////./pipe/docker_engine", "fd://", "ssh://", "ssh://host:port",
         "http://127.0.0.1:port", "unix:///" + "x" * 300, "tcp://" + "x" * 100 + ":1", "5", "tcp://%zz:1"]


@every_command
@pytest.mark.parametrize("host", HOSTS)
def test_an_address_that_cannot_be_used(command: str, host: str, operator_demo: Callable[..., Any]) -> None:
    if command in NEEDS_NO_ENGINE:
        return
    done = operator_demo("--host", host, *COMMANDS[command])
    assert done.status == 3, done.said
    assert host in done.said
    assert "Traceback" not in done.said


@pytest.mark.parametrize("meta", [at(""), {"Name": "mine", "Endpoints": {"docker": {}}},
                                  {"Name": "mine", "Endpoints": {"docker": {"Host": None}}}])
def test_a_context_without_an_address_means_dockers_default(
        meta: Any, short: Path, operator_demo: Callable[..., Any], fake_engine: Any,
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["operator_demo.engine.endpoints"], "DEFAULT_SOCKET", fake_engine.url)
    choose_context(short / "home", meta)
    assert operator_demo("status").out == "No demo is on the engine.\n"


@pytest.mark.parametrize("content", ["", "\n", "{}", '{"currentContext": ""}', '{"currentContext": null}'])
def test_a_configuration_that_chooses_nothing(
        content: str, short: Path, operator_demo: Callable[..., Any], fake_engine: Any,
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["operator_demo.engine.connect"], "DEFAULT_SOCKET", fake_engine.url)
    (short / "home/.docker").mkdir()
    (short / "home/.docker/config.json").write_text(content)
    assert operator_demo("status").out == "No demo is on the engine.\n"


@every_command
@pytest.mark.parametrize("content", ["{", "[]", "null", "5", '"x"', '{"currentContext": 5}', "[" * 100_000, "\udcff"])
def test_a_configuration_that_cannot_be_read(command: str, content: str, short: Path,
                                             operator_demo: Callable[..., Any]) -> None:
    (short / "home/.docker").mkdir()
    (short / "home/.docker/config.json").write_text(content, errors="surrogateescape")
    done = operator_demo(*COMMANDS[command])
    assert done.status == 3, done.said
    assert command in NEEDS_NO_ENGINE or "config.json" in done.said
    assert "Traceback" not in done.said


@pytest.mark.parametrize("content", ["[]", "5", '{"proxies": 5}', '{"auths": {"x": {"auth": 5}}}', '{"auths": 5}'])
def test_a_configuration_that_docker_py_cannot_use(content: str, short: Path, operator_demo: Callable[..., Any],
                                                   fake_engine: Any) -> None:
    (short / "home/.docker").mkdir()
    (short / "home/.docker/config.json").write_text(content)
    done = operator_demo("--host", fake_engine.url, "status")
    assert done.status in (0, 3)
    assert done.status == 0 or "config.json" in done.said
    assert "Traceback" not in done.said


@pytest.mark.parametrize("answer", [[], 5, "x", None, {}, {"ApiVersion": "x.y"},
                                    {"ApiVersion": "1.41", "Components": 5}])
@pytest.mark.parametrize("path", ["/version", "/info"])
def test_what_answers_is_no_engine(path: str, answer: Any, operator_demo: Callable[..., Any], fake_engine: Any) -> None:
    fake_engine.answers[path] = (200, answer)
    done = operator_demo("--host", fake_engine.url, "status")
    assert done.status in ((3,) if path == "/version" else (0, 3)), done.said
    assert "Traceback" not in done.said


# -- homes -----------------------------------------------------------------------------------------------------------


HOMES = {
    "of a user that is not there": "~no-such-user/x",
    "too long": "/tmp/" + "x" * 300,
    "too long by its parts": "/tmp" + "/x" * 3000,
    "a file": "/etc/hostname",
    "below a file": "/etc/hostname/x",
}


@every_command
@pytest.mark.parametrize("home", HOMES)
def test_a_home_that_cannot_be_used(command: str, home: str, operator_demo: Callable[..., Any], fake_engine: Any,
                                    monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPERATOR_HOME", HOMES[home])
    monkeypatch.setenv("DOCKER_HOST", fake_engine.url)
    done = operator_demo(*COMMANDS[command])
    assert done.status == (0 if command == "status" else 3), done.said
    assert command == "status" or "OPERATOR_HOME" in done.said
    assert "Traceback" not in done.said


def no_such_uid() -> int:
    known = {entry.pw_uid for entry in pwd.getpwall()}
    return next(uid for uid in range(54321, 60000) if uid not in known)


@pytest.fixture
def as_a_stranger(short: Path, fake_engine: Any) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Runs the command line as a user without an entry in passwd, by a Python that others may start."""
    if os.getuid() != 0:
        pytest.skip("needs root, to run as somebody else")
    short.chmod(0o755)
    Path(fake_engine.url.removeprefix("unix://")).chmod(0o777)
    base = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT}:{sysconfig.get_path('purelib')}",
            "PYTHONDONTWRITEBYTECODE": "1"}

    def start(*words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(["/usr/bin/python3", *words], env=base | environment, user=no_such_uid(),
                              group=no_such_uid(), extra_groups=[], cwd="/", capture_output=True, text=True, timeout=60)

    if start("-c", "import sys, click, docker, operator_demo; assert sys.version_info >= (3, 11)").returncode:
        pytest.skip("no Python and no work tree that another user may use")
    return partial(start, "-m", "operator_demo")


@every_command
@pytest.mark.parametrize("with_home", [False, True], ids=["no home", "OPERATOR_HOME"])
@pytest.mark.parametrize("with_engine", [False, True], ids=["no engine", "engine"])
def test_a_user_without_an_entry_in_passwd(command: str, with_home: bool, with_engine: bool, short: Path,
                                           fake_engine: Any, as_a_stranger: Callable[..., Any]) -> None:
    chosen = {"DOCKER_HOST": fake_engine.url} if with_engine else {}
    if with_home:
        shutil.chown(short / "home", no_such_uid())
        chosen["OPERATOR_HOME"] = str(short / "home")
    done = as_a_stranger(*COMMANDS[command], **chosen)
    words = done.stdout + done.stderr
    works = with_engine and (command == "status" or (with_home and command in ("down", "doctor")))
    assert done.returncode == (0 if works else 3), words
    assert "Traceback" not in words
    assert with_home or command == "status" or not with_engine or "OPERATOR_HOME" in words


@every_command
def test_a_home_that_belongs_to_root_after_one_sudo(command: str, short: Path, fake_engine: Any,
                                                    as_a_stranger: Callable[..., Any]) -> None:
    home = short / "home"
    shutil.chown(home, no_such_uid())
    (home / ".operator").mkdir(mode=0o700)
    done = as_a_stranger(*COMMANDS[command], HOME=str(home), DOCKER_HOST=fake_engine.url)
    words = done.stdout + done.stderr
    assert done.returncode == (0 if command == "status" else 3), words
    assert "Traceback" not in words
    assert command == "status" or (str(home / ".operator") in words and "OPERATOR_HOME" in words)
    assert command == "status" or "sudo" in words
