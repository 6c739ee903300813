"""Ports of a project's services on free ports of the engine's machine, for eyes alone: on its loopback address."""

from collections.abc import Mapping
from dataclasses import replace

from operator_demo import labels
from operator_demo.compose.model import Port, Project
from operator_demo.engine.connect import Engine
from operator_demo.engine.containers import inspect_project

_LOOPBACK = "127.0.0.1"


def with_ports(project: Project, ports: Mapping[str, int]) -> Project:
    """`project` with one port of each service (service -> port in its container) published where the engine likes."""
    services = {name: replace(service, ports=(*service.ports, Port(ports[name], host_ip=_LOOPBACK)))
                if name in ports else service for name, service in project.services.items()}
    return replace(project, services=services)


def published(engine: Engine, project: str, ports: Mapping[str, int]) -> dict[str, str]:
    """Where these ports are now: service -> `127.0.0.1:49153`. What is not published or does not run is left out."""
    places = {}
    for described in inspect_project(engine, project):
        service = described["Config"]["Labels"][labels.SERVICE]
        bound = (described["NetworkSettings"].get("Ports") or {}).get(f"{ports.get(service)}/tcp")
        if bound:
            places[service] = f"{bound[0]['HostIp']}:{bound[0]['HostPort']}"
    return dict(sorted(places.items()))
