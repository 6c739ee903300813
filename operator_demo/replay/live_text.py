"""What a record does not keep is told again from what it keeps: text that was being written, and the countdown.

Such events are ephemeral in a run. Here they come before the durable event whose text they hold, as they did then.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

from operator_demo import events
from operator_demo.events import Delta, Event, Payload, Progress
from operator_demo.phrases import as_text
from operator_demo.redaction import shown_command

PIECE = 0.1  # seconds between two pieces of a text
WRITING = 1.5  # seconds that a text takes at most
_FASTEST = 200.0  # characters a second
COUNTDOWN = 3  # seconds before the fault


def with_live_text(record: Iterable[Event]) -> list[Event]:
    """The record, in the order of its times, with the ephemeral events in their places."""
    told: list[Event] = []
    quiet_since = 0.0  # when the agent did the last thing
    for e in sorted(record, key=lambda e: e.ts):
        match e.data:
            case events.Fault(phase="injecting"):
                told += (_before(e, left, Progress(task="fault", item="fault", status=f"in {left}"))
                         for left in range(COUNTDOWN, 0, -1))
            case events.Reasoning(kind=kind, text=text):
                told += _written(e, kind, text, quiet_since)
            case events.ToolCall(tool="shell", input=given):
                told += _written(e, "command", shown_command(as_text(given.get("command"))), quiet_since)
        if e.source == events.AGENT:
            quiet_since = e.at
        told.append(e)
    return told


def _written(e: Event, kind: str, text: str, quiet_since: float) -> Iterator[Event]:
    """The pieces of a text that stands whole in `e`; it was written after `quiet_since` (seconds since the epoch)."""
    lasts = min(WRITING, len(text) / _FASTEST, 0.9 * (e.at - quiet_since))
    pieces = int(lasts / PIECE)
    for number in range(pieces):
        piece = text[len(text) * number // pieces:len(text) * (number + 1) // pieces]
        yield _before(e, lasts - number * PIECE, Delta(kind=kind, text=piece))


def _before(e: Event, seconds: float, payload: Payload) -> Event:
    at = datetime.fromtimestamp(e.at - seconds, UTC)
    return replace(events.event(e.run, e.source, payload, session=e.session), ts=events.timestamp(at))
