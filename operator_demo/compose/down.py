"""Taking a project down by its labels alone: no Compose file is needed, and half a project will do."""

import re
import time
from collections.abc import Callable, Iterable
from typing import Any

import docker.errors

from operator_demo import labels
from operator_demo.compose.background import start
from operator_demo.engine.connect import Engine
from operator_demo.engine.failures import engine_errors, explain
from operator_demo.engine.networks import project_networks
from operator_demo.engine.progress import Progress, silent
from operator_demo.errors import OperatorError

_NAMELESS = re.compile(r"[0-9a-f]{64}")  # what the engine calls a volume that was given no name
_PATIENCE = 10.0  # seconds for the engine to let go of what it is still removing
_BUSY_NETWORK = "has active endpoints"
_BUSY = ("already in progress", _BUSY_NETWORK,
         "container state improper")  # Podman, of a container that ended while it was to be killed
_LOST_COUNT = " (if no container is on it, the engine has lost count, a known defect of 20.10: a restart of it helps)"


def down(engine: Engine, project: str, *, volumes: bool, progress: Progress = silent) -> list[str]:
    """Removes the containers and networks of a project, and with `volumes` its volumes; says what was removed. The lock
    of an `up` goes too.

    Containers are killed. Safe to repeat, and at the same time as another. Raises OperatorError at the end if
    something could not be removed, such as a network that a container of another project uses.
    """
    api = engine.api
    chosen = {"label": [f"{labels.PROJECT}={project}"]}
    with engine_errors(f"looking for what belongs to {project}"):
        listed = api.containers(all=True, filters=chosen)
        containers = {c["Id"]: c["Names"][0].lstrip("/") if c.get("Names") else c["Id"][:12] for c in listed}
        networks = {n["Id"]: n["Name"] for n in project_networks(engine, project)}
        doomed = [v["Name"] for v in api.volumes(filters=chosen)["Volumes"] or []
                  if volumes or labels.UP_LOCK in (v["Labels"] or {})]
    if volumes:
        # The engine takes those with a container that it made for it, and not those that `up` handed on to another.
        doomed += sorted({m["Name"] for c in listed for m in c.get("Mounts") or [] if _NAMELESS.fullmatch(
            m.get("Name") or "")} - set(doomed))
    removed: list[str] = []
    problems: list[str] = []

    def remove(item: str, doing: Callable[[], None]) -> None:
        try:
            with engine_errors(f"removing {item}"):
                if _gone_after(doing):
                    removed.append(item)
                    progress(item, "removed")
        except OperatorError as e:
            problems.append(e.message + (_LOST_COUNT if _BUSY_NETWORK in e.message else ""))

    def container(key: str) -> None:
        remove(f"container {containers[key]}", lambda: api.remove_container(key, v=volumes, force=True))

    def network(key: str) -> None:
        def doing() -> None:
            _disconnect_ours(engine, project, key, networks[key])
            api.remove_network(key)
        remove(f"network {networks[key]}", doing)

    def volume(name: str) -> None:
        remove(f"volume {name}", lambda: _remove_volume(engine, name))

    _each(container, containers)
    _each(network, networks)
    _each(volume, doomed)
    if problems:
        raise OperatorError(f"{project} is not wholly down:\n" + "\n".join(f"  - {p}" for p in problems),
                            "Remove what is in the way and run down again; it goes on where it stopped.")
    return removed


def _each(call: Callable[[str], None], keys: Iterable[str]) -> None:
    for future in [start("down", call, key) for key in keys]:
        future.result()


def _gone_after(doing: Callable[[], None]) -> bool:
    """Does it, again while the engine says that it is busy with the same; False when somebody else was first."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            doing()
            return True
        except docker.errors.NotFound:
            return False
        except docker.errors.APIError as e:
            if not any(words in explain(e) for words in _BUSY) or time.monotonic() > deadline:
                raise
        time.sleep(0.1)


def _disconnect_ours(engine: Engine, project: str, network_id: str, name: str) -> None:
    """Disconnects our containers from the network; OperatorError when one of another project uses it."""
    api = engine.api
    others = []
    for container_id, attached in (api.inspect_network(network_id).get("Containers") or {}).items():
        try:
            carried: dict[str, Any] = api.inspect_container(container_id)["Config"]["Labels"] or {}
        except docker.errors.NotFound:
            continue  # just removed
        if carried.get(labels.PROJECT) == project or labels.RUN in carried:
            api.disconnect_container_from_network(container_id, network_id, force=True)
        else:
            others.append(attached["Name"])
    if others:
        raise OperatorError(f"the network {name} is used by {', '.join(sorted(others))}, which is not ours")


def _remove_volume(engine: Engine, name: str) -> None:
    try:
        engine.api.remove_volume(name)
    except docker.errors.APIError as e:
        if e.status_code != 409:
            raise
        users = engine.api.containers(all=True, filters={"volume": [name]})
        names = ", ".join(sorted(c["Names"][0].lstrip("/") for c in users if c.get("Names")))
        raise OperatorError(f"the volume {name} is used by {names or 'a container'}") from e
