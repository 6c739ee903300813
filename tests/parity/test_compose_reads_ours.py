"""`docker compose config` accepts every Compose file that ours accepts."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from real_compose import RealCompose

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "tests" / "compose" / "corpus"
FILES = Path(__file__).parent / "files"
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
    place.load()
    place.theirs("config", "--quiet")


@pytest.mark.wide
def test_what_ours_accepts_of_the_corpus(compose: RealCompose, tmp_path: Path) -> None:
    shutil.copytree(CORPUS, tmp_path / "corpus")
    compose.put(tmp_path / "corpus")
    accepted, refused = 0, []
    for file in sorted(CORPUS.glob("*.yaml")):
        expected = yaml.safe_load(file.with_suffix(".expected").read_text())
        if "refused" in expected:
            continue
        accepted += 1
        options = tuple(w for profile in expected.get("profiles", ()) for w in ("--profile", profile))
        answer = compose.ask(tmp_path / "corpus", "config", "--quiet", file=file.name, env=expected.get("env"),
                             options=options)
        if answer.code != 0:
            refused.append(f"{file.name}: {answer.err.strip()}")
    assert accepted > 20
    assert refused == []
