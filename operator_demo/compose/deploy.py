"""`deploy` of a service: of it, an engine without Swarm knows limits and the restart policy."""

from operator_demo.compose import units
from operator_demo.compose.plain import nano_cpus
from operator_demo.document import Value

_SWARM = "it is for Swarm and has no effect on one engine"
_RESTARTS = {"none": "no", "on-failure": "on-failure", "any": "always"}


def read_deploy(value: Value, host: dict[str, object]) -> tuple[str, int] | None:
    """Adds the limits to `host`, the engine's fields from the service's own keys; the restart policy if given."""
    said = value.map(("replicas", "mode", "resources", "restart_policy"), {
        "placement": _SWARM, "update_config": _SWARM, "rollback_config": _SWARM, "endpoint_mode": _SWARM,
        "labels": _SWARM})
    if "mode" in said:
        said["mode"].one_of(("replicated",))
    if "replicas" in said:
        check_one(said["replicas"])
    if "resources" in said:
        _resources(said["resources"], host)
    return _restart(said["restart_policy"]) if "restart_policy" in said else None


def check_one(value: Value) -> None:
    """`replicas` and `scale`: a service is one container here."""
    if value.integer() != 1:
        value.fail("a service is one container here; write one service for each")


def _resources(value: Value, host: dict[str, object]) -> None:
    said = value.map(("limits", "reservations"))
    if "limits" in said:
        limits = said["limits"].map(("cpus", "memory", "pids"))
        if "cpus" in limits:
            _set(limits["cpus"], host, "NanoCpus", limits["cpus"].parsed(nano_cpus))
        if "memory" in limits:
            _set(limits["memory"], host, "Memory", limits["memory"].parsed(units.size))
        if "pids" in limits:
            _set(limits["pids"], host, "PidsLimit", limits["pids"].integer(1))
    if "reservations" in said:
        reserved = said["reservations"].map(("memory",), {"cpus": _SWARM, "generic_resources": _SWARM,
                                                          "devices": "it is for GPUs"})
        if "memory" in reserved:
            _set(reserved["memory"], host, "MemoryReservation", reserved["memory"].parsed(units.size))


def _set(place: Value, host: dict[str, object], field: str, wanted: int) -> None:
    if host.setdefault(field, wanted) != wanted:
        place.fail("the service has another value for the same outside of deploy")


def _restart(value: Value) -> tuple[str, int]:
    said = value.map(("condition", "max_attempts"), {"delay": _SWARM, "window": _SWARM})
    condition = _RESTARTS[said["condition"].one_of(_RESTARTS)] if "condition" in said else "always"
    attempts = said["max_attempts"].integer() if "max_attempts" in said else 0
    if attempts and condition != "on-failure":
        said["max_attempts"].fail("the engine counts attempts with the condition on-failure alone")
    return condition, attempts
