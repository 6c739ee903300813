"""The run that a report is about."""

from dataclasses import dataclass
from pathlib import Path

from operator_demo import audit
from operator_demo.chain import Chain
from operator_demo.events import Event
from operator_demo.replay.source import events_of, unaltered


@dataclass(frozen=True)
class Recorded:
    """`events` are all of the run, in the order of their times."""

    chain: Chain
    events: list[Event]


def recorded(name: str) -> Recorded:
    """For `name` and what is raised see `unaltered`."""
    chain, entries = unaltered(name)
    return Recorded(chain, sorted(events_of(entries), key=lambda e: (e.ts, e.source, e.seq or 0)))


def from_store(path: Path, name: str) -> Recorded:
    """A run of another home. Raises `OperatorError` where there is none."""
    with audit.open_store(path) as store:
        _, run = audit.find(store, name, ("run",))
        with store.snapshot():
            return Recorded(store.chain(run), list(store.events(run)))
