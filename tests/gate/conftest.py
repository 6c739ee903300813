import sys
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

sys.path[:0] = [str(Path(__file__).parents[1] / "e2e"), str(Path(__file__).parent)]

from presenter import FILE, Demo  # noqa: E402


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    if not FILE.exists():
        pytest.fail("There is no built file; run ./build.sh first.")
    client = docker.from_env()
    made = Demo(tmp_path / "home", client)
    yield made
    made.clean()
    left = made.leftovers()
    client.close()
    assert left == []
