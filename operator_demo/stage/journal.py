"""The host's journal of a run: which scenario it plays, and the truth that it had sealed, on disk before it happens.

One JSON file per engine and project, readable by this user alone, for a host that crashed. What is done to the subject,
and how it is undone, stands in the journal of faults beside it (`chaos.journal`).
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from operator_demo.home import journal_path, remove, replace_json
from operator_demo.stage.truth import Truth


@dataclass
class Entry:
    """`scenario` is a name, or the path of a file. `phase`: planned, sealed (the fault is written down), opened.
    `fault` (its id in the journal of faults), `truth` and `nonce` are empty until it is sealed."""

    run: str
    kind: str
    scenario: str
    seed: int
    fault: str = ""
    truth: dict[str, Any] = field(default_factory=dict)
    nonce: str = ""
    phase: str = "planned"

    def seal(self, truth: Truth) -> None:
        self.truth, self.nonce, self.phase = truth.content, truth.nonce, "sealed"

    def sealed(self) -> Truth | None:
        return Truth(self.truth, self.nonce) if self.nonce else None


class Journal:
    def __init__(self, home: Path, engine_id: str, project: str) -> None:
        self.path = journal_path(home, engine_id, project, ".json")

    def write(self, entry: Entry) -> None:
        replace_json(self.path, asdict(entry))

    def read(self) -> Entry | None:
        """None without a journal, or when it cannot be understood (another version wrote it)."""
        try:
            return Entry(**json.loads(self.path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def run(self) -> str:
        """The run that wrote it; "" without one."""
        entry = self.read()
        return entry.run if entry is not None else ""

    def clear(self) -> None:
        remove(self.path)
