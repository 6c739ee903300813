"""The networks and volumes of a project on the engine: what is there must fit, what is missing is created."""

import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from operator_demo import labels
from operator_demo.compose.model import Network, Project, Volume
from operator_demo.compose.plan import network_arguments, pools, volume_arguments
from operator_demo.engine.connect import Engine
from operator_demo.engine.failures import NotOnEngine, engine_errors
from operator_demo.engine.progress import Progress
from operator_demo.errors import OperatorError


def missing_networks(engine: Engine, project: Project, keys: Iterable[str]) -> list[str]:
    """Those of `keys` that must be created. Raises OperatorError for one that is there and does not fit."""
    wanted = {key: project.networks[key] for key in keys}
    with engine_errors(f"looking for the networks of {project.name}"):
        listed = engine.api.networks(names=[network.name for network in wanted.values()])
    existing = _existing(project, "network", wanted, listed)
    down = f"Take the project down first: operator-demo down --project {project.name}"
    for key, there in existing.items():
        name = wanted[key].name
        if len([n for n in listed if n["Name"] == name]) > 1:
            raise OperatorError(f"several networks are called {name}", down)
        if not _same_network(wanted[key], there):
            raise OperatorError(f"the network {name} is there with another driver, internal setting or addresses", down)
    return [key for key, network in wanted.items() if key not in existing and not network.external]


def missing_volumes(engine: Engine, project: Project, keys: Iterable[str]) -> list[str]:
    """Those of `keys` that must be created. Raises OperatorError for one that is there and does not fit."""
    wanted = {key: project.volumes[key] for key in keys}
    with engine_errors(f"looking for the volumes of {project.name}"):
        listed = engine.api.volumes(filters={"name": [volume.name for volume in wanted.values()]})["Volumes"] or []
    existing = _existing(project, "volume", wanted, listed)
    for key, there in existing.items():
        name = wanted[key].name
        if not _same_volume(wanted[key], there):
            raise OperatorError(f"the volume {name} is there with another driver or other driver_opts",
                                f"`docker volume rm {name}` removes it with all that is in it.")
    return [key for key, volume in wanted.items() if key not in existing and not volume.external]


def _existing(project: Project, kind: str, wanted: Mapping[str, Network | Volume],
              listed: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Those of the project that are on the engine, by key; what is external must be there, and is left out."""
    by_name = {resource["Name"]: resource for resource in listed}
    existing = {}
    for key, resource in wanted.items():
        there = by_name.get(resource.name)
        if resource.external and there is None:
            raise NotOnEngine(f"the external {kind} {resource.name} is not on this engine")
        if there is not None and not resource.external:
            _check_owner(project, kind, resource.name, there.get("Labels"))
            existing[key] = there
    return existing


def create_network(engine: Engine, project: Project, key: str, progress: Progress) -> None:
    name = project.networks[key].name
    progress(f"network {name}", "creating")
    with engine_errors(f"network {name}"):
        engine.api.create_network(name, **network_arguments(project, key))
    progress(f"network {name}", "created")


def create_volume(engine: Engine, project: Project, key: str, progress: Progress) -> None:
    name = project.volumes[key].name
    arguments = volume_arguments(project, key)
    arguments["labels"] = {**arguments["labels"], labels.MARK: secrets.token_hex(8)}
    with engine_errors(f"volume {name}"):
        created = engine.api.create_volume(name, **arguments)
    _check_owner(project, "volume", name, created.get("Labels"))  # where somebody was faster, this is theirs
    progress(f"volume {name}", "created")


def _check_owner(project: Project, kind: str, name: str, carried: Mapping[str, str] | None) -> None:
    owner = (carried or {}).get(labels.PROJECT)
    if owner != project.name:
        raise OperatorError(f"a {kind} called {name} is there already and belongs to {owner or 'no Compose project'}",
                            "Choose another --project, or remove it.")


def _same_network(network: Network, there: Mapping[str, Any]) -> bool:
    """Whether all that the file says of a network holds for the one on the engine."""
    existing = (there.get("IPAM") or {}).get("Config") or []
    if network.pools:
        asked = [{**pool, **wanted} for wanted, pool in zip(pools(network), existing, strict=False)]
        if asked != existing:
            return False
    return (there["Internal"] == network.internal and (network.driver or there["Driver"]) == there["Driver"]
            and bool(there.get("Attachable")) >= network.attachable
            and bool(there.get("EnableIPv6")) >= network.enable_ipv6
            and network.driver_opts.items() <= (there.get("Options") or {}).items())


def _same_volume(volume: Volume, there: Mapping[str, Any]) -> bool:
    return (volume.driver or there["Driver"]) == there["Driver"] and \
        dict(volume.driver_opts) == (there.get("Options") or {})
