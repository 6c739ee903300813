"""The networks of a project, found by label and never by guessing a name."""

from typing import Any

from operator_demo import labels
from operator_demo.engine.connect import Engine
from operator_demo.engine.failures import NotOnEngine, engine_errors


def project_networks(engine: Engine, project: str) -> list[dict[str, Any]]:
    """The engine's description of each network of a project, the one called `default` first, then by name."""
    with engine_errors(f"looking for the networks of {project}"):
        networks: list[dict[str, Any]] = engine.api.networks(filters={"label": [f"{labels.PROJECT}={project}"]})
    return sorted(networks, key=lambda n: (n["Labels"].get(labels.NETWORK) != "default", n["Name"]))


def discover_network(engine: Engine, project: str) -> str:
    """The name of a project's main network on the engine. Raises NotOnEngine when it has none."""
    return discover_networks(engine, project)[0]


def discover_networks(engine: Engine, project: str) -> list[str]:
    """The names of all networks of a project, the main one first. Raises NotOnEngine when it has none."""
    networks = project_networks(engine, project)
    if not networks:
        raise NotOnEngine(f"the project {project} has no network on this engine", "Is it up? `operator-demo status`")
    return [str(network["Name"]) for network in networks]
