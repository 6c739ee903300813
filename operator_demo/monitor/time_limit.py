"""The end of a run whose time is over, in the record. The guard stops the containers at the same time."""

import contextlib
import time

from operator_demo import tickets
from operator_demo.events import Note
from operator_demo.store import Recorder


def seconds_left(recorder: Recorder, max_time: float) -> float:
    """Counts from the run's first event, so that a restart of the monitor does not extend it."""
    began = recorder.store.began(recorder.run)
    return max_time if began is None else began + max_time - time.time()


def record_end(recorder: Recorder, max_time: float) -> None:
    """Says why the run ends, and closes an open ticket."""
    reason = f"The longest time of a run ({max_time:g} s) is over."
    text = f"{reason} Its containers are stopped; `operator-demo down` removes them."
    recorder.say(Note(level="warning", text=text))
    ticket = tickets.current(recorder.store, recorder.run)
    if ticket is not None:
        with contextlib.suppress(tickets.TicketStateError):
            tickets.escalate(recorder, ticket["ticket"], reason)
