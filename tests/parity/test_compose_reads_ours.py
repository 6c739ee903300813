"""`docker compose config` accepts every Compose file that ours accepts, and ours accepts what it prints."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from real_compose import RealCompose

from operator_demo.compose.model import Project
from operator_demo.compose.parse import load_project, parse_project

pytestmark = [pytest.mark.engine, pytest.mark.compose]

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "tests" / "compose" / "corpus"
FILES = Path(__file__).parent / "files"
_NUMBERS = ("DECIMAL", "OCTAL")  # variables whose values Compose rewrites as YAML has them
_PROFILES = ("--profile", "execute", "--profile", "observe", "--profile", "chosen")
_OF_THE_PROGRAM = {
    "OPERATOR_IMAGE": "operator-demo/agent:0", "OPERATOR_RUN": "r", "OPERATOR_SUBJECT": "etcd", "OPERATOR_PROJECT": "p",
    "OPERATOR_BRAIN": "rehearsal", "OPERATOR_MODEL": "m", "OPERATOR_NETWORK": "p_default", "OPERATOR_API_KEY": "k"}


def _ours() -> Iterator[Path]:
    yield from sorted(ROOT.glob("subjects/*/compose.yaml"))
    yield from sorted(ROOT.glob("compose_templates/*.yaml"))


def test_the_files_of_the_program(compose: RealCompose, tmp_path: Path) -> None:
    found = list(_ours())
    assert len(found) >= 2
    for file in found:
        folder = tmp_path / file.parent.name
        shutil.copytree(file.parent, folder, dirs_exist_ok=True)
        compose.put(folder)
        said = compose.ask(folder, "config", "--quiet", file=file.name, env=_OF_THE_PROGRAM, options=_PROFILES)
        assert (said.code, said.err) == (0, "")


@pytest.mark.parametrize("name", sorted(p.name for p in FILES.iterdir()))
def test_the_files_of_the_parity_test(ground: Callable[[str], Any], name: str) -> None:
    place = ground(name)
    project = place.load()
    printed = place.theirs("config")
    again = parse_project(printed, place.folder, "compose.yaml", project=place.project, env=place.env,
                          profiles=place.profiles)
    assert _plan(again) == _plan(project)


def _plan(project: Project) -> dict[str, Any]:
    """Without what `docker compose config` leaves out or writes in another way, as docs/compose.md says."""
    services = {}
    for name, service in project.services.items():
        mounts = [replace(m, modes=tuple(mode for mode in m.modes if mode != "cached")) for m in service.mounts]
        environment = {k: v for k, v in service.environment.items() if k not in _NUMBERS}
        services[name] = replace(service, line=0, mounts=tuple(mounts), environment=environment)
    used = {key for service in services.values() for key in service.networks}
    return {"services": services, "networks": {key: project.networks[key] for key in used},
            "volumes": project.volumes, "secrets": project.secrets, "configs": project.configs}


@pytest.mark.wide
def test_the_corpus(compose: RealCompose, tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    shutil.copytree(CORPUS, folder)
    compose.put(folder)
    accepted = 0
    for file in sorted(CORPUS.glob("*.yaml")):
        expected = yaml.safe_load(file.with_suffix(".expected").read_text())
        if "refused" in expected:
            continue
        accepted += 1
        env, profiles = expected.get("env", {}), expected.get("profiles", [])
        options = tuple(word for profile in profiles for word in ("--profile", profile))
        printed = compose.run(folder, "config", file=file.name, env=env, options=options)
        project = load_project(folder, file.name, project="p", env=env, profiles=profiles)
        again = parse_project(printed, folder, file.name, project="p", env={}, profiles=profiles)
        assert _plan(again) == _plan(project), file.name
    assert accepted > 20
