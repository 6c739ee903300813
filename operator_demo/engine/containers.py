"""The containers of a project: what they are now, and what can be done to one."""

import io
import json
import re
import tarfile
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import docker.errors

from operator_demo import labels
from operator_demo.engine.connect import Engine
from operator_demo.engine.failures import engine_errors
from operator_demo.engine.networks import discover_network, project_networks
from operator_demo.engine.stream import open_stream
from operator_demo.errors import OperatorError


@dataclass(frozen=True)
class Container:
    """One container of a project. `address` is its IPv4 on the project's network, None where it has none now."""

    id: str
    name: str
    service: str
    state: str  # running | exited | paused | restarting | created | dead | removing
    health: str | None  # starting | healthy | unhealthy; None without a healthcheck
    address: str | None
    exit_code: int | None  # None while it runs
    labels: Mapping[str, str]
    image: str


@dataclass(frozen=True)
class ContainerState:
    """What the engine's list of containers tells of one; `state` is as that of `Container`, `exit_code` that of the
    last end (None where it has not ended)."""

    id: str
    name: str
    service: str
    state: str
    exit_code: int | None


_EXITED = re.compile(r"Exited \((\d+)\)")


def members(engine: Engine, project: str) -> list[Container]:
    """The containers of a project, running or not, by service name (none: an empty list)."""
    network_names = [n["Name"] for n in project_networks(engine, project)]
    found = []
    for inspected in inspect_project(engine, project):
        found.append(_container(inspected, network_names))
    return sorted(found, key=lambda c: (c.service, c.name))


def inspect_project(engine: Engine, project: str) -> list[dict[str, Any]]:
    """The engine's full description of each container of a project; one that vanishes meanwhile is left out."""
    found = []
    with engine_errors(f"looking at the containers of {project}"):
        for listed in engine.api.containers(all=True, filters={"label": [f"{labels.PROJECT}={project}"]}):
            if labels.SERVICE not in listed["Labels"] or listed["Labels"].get(labels.ONEOFF) == "True":
                continue
            try:
                found.append(engine.api.inspect_container(listed["Id"]))
            except docker.errors.NotFound:
                continue
    return found


def session_containers(engine: Engine, sessions: Collection[str]) -> dict[str, str]:
    """The containers, running or not, that these sessions of the agent made: id -> name."""
    with engine_errors("looking for the containers of the agent's sessions"):
        listed = engine.api.containers(all=True, filters={"label": [labels.SESSION]})
    return {str(c["Id"]): str(c["Names"][0]).lstrip("/") for c in listed if c["Labels"][labels.SESSION] in sessions}


def container_states(engine: Engine, project: str, patience: float) -> list[ContainerState]:
    """The containers of a project's services as they are now, in one request; one-shot helpers come and go, and are
    left out. Raises `EngineUnavailable` when the engine does not answer within `patience` seconds."""
    found = []
    chosen = {"all": 1, "filters": json.dumps({"label": [f"{labels.PROJECT}={project}", f"{labels.ONEOFF}=False"]})}
    with engine_errors(f"looking at the containers of {project}"):
        for listed in open_stream(engine, "GET", "/containers/json", params=chosen, silence=patience).json():
            code = _EXITED.match(str(listed.get("Status", "")))
            found.append(ContainerState(
                str(listed["Id"]), str(listed["Names"][0]).lstrip("/"), str(listed["Labels"].get(labels.SERVICE, "")),
                str(listed["State"]), int(code[1]) if code else None))
    return found


def inspect(engine: Engine, container_id: str) -> dict[str, Any]:
    """The engine's full description of one container. Raises NotOnEngine."""
    with engine_errors(f"looking at the container {container_id[:12]}"):
        described: dict[str, Any] = engine.api.inspect_container(container_id)
        return described


def _container(inspected: Mapping[str, Any], network_names: Iterable[str]) -> Container:
    state, endpoints = inspected["State"], inspected["NetworkSettings"].get("Networks") or {}
    addresses = [endpoints[n]["IPAddress"] for n in network_names if (endpoints.get(n) or {}).get("IPAddress")]
    status = str(state["Status"])
    health = (state.get("Health") or {}).get("Status")
    return Container(
        inspected["Id"], inspected["Name"].lstrip("/"), inspected["Config"]["Labels"][labels.SERVICE], status,
        health if health and health != "none" else None, addresses[0] if addresses else None,
        None if status in ("running", "paused", "created") else int(state.get("ExitCode", 0)),
        dict(inspected["Config"]["Labels"]), str(inspected["Config"]["Image"]))


