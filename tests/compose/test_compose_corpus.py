"""Compose files in the shapes that people publish, each with what must come of it."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from operator_demo.compose.parse import load_project
from operator_demo.compose.plan import config_hash, container_body, network_arguments, volume_arguments
from operator_demo.errors import UsageError

CORPUS = Path(__file__).parent / "corpus"
FILES = sorted(CORPUS.glob("*.yaml"))


def expected_of(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(file.with_suffix(".expected").read_text())
    return found


def test_the_corpus_is_whole() -> None:
    assert len(FILES) >= 40
    assert {f.stem for f in FILES} == {f.stem for f in CORPUS.glob("*.expected")}


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_it_is_accepted_or_refused_for_the_right_reason(file: Path) -> None:
    expected = expected_of(file)

    def load() -> Any:
        return load_project(CORPUS, file.name, project="p", env=expected.get("env", {}),
                            profiles=expected.get("profiles", ()))

    if "refused" in expected:
        with pytest.raises(UsageError) as caught:
            load()
        assert caught.value.message.startswith(expected["refused"]), caught.value.message
        return
    project = load()
    assert list(project.services) == expected["accepted"]
    ids = dict.fromkeys(project.services, "id")
    for service in project.services.values():
        body = container_body(project, service, "sha256:1", ids)
        assert json.loads(json.dumps(body)) == body
        assert len(config_hash(project, service, body, "sha256:1", {})) == 64
    for key in project.networks:
        json.dumps(network_arguments(project, key))
    for key in project.volumes:
        json.dumps(volume_arguments(project, key))


def test_what_an_env_file_says_reaches_the_container() -> None:
    project = load_project(CORPUS, "nginx-php.yaml", project="p", env={})
    assert container_body(project, project.services["php"], "x")["Env"] == [
        "APP_NAME=shop", "DEBUG=false", "GREETING=hello shop", "RAW=$not_a_variable"]
