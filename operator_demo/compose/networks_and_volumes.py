"""The networks and volumes of a project on the engine: what is there must fit, what is missing is created."""

from collections.abc import Iterable, Mapping
from typing import Any

from operator_demo.compose.model import Network, Project, Volume
from operator_demo.compose.plan import network_arguments, pools, volume_arguments
from operator_demo.engine import labels
from operator_demo.engine.connect import Engine
from operator_demo.engine.failures import NotOnEngine, engine_errors
from operator_demo.engine.progress import Progress
from operator_demo.errors import OperatorError


def missing_networks(engine: Engine, project: Project, keys: Iterable[str]) -> list[str]:
    """Those of `keys` that must be created. Raises OperatorError for one that is there and does not fit."""
    wanted = {key: project.networks[key] for key in keys}
    with engine_errors(f"looking for the networks of {project.name}"):
        listed = engine.api.networks(names=[network.name for network in wanted.values()])
    missing = []
    for key, network in wanted.items():
        there = [n for n in listed if n["Name"] == network.name]
        if not there and network.external:
            raise NotOnEngine(f"the external network {network.name} is not on this engine")
        if not there:
            missing.append(key)
        elif not network.external:
            _check_owner(project, "network", network.name, there[0].get("Labels"))
            down = f"Take the project down first: operator-demo down --project {project.name}"
            if len(there) > 1:
                raise OperatorError(f"{len(there)} networks are called {network.name}", down)
            if not _same_network(network, there[0]):
                raise OperatorError(f"the network {network.name} is there with another driver, internal setting or "
                                    "addresses", down)
    return missing


def missing_volumes(engine: Engine, project: Project, keys: Iterable[str]) -> list[str]:
    """Those of `keys` that must be created. Raises OperatorError for one that is there and does not fit."""
    wanted = {key: project.volumes[key] for key in keys}
    with engine_errors(f"looking for the volumes of {project.name}"):
        listed = engine.api.volumes(filters={"name": [volume.name for volume in wanted.values()]})["Volumes"] or []
    by_name = {volume["Name"]: volume for volume in listed}
    missing = []
    for key, volume in wanted.items():
        there = by_name.get(volume.name)
        if there is None and volume.external:
            raise NotOnEngine(f"the external volume {volume.name} is not on this engine")
        if there is None:
            missing.append(key)
        elif not volume.external:
            _check_owner(project, "volume", volume.name, there.get("Labels"))
            if not _same_volume(volume, there):
                raise OperatorError(f"the volume {volume.name} is there with another driver or other driver_opts",
                                    f"`docker volume rm {volume.name}` removes it with all that is in it.")
    return missing


def create_network(engine: Engine, project: Project, key: str, progress: Progress) -> None:
    name = project.networks[key].name
    progress(f"network {name}", "creating")
    with engine_errors(f"network {name}"):
        engine.api.create_network(name, **network_arguments(project, key))
    progress(f"network {name}", "created")


def create_volume(engine: Engine, project: Project, key: str, progress: Progress) -> None:
    name = project.volumes[key].name
    with engine_errors(f"volume {name}"):
        created = engine.api.create_volume(name, **volume_arguments(project, key))
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
