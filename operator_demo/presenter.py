"""Following a run in the host's record while it goes on, for the presenter's own terminal.

Reads the store, and of the host's journal which scenario is played (not the truth that lies beside it). Keys that bring
the run forward go to its host (`stage.remote`).
The notes of a chapter come with its event; those of the next one from the scenario's file, where it can be found.
"""

import json
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from importlib.resources import files
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Protocol

from operator_demo import audit as records
from operator_demo import rpc
from operator_demo.chapters import CHAPTERS, NAMES
from operator_demo.document import Document, read
from operator_demo.errors import UsageError
from operator_demo.events import (
    AGENT,
    MONITOR,
    STAGE,
    Chapter,
    Event,
    Prompt,
    RunFinished,
    RunStarted,
    event,
    now,
    parse_ts,
)
from operator_demo.home import home
from operator_demo.screen.speaker import Upcoming
from operator_demo.screen.steering import QUIT
from operator_demo.stage.remote import WORDS, socket_path
from operator_demo.store import Store, StoreError

PERIOD = 0.25  # seconds between two looks into the store
FORGOTTEN = 3600.0  # seconds without an event after which a run that never ended counts as over
_PATIENCE = 2.0  # seconds that a new store may need until it is ready
_TYPES = ("run_started", "chapter", "armed", "truth_sealed", "fault", "effect", "observation", "note", "gap",
          "contradiction", "run_finished", "agent_order", "agent_paused", "agent_resumed", "session_started",
          "session_finished", "tool_call", "finding", "verdict", *records.TICKET_MOVES)
_ANSWER = 0.5  # seconds that the host of the run may take to answer


class View(Protocol):
    """What is shown to the presenter. `keys` yields `quit` where somebody wants to leave, and what is for the run."""

    keys: SimpleQueue[str]

    def start(self) -> None: ...

    def begin(self) -> None:
        """Another run is shown from here on."""
        ...

    def expect(self, upcoming: Upcoming | None) -> None:
        """What comes after the chapter whose event is the next."""
        ...

    def event(self, e: Event) -> None: ...

    def tick(self, now: float) -> None:
        """`now` is in seconds since the epoch, on the clock of the events."""
        ...

    def stop(self) -> None:
        """Ends the view and leaves on the terminal what should stay."""
        ...

    def abandon(self) -> None:
        """Ends the view and leaves nothing."""
        ...


class Host:
    """The process that plays a run, where it listens to keys."""

    def __init__(self, run: str) -> None:
        self._run, self._path = run, socket_path(home(), run)
        self._told: str | None = None

    def press(self, word: str) -> None:
        with suppress(rpc.RpcError):
            rpc.call(self._path, "press", _ANSWER, word=word)

    @property
    def listens(self) -> bool:
        return self._told is not None

    def prompt(self) -> Event | None:
        """What the key for the next chapter does, where that has changed."""
        try:
            told = str(rpc.call(self._path, "state", _ANSWER)["space"])
        except rpc.RpcError:
            told = None
        before, self._told = self._told, told
        return event(self._run, STAGE, Prompt(space=told or "")) if told != before else None


class Follower:
    """The events of one run that matter to the presenter, as they come into the store."""

    def __init__(self, store: Store, run: str) -> None:
        self.run, self._store = run, store
        self._seen = {STAGE: 0, MONITOR: 0, AGENT: 0}
        self._returned: set[tuple[str, int | None]] = set()

    def new(self) -> list[Event]:
        """Those not yet returned, in the order of their times."""
        events = self._after_last()
        if any(e.type == "gap" for e in events):  # what was filled in lies before what was read
            self._seen = dict.fromkeys(self._seen, 0)
            events = self._after_last()
        fresh = [e for e in events if (e.source, e.seq) not in self._returned]
        self._returned |= {(e.source, e.seq) for e in fresh}
        return sorted(fresh, key=lambda e: e.ts)

    def _after_last(self) -> list[Event]:
        events: list[Event] = []
        for source, seen in self._seen.items():
            last = self._store.last_seq(self.run, source)
            if last > seen:
                events += self._store.events(self.run, source=source, after=seen, types=_TYPES)
                self._seen[source] = last
        return events


