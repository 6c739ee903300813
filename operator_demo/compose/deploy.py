"""`deploy` of a service: of it, an engine without Swarm knows limits and the restart policy."""

from operator_demo.compose import units
from operator_demo.document import Value

_SWARM = "it is for Swarm and has no effect on one engine"
_RESTARTS = {"none": "no", "on-failure": "on-failure", "any": "always"}


def read_deploy(value: Value, host: dict[str, object]) -> tuple[str, int] | None:
    """Adds the limits to `host`, the engine's fields from the service's own keys; the restart policy if given."""
    keys = value.map(("replicas", "mode", "resources", "restart_policy"), {
        "placement": _SWARM, "update_config": _SWARM, "rollback_config": _SWARM, "endpoint_mode": _SWARM,
        "labels": _SWARM})
    if keys.text("mode"):
        keys["mode"].one_of(("replicated",))
    if keys.read("replicas", Value.integer, 1) != 1:
        keys["replicas"].fail("a service is one container here; write one service for each")
    resources = keys.map("resources", ("limits", "reservations"))
    limits = resources.map("limits", ("cpus", "memory", "pids"))
    if "cpus" in limits:
        host["NanoCpus"] = limits["cpus"].parsed(_nano_cpus)
    if "memory" in limits:
        _set(limits["memory"], host, "Memory", limits["memory"].parsed(units.size))
    if "pids" in limits:
        _set(limits["pids"], host, "PidsLimit", limits["pids"].integer(1))
    reserved = resources.map("reservations", ("memory",), {
        "cpus": _SWARM, "generic_resources": _SWARM, "devices": "it is for GPUs"})
    if "memory" in reserved:
        host["MemoryReservation"] = reserved["memory"].parsed(units.size)
    return keys.read("restart_policy", _restart, None)


def _nano_cpus(text: str) -> int:
    """`0.5` processors in the engine's unit, 1e-9. Raises ValueError."""
    try:
        number = float(text)
    except ValueError:
        number = 0
    if not (text.isascii() and text.replace(".", "").isdecimal() and 0 < number < 1e6):
        raise ValueError("a number of processors such as 0.5 is expected here")
    return round(number * 1e9)


def _set(place: Value, host: dict[str, object], field: str, wanted: int) -> None:
    if host.setdefault(field, wanted) != wanted:
        place.fail("the service has another value for the same outside of deploy")


def _restart(value: Value) -> tuple[str, int]:
    keys = value.map(("condition", "max_attempts"), {"delay": _SWARM, "window": _SWARM})
    condition = _RESTARTS[keys["condition"].one_of(_RESTARTS)] if keys.text("condition") else "always"
    attempts = keys.read("max_attempts", Value.integer, 0)
    if attempts and condition != "on-failure":
        keys["max_attempts"].fail("the engine counts attempts with the condition on-failure alone")
    return condition, attempts
