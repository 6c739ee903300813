"""build.sh's tools find the engine that the program finds, and say where none is."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def ask(command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    chosen = {"PATH": os.environ["PATH"]} | environment
    return subprocess.run([sys.executable, ROOT / "tools/engine.py", command], env=chosen, capture_output=True,
                          text=True, timeout=60)


@pytest.mark.parametrize("variable", ["OPERATOR_HOST", "DOCKER_HOST"])
def test_an_engine_that_was_chosen_and_does_not_answer(variable: str, tmp_path: Path) -> None:
    done = ask("ping", HOME=str(tmp_path), **{variable: f"unix://{tmp_path}/none.sock"})
    assert done.returncode == 3
    assert "there is no such socket" in done.stderr and "Traceback" not in done.stderr


def test_a_context_is_read_as_the_program_reads_it(tmp_path: Path) -> None:
    key = hashlib.sha256(b"far").hexdigest()
    meta = tmp_path / ".docker/contexts/meta" / key
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(json.dumps({"Endpoints": {"docker": {"Host": "npipe:////./pipe/docker_engine"}}}))
    done = ask("ping", HOME=str(tmp_path), DOCKER_CONTEXT="far")
    assert done.returncode == 3
    assert "npipe" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.engine
def test_the_engine_and_its_base_image() -> None:
    assert ask("ping").stdout.startswith("Docker engine ")
    assert ask("base").returncode == 0
