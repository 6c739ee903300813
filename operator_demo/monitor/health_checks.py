"""The engine's own health checks: which execs in containers they are.

An exec with the command of a health check may be anybody's, with another environment. It is the engine's own if the
engine's log of the container's checks has one that ran at that moment.
"""

from collections.abc import Callable, Mapping
from typing import Any

from operator_demo.engine import health_check, parse_time
from operator_demo.errors import OperatorError

Inspect = Callable[[str], Mapping[str, Any]]


class HealthChecks:
    """`inspect` gives the engine's description of a container; it may raise `OperatorError`."""

    def __init__(self, inspect: Inspect) -> None:
        self._inspect = inspect
        self._commands: dict[str, str | None] = {}  # by container
        self._accounted: dict[str, set[str]] = {}  # by container: beginnings of checks whose exec is known

    def command(self, container: str) -> str | None:
        """The command of the container's health check as in the engine's events; asked for once per container."""
        if container not in self._commands:
            described = self._describe(container)
            self._commands[container] = " ".join(health_check(described)) or None if described else None
        return self._commands[container]

    def was_one(self, container: str, moment: float) -> bool:
        """Did a health check run in the container at that moment (seconds since the epoch)? Each accounts for one
        exec. The engine logs a check when it ends, and keeps the last few."""
        described = self._describe(container)
        health = (described.get("State") or {}).get("Health") or {}
        checks = [entry for entry in health.get("Log") or [] if entry.get("Start") and entry.get("End")]
        known = self._accounted.get(container, set()) & {entry["Start"] for entry in checks}
        for entry in checks:
            if entry["Start"] not in known and parse_time(entry["Start"]) <= moment <= parse_time(entry["End"]):
                self._accounted[container] = known | {entry["Start"]}
                return True
        return False

    def _describe(self, container: str) -> Mapping[str, Any]:
        try:
            return self._inspect(container)
        except OperatorError:
            return {}
