"""A host that is killed (SIGKILL, by itself) at a chosen point of an injection: started by the tests as a process.

Points: `written` (the journal is written, nothing was touched), `first` (the first thing was done to the engine),
`helper` (a helper container was started, and runs), `done` (everything was done, and nothing noted of that).
"""

import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from operator_demo.chaos.faults import FAULTS
from operator_demo.chaos.injector import Injector
from operator_demo.chaos.journal import FaultJournal
from operator_demo.chaos.primitive import Ground
from operator_demo.chaos.spec import parse_parameters
from operator_demo.engine import connect, discover_network
from subjects.etcd.subject import SUBJECT


def die(*_: Any, **more: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dying_after(call: Callable[..., Any]) -> Callable[..., Any]:
    def wrapped(*arguments: Any, **more: Any) -> Any:
        call(*arguments, **more)
        die()
    return wrapped


class Clients:
    """A load whose rate is in a file, so that it outlives this process; helpers are announced to it too."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __call__(self, op: str, ops: float | None = None, ids: Sequence[str] = ()) -> dict[str, Any]:
        if op == "announce":
            return {}
        assert op == "rate"
        if ops is not None:
            self.file.write_text(str(ops))
        return {"ops": float(self.file.read_text())}


def main(home: str, project: str, image: str, kind: str, targets: str, raw: str, point: str) -> None:
    engine = connect()
    ground = Ground(engine, project, discover_network(engine, project), SUBJECT, image,
                    Clients(Path(home) / "rate"))
    injector = Injector(ground, FaultJournal(Path(home), engine.id, project))
    record = injector.plan("run-1", "etcd", kind, json.loads(targets), parse_parameters(kind, json.loads(raw)))
    fault = FAULTS[kind]
    if point == "written":
        fault.inject = die  # type: ignore[method-assign]
    elif point == "done":
        fault.inject = dying_after(fault.inject)  # type: ignore[method-assign]
    elif point == "helper":
        bring_about = fault.inject

        def with_dying_helpers(*arguments: Any) -> None:
            engine.api.wait = die
            bring_about(*arguments)

        fault.inject = with_dying_helpers  # type: ignore[method-assign]
    else:
        for name in ("container_action", "run_once", "set_limits", "leave_exited"):
            for module in [m for n, m in sys.modules.items() if n.startswith("operator_demo.chaos.")]:
                if hasattr(module, name):
                    setattr(module, name, dying_after(getattr(module, name)))
        ground.ask = dying_after(ground.ask) if ground.ask and kind == "load-surge" else ground.ask
    injector.inject(record)


if __name__ == "__main__":
    main(*sys.argv[1:])
