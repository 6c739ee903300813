"""The host's way into the monitor's container: `operator-demo ctl`, run there by exec.

A request travels on stdin, so that the engine's events, which the agent may read, do not show it. It carries the run's
nonce, by which the monitor knows the host, and the id of its exec, by which the monitor knows the exec as the host's.
"""

import json
from collections.abc import Callable, Iterable
from contextlib import suppress

from operator_demo.engine import Engine, exec_in, read_file_from
from operator_demo.errors import OperatorError
from operator_demo.events import BadEvent, Event
from operator_demo.settings import NONCE_FILE
from operator_demo.text import one_line
from operator_demo.wire import Decoder

CTL = ["operator-demo", "ctl"]
GUARD_ANSWER = ["operator-demo", "guard-answer"]


class Control:
    """Requests to one monitor's container, which must run."""

    def __init__(self, engine: Engine, monitor: str) -> None:
        """`monitor` is the container's id."""
        self._engine, self._monitor = engine, monitor
        self._nonce = ""

    def ask(self, op: str, *, timeout: float = 30, **arguments: object) -> dict[str, object]:
        """Raises `OperatorError` where the monitor does not do what it is asked."""
        status, out, err = self._run({"op": op, **arguments}, timeout)
        if status != 0:
            reason = one_line(err.decode(errors="replace"), 300)
            raise OperatorError(f"The monitor did not do what was asked ({op}): {reason}")
        answer = json.loads(out)
        assert isinstance(answer, dict)
        return answer

    def events(self, run: str, source: str, after: int, remark: Callable[[str], None],
               types: Iterable[str] = ()) -> list[Event]:
        """Durable events of a source from the volume, all or only those of some types. `remark` is called for each
        line that is no valid event, for example of a later version. Raises `OperatorError` where it cannot be read."""
        request = {"op": "events", "run": run, "source": source, "after": after, "types": list(types)}
        status, out, err = self._run(request, timeout=30)
        if status != 0:
            raise OperatorError(f"The volume could not be read: {one_line(err.decode(errors='replace'), 200)}")
        decoder, recorded = Decoder(), []
        for line in out.decode("utf-8", "replace").splitlines():
            try:
                event = decoder.feed(line)
            except BadEvent as e:
                remark(f"The volume holds a line of {source} that is no valid event ({e}): {one_line(line, 120)}")
                continue
            if event is not None and event.run == run and event.source == source:
                recorded.append(event)
        return recorded

    def _run(self, request: dict[str, object], timeout: float) -> tuple[int, bytes, bytes]:
        self._nonce = self._nonce or self._read_nonce()

        def text(exec_id: str) -> bytes:
            return json.dumps({**request, "nonce": self._nonce, "exec": exec_id}).encode()

        return exec_in(self._engine, self._monitor, CTL, stdin=text, timeout=timeout)

    def _read_nonce(self) -> str:
        """From the monitor's container: whoever may read files there has the whole engine, as this host has."""
        return read_file_from(self._engine, self._monitor, str(NONCE_FILE)).decode().strip()


def ask_guard(engine: Engine, guard: str, control: Control | None, op: str, **arguments: str) -> dict[str, object]:
    """What the guard (a container's id) answers to a request about approvals. The exec is announced by `control` as the
    host's own. Raises `OperatorError` where it refuses."""
    execs: list[str] = []

    def request(exec_id: str) -> bytes:
        execs.append(exec_id)
        return json.dumps({"op": op, **arguments}).encode()

    status, out, err = exec_in(engine, guard, GUARD_ANSWER, stdin=request)
    if control is not None:
        with suppress(OperatorError):  # (the monitor will tell of it as of somebody else's)
            control.ask("announce", ids=execs)
    if status != 0:
        raise OperatorError(f"The guard did not do what was asked ({op}): "
                            f"{one_line(err.decode(errors='replace'), 300)}")
    answer = json.loads(out)
    assert isinstance(answer, dict)
    return answer
