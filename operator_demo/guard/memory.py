"""What the guard still knows after it was started again: what was begun through it, and what a human always allows.

It is on a volume that no other container mounts, so that nobody else can write it. What cannot be written there is
known until the guard ends.
"""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from operator_demo.guard.decision import Target

EXEC, ONE_SHOT = "exec", "one-shot"
_MOST = 4096  # of each kind that are remembered: the newest
_LINES = 4 * _MOST  # of the file; then it is written anew, without what was forgotten

Kind = tuple[str, str, str]
"""What `always` is said of: the rule, and the kind and id of the object."""


@dataclass(frozen=True)
class Begun:
    """What a caller began at `at` (seconds since the epoch). `what` is EXEC, in the container, or ONE_SHOT, with that
    container's data."""

    what: str
    id: str
    caller: str
    at: float
    container: Target


class Memory:
    """For one thread."""

    def __init__(self, path: Path | None = None) -> None:
        """Reads what is at `path`, one JSON object a line; without a path nothing outlives the process."""
        self._path, self._lines = path, 0
        self.is_of_before = path is not None and path.exists()  # another process has written it
        self._begun: dict[str, dict[str, Begun]] = {EXEC: {}, ONE_SHOT: {}}
        self._always: dict[Kind, str] = {}
        for line in _lines(path):
            with suppress(ValueError, TypeError, KeyError):  # the last line may be cut off
                self._learn(json.loads(line))
        self._write_anew()

    def began(self, begun: Begun) -> None:
        self._keep(begun)
        self._append(asdict(begun))

    def find(self, what: str, id: str) -> Begun | None:
        return self._begun[what].get(id)

    def since(self, what: str, caller: str, moment: float) -> list[Begun]:
        """What the caller began at that moment (seconds since the epoch) or later, the oldest first."""
        return [begun for begun in self._begun[what].values() if begun.caller == caller and begun.at >= moment]

    def allow_always(self, kind: Kind, by: str) -> None:
        self._always[kind] = by
        self._append(_allowed(kind, by))

    def always_allowed_by(self, kind: Kind) -> str | None:
        """Who said so; None where nobody did."""
        return self._always.get(kind)

    # -- the file ----------------------------------------------------------------------------------------------------

    def _learn(self, fact: dict[str, Any]) -> None:
        if "always" in fact:
            rule, kind, id = fact["always"]
            self._always[(rule, kind, id)] = fact["by"]
        else:
            self._keep(Begun(**fact | {"container": Target(**fact["container"])}))

    def _keep(self, begun: Begun) -> None:
        kept = self._begun[begun.what]
        kept[begun.id] = begun
        while len(kept) > _MOST:
            del kept[next(iter(kept))]

    def _append(self, fact: dict[str, Any]) -> None:
        if self._path is None:
            return
        with suppress(OSError), open(self._path, "a") as file:
            file.write(json.dumps(fact) + "\n")
        self._lines += 1
        if self._lines > _LINES:
            self._write_anew()

    def _write_anew(self) -> None:
        if self._path is None:
            return
        facts = [asdict(begun) for kept in self._begun.values() for begun in kept.values()]
        facts += [_allowed(kind, by) for kind, by in self._always.items()]
        self._lines = len(facts)
        fresh = self._path.with_suffix(".new")
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_text("".join(json.dumps(fact) + "\n" for fact in facts))
            os.replace(fresh, self._path)


def _allowed(kind: Kind, by: str) -> dict[str, Any]:
    return {"always": list(kind), "by": by}


def _lines(path: Path | None) -> Iterator[str]:
    if path is not None:
        with suppress(OSError), open(path, errors="replace") as file:
            yield from file
