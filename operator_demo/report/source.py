"""Where the run of a report comes from: the store, or a file that `audit export` wrote."""

from dataclasses import dataclass
from pathlib import Path

from operator_demo import audit, record_file
from operator_demo.chain import Chain
from operator_demo.errors import UsageError
from operator_demo.events import Event
from operator_demo.home import store_path
from operator_demo.verify import altered


@dataclass(frozen=True)
class Recorded:
    """`events` are all of the run, in the order of their times."""

    chain: Chain
    events: list[Event]


def is_file(name: str) -> bool:
    """Does `name` mean a file, and not a run of the store?"""
    return "/" in name or name.endswith(record_file.SUFFIX)


def recorded(name: str) -> Recorded:
    """The run that `name` means: an id, the beginning of exactly one, `last`, or a file.

    Raises `UsageError` where there is none, and for a file that was altered.
    """
    return _from_file(Path(name)) if is_file(name) else from_store(store_path(), name)


def from_store(path: Path, name: str) -> Recorded:
    with audit.open_store(path) as store:
        _, run = audit.find(store, name, ("run",))
        with store.snapshot():
            return Recorded(store.chain(run), list(store.events(run)))


def _from_file(path: Path) -> Recorded:
    chain, entries = record_file.read(path)
    if alterations := altered(chain, entries):
        raise UsageError(f"{path} was altered ({alterations[0].what}: {alterations[0].text}); nothing is made of it.",
                         f"`operator-demo audit verify {path}` says all of it.")
    events = sorted((entry.event for entry in entries), key=lambda e: (e.ts, e.source, e.seq or 0))
    return Recorded(chain, events)
