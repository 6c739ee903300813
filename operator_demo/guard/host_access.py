"""Members that are a way around the guard: whoever is inside one has a hold on the engine's machine."""

from collections.abc import Iterable, Mapping
from typing import Any

from operator_demo.guard.world import Standing, Thing, World

_NAMESPACES = ("NetworkMode", "PidMode", "IpcMode", "UTSMode", "UsernsMode")
_CAPABILITIES = {"ALL", "SYS_ADMIN", "SYS_MODULE", "SYS_PTRACE", "SYS_RAWIO", "DAC_READ_SEARCH", "MKNOD", "BPF"}
_DEVICES = ("Devices", "DeviceRequests", "DeviceCgroupRules")
_OTHER = "container:"  # in a mode: the namespace of another container
_HARMLESS = ("tmpfs", "nfs", "nfs4", "cifs")  # types of a volume with a device of its own that is none of the machine's


async def host_access(world: World, container: Thing) -> str | None:
    """How a container of the subject reaches the engine's machine, in words; None if it does not."""
    host, mounts = container.described.get("HostConfig") or {}, container.described.get("Mounts") or []
    return (_by_its_own_settings(host) or await _by_another_container(world, host)
            or await _by_its_mounts(world, mounts))


async def ways_around(world: World) -> dict[str, str]:
    """The members that reach the engine's machine, each with how it does."""
    ways = {}
    for id_, standing in (await world.surroundings()).containers.items():
        container = await world.container(id_) if standing is Standing.SUBJECT else None
        reason = await host_access(world, container) if container else None
        if container and reason:
            ways[container.member or container.name] = reason
    return ways


def _by_its_own_settings(host: Mapping[str, Any]) -> str | None:
    if host.get("Privileged"):
        return "it is privileged"
    for key in _NAMESPACES:
        if host.get(key) == "host":
            return f"it shares a namespace with the engine's machine ({key})"
    capabilities = _powerful(host.get("CapAdd") or [])
    if capabilities:
        return f"it has the capability {', '.join(capabilities)}"
    for key in _DEVICES:
        if host.get(key):
            return f"it uses devices of the engine's machine ({key})"
    return None


def _powerful(added: Iterable[str]) -> list[str]:
    return sorted({name.upper().removeprefix("CAP_") for name in added} & _CAPABILITIES)


async def _by_another_container(world: World, host: Mapping[str, Any]) -> str | None:
    for key in _NAMESPACES:
        mode = str(host.get(key))
        if not mode.startswith(_OTHER):
            continue
        other = await world.container(mode.removeprefix(_OTHER))
        if other is None or other.standing is not Standing.SUBJECT or await host_access(world, other):
            return f"it shares a namespace with another container ({key}), which is no plain member"
    return None


async def _by_its_mounts(world: World, mounts: Iterable[Mapping[str, Any]]) -> str | None:
    for mount in mounts:
        if mount.get("Type") == "volume":
            volume = await world.volume(str(mount.get("Name")))
            if volume is not None and not _is_plain(volume.described):
                return f"its volume {volume.name} may be a folder of the engine's machine"
        elif mount.get("Type") != "tmpfs":
            return f"it mounts {mount.get('Source')} of the engine's machine"
    return None


def _is_plain(volume: Mapping[str, Any]) -> bool:
    """By its driver and options, a volume can be any folder or disk of the machine."""
    options = volume.get("Options") or {}
    device_is_harmless = not options.get("device") or options.get("type") in _HARMLESS
    return volume.get("Driver", "local") == "local" and device_is_harmless
