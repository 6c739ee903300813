"""A container that does one thing and is gone: for what the engine's API cannot do by itself."""

import contextlib
import io
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import docker.errors

from operator_demo import labels
from operator_demo.engine.connect import Engine
from operator_demo.engine.containers import put_files
from operator_demo.engine.failures import BROKEN_CONNECTION, engine_errors
from operator_demo.engine.images import is_ours
from operator_demo.engine.own_images import need_own_image
from operator_demo.errors import OperatorError

_SCRIPT = "/aux"


@dataclass(frozen=True)
class Helper:
    """What a helper container is made of. `announce` is told its id before it is used."""

    image: str
    name: str
    labels: Mapping[str, str]
    user: str = "0"
    announce: Callable[[str], None] = lambda id_: None


def one_off(project: str, service: str) -> dict[str, str]:
    """The labels of a one-off container of Compose, which `remove_oneoffs` finds."""
    return {labels.PROJECT: project, labels.SERVICE: service, labels.ONEOFF: "True"}


@dataclass(frozen=True)
class Access:
    """What the script of a helper container can reach, besides its own files."""

    network: str | None = None  # the name of one
    network_of: str | None = None  # instead: the id of a running container whose network it shares
    processes_of: str | None = None  # the id of a running container whose processes it sees
    host_processes: bool = False  # instead: it sees all processes of the engine's machine
    volumes: Mapping[str, str] = field(default_factory=dict)  # name -> where it is mounted
    socket: tuple[str, str] | None = None  # a path on the engine's machine, and where it is mounted
    capabilities: Sequence[str] = ()
    unconfined: bool = False  # with SYS_ADMIN, it can mount the control groups


NO_ACCESS = Access()


def run_once(engine: Engine, helper: Helper, script: str, access: Access = NO_ACCESS, *, content: bytes | None = None,
             timeout: float = 60.0) -> tuple[int, str]:
    """Runs a shell script in a new container: its exit code and its output. The container is removed in any case.

    An image with a name of ours must be one that was built here. The script is put into the container and removes
    itself as it starts: neither the engine's events nor `inspect` show a word of it. It finds `content` in the file
    /content. Raises OperatorError after `timeout` seconds.
    """
    host: dict[str, Any] = {
        "NetworkMode": f"container:{access.network_of}" if access.network_of else access.network or "none",
        "PidMode": _pid_mode(access),
        "CapDrop": ["ALL"], "CapAdd": list(access.capabilities)}
    if access.unconfined:
        host |= {"SecurityOpt": ["apparmor=unconfined", "seccomp=unconfined"], "CgroupnsMode": "host"}
    files = {_SCRIPT.lstrip("/"): f'rm -f "$0"\n{script}'.encode()}
    if content is not None:
        files["content"] = content
    if is_ours(helper.image):
        helper = replace(helper, image=need_own_image(engine, helper.image))
    with engine_errors(f"running {helper.name}"):
        container_id = _create(engine, helper, ["sh", _SCRIPT], _mounts(access), host)
        try:
            helper.announce(container_id)
            put_files(engine, container_id, "/", files)
            engine.api.start(container_id)
            status = int(engine.api.wait(container_id, timeout=timeout)["StatusCode"])
            output = engine.api.logs(container_id, stdout=True, stderr=True)
        except BROKEN_CONNECTION as e:
            raise OperatorError(f"running {helper.name}: no end after {timeout:g} s") from e
        finally:
            remove_container(engine, container_id)
    return status, output.decode("utf-8", "replace")


def read_volume(engine: Engine, helper: Helper, volume: str, path: str) -> list[bytes]:
    """The content of the plain files at or below `path` of a volume, through a container that is never started. Empty
    where there is nothing."""
    with engine_errors(f"reading {path} of the volume {volume}"):
        mounts = _mounts(Access(volumes={volume: "/volume"}))
        container_id = _create(engine, helper, ["true"], mounts, {"NetworkMode": "none"})
        try:
            helper.announce(container_id)
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
    """Starts a container that ends by itself, and leaves it there without a mark of ours; its id."""
    with engine_errors(f"running {name}"):
        container_id = _create(engine, Helper(image, name, {}, user=""), command, [], {"NetworkMode": network})
        engine.api.start(container_id)
        engine.api.wait(container_id, timeout=30)
    return container_id


def project_volumes(engine: Engine, project: str) -> list[str]:
    """The names of the volumes of a project that are on the engine."""
    with engine_errors(f"looking for the volumes of {project}"):
        found = engine.api.volumes(filters={"label": [f"{labels.PROJECT}={project}"]})["Volumes"] or []
    return sorted(str(volume["Name"]) for volume in found)


def create_volume(engine: Engine, project: str, name: str) -> None:
    """An empty volume that goes with those of the project; harmless if it exists."""
    with engine_errors(f"creating the volume {name}"):
        engine.api.create_volume(name, labels={labels.PROJECT: project})


def remove_volume(engine: Engine, name: str) -> None:
    """Harmless where it is gone."""
    with engine_errors(f"removing the volume {name}"), contextlib.suppress(docker.errors.NotFound):
        engine.api.remove_volume(name)


def remove_oneoffs(engine: Engine, project: str, service: str) -> None:
    """Removes what `run_once` and the others left when their process was killed."""
    chosen = [f"{labels.PROJECT}={project}", f"{labels.SERVICE}={service}", f"{labels.ONEOFF}=True"]
    with engine_errors(f"looking for helpers of {project}"):
        for listed in engine.api.containers(all=True, filters={"label": chosen}):
            remove_container(engine, listed["Id"])


def _pid_mode(access: Access) -> str:
    if access.host_processes:
        return "host"
    return f"container:{access.processes_of}" if access.processes_of else ""


def _mounts(access: Access) -> list[dict[str, str]]:
    mounts = [{"Type": "volume", "Source": volume, "Target": target} for volume, target in access.volumes.items()]
    if access.socket:
        source, target = access.socket
        mounts.append({"Type": "bind", "Source": source, "Target": target})
    return mounts


def _create(engine: Engine, helper: Helper, command: Sequence[str], mounts: Sequence[Mapping[str, str]],
            host: Mapping[str, Any]) -> str:
    body = {
        "Image": helper.image, "Entrypoint": [], "Cmd": list(command), "User": helper.user, "NetworkDisabled": False,
        "Labels": dict(helper.labels),
        "HostConfig": {"Mounts": list(mounts), "LogConfig": {"Type": "json-file", "Config": {}}, **host},
    }
    return str(engine.api.create_container_from_config(body, helper.name)["Id"])


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
