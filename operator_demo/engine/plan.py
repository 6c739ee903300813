"""From a service to the engine's own description of a container, and the hash that tells whether it changed."""

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

from . import labels
from .model import Mount, Project, Service


def container_body(project: Project, service: Service, image_id: str) -> dict[str, Any]:
    """The body of the engine's `create`, on the first network alone; see `other_networks`. Holds no secret."""
    names = [project.networks[key].name for key in service.networks]
    body: dict[str, Any] = {
        "Image": service.image,
        "Env": [f"{k}={v}" for k, v in service.environment.items()],
        "Labels": _labels(project, service, image_id),
        "HostConfig": _host_config(project, service, names[0]),
        "NetworkingConfig": {"EndpointsConfig": {names[0]: endpoint(project, service, next(iter(service.networks)))}},
        "Cmd": _list(service.command), "Entrypoint": _list(service.entrypoint),
        "Hostname": service.hostname, "User": service.user, "WorkingDir": service.working_dir,
        "StopSignal": service.stop_signal, "Healthcheck": _healthcheck(service),
        "StopTimeout": None if service.stop_grace_period is None else math.ceil(service.stop_grace_period),
    }
    return {k: v for k, v in body.items() if v is not None}


def endpoint(project: Project, service: Service, network: str) -> dict[str, Any]:
    """How the container sits on one network (a key of the file): under its own name, its service's, and its aliases."""
    return {"Aliases": list(dict.fromkeys(
        [project.container_name(service.name), service.name, *service.networks[network]]))}


def other_networks(service: Service) -> list[str]:
    """Keys of the networks that the container is connected to after its creation (API 1.41 takes one at creation)."""
    return list(service.networks)[1:]


def config_hash(project: Project, service: Service, body: Mapping[str, Any], image_id: str,
                secrets: Mapping[str, bytes]) -> str:
    """Changes exactly when the container must be made anew. Secrets enter as digests only."""
    material = {
        "body": body, "image": image_id,
        "networks": {project.networks[k].name: endpoint(project, service, k) for k in service.networks},
        "secrets": {name: hashlib.sha256(value).hexdigest() for name, value in secrets.items()},
    }
    return hashlib.sha256(json.dumps(material, sort_keys=True).encode()).hexdigest()


def resource_labels(project: Project, kind: str, key: str) -> dict[str, str]:
    """Labels of a network or volume (`kind` is labels.NETWORK or labels.VOLUME)."""
    return {**project.extra_labels, kind: key, labels.PROJECT: project.name, labels.VERSION: labels.COMPOSE_VERSION}


def _labels(project: Project, service: Service, image_id: str) -> dict[str, str]:
    return {
        **service.labels, **project.extra_labels,
        labels.PROJECT: project.name, labels.SERVICE: service.name, labels.NUMBER: "1", labels.ONEOFF: "False",
        labels.VERSION: labels.COMPOSE_VERSION, labels.IMAGE: image_id,
        labels.WORKING_DIR: str(project.folder), labels.CONFIG_FILES: str(project.folder / project.file),
        labels.DEPENDS_ON: ",".join(f"{name}:{condition}:false" for name, condition in service.depends_on.items()),
    }


def _host_config(project: Project, service: Service, network: str) -> dict[str, Any]:
    host: dict[str, Any] = {
        "NetworkMode": network,
        "RestartPolicy": {"Name": service.restart[0], "MaximumRetryCount": service.restart[1]},
        "Mounts": [_mount(project, m) for m in service.mounts] or None,
        "Tmpfs": dict(service.tmpfs) or None,
        "CapAdd": _list(service.cap_add or None), "CapDrop": _list(service.cap_drop or None),
        "SecurityOpt": _list(service.security_opt or None), "Init": service.init, "Memory": service.mem_limit,
        "NanoCpus": None if service.cpus is None else round(service.cpus * 1e9),
        "ReadonlyRootfs": service.read_only or None,
        "LogConfig": None if service.log_driver is None and not service.log_options else
        {"Type": service.log_driver or "", "Config": dict(service.log_options)},
    }
    return {k: v for k, v in host.items() if v is not None}


def _mount(project: Project, mount: Mount) -> dict[str, Any]:
    made: dict[str, Any] = {"Type": mount.type, "Target": mount.target, "ReadOnly": mount.read_only}
    if mount.type == "volume":
        made["Source"] = project.volumes[mount.source].name
    elif mount.type == "bind":
        made["Source"] = mount.source
    elif mount.tmpfs_size is not None:
        made["TmpfsOptions"] = {"SizeBytes": mount.tmpfs_size}
    return made


def _healthcheck(service: Service) -> dict[str, Any] | None:
    check = service.healthcheck
    if check is None:
        return None
    made = {"Test": list(check.test) or None, "Interval": _nanoseconds(check.interval),
            "Timeout": _nanoseconds(check.timeout), "StartPeriod": _nanoseconds(check.start_period),
            "Retries": check.retries}
    return {k: v for k, v in made.items() if v is not None}


def _nanoseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1e9)


def _list(values: tuple[str, ...] | None) -> list[str] | None:
    return None if values is None else list(values)
