"""What the host was told, held against the volume, which is the record.

The containers' logs are the live picture: whoever can write to a container's stdout can forge a line of its log. An
event is in the volume before it is printed, so one that the volume lacks is forged.
"""

from collections.abc import Iterable

from operator_demo import events
from operator_demo.events import Contradiction, Event
from operator_demo.fields import JsonObject
from operator_demo.ticket_state import STATE_AFTER

VERDICTS = frozenset({events.Verdict.type, *(move.type for move in STATE_AFTER)})
"""The types that are taken from the volume alone: verdicts and the moves of tickets."""

DECIDING = VERDICTS | {t.type for t in (events.TicketUpdated, events.Finding, events.Armed, events.Effect)}
"""The types on which the outcome of a run rests."""

MOST_TOLD = 10  # contradictions that are told one by one

Key = tuple[str, int | None]


def key(e: Event) -> Key:
    return e.source, e.seq


def contradictions(told: Iterable[Event], recorded: Iterable[Event]) -> list[Contradiction]:
    """Where the two do not hold the same event under one number. Both are events of containers; `told` is complete, so
    that what it lacks was hidden by another event under its number."""
    told_by_key, recorded_by_key = {key(e): e for e in told}, {key(e): e for e in recorded}
    differing = []
    for number in sorted(told_by_key.keys() | recorded_by_key.keys()):
        if told_by_key.get(number) != recorded_by_key.get(number):
            differing.append(contradiction(number, told_by_key.get(number), recorded_by_key.get(number)))
    return differing


def holes(record: Iterable[Event]) -> list[Contradiction]:
    """The numbers that a whole record lacks: each source counts from 1 without a gap."""
    numbers: dict[str, set[int]] = {}
    for e in record:
        numbers.setdefault(e.source, set()).add(e.seq or 0)
    return [Contradiction(text=f"The volume lacks event {seq} of {source}.", from_source=source, seq=seq)
            for source, present in sorted(numbers.items())
            for seq in range(1, max(present)) if seq not in present]


def untold(contradicted: Iterable[Contradiction], stored: Iterable[Contradiction]) -> list[Contradiction]:
    """Those that the record of the run does not have already."""
    known = {(c.from_source, c.seq) for c in stored}
    return [c for c in contradicted if (c.from_source, c.seq) not in known]


def contradiction(number: Key, told: Event | None, recorded: Event | None) -> Contradiction:
    """Between what the host was told under this number, and what the volume holds."""
    source, seq = number
    claim = told.type if told is not None else "something else"
    truth = f"holds {recorded.type} there" if recorded is not None else "has no such event"
    text = f"The log of {source} said {claim} as event {seq}; the volume {truth}."
    return Contradiction(text=text, from_source=source, seq=seq,
                         recorded=_content(recorded) if recorded is not None else None)


def _content(e: Event) -> JsonObject:
    return {"type": e.type, "ts": e.ts, "ticket": e.ticket, "session": e.session, "data": e.raw}