def present(path: Path, name: str | None, view: View) -> bool:
    """Shows a run until it is over and its host has left the last chapter; False where the presenter left before it was
    over.

    `name` is an id, the beginning of exactly one, or `last` for the newest; with None it is the run that goes on, or
    else the next one, and a newer one takes the place of one that never ended. Raises `UsageError` for an unknown
    name, `StoreError` for a store that cannot be read.
    """
    with ExitStack() as held:
        store: Store | None = None
        follower: Follower | None = None
        host: Host | None = None
        story: Mapping[str, str] | None = None
        skew, over = 0.0, False
        while not _hear(view, host):
            if store is None and (path.exists() or name not in (None, "last")):
                store = _open(path, held)
            run = _chosen(store, name) if store is not None and (follower is None or name is None) else None
            if store is not None and run is not None and (follower is None or run != follower.run):
                follower, host, story, skew = Follower(store, run), Host(run), _story(store, run), 0.0
                over = False
                view.begin()
            for e in follower.new() if follower is not None else ():
                match e.data:
                    case RunStarted(clock_offset=offset):
                        skew = offset
                    case Chapter(name=chapter):
                        view.expect(_next(chapter, story))
                view.event(e)
                over = over or isinstance(e.data, RunFinished)
            if host is not None and (prompt := host.prompt()) is not None:
                view.event(prompt)
            if over and (host is None or not host.listens):
                return True
            view.tick(time.time() + skew)
            time.sleep(PERIOD)
    return over


def is_over(path: Path, name: str | None) -> bool:
    """Is the run that is meant one that has ended?"""
    if name is None or not path.exists():
        return False
    with records.open_store(path) as store:
        row = store.row("SELECT finished FROM runs WHERE run=?", _chosen(store, name))
    return row is not None and row["finished"] is not None


def _hear(view: View, host: Host | None) -> bool:
    """Passes keys on to the run. Does somebody want to leave?"""
    with suppress(Empty):
        while True:
            word = view.keys.get_nowait()
            if word == QUIT:
                return True
            if word in WORDS and host is not None:
                host.press(word)
    return False


def _open(path: Path, held: ExitStack) -> Store:
    """Waits a moment for a store that another process is creating."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            return held.enter_context(records.open_store(path))
        except StoreError:
            if not path.exists() or time.monotonic() > end:
                raise
            time.sleep(PERIOD)


def _chosen(store: Store, name: str | None) -> str | None:
    """The run that is meant; None where it is not there yet."""
    if name not in (None, "last"):
        return records.find(store, name, ("run",))[1]
    row = store.row("SELECT run, finished, (SELECT max(ts) FROM events WHERE run=r.run) AS newest, "
                    "(SELECT json_extract(data, '$.clock_offset') FROM events WHERE run=r.run AND source='stage' "
                    "AND type='run_started') AS skew FROM runs r ORDER BY started DESC LIMIT 1")
    if row is None:
        return None
    silent = parse_ts(now()) + (row["skew"] or 0.0) - parse_ts(row["newest"])
    if name is None and (row["finished"] or silent > FORGOTTEN):
        return None
    return str(row["run"])


# -- what comes next ---------------------------------------------------------------------------------------------------


def _next(chapter: str, story: Mapping[str, str] | None) -> Upcoming | None:
    """The chapter after this one; `story` has the notes of the scenario, None where it is not to be had."""
    if chapter not in NAMES[:-1]:
        return None
    coming = CHAPTERS[NAMES.index(chapter) + 1]
    return Upcoming(coming.name, coming.title, None if story is None else story.get(coming.name) or coming.notes)


def _story(store: Store, run: str) -> Mapping[str, str] | None:
    row = store.row("SELECT subject FROM runs WHERE run=?", run) or {}
    return notes_of(row.get("subject") or "", scenario_of(run))


def scenario_of(run: str) -> str | None:
    """The name or the file of the scenario that a run plays, while its host's journal is there."""
    with suppress(OSError):
        for path in (home() / "journal").glob("*.json"):
            with suppress(OSError, ValueError):
                entry = json.loads(path.read_text(encoding="utf-8"))
                if isinstance(entry, dict) and entry.get("run") == run and isinstance(entry.get("scenario"), str):
                    return str(entry["scenario"])
    return None


def notes_of(subject: str, scenario: str | None) -> Mapping[str, str] | None:
    """The speaker notes of a scenario by chapter; None where its file cannot be found or read."""
    if scenario is None:
        return None
    with suppress(OSError, UsageError, UnicodeDecodeError):
        if scenario.endswith((".yaml", ".yml")):
            text = Path(scenario).read_text(encoding="utf-8")
        else:
            entry = files("subjects").joinpath(subject, "scenarios", f"{scenario}.yaml")
            if not entry.is_file():
                return None
            text = entry.read_text(encoding="utf-8")
        story = read(text, Document(scenario, {}, plain=True)).map().get("story")
        chapters = story.map() if story is not None else {}
        return {name: chapter.map()["notes"].text().strip() for name, chapter in chapters.items()
                if chapter.is_map and "notes" in chapter.map()}
    return None
