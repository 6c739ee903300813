"""The stand-ins' images, made once and removed afterwards, and the built file that runs `tikv` on them."""

import io
import secrets
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

sys.path.insert(0, str(Path(__file__).parent / "stand_ins"))
sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))

from presenter import Demo

STAND_INS_FOLDER = Path(__file__).parent / "stand_ins"
STAND_INS = {"PD_IMAGE": "pd_server", "TIKV_IMAGE": "tikv_server"}
SHARED = "subjects/tikv/protobuf.py"  # the wire format, which the program and the stand-ins have in common


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture(scope="session")
def images(engine: docker.DockerClient) -> Iterator[dict[str, str]]:
    """The variables that put the stand-ins, and the real Prometheus, in the place of the images of compose.yaml."""
    suffix, made = secrets.token_hex(4), {}
    try:
        for variable, program in STAND_INS.items():
            made[variable] = f"tikv-stand-in/{program.replace('_', '-')}:{suffix}"
            _build(engine, made[variable], "Dockerfile", {"PROGRAM": program})
        made["PROMETHEUS_IMAGE"] = f"tikv-stand-in/real-prometheus:{suffix}"
        _build(engine, made["PROMETHEUS_IMAGE"], "prometheus.Dockerfile", {})
        yield made
    finally:
        for image in made.values():
            try:
                engine.images.remove(image, force=True)
            except docker.errors.ImageNotFound:
                pass


def _build(engine: docker.DockerClient, tag: str, dockerfile: str, arguments: dict[str, str]) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for file in sorted(STAND_INS_FOLDER.iterdir()):
            if file.is_file():
                archive.add(file, file.name)
        archive.add(Path(__file__).parents[2] / SHARED, SHARED)
    packed.seek(0)
    engine.images.build(fileobj=packed, custom_context=True, dockerfile=dockerfile, tag=tag, buildargs=arguments,
                        rm=True, forcerm=True)


@pytest.fixture
def demo(tmp_path: Path, engine: docker.DockerClient, images: dict[str, str]) -> Iterator[Demo]:
    with Demo.performed(tmp_path / "home", engine, subject="tikv", environment=dict(images)) as made:
        yield made
