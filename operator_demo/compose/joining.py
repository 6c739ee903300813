"""Services that join networks of another project."""

from collections.abc import Iterable
from dataclasses import replace

from operator_demo.compose.model import Attachment, Network, Project, Service


def with_networks(project: Project, beside: str, names: Iterable[str]) -> Project:
    """`project` with those services that are on the network `beside` (its key in the file) also on these networks of
    the engine, which are there already."""
    joined = {f"{beside}-{name}": Network(name, external=True) for name in names}
    services = {key: _joined(service, joined) if beside in service.networks else service
                for key, service in project.services.items()}
    return replace(project, services=services, networks={**project.networks, **joined})


def _joined(service: Service, networks: Iterable[str]) -> Service:
    return replace(service, networks={**service.networks, **{key: Attachment() for key in networks}})
