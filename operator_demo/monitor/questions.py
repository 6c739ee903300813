"""The requests that the monitor answers on its socket."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any

from operator_demo import tickets
from operator_demo.errors import UsageError
from operator_demo.monitor.agent_orders import AgentOrders
from operator_demo.monitor.announced import Announced
from operator_demo.monitor.observer import FRESH, Observer
from operator_demo.monitor.oracle import Oracle
from operator_demo.redaction import Scrubber
from operator_demo.ring import Ring
from operator_demo.rpc import Handler
from operator_demo.store import Recorder

_LOG_LIMIT = 32 * 1024  # bytes
_LOG_LINES = 500
_LONGEST = 8 * 1024  # characters of one text in an answer

Inspect = Callable[[str], dict[str, Any]]
Logs = Callable[[str, int], Iterable[bytes]]
_scrub = Scrubber(longest=_LONGEST)


class Questions:
    def __init__(self, observer: Observer, oracle: Oracle, announced: Announced, orders: AgentOrders,
                 recorder: Recorder, network: Callable[[], str], inspect: Inspect, logs: Logs,
                 is_host: Callable[[str], bool]) -> None:
        """`is_host`: does this nonce belong to the host of the run?"""
        self._observer, self._oracle, self._announced, self._orders = observer, oracle, announced, orders
        self._recorder = recorder
        self._network, self._inspect, self._logs, self._is_host = network, inspect, logs, is_host

    def handlers(self) -> Mapping[str, Handler]:
        of_everybody: Mapping[str, Handler] = {"observe": self.observe, "members": self.members,
                                               "inspect": self.inspect, "logs": self.logs}
        of_the_host: Mapping[str, Handler] = {"arm": self.arm, "status": self.status, "fault": self.fault,
                                              "report": self.report, "announce": self.announce,
                                              "order": self._orders.give}
        return {op: self._answering(handler, only_host=op in of_the_host)
                for op, handler in {**of_everybody, **of_the_host}.items()}

    def _answering(self, handler: Handler, only_host: bool) -> Handler:
        """The handler, with the nonce that the host sends with every request."""
        def answer(nonce: str = "", **arguments: Any) -> dict[str, Any]:
            if only_host and not self._is_host(str(nonce)):
                raise UsageError("Only the host of the run may ask this; the request lacks the run's nonce.")
            return handler(**arguments)

        return answer

    def observe(self) -> dict[str, Any]:
        """The newest observation, with the violations and the name of the members' network. Observes again if it is
        older than half a second."""
        observation = self._observer.look(FRESH)
        state = self._observer.state
        return asdict(observation) | {"network": self._network(), "violations": [
            {"key": key, "invariant": s.violation.invariant, "member": s.violation.member, "text": s.violation.text,
             "severity": s.violation.severity, "firing": s.firing,
             "seconds": round(max(0.0, observation.ts - s.since), 1)} for key, s in sorted(state.items())]}

    def members(self) -> dict[str, Any]:
        observed = self._observer.last.members
        return {"members": [
            {"name": m.name, "container": m.container, "state": m.state, "address": m.address,
             "exit_code": m.exit_code, "health": m.health,
             "reachable": bool(observed.get(m.name, {}).get("reachable"))}
            for m in self._observer.members.latest]}

    def inspect(self, member: str) -> dict[str, Any]:
        """The engine's description of a member's container, reduced to what a diagnosis needs, without secrets."""
        full = self._inspect(self._container(member))
        host, config = full["HostConfig"], full["Config"]
        reduced = {
            "name": full["Name"].lstrip("/"), "labels": config.get("Labels") or {}, "image": config["Image"],
            "state": _without_history(full["State"]),
            "restart_count": full.get("RestartCount"), "restart_policy": host["RestartPolicy"],
            "command": config["Cmd"], "entrypoint": config["Entrypoint"], "environment": config["Env"],
            "limits": {key: host.get(key) for key in ("Memory", "MemorySwap", "NanoCpus", "CpuQuota", "CpuPeriod",
                                                      "PidsLimit", "BlkioDeviceWriteBps") if host.get(key)},
            "networks": {name: {key: endpoint.get(key) for key in ("IPAddress", "Aliases")}
                         for name, endpoint in (full["NetworkSettings"].get("Networks") or {}).items()},
            "mounts": [{key: mount.get(key) for key in ("Type", "Name", "Destination", "RW")}
                       for mount in full.get("Mounts") or []],
        }
        return dict(_scrub.deep(reduced))

    def logs(self, member: str, lines: int = 100) -> dict[str, Any]:
        """The last lines of a member's log: `text`, and how many bytes from its middle (`omitted_bytes`) and characters
        of terminal sequences (`removed`) are not in it."""
        log = Ring(_LOG_LIMIT)
        for piece in self._logs(self._container(member), max(1, min(int(lines), _LOG_LINES))):
            log.feed(piece)
        kept = log.kept(_scrub.counted)
        return {"text": kept.text, "omitted_bytes": kept.omitted, "removed": kept.removed}

    def _container(self, member: str) -> str:
        container = self._observer.members.container_id(member)
        if container is None:
            known = ", ".join(self._observer.subject.members)
            raise UsageError(f"There is no container of a member {member!r}; the members are {known}.")
        return container

    def arm(self, scenario: dict[str, Any] | None = None) -> dict[str, Any]:
        return self._oracle.arm(scenario)

    def status(self) -> dict[str, Any]:
        ticket = tickets.current(self._recorder.store, self._recorder.run)
        return {"armed": self._oracle.armed, "healthy": self._oracle.healthy(), "ready": True,
                "ticket": {key: ticket[key] for key in ("ticket", "state", "holder", "title")} if ticket else None,
                "violations": sorted(self._observer.state)}

    def fault(self, containers: list[str], seconds: float, hold: bool = False) -> dict[str, Any]:
        """What happens to these containers (ids) in the next `seconds` is the fault, unless the agent does it. With
        `hold` no ticket opens in this time, because the injection is not complete."""
        self._announced.announce(containers, time.time() + float(seconds), hold)
        return {}

    def announce(self, ids: list[str]) -> dict[str, Any]:
        """These containers and execs are the host's own."""
        self._announced.announce_own(ids)
        return {}

    def report(self, invariant: str, text: str, member: str | None = None) -> dict[str, Any]:
        """Opens a ticket for a violation that is reported, not observed."""
        return {"ticket": self._observer.report(invariant, member, text)}


def _without_history(state: Mapping[str, Any]) -> dict[str, Any]:
    """A container's state with only the last two results of its health check."""
    health = state.get("Health")
    return dict(state) | ({"Health": {**health, "Log": (health.get("Log") or [])[-2:]}} if health else {})
