"""Reading a Compose file: the subset in docs/compose.md, and a clear refusal of everything else."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from importlib.resources.abc import Traversable

from operator_demo.compose.files import read_config_source, read_secret_source
from operator_demo.compose.folder import Folder, folder_of
from operator_demo.compose.model import Network, Project, Service
from operator_demo.compose.resources import read_network, read_volume
from operator_demo.compose.service import read_profiles, read_service
from operator_demo.document import Document, Value, read
from operator_demo.errors import UsageError

_TOP_KEYS = ("name", "services", "networks", "volumes", "secrets", "configs", "version")
_REASONS = {"include": "put the services into one file"}
_PROJECT_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*", re.ASCII)
_KEY = re.compile(r"[a-zA-Z0-9._-]+", re.ASCII)


def load_project(folder: Traversable, filename: str, *, project: str, env: Mapping[str, str],
                 profiles: Iterable[str] = (), extra_labels: Mapping[str, str] | None = None) -> Project:
    """Reads `folder/filename` for the project name `project`.

    `env` fills in ${VARIABLES} and gives the secrets that come from the environment. `extra_labels` go on every
    container, network and volume. Raises UsageError, which names file, line, service and key.
    """
    try:
        text = (folder / filename).read_text(encoding="utf-8")
    except (OSError, ValueError) as e:
        raise UsageError(f"cannot read {filename}: {e}") from e
    return parse_project(text, folder, filename, project=project, env=env, profiles=profiles,
                         extra_labels=extra_labels)


def parse_project(text: str, folder: Traversable, filename: str, *, project: str, env: Mapping[str, str],
                  profiles: Iterable[str] = (), extra_labels: Mapping[str, str] | None = None) -> Project:
    """`load_project` on the text of the file."""
    if not _PROJECT_NAME.fullmatch(project):
        raise UsageError(f"{project!r} is not a name for a project",
                         "Lower-case letters, digits, - and _, beginning with a letter or digit.")
    place = folder_of(folder)
    root = read(text, Document(filename, {**env, "COMPOSE_PROJECT_NAME": project}))
    top = root.map(_TOP_KEYS, _REASONS)
    for key in ("name", "version"):
        if key in top:
            top[key].text()
    networks = {k: read_network(v, project, k) for k, v in _entries(top.get("networks")).items()}
    networks.setdefault("default", Network(f"{project}_default"))
    volumes = {k: read_volume(v, project, k, place) for k, v in _entries(top.get("volumes")).items()}
    secrets = {k: read_secret_source(v, place) for k, v in _entries(top.get("secrets")).items()}
    configs = {k: read_config_source(v, place) for k, v in _entries(top.get("configs")).items()}
    if "services" not in top:
        root.fail("there are no services")
    places = _entries(top["services"])
    services = _read_services(top["services"], places, set(profiles), project, place)
    whole = Project(project, place.root, filename, services, networks, volumes, secrets, configs, dict(env),
                    dict(extra_labels or {}))
    for service in services.values():
        _check_references(places[service.name].map(), service, whole)
    _check_cycles(places, services)
    _check_container_names(places, whole)
    return whole


def _read_services(section: Value, places: Mapping[str, Value], profiles: set[str], project: str,
                   folder: Folder) -> dict[str, Service]:
    """Those of the chosen profiles; the others are not held against the file."""
    services = {}
    for name, value in places.items():
        of_profiles = read_profiles(value)
        if not of_profiles or profiles & of_profiles:
            services[name] = read_service(value, name, project, folder)
    if not services:
        section.fail("there are no services" if not places else
                     f"no service is in the profiles {sorted(profiles) or 'chosen (none)'}")
    return {name: _without_absent(service, places, services) for name, service in services.items()}


def _entries(value: Value | None) -> dict[str, Value]:
    """The named things of one top-level section."""
    if value is None or value.is_null:
        return {}
    entries = {k: v for k, v in value.map().items() if not k.startswith("x-")}
    for key, entry in entries.items():
        if not _KEY.fullmatch(key):
            entry.fail(f"{key!r} is not a name (letters, digits, dot, - and _)")
    return entries


def _without_absent(service: Service, places: Mapping[str, Value], services: Mapping[str, Service]) -> Service:
    """Without what it depends on but does not require, where the profile of that is not chosen."""
    kept = {name: d for name, d in service.depends_on.items() if d.required or name in services or name not in places}
    return replace(service, depends_on=kept)


def _check_references(keys: Mapping[str, Value], service: Service, project: Project) -> None:
    for name in service.networks:
        if name not in project.networks:
            keys["networks"].fail(f"the network {name!r} is not defined under networks")
    for mount in service.mounts:
        if mount.type == "volume" and mount.source and mount.source not in project.volumes:
            keys["volumes"].fail(f"the volume {mount.source!r} is not defined under volumes"
                                 + (" (a path begins with ./ or /)" if "/" in mount.source else ""))
    for secret in service.secrets:
        if secret.source not in project.secrets:
            keys["secrets"].fail(f"the secret {secret.source!r} is not defined under secrets")
    for config in service.configs:
        if config.source not in project.configs:
            keys["configs"].fail(f"the config {config.source!r} is not defined under configs")
    for name in service.depends_on:
        if name not in project.services:
            _naming(keys, service, name).fail(f"there is no service {name!r} (or its profile is not chosen)")


def _naming(keys: Mapping[str, Value], service: Service, name: str) -> Value:
    """Which key of a service names another: for the place of an error."""
    if "depends_on" in keys and not keys["depends_on"].is_null:
        named = keys["depends_on"].map() if keys["depends_on"].is_map else keys["depends_on"].texts()
        if name in named:
            return keys["depends_on"]
    if service.network_of == name:
        return keys["network_mode"]
    return keys["links"]


def _check_cycles(places: Mapping[str, Value], services: Mapping[str, Service]) -> None:
    try:
        TopologicalSorter({name: service.depends_on for name, service in services.items()}).prepare()
    except CycleError as e:
        circle = e.args[1][:0:-1]  # each depends on the next; the first is not repeated at the end
        begin = min(range(len(circle)), key=lambda at: list(services).index(circle[at]))
        circle = [*circle[begin:], *circle[:begin + 1]]
        last = circle[-2]
        _naming(places[last].map(), services[last], circle[0]).fail(
            f"services depend on each other in a circle: {' -> '.join(circle)}")


def _check_container_names(places: Mapping[str, Value], project: Project) -> None:
    """The names that `up` will give must differ, also from those that it makes up itself."""
    taken: dict[str, str] = {}
    for name, service in project.services.items():
        container = project.container_name(name)
        if container in taken:
            own = name if service.container_name else taken[container]
            places[own].map()["container_name"].fail(
                f"two services have a container called {container}: {taken[container]} and {name}")
        taken[container] = name
