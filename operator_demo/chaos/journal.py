"""The host's journal of faults: what is about to be done to a subject, on disk before it happens.

One JSON file per engine and project, readable by this user alone, replaced in one step after its content is on the
disk. A lock beside it makes sure that one process at a time injects or reverts; the kernel gives it back when that
process is killed. Reading needs no lock.
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from operator_demo.errors import OperatorError
from operator_demo.home import file_errors, journal_path, make_private_folder, remove, replace_json, take_lock

VERSION = 1
PATIENCE = 10.0  # seconds that another injection or revert has to end
_LOOK = 0.1  # seconds between two looks whether it has
PLANNED, INJECTING, INJECTED, REVERTED = "planned", "injecting", "injected", "reverted"


@dataclass
class Record:
    """One injection. `before` is what will be put back; `image` that of the helpers it needs; `at` the time of
    planning, in seconds since the epoch."""

    id: str
    run: str
    subject: str
    kind: str
    network: str = ""
    image: str = ""
    targets: list[str] = field(default_factory=list)
    parameters: dict[str, float] = field(default_factory=dict)
    before: dict[str, Any] = field(default_factory=dict)
    phase: str = PLANNED
    at: float = 0.0

    @property
    def open(self) -> bool:
        """May something of it still be there?"""
        return self.phase in (INJECTING, INJECTED)


_SUFFIX = ".faults.json"


class FaultJournal:
    def __init__(self, home: Path, engine_id: str, project: str) -> None:
        self.path = journal_path(home, engine_id, project, _SUFFIX)

    def records(self) -> list[Record]:
        """In the order in which they were planned. Raises `OperatorError` where the file cannot be understood: what
        stands in it may be the only way back."""
        try:
            raw = json.loads(self.path.read_text(encoding="utf-8"))
            if raw["version"] != VERSION:
                raise ValueError(f"version {raw['version']!r}, expected {VERSION}")
            return [Record(**record) for record in raw["records"]]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError, KeyError) as e:
            raise OperatorError(f"The journal of faults {self.path} cannot be read: {e}",
                                "Another version may have written it; use that one, or move the file away.") from e

    def open(self) -> list[Record]:
        return [record for record in self.records() if record.open]

    def find(self, id_: str) -> Record | None:
        return next((record for record in self.records() if record.id == id_), None)

    def put(self, record: Record) -> None:
        """Adds a record, or replaces the one of the same id; on the disk when this returns. Hold `lock`."""
        records = self.records()
        place = next((n for n, r in enumerate(records) if r.id == record.id), None)
        if place is None:
            records.append(record)
        else:
            records[place] = record
        self._write(records)

    def clear(self) -> None:
        """Forgets all that is reverted or was never begun."""
        left = self.open()
        if left:
            self._write(left)
        else:
            remove(self.path)

    def forget(self) -> None:
        """Forgets everything: the project is gone."""
        remove(self.path)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Held while a fault is injected or reverted. Raises `OperatorError` when somebody else is at it for long:
        another process, or an injection that this process has abandoned because its engine call hangs."""
        with file_errors(self.path):
            make_private_folder(self.path.parent)
            descriptor = os.open(self.path.with_suffix(".lock"), os.O_WRONLY | os.O_CREAT, 0o600)
        with open(descriptor, "w") as file:
            deadline = time.monotonic() + PATIENCE
            while not take_lock(file):
                if time.monotonic() > deadline:
                    raise OperatorError("Another injection or revert of a fault of this project is under way.",
                                        "Wait a moment, and try again.")
                time.sleep(_LOOK)
            yield

    def _write(self, records: list[Record]) -> None:
        replace_json(self.path, {"version": VERSION, "records": [asdict(r) for r in records]})


def projects_with_faults(home: Path, engine_id: str) -> list[str]:
    """The projects on this engine that have a journal of faults."""
    every = journal_path(home, engine_id, "*", _SUFFIX)
    return sorted(path.name.removeprefix(every.name.partition("*")[0]).removesuffix(_SUFFIX)
                  for path in every.parent.glob(every.name))
