"""The crash matrix: fixtures. Its engine is this machine's, or one of its own where the engine itself is broken."""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))
sys.path.insert(0, str(Path(__file__).parents[1] / "engines"))
sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))
sys.path.insert(0, str(Path(__file__).parent))

from own_engine import OwnEngine, copy_images
from presenter import FILE, Demo


@pytest.fixture(scope="session")
def docker_client() -> Iterator[docker.DockerClient]:
    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture(scope="session")
def own_engine(docker_client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnEngine]:
    """A second engine with the images of this file, for all cases that freeze or restart one."""
    preparing = Demo(tmp_path_factory.mktemp("prepare"), docker_client).command("prepare", "etcd")
    assert preparing.returncode == 0, preparing.stderr
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="operator-demo-own-") as folder:
        with OwnEngine.running(Path(folder)) as engine:
            copy_images(docker_client, engine, FILE)
            yield engine
