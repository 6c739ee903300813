"""Keys that change nothing of a run."""

from pathlib import Path

from operator_demo.compose import load_project

FILE = """
services:
  web:
    build: {context: ., cache_from: [a], no_cache: true}
    develop: {watch: [{action: sync, path: ., target: /app}]}
    attach: false
  plain: {image: a, develop: {}}
"""


def test_they_are_named(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(FILE)
    services = load_project(tmp_path, "compose.yaml", project="p", env={}).services
    assert services["web"].passed_over == ("attach", "develop", "build.cache_from", "build.no_cache")
    assert services["plain"].passed_over == ()
