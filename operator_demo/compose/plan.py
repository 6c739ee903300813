"""From a service to the engine's own description of a container, and the hash that tells whether it changed."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from operator_demo import labels
from operator_demo.compose.model import Dependency, Mount, Network, Placed, Project, Service, Volume

_NO_IDS: Mapping[str, str] = {}


def container_body(project: Project, service: Service, image_id: str,
                   ids: Mapping[str, str] = _NO_IDS) -> dict[str, Any]:
    """The body of the engine's `create`, on the first network alone; see `other_networks`. Holds no secret.

    `ids` gives the container of the service whose network this one shares.
    """
    body: dict[str, Any] = {
        "Image": service.image,
        # A name alone unsets what the image sets.
        "Env": [k if v is None else f"{k}={v}" for k, v in service.environment.items()],
        "Labels": _labels(project, service, image_id),
        "AttachStdout": True, "AttachStderr": True,  # as Compose says; of use to whoever attaches
        "Cmd": _list(service.command), "Entrypoint": _list(service.entrypoint),
        "ExposedPorts": {port: {} for port in _exposed(service)} or None,
        "Healthcheck": _healthcheck(service),
        **service.config,
        "HostConfig": _host_config(project, service, ids),
    }
    if service.networks:
        first = next(iter(service.networks))
        body["NetworkingConfig"] = {"EndpointsConfig": {
            project.networks[first].name: endpoint(project, service, first)}}
    return {k: v for k, v in body.items() if v is not None}


def endpoint(project: Project, service: Service, network: str) -> dict[str, Any]:
    """How the container sits on one network (a key of the file): under its own name, its service's, and its aliases."""
    attachment = service.networks[network]
    names = [project.container_name(service.name), service.name, *attachment.aliases]
    settings: dict[str, Any] = {"Aliases": list(dict.fromkeys(names))}
    if service.links:
        settings["Links"] = list(dict.fromkeys(
            f"{project.container_name(other)}:{name}" for other, alias in service.links
            for name in (alias, f"{other}-1", f"{project.name}-{other}-1")))
    address = {"IPv4Address": attachment.ipv4, "IPv6Address": attachment.ipv6,
               "LinkLocalIPs": _list(attachment.link_local or None)}
    if any(address.values()):
        settings["IPAMConfig"] = {k: v for k, v in address.items() if v}
    return settings


def other_networks(service: Service) -> list[str]:
    """Keys of the networks that the container is connected to after its creation (API 1.41 takes one at creation)."""
    return list(service.networks)[1:]


def config_hash(project: Project, service: Service, body: Mapping[str, Any], image_id: str,
                placed: Mapping[Placed, bytes]) -> str:
    """Changes exactly when the container must be recreated. Configs and secrets enter as digests only."""
    material = {
        "body": body, "image": image_id,
        "networks": {project.networks[k].name: endpoint(project, service, k) for k in service.networks},
        "files": sorted([p.target, p.uid, p.gid, p.mode, hashlib.sha256(content).hexdigest()]
                        for p, content in placed.items()),
    }
    return hashlib.sha256(json.dumps(material, sort_keys=True).encode()).hexdigest()


def network_arguments(project: Project, key: str) -> dict[str, Any]:
    """What docker-py's `create_network` takes besides the name."""
    network = project.networks[key]
    arguments: dict[str, Any] = {
        "driver": network.driver, "options": dict(network.driver_opts) or None, "internal": network.internal,
        "attachable": network.attachable or None, "enable_ipv6": network.enable_ipv6,
        "labels": resource_labels(project, labels.NETWORK, key, network), "check_duplicate": True,
    }
    if network.ipam_driver or network.pools:
        arguments["ipam"] = {"Driver": network.ipam_driver or "default", "Config": pools(network)}
    return arguments


def pools(network: Network) -> list[dict[str, Any]]:
    """The address pools as the engine writes them."""
    fields = [{"Subnet": p.subnet, "Gateway": p.gateway, "IPRange": p.ip_range,
               "AuxiliaryAddresses": dict(p.aux_addresses)} for p in network.pools]
    return [{k: v for k, v in pool.items() if v} for pool in fields]


def volume_arguments(project: Project, key: str) -> dict[str, Any]:
    """What docker-py's `create_volume` takes besides the name."""
    volume = project.volumes[key]
    return {"driver": volume.driver, "driver_opts": dict(volume.driver_opts) or None,
            "labels": resource_labels(project, labels.VOLUME, key, volume)}