def health_check(described: Mapping[str, Any]) -> list[str]:
    """The command of a container's health check, as its execs have it; [] without one."""
    test = (described["Config"].get("Healthcheck") or {}).get("Test") or [""]
    shell = (described["Config"].get("Shell") or ["/bin/sh", "-c"]) if test[0] == "CMD-SHELL" else []
    return [*shell, *test[1:]]


DISCONNECT_ATTEMPTS = 3
ACTIONS = ("kill", "stop", "pause", "unpause", "start", "restart", "disconnect", "connect")


def container_action(engine: Engine, container_id: str, action: str, *, signal: str = "SIGKILL",
                     timeout: float | None = None, network: str | None = None,
                     aliases: Iterable[str] | None = None, address: str | None = None) -> None:
    """Does one of ACTIONS to a container and returns when the engine says that it is done.

    `signal` is for kill; `timeout` (seconds until SIGKILL) for stop and restart; `network` for disconnect and connect
    (default: the network of the container's project); `aliases` for connect (default: the names that `up` gives it:
    container and service, without which its peers would not find it again) and `address` (IPv4; engines take one only
    on networks whose subnet was chosen). Raises NotOnEngine, OperatorError.
    """
    api = engine.api
    with engine_errors(f"{action} of {container_id[:12]}"):
        match action:
            case "kill":
                api.kill(container_id, signal)
            case "stop":
                api.stop(container_id, timeout=None if timeout is None else round(timeout))
            case "restart":
                api.restart(container_id, timeout=10 if timeout is None else round(timeout))
            case "pause":
                api.pause(container_id)
            case "unpause":
                api.unpause(container_id)
            case "start":
                api.start(container_id)
            case "disconnect":
                _disconnect(engine, container_id, network or _own_network(engine, container_id))
            case "connect":
                given = list(aliases) if aliases is not None else _default_aliases(engine, container_id)
                api.connect_container_to_network(container_id, network or _own_network(engine, container_id),
                                                 aliases=given, ipv4_address=address)
            case _:
                raise OperatorError(f"unknown action {action!r} on a container (known: {', '.join(ACTIONS)})")


def _disconnect(engine: Engine, container_id: str, network: str) -> None:
    """Asks again while the engine denies a connection that its own description of the container has: seen with engine
    20.10, right after a restart of the container on a busy machine."""
    for attempt in range(1, DISCONNECT_ATTEMPTS + 1):
        try:
            engine.api.disconnect_container_from_network(container_id, network)
            return
        except docker.errors.APIError as e:
            connected = network in inspect(engine, container_id)["NetworkSettings"]["Networks"]
            if "is not connected to" not in str(e) or not connected or attempt == DISCONNECT_ATTEMPTS:
                raise
        time.sleep(0.5)


def _own_network(engine: Engine, container_id: str) -> str:
    project = inspect(engine, container_id)["Config"]["Labels"].get(labels.PROJECT)
    if not project:
        raise OperatorError(f"the container {container_id[:12]} belongs to no project; name the network")
    return discover_network(engine, project)


def _default_aliases(engine: Engine, container_id: str) -> list[str]:
    described = inspect(engine, container_id)
    service = described["Config"]["Labels"].get(labels.SERVICE)
    return [described["Name"].lstrip("/"), *([service] if service else [])]


def read_file_from(engine: Engine, container_id: str, path: str) -> bytes:
    """The bytes of one file in a container, running or stopped. Raises NotOnEngine when there is no such file."""
    with engine_errors(f"reading {path} from {container_id[:12]}"):
        parts, _ = engine.api.get_archive(container_id, path)
        packed = io.BytesIO(b"".join(parts))
    with tarfile.open(fileobj=packed) as archive:
        entry = archive.next()
        content = archive.extractfile(entry) if entry is not None and entry.isreg() else None
        if content is not None:
            return content.read()
    raise OperatorError(f"{path} in {container_id[:12]} is not a plain file")


def put_files(engine: Engine, container_id: str, folder: str, files: Mapping[str, bytes], mode: int = 0o600) -> None:
    """Writes `files` (name -> content) into an existing `folder` of a container, owned by root; it need not run."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.mtime = len(content), mode, int(time.time())
            archive.addfile(entry, io.BytesIO(content))
    with engine_errors(f"writing into {container_id[:12]}"):
        engine.api.put_archive(container_id, folder, packed.getvalue())
