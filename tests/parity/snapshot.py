"""What a project is on the engine, in a form in which two of the same file can be laid side by side."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from operator_demo.engine import Engine

_PROJECT = "com.docker.compose.project"

# What is another for every container and says nothing about how it was made.
_VOLATILE = {
    "Id", "Created", "CreatedAt", "State", "LogPath", "ResolvConfPath", "HostnamePath", "HostsPath", "GraphDriver",
    "SandboxID", "SandboxKey", "EndpointID", "NetworkID", "MacAddress", "IPAddress", "GlobalIPv6Address", "Gateway",
    "IPPrefixLen", "Containers", "RestartCount", "ExecIDs", "Mountpoint",
    "Ports",  # as they came out; what was asked for is in PortBindings
}
# The engine takes these as sets; neither Compose nor we promise an order.
_SETS = {"Aliases", "Binds", "CapAdd", "CapDrop", "ExtraHosts", "Links", "SecurityOpt"}


def snapshot(engine: Engine, project: str) -> dict[str, Any]:
    """`{"container web.Config.Image": value, ...}` of all containers, networks and volumes of a project."""
    chosen = {"label": [f"{_PROJECT}={project}"]}
    api = engine.api
    found: dict[str, Any] = {}
    for listed in api.containers(all=True, filters=chosen):
        described = api.inspect_container(listed["Id"])
        place = f"container {described['Config']['Labels']['com.docker.compose.service']}"
        found.update(_flat(place, _plain(described, described["Id"])))
    for network in api.networks(filters=chosen):
        described = api.inspect_network(network["Id"])
        found.update(_flat(f"network {described['Labels']['com.docker.compose.network']}", _plain(described, "")))
    for volume in api.volumes(filters=chosen)["Volumes"] or []:
        described = api.inspect_volume(volume["Name"])
        found.update(_flat(f"volume {described['Labels']['com.docker.compose.volume']}", _plain(described, "")))
    return found


def _plain(described: Mapping[str, Any], container_id: str) -> dict[str, Any]:
    """Without what is volatile; None and empty are one, since the engine gives either for `not said`."""
    made: dict[str, Any] = {}
    for key, value in described.items():
        if key in _VOLATILE or value in (None, "", [], {}):
            continue
        if key == "IPAM" and not any("IPRange" in pool for pool in value["Config"]):
            continue  # the engine chose the addresses
        if key == "Mounts":  # a list in any order, of which there is one to a target
            made[key] = {m.get("Destination", m.get("Target")): _plain(m, container_id) for m in value}
        elif key == "Ulimits":
            made[key] = {limit["Name"]: _plain(limit, container_id) for limit in value}
        elif key == "Env":  # a name without a value unsets what the image says
            parts = [v.partition("=") for v in value]
            made[key] = {name: given if equals else "<unset>" for name, equals, given in parts}
        elif isinstance(value, dict):
            made[key] = _plain(value, container_id)
        elif key == "com.docker.compose.depends_on":
            made[key] = sorted(value.split(","))
        elif key in _SETS:
            made[key] = sorted({_masked(v, container_id) for v in value})
        elif isinstance(value, list):
            made[key] = [_plain(v, container_id) if isinstance(v, dict) else _masked(v, container_id) for v in value]
        else:
            made[key] = _masked(value, container_id)
    return made


def _masked(value: Any, container_id: str) -> Any:
    if not isinstance(value, str):
        return value
    value = re.sub(r"(?<=[^/:])/:", ":", value)  # /folder/:/mounted, which is the same without the slash
    if container_id:
        value = value.replace(container_id, "<id>").replace(container_id[:12], "<id>")
    return re.sub(r"\b[0-9a-f]{64}\b", "<hash>", value)  # config-hash, the names of anonymous volumes


def _flat(place: str, value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, entry in value.items():
        path = f"{place}/{key}" if "/" not in key else f"{place}/{key.replace('/', '|')}"
        if isinstance(entry, dict):
            yield from _flat(path, entry)
        else:
            yield path, entry


def differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Path -> (ours, theirs), where they differ; None where there is nothing."""
    return {path: (ours.get(path), theirs.get(path)) for path in sorted({*ours, *theirs})
            if ours.get(path) != theirs.get(path)}