def resource_labels(project: Project, kind: str, key: str, resource: Network | Volume) -> dict[str, str]:
    """Labels of a network or volume (`kind` is labels.NETWORK or labels.VOLUME)."""
    return {**resource.labels, **project.extra_labels, kind: key, labels.PROJECT: project.name,
            labels.VERSION: labels.COMPOSE_VERSION}


def _labels(project: Project, service: Service, image_id: str) -> dict[str, str]:
    return {
        **service.labels, **project.extra_labels,
        labels.PROJECT: project.name, labels.SERVICE: service.name, labels.NUMBER: "1", labels.ONEOFF: "False",
        labels.VERSION: labels.COMPOSE_VERSION, labels.IMAGE: image_id,
        labels.WORKING_DIR: str(project.folder), labels.CONFIG_FILES: str(project.folder / project.file),
        labels.DEPENDS_ON: ",".join(_dependency(name, d) for name, d in service.depends_on.items()),
    }


def _dependency(name: str, dependency: Dependency) -> str:
    return f"{name}:{dependency.condition}:{'true' if dependency.restart else 'false'}"


def _host_config(project: Project, service: Service, ids: Mapping[str, str]) -> dict[str, Any]:
    binds = [_bind(project, m) for m in service.mounts if _is_bind(m)]
    mounts = [_mount(project, m) for m in service.mounts if not _is_bind(m)]
    host: dict[str, Any] = {
        "NetworkMode": service.network_mode if not service.networks else
        project.networks[next(iter(service.networks))].name,
        "RestartPolicy": None if service.restart is None else
        {"Name": service.restart[0], "MaximumRetryCount": service.restart[1]},
        "Binds": binds or None, "Mounts": mounts or None, "Tmpfs": dict(service.tmpfs) or None,
        "PortBindings": _port_bindings(service) or None,
        **service.host,
    }
    if service.network_of:
        host["NetworkMode"] = f"container:{ids[service.network_of]}"
    options = host.get("SecurityOpt")
    if options and "systempaths=unconfined" in options:  # for the engine two lists, not an option
        host["SecurityOpt"] = [o for o in options if o != "systempaths=unconfined"]
        host["MaskedPaths"], host["ReadonlyPaths"] = [], []
    return {k: v for k, v in host.items() if v is not None}


def _exposed(service: Service) -> list[str]:
    return list(dict.fromkeys([*service.expose, *(f"{p.target}/{p.protocol}" for p in service.ports)]))


def _port_bindings(service: Service) -> dict[str, list[dict[str, str]]]:
    bindings: dict[str, list[dict[str, str]]] = {}
    for port in service.ports:
        bindings.setdefault(f"{port.target}/{port.protocol}", []).append(
            {"HostIp": port.host_ip, "HostPort": port.published})
    return bindings


def _is_bind(mount: Mount) -> bool:
    """Whether the engine's older syntax is needed: it makes missing folders, and knows these modes."""
    return mount.create_host_path or bool(mount.modes)


def _bind(project: Project, mount: Mount) -> str:
    source = mount.source if mount.type == "bind" else project.volumes[mount.source].name
    modes = ["ro" if mount.read_only else "rw", *mount.modes, *(["nocopy"] if mount.nocopy else [])]
    return f"{source}:{mount.target}:{','.join(modes)}"


def _mount(project: Project, mount: Mount) -> dict[str, Any]:
    fields: dict[str, Any] = {"Type": mount.type, "Target": mount.target, "ReadOnly": mount.read_only}
    if mount.consistency:
        fields["Consistency"] = mount.consistency
    if mount.type == "volume":
        if mount.source:
            fields["Source"] = project.volumes[mount.source].name
        if mount.nocopy:
            fields["VolumeOptions"] = {"NoCopy": True}
    elif mount.type == "bind":
        fields["Source"] = mount.source
        if mount.propagation:
            fields["BindOptions"] = {"Propagation": mount.propagation}
    else:
        options = {"SizeBytes": mount.tmpfs_size, "Mode": mount.tmpfs_mode}
        if any(v is not None for v in options.values()):
            fields["TmpfsOptions"] = {k: v for k, v in options.items() if v is not None}
    return fields


def _healthcheck(service: Service) -> dict[str, Any] | None:
    check = service.healthcheck
    if check is None:
        return None
    fields = {"Test": list(check.test) or None, "Interval": _nanoseconds(check.interval),
            "Timeout": _nanoseconds(check.timeout), "StartPeriod": _nanoseconds(check.start_period),
            "StartInterval": _nanoseconds(check.start_interval), "Retries": check.retries}
    return {k: v for k, v in fields.items() if v is not None}


def _nanoseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1e9)


def _list(values: tuple[str, ...] | None) -> list[str] | None:
    return None if values is None else list(values)
