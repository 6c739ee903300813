"""Which record is replayed: a run of the store, a file that `audit export` wrote, or a recording that is shipped."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

from operator_demo import audit as records
from operator_demo import events, record_file
from operator_demo.chain import Chain, Entry
from operator_demo.errors import Exit, OperatorError, UsageError
from operator_demo.events import Event
from operator_demo.home import store_path
from operator_demo.verify import altered

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

HOW = "`operator-demo replay --list` shows the recordings that are shipped, `operator-demo audit list` your own runs."


@dataclass(frozen=True)
class Record:
    """What was recorded of one run, unaltered; at least one event, in the order in which they were taken in."""

    run: str
    events: list[Event]


def load(name: str) -> Record:
    """What is replayed. For `name` and what is raised see `unaltered`; an empty record is a `UsageError` too."""
    chain, entries = unaltered(name)
    if not entries:
        raise UsageError(f"The record of {name} is empty.", HOW)
    recorded = events_of(entries)
    return Record(chain.run, [*recorded, *_head(chain, recorded)])


def unaltered(name: str) -> tuple[Chain, list[Entry]]:
    """The whole record of a run, in the order in which it was taken in.

    `name` is a run's id or the beginning of exactly one, `last`, a file, or SUBJECT/SCENARIO of a recording. Raises
    `UsageError` for what is none of these, and `OperatorError` with the exit status of `audit verify` for a record
    that was altered.
    """
    chain, entries = _read(name)
    if alterations := altered(chain, entries):
        error = OperatorError(f"The record of {name} was altered ({alterations[0].what}: {alterations[0].text}).",
                              f"`operator-demo audit verify {name}` says all of it.")
        error.exit_status = Exit.NOT_REACHED
        raise error
    return chain, entries


def events_of(entries: Iterable[Entry]) -> list[Event]:
    """The events as they were recorded, in the order of the entries."""
    return [replace(entry.event, raw=json.loads(entry.data)) for entry in entries]


def recordings() -> list[str]:
    """The names of the shipped recordings: SUBJECT/SCENARIO."""
    folder = _folder()
    if not folder.is_dir():
        return []
    subjects = [subject for subject in folder.iterdir() if subject.is_dir()]
    return sorted(f"{subject.name}/{entry.name.removesuffix(record_file.SUFFIX)}" for subject in subjects
                  for entry in subject.iterdir() if entry.name.endswith(record_file.SUFFIX))


def is_recording(name: str) -> bool:
    return name in recordings()


@contextmanager
def recording(name: str) -> Iterator[Path]:
    """The file of a shipped recording."""
    with as_file(_folder().joinpath(*f"{name}{record_file.SUFFIX}".split("/"))) as path:
        yield path


def _folder() -> "Traversable":
    return files("operator_demo").joinpath("recordings")


def _read(name: str) -> tuple[Chain, list[Entry]]:
    if is_recording(name):
        with recording(name) as path:
            return record_file.read(path)
    if "/" in name or name.endswith(record_file.SUFFIX):
        if not Path(name).exists():
            raise UsageError(f"{name} is neither a file nor a recording that is shipped.", HOW)
        return record_file.read(Path(name))
    with records.open_store(store_path()) as store:
        _, run = records.find(store, name, ("run",))
        with store.snapshot():
            return store.chain(run), store.entries(run)


def _head(chain: Chain, recorded: list[Event]) -> list[Event]:
    """Of a run that is over: the head of its chain, which is shown at the end and not recorded."""
    if not chain.entries or not any(e.type == "run_finished" for e in recorded):
        return []
    head = events.RecordHead(entries=chain.entries, head=chain.head.hex())
    return [replace(events.event(chain.run, events.STAGE, head), ts=max(e.ts for e in recorded))]
