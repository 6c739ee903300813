"""The engine, the real Compose, and a place for the Compose files of one test."""

import secrets
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import docker.errors
import pytest
from project_names import new_name
from real_compose import BASE, RealCompose

from operator_demo.compose import Project, down, load_project, up
from operator_demo.engine import Engine

FILES = Path(__file__).parent / "files"


@pytest.fixture(scope="session")
def compose(engine: Engine) -> Iterator[RealCompose]:
    made = RealCompose(engine)
    yield made
    made.close()


@dataclass(frozen=True)
class Ground:
    """One of FILES, copied to where both can read it, with a project name and the values of its variables."""

    engine: Engine
    compose: RealCompose
    folder: Path
    project: str
    env: dict[str, str]
    profiles: tuple[str, ...]

    def load(self) -> Project:
        return load_project(self.folder, "compose.yaml", project=self.project, env=self.env, profiles=self.profiles)

    def our_up(self) -> None:
        up(self.engine, self.load(), stop=threading.Event())

    def our_down(self) -> None:
        down(self.engine, self.project, volumes=True)

    def theirs(self, *words: str) -> str:
        options = tuple(w for profile in self.profiles for w in ("--profile", profile))
        return self.compose.run(self.folder, *words, project=self.project, env=self.env, options=options)

    def left(self) -> list[str]:
        """The names of all that carries the project's label."""
        api, chosen = self.engine.api, {"label": [f"com.docker.compose.project={self.project}"]}
        return sorted([c["Names"][0] for c in api.containers(all=True, filters=chosen)]
                      + [n["Name"] for n in api.networks(filters=chosen)]
                      + [v["Name"] for v in api.volumes(filters=chosen)["Volumes"] or []])


@pytest.fixture
def ground(engine: Engine, compose: RealCompose, tmp_path: Path) -> Iterator[Callable[[str], Ground]]:
    """Lays out one of FILES; afterwards nothing of it is left on the engine."""
    with ExitStack() as after:

        def lay_out(name: str) -> Ground:
            project = new_name()
            folder = tmp_path / name
            shutil.copytree(FILES / name, folder)
            ports = _free_ports(3)
            env = {
                "IMAGE": BASE, "FROM_OUTSIDE": "outside", "PASSWORD": "not in inspect", "FOLDER": str(folder),
                "CONTAINER_NAME": f"{project}-own", "VOLUME_NAME": f"{project}-volume",
                "NETWORK_NAME": f"{project}-network", "EXTERNAL_VOLUME": f"{project}-outside",
                "EXTERNAL_NETWORK": f"{project}-outside", "BUILT_IMAGE": f"scratch/{project}",
                "PORT_A": ports[0], "PORT_B": ports[1], "PORT_C": ports[2],
                "SUBNET": f"10.{secrets.randbelow(100) + 100}.{secrets.randbelow(250)}"}
            api = engine.api
            if name == "networks":
                api.create_network(f"{project}-outside")
                after.callback(api.remove_network, f"{project}-outside")
            if name == "storage":
                api.create_volume(f"{project}-outside")
                after.callback(api.remove_volume, f"{project}-outside")
            if name == "build":
                after.callback(_remove_built, engine, project)
            after.callback(down, engine, project, volumes=True)
            compose.put(folder)
            return Ground(engine, compose, folder, project, env, ("chosen",))

        yield lay_out


def _free_ports(count: int) -> list[str]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    numbers = [str(s.getsockname()[1]) for s in sockets]
    for s in sockets:
        s.close()
    return numbers


def _remove_built(engine: Engine, project: str) -> None:
    """Ours took over the names; Compose's own images have none left, but a label."""
    api, chosen = engine.api, {"label": [f"com.docker.compose.project={project}"]}
    labelled = [i["Id"] for i in api.images(all=True, filters=chosen)]
    for image in [f"scratch/{project}", f"scratch/{project}-inline", f"{project}-short", *labelled]:
        with suppress(docker.errors.ImageNotFound):
            api.remove_image(image)
