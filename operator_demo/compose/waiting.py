"""Waiting for containers: until a condition of `depends_on` is true, or until a project is healthy."""

import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any

from operator_demo.compose.model import COMPLETED
from operator_demo.engine.connect import Engine
from operator_demo.engine.containers import Container, members
from operator_demo.engine.failures import Interrupted
from operator_demo.errors import OperatorError

LOOK = 0.1  # seconds between two looks at a container that is waited for
# What the engine takes where a healthcheck says nothing: seconds, and failures in a row.
_INTERVAL, _TIMEOUT, _RETRIES = 30.0, 30.0, 3


class CannotHold(Exception):
    """A condition that does not become true by waiting; the text is the reason, with the container as `it`."""


class Awaited:
    """A container that another service waits for, until `condition`: service_healthy or completed successfully.

    While its restart policy starts it again, it has as long as its healthcheck gives a container to become healthy.
    """

    def __init__(self, engine: Engine, container_id: str, condition: str) -> None:
        self._engine, self._id, self._condition = engine, container_id, condition
        self._restarts_since: float | None = None

    def holds(self) -> bool:
        """Raises CannotHold; docker-py's errors where the engine cannot be asked."""
        described = self._engine.api.inspect_container(self._id)
        state = described["State"]
        if self._condition != COMPLETED and not state.get("Health"):
            raise CannotHold("it has no healthcheck")
        if state["Status"] == "restarting":
            return self._restarts(described)
        if self._condition == COMPLETED:
            return _is_completed(state)
        return _is_healthy(state)

    def _restarts(self, described: Mapping[str, Any]) -> bool:
        code = described["State"]["ExitCode"]
        if self._condition == COMPLETED and code == 0:
            return True  # its policy starts it again all the same
        now = time.monotonic()
        self._restarts_since = self._restarts_since or now
        patience = _patience(described["Config"].get("Healthcheck") or {})
        if now - self._restarts_since > patience:
            raise CannotHold(f"after {patience:.0f} s of restarts it still ends with exit code {code}")
        return False


def _patience(check: Mapping[str, int]) -> float:
    """Seconds from the start of a container until its healthcheck calls it unhealthy at the latest."""
    interval, timeout = check.get("Interval", 0) / 1e9 or _INTERVAL, check.get("Timeout", 0) / 1e9 or _TIMEOUT
    return check.get("StartPeriod", 0) / 1e9 + (check.get("Retries") or _RETRIES) * (interval + timeout)


def _is_completed(state: Mapping[str, Any]) -> bool:
    if state["Status"] not in ("exited", "dead"):
        return False
    if state["ExitCode"] != 0:
        raise CannotHold(f"it ended with exit code {state['ExitCode']}")
    return True


def _is_healthy(state: Mapping[str, Any]) -> bool:
    if state["Status"] in ("exited", "dead", "removing"):
        raise CannotHold(f"it has ended with exit code {state['ExitCode']}")
    if state["Health"]["Status"] == "unhealthy":
        last = (state["Health"].get("Log") or [{}])[-1]
        output = " ".join(str(last.get("Output", "")).split())[-300:]
        raise CannotHold(f"it is unhealthy; its check says: {output or 'nothing'}")
    return bool(state["Health"]["Status"] == "healthy")


def wait_healthy(engine: Engine, project: str, services: Iterable[str], timeout: float,
                 stop: threading.Event) -> None:
    """Returns when each service runs and is healthy (without a healthcheck: runs).

    Unhealthy is not final here: a cluster may need longer than its checks allow. Raises OperatorError after `timeout`
    seconds or when a container has ended for good, `Interrupted` when `stop` is set.
    """
    deadline = time.monotonic() + timeout
    while True:
        containers = {c.service: c for c in members(engine, project)}
        waiting = {}
        for name in sorted(set(services)):
            container = containers.get(name)
            if container is None:
                waiting[name] = "missing"
            elif container.state in ("exited", "dead"):
                raise OperatorError(f"{project}: {name} has ended with exit code {container.exit_code} instead of "
                                    "becoming healthy", f"Its log says why: docker logs {container.name}")
            elif not _runs_well(container):
                waiting[name] = container.health or container.state
        if not waiting:
            return
        if time.monotonic() > deadline:
            states = ", ".join(f"{name} is {state}" for name, state in waiting.items())
            raise OperatorError(f"{project} is not healthy after {timeout:g} s: {states}")
        if stop.wait(LOOK):
            raise Interrupted(f"interrupted while waiting for {project} to be healthy")


def _runs_well(container: Container) -> bool:
    return container.state == "running" and container.health in (None, "healthy")
