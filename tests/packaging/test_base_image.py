"""The name of the base image stands in the program once; the files that cannot read it there say the same."""

from pathlib import Path

import pytest

from operator_demo.engine import BASE

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("file", ["compose_templates/agent.Dockerfile", "subjects/etcd/image/Dockerfile"])
def test_our_images_are_made_from_it(file: str) -> None:
    assert f"FROM {BASE}" in (ROOT / file).read_text().splitlines()


def test_build_sh_names_it() -> None:
    named = {word.strip('"()') for word in (ROOT / "build.sh").read_text().split() if "operator-demo/base:" in word}
    assert named == {BASE}
