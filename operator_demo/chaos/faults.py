"""Fault primitives on containers, done through the engine's API: inject, prove, revert."""

from collections.abc import Callable
from dataclasses import dataclass

from operator_demo import engine as room
from operator_demo.engine import Container, Engine
from operator_demo.errors import OperatorError


class FaultError(OperatorError):
    """The fault could not be brought about, or the engine does not show it."""


@dataclass(frozen=True)
class Fault:
    """One kind of fault. `prove` tells from the engine whether it holds now; `revert` undoes it."""

    kind: str
    what: str
    inject: Callable[[Engine, Container, str], None]
    prove: Callable[[Container], bool]
    revert: Callable[[Engine, Container, str], None]


def _act(action: str) -> Callable[[Engine, Container, str], None]:
    def run(engine: Engine, container: Container, network: str) -> None:
        room.container_action(engine, container.id, action)
    return run


def _on_network(action: str) -> Callable[[Engine, Container, str], None]:
    def run(engine: Engine, container: Container, network: str) -> None:
        room.container_action(engine, container.id, action, network=network)
    return run


FAULTS = {
    fault.kind: fault
    for fault in (
        Fault("kill", "the process is killed (SIGKILL)", _act("kill"), lambda c: c.state == "exited", _act("start")),
        Fault("stop", "the process is stopped (SIGTERM)", _act("stop"), lambda c: c.state == "exited", _act("start")),
        Fault("pause", "the process is frozen", _act("pause"), lambda c: c.state == "paused", _act("unpause")),
        Fault("disconnect", "the member is cut from the network", _on_network("disconnect"),
              lambda c: c.address is None, _on_network("connect")),
    )
}


def find(engine: Engine, project: str, member: str) -> Container:
    for container in room.members(engine, project):
        if container.service == member:
            return container
    raise FaultError(f"{member} of project {project} has no container on the engine.",
                     "`operator-demo status` shows what is there.")


def inject(engine: Engine, project: str, network: str, kind: str, member: str) -> None:
    """Brings the fault about and has the engine confirm it. Raises `FaultError` where it does not show."""
    FAULTS[kind].inject(engine, find(engine, project, member), network)
    if not FAULTS[kind].prove(find(engine, project, member)):
        raise FaultError(f"The fault ({kind} of {member}) was injected, but the engine does not show it.",
                         "The container may have come back by itself; look at its restart policy.")
