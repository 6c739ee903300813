"""A container that does one thing and is gone: for what the engine's API cannot do by itself."""

import io
import tarfile
from collections.abc import Mapping, Sequence
from typing import Any

import docker.errors

from operator_demo.engine import labels
from operator_demo.engine.connect import Engine
from operator_demo.engine.containers import put_files
from operator_demo.engine.failures import BROKEN_CONNECTION, engine_errors
from operator_demo.errors import OperatorError

_SCRIPT = "/aux"


def run_once(engine: Engine, image: str, script: str, *, name: str, project: str, service: str,
             network: str | None = None, inside: str | None = None, capabilities: Sequence[str] = (),
             unconfined: bool = False, volumes: Mapping[str, str] | None = None, processes_of: str | None = None,
             content: bytes | None = None, timeout: float = 60.0) -> tuple[int, str]:
    """Runs a shell script in a new container: its exit code and what it wrote. The container is removed in any case.

    The script is put into the container and removes itself as it starts: neither the engine's events nor `inspect` show
    a word of it. `network` is the name of one; `inside` the id of a running container whose network the script shares;
    `volumes` maps names to where they are mounted; `processes_of` is the id of a running container whose processes it
    sees; `unconfined` lets it mount the control groups (with SYS_ADMIN); `content` is what the script finds in the file
    /content. `project` and `service` label the container as a one-off of Compose.
    """
    with engine_errors(f"running {name}"):
        container_id = _create(engine, image, name, project, service, ["sh", _SCRIPT], volumes, {
            "NetworkMode": f"container:{inside}" if inside else network or "none",
            "CapDrop": ["ALL"], "CapAdd": list(capabilities),
            "SecurityOpt": ["apparmor=unconfined", "seccomp=unconfined"] if unconfined else [],
            "CgroupnsMode": "host" if unconfined else "", "PidMode": f"container:{processes_of}" if processes_of
            else ""})
        try:
            files = {_SCRIPT.lstrip("/"): f'rm -f "$0"\n{script}'.encode()}
            put_files(engine, container_id, "/", files if content is None else files | {"content": content})
            engine.api.start(container_id)
            status = int(engine.api.wait(container_id, timeout=timeout)["StatusCode"])
            output = engine.api.logs(container_id, stdout=True, stderr=True)
        except BROKEN_CONNECTION as e:
            raise OperatorError(f"running {name}: no end after {timeout:g} s") from e
        finally:
            remove_container(engine, container_id)
    return status, output.decode("utf-8", "replace")


def read_volume(engine: Engine, image: str, volume: str, path: str, *, name: str, project: str,
                service: str) -> list[bytes]:
    """The content of the plain files at or below `path` of a volume, through a container that is never started. Empty
    where there is nothing."""
    with engine_errors(f"reading {path} of the volume {volume}"):
        container_id = _create(engine, image, name, project, service, ["true"], {volume: "/volume"},
                               {"NetworkMode": "none"})
        try:
            try:
                parts, _ = engine.api.get_archive(container_id, f"/volume/{path}")
            except docker.errors.NotFound:
                return []
            packed = io.BytesIO(b"".join(parts))
        finally:
            remove_container(engine, container_id)
    with tarfile.open(fileobj=packed) as archive:
        return [content.read() for entry in archive if entry.isreg() and (content := archive.extractfile(entry))]


def leave_exited(engine: Engine, image: str, command: Sequence[str], *, name: str, network: str) -> str:
    """Starts a container that ends by itself, and leaves it there; its id."""
    with engine_errors(f"running {name}"):
        body = {"Image": image, "Entrypoint": [], "Cmd": list(command), "HostConfig": {"NetworkMode": network}}
        container_id = str(engine.api.create_container_from_config(body, name)["Id"])
        engine.api.start(container_id)
        engine.api.wait(container_id, timeout=30)
    return container_id


def project_volumes(engine: Engine, project: str) -> list[str]:
    """The names of the volumes of a project that are on the engine."""
    with engine_errors(f"looking for the volumes of {project}"):
        found = engine.api.volumes(filters={"label": [f"{labels.PROJECT}={project}"]})["Volumes"] or []
    return sorted(str(volume["Name"]) for volume in found)


def remove_oneoffs(engine: Engine, project: str, service: str) -> None:
    """Removes what `run_once` and the others left when their process was killed."""
    chosen = [f"{labels.PROJECT}={project}", f"{labels.SERVICE}={service}", f"{labels.ONEOFF}=True"]
    with engine_errors(f"looking for helpers of {project}"):
        for listed in engine.api.containers(all=True, filters={"label": chosen}):
            remove_container(engine, listed["Id"])


def _create(engine: Engine, image: str, name: str, project: str, service: str, command: Sequence[str],
            volumes: Mapping[str, str] | None, host: Mapping[str, Any]) -> str:
    mounts = [{"Type": "volume", "Source": volume, "Target": target} for volume, target in (volumes or {}).items()]
    body = {
        "Image": image, "Entrypoint": [], "Cmd": list(command), "User": "0", "NetworkDisabled": False,
        "Labels": {labels.PROJECT: project, labels.SERVICE: service, labels.ONEOFF: "True"},
        "HostConfig": {"Mounts": mounts, "LogConfig": {"Type": "json-file", "Config": {}}, **host},
    }
    return str(engine.api.create_container_from_config(body, name)["Id"])


def remove_container(engine: Engine, container_id: str) -> None:
    """Removes a container, by id or name, whatever it does; harmless where it is gone."""
    with engine_errors(f"removing the container {container_id[:24]}"):
        try:
            engine.api.remove_container(container_id, force=True, v=True)
        except docker.errors.NotFound:
            pass
        except docker.errors.APIError as e:
            if e.status_code != 409:  # being removed by somebody else
                raise
