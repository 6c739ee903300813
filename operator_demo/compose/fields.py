"""The keys of a service that are one field each of the engine's description of a container."""

import math
from collections.abc import Callable, Mapping

from operator_demo.compose import units
from operator_demo.document import Entries, Value

Read = Callable[[Value], object]


def _text(value: Value) -> str | None:
    return value.text() or None


def _one_or_more(value: Value) -> list[str] | None:
    texts = [entry.text() for entry in value.one_or_more()]
    return [text for text in texts if text] or None


def _host_alone(value: Value) -> str | None:
    return value.one_of(("host",)) if value.text() else None


def _size(value: Value) -> int:
    return value.parsed(units.size)


def _size_or_unlimited(value: Value) -> int:
    return value.parsed(units.size_or_unlimited)


def _number(least: int) -> Read:
    return lambda value: value.integer(least)


def _whole_seconds(value: Value) -> int:
    # Rounded up: half a second must not become a kill.
    return math.ceil(value.parsed(units.seconds))


def _security(value: Value) -> list[str]:
    options = value.texts()
    for option in options:
        name, _, given = option.replace(":", "=", 1).partition("=")
        if name == "seccomp" and given != "unconfined":
            value.fail("a seccomp profile from a file is not supported (seccomp=unconfined is)")
        if not given and name != "no-new-privileges":
            value.fail(f"{option!r} is no NAME=VALUE")
    return options


def _devices(value: Value) -> list[dict[str, str]]:
    return [_device_map(entry) if entry.is_map else _device(entry, entry.text().split(":"))
            for entry in value.sequence()]


def _device_map(value: Value) -> dict[str, str]:
    """As newer releases of `docker compose config` write it."""
    keys = value.map(("source", "target", "permissions"))
    source = keys.text("source")
    if source is None:
        value.fail("the source is missing")
    return _device(value, [source, keys.text("target") or source, keys.text("permissions") or "rwm"])


def _device(place: Value, parts: list[str]) -> dict[str, str]:
    if len(parts) > 3 or not all(p.startswith("/") for p in parts[:2]):
        place.fail("/dev/HOST[:/dev/CONTAINER[:rwm]] is expected here")
    permissions = parts[2] if len(parts) == 3 else "rwm"
    if not permissions or set(permissions) - set("rwm"):
        place.fail(f"the permissions {permissions!r} are not made of r, w and m")
    return {"PathOnHost": parts[0], "PathInContainer": parts[1] if len(parts) > 1 else parts[0],
            "CgroupPermissions": permissions}


def _ulimits(value: Value) -> list[dict[str, object]]:
    limits: list[dict[str, object]] = []
    for name, entry in sorted(value.map().items()):
        if name.startswith("x-"):
            continue
        if entry.is_map:
            keys = entry.map(("soft", "hard"))
            if len(keys) != 2:
                entry.fail("soft and hard are expected here")
            soft, hard = keys["soft"].integer(-1), keys["hard"].integer(-1)
        else:
            soft = hard = entry.integer(-1)
        limits.append({"Name": name, "Soft": soft, "Hard": hard})
    return limits


def _hosts(value: Value) -> list[str]:
    """`name:address`, `name=address`, or a map whose values may be lists."""
    hosts = []
    if value.is_map:
        for name, addresses in value.map().items():
            hosts += [_host(address, name, address.text()) for address in addresses.one_or_more()]
        return hosts
    for entry in value.sequence():
        text = entry.text()
        name, _, address = text.partition("=") if "=" in text else text.partition(":")
        hosts.append(_host(entry, name, address))
    return hosts


def _host(place: Value, name: str, address: str) -> str:
    address = address.strip()
    if address.startswith("[") and address.endswith("]"):
        address = address[1:-1]
    if not name.strip() or not address:
        place.fail("NAME:ADDRESS is expected here")
    return f"{name.strip()}:{address}"


# Key of the file -> field of the engine's, and how it is read; None leaves the field to the image or the engine.
CONFIG: Mapping[str, tuple[str, Read]] = {
    "domainname": ("Domainname", _text),
    "hostname": ("Hostname", _text),
    "stop_grace_period": ("StopTimeout", _whole_seconds),
    "stop_signal": ("StopSignal", _text),
    "user": ("User", _text),
    "working_dir": ("WorkingDir", _text),
}
HOST: Mapping[str, tuple[str, Read]] = {
    "cap_add": ("CapAdd", Value.texts),
    "cap_drop": ("CapDrop", Value.texts),
    "devices": ("Devices", _devices),
    "dns": ("Dns", _one_or_more),
    "dns_search": ("DnsSearch", _one_or_more),
    "extra_hosts": ("ExtraHosts", _hosts),
    "group_add": ("GroupAdd", Value.texts),
    "init": ("Init", Value.boolean),
    "mem_limit": ("Memory", _size),
    "memswap_limit": ("MemorySwap", _size_or_unlimited),
    "oom_score_adj": ("OomScoreAdj", _number(-1000)),
    "pid": ("PidMode", _host_alone),
    "pids_limit": ("PidsLimit", _number(-1)),
    "privileged": ("Privileged", Value.boolean),
    "read_only": ("ReadonlyRootfs", Value.boolean),
    "security_opt": ("SecurityOpt", _security),
    "shm_size": ("ShmSize", _size),
    "sysctls": ("Sysctls", Value.text_pairs),
    "ulimits": ("Ulimits", _ulimits),
}


def read_fields(keys: Entries, fields: Mapping[str, tuple[str, Read]]) -> dict[str, object]:
    """The engine's fields for those of `fields` that are given in the file."""
    given = {name: keys.read(key, read, None) for key, (name, read) in fields.items()}
    return {name: value for name, value in given.items() if value is not None}
