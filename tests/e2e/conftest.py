import sys
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from presenter import Demo


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture
def demo(tmp_path: Path, engine: docker.DockerClient) -> Iterator[Demo]:
    with Demo.performed(tmp_path / "home", engine) as made:
        yield made
