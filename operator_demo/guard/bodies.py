"""What the body of a request may say: a table of keys for each kind of body.

A body is never forwarded as it came. It is built anew from the keys that are allowed, so that what is left out here
reaches no engine. The docker command sends all keys of a body, most of them empty: those are known, and must be empty.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from operator_demo import labels
from operator_demo.guard.refused import PRIVILEGED, UNKNOWN_KEY, WRONG_VALUE, Refused
from operator_demo.subject import CHOSEN

Check = Callable[[str, Any], Any]
"""Takes a key (with those above it, for the message) and its value; returns what is forwarded, or LEFT_OUT."""

Table = Mapping[str, Check]

LEFT_OUT: Final = object()
_LARGEST = 1 << 62
_PIDS = 256  # processes of a one-shot container


def checked(body: Any, table: Table, where: str = "") -> dict[str, Any]:
    """The body as it may be forwarded. Raises Refused for a key that is not in the table, and for a value that is not
    allowed."""
    if not isinstance(body, Mapping):
        raise Refused(WRONG_VALUE, f"{where or 'The body'} must be a JSON object.")
    out = {}
    for key, value in body.items():
        name = f"{where}.{key}" if where else str(key)
        if key not in table:
            raise Refused(UNKNOWN_KEY, f"The guard does not know {name[:100]}. Leave it out.")
        allowed = table[key](name, value)
        if allowed is not LEFT_OUT:
            out[key] = allowed
    return out


# -- checks of one value ----------------------------------------------------------------------------------------------


def _wrong(name: str, wanted: str) -> Refused:
    return Refused(WRONG_VALUE, f"{name} is not allowed here: {wanted}.")


def _is_empty(value: Any) -> bool:
    return value is None or value == 0 or value in ("", [], {})


def nothing(name: str, value: Any) -> Any:
    if not _is_empty(value):
        raise _wrong(name, "it must be left out")
    return LEFT_OUT


def absent(name: str, value: Any) -> Any:
    """An empty list means something of its own here (`MaskedPaths: []` masks nothing)."""
    if value is not None:
        raise _wrong(name, "it must be left out")
    return LEFT_OUT


def no_privileges(name: str, value: Any) -> Any:
    if not _is_empty(value):
        raise Refused(PRIVILEGED, f"{name} is not allowed here. Do it without, with `--user` if need be.")
    return LEFT_OUT


def flag(name: str, value: Any) -> Any:
    if value is None:
        return LEFT_OUT
    if not isinstance(value, bool):
        raise _wrong(name, "it must be true or false")
    return value


def number(name: str, value: Any) -> Any:
    if value is None:
        return LEFT_OUT
    if isinstance(value, bool) or not isinstance(value, int) or not -1 <= value <= _LARGEST:
        raise _wrong(name, "it must be a whole number, -1 or more")
    return value


def limit(name: str, value: Any) -> Any:
    """The engine takes 0 for unchanged."""
    checked_number = number(name, value)
    return LEFT_OUT if checked_number == 0 else checked_number


def text(name: str, value: Any) -> Any:
    if value is None or value == "":
        return LEFT_OUT
    if not isinstance(value, str) or "\0" in value:
        raise _wrong(name, "it must be a text")
    return value


def texts(name: str, value: Any) -> Any:
    if value is None:
        return LEFT_OUT
    if not isinstance(value, Sequence) or isinstance(value, str) or not all(isinstance(v, str) for v in value):
        raise _wrong(name, "it must be a list of texts")
    return list(value)


def command(name: str, value: Any) -> Any:
    """A command may be given as one text."""
    return value if isinstance(value, str) else texts(name, value)


def size(name: str, value: Any) -> Any:
    """Of a terminal: height and width."""
    if value is None:
        return LEFT_OUT
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 2:
        raise _wrong(name, "it must be two numbers")
    return [number(name, v) for v in value]


def choice(*allowed: Any) -> Check:
    """One of these values, which is then left out: the guard sets what is needed."""
    def check(name: str, value: Any) -> Any:
        if value not in allowed:
            shown = " or ".join(repr(a) for a in allowed if not _is_empty(a))
            raise _wrong(name, f"it must be {shown}" if shown else "it must be left out")
        return LEFT_OUT

    return check


def nested(table: Table) -> Check:
    def check(name: str, value: Any) -> Any:
        if value is None:
            return LEFT_OUT
        return checked(value, table, name) or LEFT_OUT

    return check


# -- exec -------------------------------------------------------------------------------------------------------------

_EXEC: Table = {
    "AttachStdin": flag, "AttachStdout": flag, "AttachStderr": flag, "Tty": flag, "Detach": flag, "DetachKeys": text,
    "detachKeys": text, "ConsoleSize": size, "Cmd": texts, "Env": texts, "User": text, "WorkingDir": text,
    "Privileged": no_privileges, "Container": text,
}
_EXEC_START: Table = {"Detach": flag, "Tty": flag, "ConsoleSize": size, "DetachKeys": text, "detachKeys": text}


def exec_create(body: Any) -> dict[str, Any]:
    """`Container` is still there if it was given."""
    return checked(body, _EXEC)


def exec_start(body: Any) -> dict[str, Any]:
    return checked(body or {}, _EXEC_START)


_CHOSEN = re.compile(r"[A-Za-z0-9-]{1,80}")  # which a shell, and SQL in quotes, take for text


def check_probe(asked: Mapping[str, Any], probes: Sequence[Sequence[str]]) -> None:
    """An exec of the monitor is one of the subject's probe commands, word for word, with nothing else set; a key and a
    value that the monitor chooses stand in the places that the command has for them."""
    if not any(_is_probe(asked.get("Cmd"), probe) for probe in probes):
        raise Refused(WRONG_VALUE, "The monitor runs the probe commands that the subject declares, and no others.")
    for key in ("User", "Env", "WorkingDir", "AttachStdin"):
        if asked.get(key):
            raise _wrong(key, "a probe runs as it was declared")


def _is_probe(command: Any, probe: Sequence[str]) -> bool:
    if not isinstance(command, list) or len(command) != len(probe):
        return False
    return all(bool(_CHOSEN.fullmatch(word)) if declared in CHOSEN else word == declared
               for word, declared in zip(command, probe, strict=True))


# -- limits -----------------------------------------------------------------------------------------------------------

_RESTART_POLICY: Table = {"Name": choice("", "no", None), "MaximumRetryCount": nothing}
_LIMITS: Table = {
    "CpuShares": limit, "CpuPeriod": limit, "CpuQuota": limit, "NanoCpus": limit, "CpusetCpus": text,
    "CpusetMems": text, "Memory": limit, "MemoryReservation": limit, "MemorySwap": limit, "MemorySwappiness": number,
    "PidsLimit": limit, "BlkioWeight": limit,
}
_NO_LIMITS = ("CgroupParent", "BlkioWeightDevice", "BlkioDeviceReadBps", "BlkioDeviceWriteBps", "BlkioDeviceReadIOps",
              "BlkioDeviceWriteIOps", "CpuRealtimePeriod", "CpuRealtimeRuntime", "Devices", "DeviceCgroupRules",
              "DeviceRequests", "KernelMemory", "KernelMemoryTCP", "OomKillDisable", "Ulimits", "CpuCount",
              "CpuPercent", "IOMaximumIOps", "IOMaximumBandwidth")
_UPDATE: Table = {**dict.fromkeys(_NO_LIMITS, nothing), **_LIMITS, "RestartPolicy": nested({
    "Name": nothing, "MaximumRetryCount": nothing})}


def update(body: Any) -> dict[str, Any]:
    """Raises Refused also where no limit is named."""
    limits = checked(body, _UPDATE)
    if not limits:
        raise Refused(WRONG_VALUE, "No limit is named. Of a container only its limits can be changed.")
    return limits


# -- networks ---------------------------------------------------------------------------------------------------------

_ENDPOINT: Table = {
    "Aliases": texts, "IPAMConfig": nested({"IPv4Address": text, "IPv6Address": text, "LinkLocalIPs": texts}),
    "Links": nothing, "MacAddress": nothing, "NetworkID": nothing, "EndpointID": nothing, "Gateway": nothing,
    "IPAddress": nothing, "IPPrefixLen": nothing, "IPv6Gateway": nothing, "GlobalIPv6Address": nothing,
    "GlobalIPv6PrefixLen": nothing, "DriverOpts": nothing, "DNSNames": nothing, "GwPriority": nothing,
}
_CONNECT: Table = {"Container": text, "EndpointConfig": nested(_ENDPOINT)}
_DISCONNECT: Table = {"Container": text, "Force": flag}


def connect(body: Any) -> dict[str, Any]:
    """`Container` is still the name that was given, "" for none."""
    return {"Container": "", **checked(body, _CONNECT)}


def disconnect(body: Any) -> dict[str, Any]:
    return {"Container": "", **checked(body, _DISCONNECT)}


# -- the one-shot container -------------------------------------------------------------------------------------------

_NO_NETWORK: Table = {"EndpointsConfig": nested({"default": nested(dict.fromkeys(_ENDPOINT, nothing)),
                                                 "none": nested(dict.fromkeys(_ENDPOINT, nothing))})}
_NO_HEALTHCHECK: Table = {"Test": choice(None, [], ["NONE"]), "Interval": nothing, "Timeout": nothing,
                          "Retries": nothing, "StartPeriod": nothing, "StartInterval": nothing}
_NO_HOST = ("Binds", "ContainerIDFile", "PortBindings", "VolumeDriver", "Dns", "DnsOptions", "DnsSearch", "ExtraHosts",
            "GroupAdd", "Cgroup", "Links", "OomScoreAdj", "PidMode", "PublishAllPorts", "UTSMode", "UsernsMode",
            "ShmSize", "Isolation", "Mounts", "Tmpfs", "StorageOpt", "Sysctls", "Runtime", "Capabilities",
            "Annotations")


def _no_new_privileges(name: str, value: Any) -> Any:
    for option in value or []:
        if not isinstance(option, str) or not re.fullmatch(r"no-new-privileges([:=]true)?", option):
            raise Refused(PRIVILEGED, f"{name} is not allowed here, but for no-new-privileges.")
    return LEFT_OUT


def _swappiness(name: str, value: Any) -> Any:
    return choice(None, -1, 0)(name, value)


def _few_processes(name: str, value: Any) -> Any:
    if _is_empty(value):
        return LEFT_OUT
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= _PIDS:
        raise _wrong(name, f"it must be at most {_PIDS}")
    return value


_HOST: Table = {
    **dict.fromkeys(_NO_HOST, nothing), **dict.fromkeys(_NO_LIMITS, nothing), **_LIMITS,
    "NetworkMode": choice("none", "default", "", None), "VolumesFrom": texts, "AutoRemove": flag, "Init": flag,
    "ReadonlyRootfs": flag, "ConsoleSize": size, "CapAdd": no_privileges, "CapDrop": texts,
    "Privileged": no_privileges, "SecurityOpt": _no_new_privileges, "MaskedPaths": absent, "ReadonlyPaths": absent,
    "MemorySwappiness": _swappiness, "PidsLimit": _few_processes, "RestartPolicy": nested(_RESTART_POLICY),
    "LogConfig": nested({"Type": nothing, "Config": nothing}), "CgroupnsMode": choice("", "private", None),
    "IpcMode": choice("", "private", "none", None),
}
_CREATE: Table = {
    "Image": text, "Cmd": command, "Entrypoint": command, "Env": texts, "User": text, "WorkingDir": text,
    "Labels": nothing, "AttachStdin": flag, "AttachStdout": flag, "AttachStderr": flag, "Tty": flag,
    "OpenStdin": flag, "StdinOnce": flag, "StopSignal": text, "StopTimeout": number, "NetworkDisabled": flag,
    "Hostname": text, "Domainname": nothing, "Volumes": nothing, "OnBuild": nothing, "ExposedPorts": nothing,
    "MacAddress": nothing, "ArgsEscaped": nothing, "Shell": nothing, "Healthcheck": nested(_NO_HEALTHCHECK),
    "HostConfig": nested(_HOST), "NetworkingConfig": nested(_NO_NETWORK),
}


def create(body: Any) -> dict[str, Any]:
    """`Image` and `HostConfig.VolumesFrom` are still the names that were given; "" and [] for none."""
    asked = checked(body, _CREATE)
    host = {"VolumesFrom": [], **asked.pop("HostConfig", {})}
    asked.pop("NetworkingConfig", None)
    return {"Image": "", **asked, "HostConfig": host}


def one_shot(asked: Mapping[str, Any], image: str, volumes_from: str, run: str, session: str) -> dict[str, Any]:
    """What `create` returned, with what the guard sets itself: it has the data of one member and nothing else."""
    host = {**asked["HostConfig"], "VolumesFrom": [volumes_from], "NetworkMode": "none", "CapAdd": [],
            "CapDrop": ["ALL"], "SecurityOpt": ["no-new-privileges"], "Privileged": False}
    host.setdefault("PidsLimit", _PIDS)
    # (Labels of the client's choice are refused: some programs on an engine take orders from the labels of containers.)
    marks = {labels.RUN: run, labels.SESSION: session or run}
    return {**asked, "Image": image, "Labels": marks, "HostConfig": host, "Healthcheck": {"Test": ["NONE"]}}
