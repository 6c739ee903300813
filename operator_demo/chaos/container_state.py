"""Faults that the engine itself can inject: the process ended, frozen, or cut from the network."""

from collections.abc import Sequence
from typing import Any

from operator_demo.chaos.primitive import Before, FaultError, Ground, Primitive, Proof, Values
from operator_demo.engine import Container, NotOnEngine, container_action, inspect


class StateFault(Primitive):
    """A fault that shows in the state of the container. `verb` injects it, `undo` reverts it from `state`."""

    verb: str
    undo: str
    state: str
    proof = "the state of the container"

    def problem(self, ground: Ground, targets: Sequence[str]) -> str | None:
        containers = ground.containers()
        for name in targets:
            if name not in containers:
                return f"{name} has no container"
            if containers[name].state != "running":
                return f"{name} does not run: it is {containers[name].state}"
        return None

    def before(self, ground: Ground, targets: Sequence[str], values: Values) -> Before:
        return {name: {"id": ground.member(name).id} for name in targets}

    def inject(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> None:
        for name in targets:
            container_action(ground.engine, before[name]["id"], self.verb)

    def prove(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> Proof:
        states = {}
        for name in targets:
            container = same_container(ground, before, name)
            states[name] = container.state if container else "gone"
        return Proof(all(state == self.state for state in states.values()),
                     ", ".join(f"{name} is {state}" for name, state in states.items()))

    def revert(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> None:
        for name in targets:
            container = same_container(ground, before, name)
            if container is not None and container.state == self.state:
                container_action(ground.engine, container.id, self.undo)


class Kill(StateFault):
    kind, what = "kill", "the process is killed (SIGKILL)"
    verb, undo, state = "kill", "start", "exited"


class Stop(StateFault):
    kind, what = "stop", "the process is stopped in good order (SIGTERM)"
    verb, undo, state = "stop", "start", "exited"


class Pause(StateFault):
    kind, what = "pause", "the process is frozen"
    verb, undo, state = "pause", "unpause", "paused"


class Disconnect(Primitive):
    kind, what = "disconnect", "the member is cut from the network"
    proof = "the container has no address on the project's network"

    def problem(self, ground: Ground, targets: Sequence[str]) -> str | None:
        containers = ground.containers()
        for name in targets:
            if name not in containers:
                return f"{name} has no container"
            if containers[name].address is None:
                return f"{name} is not on the network"
        return None

    def before(self, ground: Ground, targets: Sequence[str], values: Values) -> Before:
        before = {}
        for name in targets:
            described = ground.inspect(name)
            endpoint = described["NetworkSettings"]["Networks"][ground.network]
            before[name] = {
                "id": described["Id"], "network": ground.network,
                # The engine adds the short id by itself, and refuses an address that was not asked for.
                "aliases": [a for a in endpoint.get("Aliases") or [] if a != described["Id"][:12]],
                "address": (endpoint.get("IPAMConfig") or {}).get("IPv4Address") or None,
            }
        return before

    def inject(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> None:
        for name in targets:
            container_action(ground.engine, before[name]["id"], "disconnect", network=before[name]["network"])

    def prove(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> Proof:
        on = [name for name in targets if self._is_on(ground, before[name])]
        return Proof(not on, f"{', '.join(on)} on the network" if on else
                     f"{', '.join(targets)} not on the network")

    def revert(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> None:
        for name in targets:
            was = before[name]
            if same_container(ground, before, name) is not None and not self._is_on(ground, was):
                container_action(ground.engine, was["id"], "connect", network=was["network"],
                                 aliases=was["aliases"], address=was["address"])

    def _is_on(self, ground: Ground, was: dict[str, Any]) -> bool:
        try:
            described = inspect(ground.engine, was["id"])
        except NotOnEngine:
            return False
        return was["network"] in (described["NetworkSettings"].get("Networks") or {})


class Restart(Primitive):
    kind, what = "restart", "the process is stopped in good order and started again: odd, and harmless"
    proof = "the container was started anew and runs"
    lasting = False
    settle = 15.0

    def problem(self, ground: Ground, targets: Sequence[str]) -> str | None:
        return StateFault.problem(KILL, ground, targets)

    def before(self, ground: Ground, targets: Sequence[str], values: Values) -> Before:
        return {name: {"id": d["Id"], "started": d["State"]["StartedAt"]} for name in targets
                for d in [ground.inspect(name)]}

    def inject(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> None:
        for name in targets:
            container_action(ground.engine, before[name]["id"], "restart")

    def prove(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> Proof:
        anew = [name for name in targets for d in [ground.inspect(name)]
                if d["State"]["StartedAt"] != before[name]["started"] and d["State"]["Running"]]
        return Proof(len(anew) == len(targets), f"{', '.join(anew) or 'nobody'} was started anew")

    def revert(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> None:
        """A restart that was cut short leaves the member stopped."""
        KILL.revert(ground, targets, values, before)


def same_container(ground: Ground, before: Before, name: str) -> Container | None:
    """The member's container if it is still the one that was hit; None if it is gone or was created again."""
    try:
        container = ground.member(name)
    except FaultError:
        return None
    return container if container.id == before[name]["id"] else None


KILL = Kill()
