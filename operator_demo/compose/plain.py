"""The keys of a service that are one field each of the engine's description of a container."""

import math
from collections.abc import Callable, Mapping

from operator_demo.compose import units
from operator_demo.document import Value

Read = Callable[[Value], object]


def _one_or_more(value: Value) -> list[str]:
    return [v.text() for v in value.one_or_more()]


def _size(value: Value) -> int:
    return value.parsed(units.size)


def _number(least: int) -> Read:
    return lambda value: value.integer(least)


def _pairs(value: Value) -> dict[str, str]:
    return {k: v or "" for k, v in value.pairs().items()}


def _whole_seconds(value: Value) -> int:
    # Rounded up: half a second must not become a kill.
    return math.ceil(value.parsed(units.seconds))


def _cpus(value: Value) -> int:
    return value.parsed(nano_cpus)


def nano_cpus(text: str) -> int:
    """`0.5` processors in the engine's unit, 1e-9. Raises ValueError."""
    try:
        number = float(text)
    except ValueError:
        number = 0
    if not (text.isascii() and text.replace(".", "").isdecimal() and 0 < number < 1e6):
        raise ValueError("a number of processors such as 0.5 is expected here")
    return round(number * 1e9)


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
    found = []
    for entry in value.sequence():
        parts = entry.text().split(":")
        if len(parts) > 3 or not all(p.startswith("/") for p in parts[:2]):
            entry.fail("/dev/HOST[:/dev/CONTAINER[:rwm]] is expected here")
        permissions = parts[2] if len(parts) == 3 else "rwm"
        if not permissions or set(permissions) - set("rwm"):
            entry.fail(f"the permissions {permissions!r} are not made of r, w and m")
        found.append({"PathOnHost": parts[0], "PathInContainer": parts[1] if len(parts) > 1 else parts[0],
                      "CgroupPermissions": permissions})
    return found


def _ulimits(value: Value) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for name, entry in sorted(value.map().items()):
        if name.startswith("x-"):
            continue
        if entry.is_map:
            said = entry.map(("soft", "hard"))
            if len(said) != 2:
                entry.fail("soft and hard are expected here")
            soft, hard = said["soft"].integer(-1), said["hard"].integer(-1)
        else:
            soft = hard = entry.integer(-1)
        found.append({"Name": name, "Soft": soft, "Hard": hard})
    return found


def _hosts(value: Value) -> list[str]:
    """`name:address`, `name=address`, or a map whose values may be lists."""
    found = []
    if value.is_map:
        for name, entry in value.map().items():
            found += [_host(entry, name, v.text()) for v in entry.one_or_more()]
        return found
    for entry in value.sequence():
        text = entry.text()
        name, _, address = text.partition("=") if "=" in text else text.partition(":")
        found.append(_host(entry, name, address))
    return found


def _host(place: Value, name: str, address: str) -> str:
    address = address.strip()
    if address.startswith("[") and address.endswith("]"):
        address = address[1:-1]
    if not name.strip() or not address:
        place.fail("NAME:ADDRESS is expected here")
    return f"{name.strip()}:{address}"


def _one_of(*choices: str) -> Read:
    return lambda value: value.one_of(choices)


# Key of the file -> field of the engine's, and how it is read.
CONFIG: Mapping[str, tuple[str, Read]] = {
    "domainname": ("Domainname", Value.text),
    "hostname": ("Hostname", Value.text),
    "stdin_open": ("OpenStdin", Value.boolean),
    "stop_grace_period": ("StopTimeout", _whole_seconds),
    "stop_signal": ("StopSignal", Value.text),
    "tty": ("Tty", Value.boolean),
    "user": ("User", Value.text),
    "working_dir": ("WorkingDir", Value.text),
}
HOST: Mapping[str, tuple[str, Read]] = {
    "cap_add": ("CapAdd", Value.texts),
    "cap_drop": ("CapDrop", Value.texts),
    "cgroup": ("CgroupnsMode", _one_of("host", "private")),
    "cgroup_parent": ("CgroupParent", Value.text),
    "cpu_period": ("CpuPeriod", _number(0)),  # microseconds
    "cpu_quota": ("CpuQuota", _number(-1)),  # microseconds
    "cpu_shares": ("CpuShares", _number(0)),
    "cpus": ("NanoCpus", _cpus),
    "cpuset": ("CpusetCpus", Value.text),
    "device_cgroup_rules": ("DeviceCgroupRules", Value.texts),
    "devices": ("Devices", _devices),
    "dns": ("Dns", _one_or_more),
    "dns_opt": ("DnsOptions", Value.texts),
    "dns_search": ("DnsSearch", _one_or_more),
    "extra_hosts": ("ExtraHosts", _hosts),
    "group_add": ("GroupAdd", Value.texts),
    "init": ("Init", Value.boolean),
    "mem_limit": ("Memory", _size),
    "mem_reservation": ("MemoryReservation", _size),
    "mem_swappiness": ("MemorySwappiness", _number(0)),
    "memswap_limit": ("MemorySwap", lambda value: value.parsed(units.size_or_unlimited)),
    "oom_kill_disable": ("OomKillDisable", Value.boolean),
    "oom_score_adj": ("OomScoreAdj", _number(-1000)),
    "pids_limit": ("PidsLimit", _number(-1)),
    "privileged": ("Privileged", Value.boolean),
    "read_only": ("ReadonlyRootfs", Value.boolean),
    "runtime": ("Runtime", Value.text),
    "security_opt": ("SecurityOpt", _security),
    "shm_size": ("ShmSize", _size),
    "storage_opt": ("StorageOpt", _pairs),
    "sysctls": ("Sysctls", _pairs),
    "ulimits": ("Ulimits", _ulimits),
    "userns_mode": ("UsernsMode", _one_of("host")),
    "uts": ("UTSMode", _one_of("host")),
}


def read_fields(said: Mapping[str, Value], fields: Mapping[str, tuple[str, Read]]) -> dict[str, object]:
    """The engine's fields for those of `fields` that are in the file."""
    return {name: read(said[key]) for key, (name, read) in fields.items() if key in said}
