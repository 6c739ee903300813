"""What a subject's Compose file is given of this machine: the variables it names, and none of ours."""

from pathlib import Path
from typing import Any

import pytest

from operator_demo.compose import Project, load_project, with_folder
from operator_demo.compose.copying import read_contents
from operator_demo.compose.images import build_context
from operator_demo.errors import OperatorError, UsageError
from operator_demo.stage.environment import Environment
from operator_demo.subject import Found, load

SECRETS = {"ANTHROPIC_API_KEY": "sk-ant-0123456789", "ANTHROPIC_AUTH_TOKEN": "token-0123456789",
           "OPERATOR_API_KEY": "key-0123456789", "OPERATOR_HOME": "/home/0123456789",
           "ANTHROPIC_BASE_URL": "http://me:0123456789@there"}
COMPOSE = """
services:
  a:
    image: x
    command: ["${MINE}", "${KEY:-nothing}"]
    build:
      context: .
      args: [MINE, KEY]
    env_file: more.env
    environment: [MINE, KEY]
    secrets: [s]
secrets:
  s: {environment: MINE}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in (SECRETS | {"MINE": "mine"}).items():
        monkeypatch.setenv(name, value)
    return tmp_path


def read(folder: Path, compose: str, **variables: str) -> Project:
    (folder / "compose.yaml").write_text(compose)
    engine: Any = None
    environment = Environment(engine, "p", Found(load("etcd").subject, folder, outside=True))
    return environment.subject_project("run-1", variables)


@pytest.mark.parametrize("key", SECRETS)
def test_a_variable_of_ours_is_not_set_whoever_names_it(folder: Path, key: str) -> None:
    (folder / "more.env").write_text(f"{key}\nCOPY=${{{key}:-nothing}}\n")
    project = read(folder, COMPOSE.replace("KEY", key), OPERATOR_RATE="200", **SECRETS)
    service = project.services["a"]
    assert service.environment == {"MINE": "mine", key: None, "COPY": "nothing"}
    assert service.build and service.build.args == {"MINE": "mine"}
    assert "0123456789" not in repr(project)
    assert list(read_contents(project, {})["a"].values()) == [b"mine"]
    secret = read(folder, COMPOSE.replace("KEY", key).replace("{environment: MINE}", f"{{environment: {key}}}"))
    with pytest.raises(UsageError, match=f"{key} is not set"):
        read_contents(secret, {})


def test_the_rate_of_the_load_is_given(folder: Path) -> None:
    (folder / "more.env").touch()
    text = COMPOSE.replace("KEY", "OPERATOR_RATE")
    project = read(folder, text, OPERATOR_RATE="60", OPERATOR_RUN="run-1")
    assert project.services["a"].environment["OPERATOR_RATE"] == "60"


@pytest.mark.parametrize("key", ["env_file: PATH", "secrets: [s]", "configs: [c]"])
@pytest.mark.parametrize("path", ["/proc/self/environ", "./link", "/proc/self/root/proc/1/environ"])
def test_no_file_of_a_process_is_put_into_a_container(folder: Path, key: str, path: str) -> None:
    (folder / "link").symlink_to("/proc/self/environ")
    text = (f"services: {{a: {{image: x, {key}}}}}\n"
            "secrets: {s: {file: PATH}}\nconfigs: {c: {file: PATH}}\n")
    with pytest.raises(UsageError, match=r"/proc/.* neither into an image nor into a container"):
        read(folder, text.replace("PATH", path))


def test_no_file_of_a_process_is_put_into_an_image(folder: Path) -> None:
    (folder / "image").mkdir()
    (folder / "image" / "link").symlink_to("/proc/self/environ")
    project = read(folder, "services: {a: {image: x, build: ./image}}\n")
    build = project.services["a"].build
    assert build is not None
    with pytest.raises(OperatorError, match="/proc/"):
        build_context(build)
    with pytest.raises(UsageError, match="/proc/"):
        with_folder(load_project(folder, "compose.yaml", project="p", env={}), ["a"], folder / "image", "/inside")
