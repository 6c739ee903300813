"""The members as the monitor reports them, in the order in which each worker should use them."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from operator_demo.subject import Member


class Targets:
    """Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answering: list[Member] = []
        self._silent: list[Member] = []

    def update(self, members: Sequence[Mapping[str, Any]]) -> None:
        """From the monitor's answer. Members that do not run are left out; if none runs, all stays as it was."""
        running = [m for m in members if m["state"] == "running" and m["address"]]
        if not running:
            return
        with self._lock:
            self._answering = [_member(m) for m in running if m.get("reachable")]
            self._silent = [_member(m) for m in running if not m.get("reachable")]

    def order(self, worker: int) -> list[Member]:
        """Those that answer first, beginning with this worker's own, so that workers spread evenly; then the others."""
        with self._lock:
            start = worker % max(1, len(self._answering))
            return [*self._answering[start:], *self._answering[:start], *self._silent]

    @property
    def addresses(self) -> list[str]:
        return [str(m.address) for m in self.order(0)]


def _member(m: Mapping[str, Any]) -> Member:
    return Member(m["name"], m.get("container", ""), m["state"], m["address"], m.get("exit_code"))
