"""The end of a run whose time is over: all its containers stop, even if its host is gone.

The monitor does this, because it runs as long as the run and has the engine's socket. Stopped containers keep their
data, so that `down` can still copy the record.
"""

import contextlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from operator_demo import tickets
from operator_demo.engine import Container, Engine, NotOnEngine, container_action, members
from operator_demo.errors import OperatorError
from operator_demo.events import Note, parse_ts
from operator_demo.store import Recorder

_STOPPABLE = ("running", "paused", "restarting")
_SELF = "monitor"  # the Compose service


def began(recorder: Recorder) -> float:
    """When the run's first monitor started, in seconds since the epoch; a restart of the monitor does not extend it."""
    row = recorder.store.row("SELECT min(ts) AS ts FROM events WHERE run=? AND source='monitor'", recorder.run)
    assert row
    return parse_ts(row["ts"])


def end_run(engine: Engine, project: str, recorder: Recorder, max_time: float) -> None:
    """Records why, stops the agent and the load, closes an open ticket, and stops the subject.

    The agent goes first, because it would start members again. Raises `OperatorError` if something could not be
    stopped.
    """
    reason = f"The longest time of a run ({max_time:g} s) is over."
    text = f"{reason} Its containers are stopped; `operator-demo down` removes them."
    recorder.say(Note(level="warning", text=text))
    problems = _stop(engine, (c for c in members(engine, f"{project}-operator") if c.service != _SELF))
    ticket = tickets.current(recorder.store, recorder.run)
    if ticket is not None:
        with contextlib.suppress(tickets.TicketStateError):
            tickets.escalate(recorder, ticket["ticket"], reason)
    problems += _stop(engine, members(engine, project))
    if problems:
        raise OperatorError(f"The run's time is over, and not all of it could be stopped: {'; '.join(problems)}")


def _stop(engine: Engine, containers: Iterable[Container]) -> list[str]:
    """Stops those that run, in parallel; returns the problems, in words."""
    def stop(container: Container) -> str | None:
        try:
            container_action(engine, container.id, "stop")
        except NotOnEngine:
            return None
        except OperatorError as e:
            return f"{container.name}: {e.message}"
        return None

    with ThreadPoolExecutor(16, thread_name_prefix="stop") as pool:
        problems = pool.map(stop, [c for c in containers if c.state in _STOPPABLE])
        return [problem for problem in problems if problem]
