"""What a project is made of, in a form that a faithful repair leaves as it was."""

from collections.abc import Mapping
from typing import Any

import docker.errors

from operator_demo import labels
from operator_demo.engine.connect import Engine
from operator_demo.engine.containers import inspect_project
from operator_demo.engine.failures import engine_errors

_LIMITS = {"Memory": "memory", "MemorySwap": "memory_swap", "NanoCpus": "nano_cpus", "CpuQuota": "cpu_quota",
           "CpuPeriod": "cpu_period", "CpuShares": "cpu_shares", "CpusetCpus": "cpuset_cpus", "PidsLimit": "pids_limit",
           "BlkioDeviceReadBps": "read_bps", "BlkioDeviceWriteBps": "write_bps",
           "BlkioDeviceReadIOps": "read_iops", "BlkioDeviceWriteIOps": "write_iops"}


def fingerprint(engine: Engine, project: str) -> dict[str, dict[str, Any]]:
    """Per member (service): image, command, environment, limits, aliases by network, restart policy, volumes.

    Plain JSON values. Not in it: container ids, addresses, and whether a member runs. A member whose container is
    missing is missing here; a second container of a service is under its container's name.
    """
    members: dict[str, dict[str, Any]] = {}
    for described in sorted(inspect_project(engine, project), key=lambda d: str(d["Name"])):
        service = described["Config"]["Labels"][labels.SERVICE]
        key = service if service not in members else described["Name"].lstrip("/")
        members[key] = _member(engine, described)
    return members


def _member(engine: Engine, described: Mapping[str, Any]) -> dict[str, Any]:
    config, host = described["Config"], described["HostConfig"]
    policy = host.get("RestartPolicy") or {}
    return {
        "image": {"name": config["Image"], "id": described["Image"]},
        "command": {"path": described["Path"], "args": list(described["Args"] or []), "user": config.get("User") or "",
                    "working_dir": config.get("WorkingDir") or ""},
        "environment": sorted(config.get("Env") or []),
        "limits": {ours: _limit(host.get(theirs)) for theirs, ours in _LIMITS.items()},
        "aliases": {name: _aliases(described, endpoint) for name, endpoint in
                    sorted((described["NetworkSettings"].get("Networks") or {}).items())},
        "restart_policy": {"name": policy.get("Name") or "no", "retries": policy.get("MaximumRetryCount") or 0},
        "volumes": _volumes(engine, described),
    }


def _limit(value: Any) -> Any:
    """The engine cannot put a limit back to 0 (none): what lifts one stays as -1, or as a number beyond all measure."""
    return 0 if not value or (isinstance(value, int) and not 0 < value < 1 << 62) else value


def _aliases(described: Mapping[str, Any], endpoint: Mapping[str, Any]) -> list[str]:
    """Without the short id, which engines before 25 add and which a new container changes."""
    return sorted(set(endpoint.get("Aliases") or []) - {described["Id"][:12]})


def _volumes(engine: Engine, described: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A volume of the same name that was made anew has no mark, or another one. (The engine's `CreatedAt` is no help:
    on Docker it is when something in the volume's top folder changed last.)"""
    volumes = []
    for mount in described.get("Mounts") or []:
        if mount["Type"] != "volume":
            continue
        with engine_errors(f"looking at the volume {mount['Name']}"):
            try:
                carried = engine.api.inspect_volume(mount["Name"]).get("Labels") or {}
            except docker.errors.NotFound:
                carried = {}
        volumes.append({"name": mount["Name"], "target": mount["Destination"], "mark": carried.get(labels.MARK)})
    return sorted(volumes, key=lambda v: str(v["target"]))
