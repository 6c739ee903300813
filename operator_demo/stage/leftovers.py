"""Removing a demo from the engine, and keeping its record: what `down` and `run --restart` do."""

import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from operator_demo import events
from operator_demo.chaos.injection import undo_before_down
from operator_demo.chaos.journal import FaultJournal
from operator_demo.engine import Progress
from operator_demo.events import Contradiction
from operator_demo.home import close_to_others, home, make_private_folder, store_path
from operator_demo.stage.closing import end_run, sessions_of
from operator_demo.stage.environment import Environment
from operator_demo.stage.journal import Journal
from operator_demo.stage.record_check import MOST_TOLD, contradictions, holes, untold
from operator_demo.store import Store, StoreError


@dataclass
class Removal:
    """`removed` names what is gone from the engine, `problems` what could not be done, in words."""

    removed: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass
class Taken:
    """`sessions`: see `sessions_of`, of all runs that were taken over; `problems` as in `Removal`."""

    sessions: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def remove_demo(environment: Environment, *, volumes: bool, progress: Progress, tell: Callable[[str], None]) -> Removal:
    """Stops our containers, takes over what they recorded, takes faults back and removes everything; the volumes only
    with `volumes`. Half a demo will do. `tell` is told before what the agent's sessions left is removed. Raises
    `OperatorError` before anything is removed where the record could neither be taken over nor put aside."""
    engine, project = environment.engine, environment.project
    faults = FaultJournal(home(), engine.id, project)
    removal = Removal()
    journal = Journal(home(), engine.id, project)
    run = environment.leftover_run() or journal.run()
    environment.stop_operators()
    taken = take_over(environment, run) if run else Taken()
    removal.problems += taken.problems
    problems = undo_before_down(engine, project, faults, volumes)
    removal.problems += [f"A fault could not be taken back: {problem}" for problem in problems]
    removal.removed = environment.remove_left(taken.sessions, tell)
    removal.removed += environment.down(volumes=volumes, progress=progress)
    journal.clear()
    if not problems:
        faults.forget()
    return removal


def remove_old_data(environment: Environment, progress: Progress, tell: Callable[[str], None]) -> Removal:
    """Removes the volumes that a `down` left, so that a run begins on a fresh system. What is recorded in them is taken
    over first. There must be no container of the project. See `remove_demo` for `tell`."""
    taken = take_over(environment, "")
    removal = Removal(environment.remove_left(taken.sessions, tell), taken.problems)
    removal.removed += environment.down(volumes=True, progress=progress)
    return removal


def take_over(environment: Environment, run: str) -> Taken:
    """Takes what our containers recorded into the host's store, and closes the record of every run in it. A record that
    the store cannot take, because the store is damaged or another version wrote one of them, is put aside as a store of
    its own, which is a problem. Raises `OperatorError` where neither works."""
    with tempfile.TemporaryDirectory() as folder:
        copy = environment.copy_record(Path(folder))
        try:
            with Store(store_path()) as store:
                runs = {run} if run else set()
                problems = []
                if copy is not None:
                    for recorded, contradicted in _import_all(store, copy).items():
                        runs.add(recorded)
                        problems += [f"{recorded} counts as unverified: {c.text}" for c in contradicted]
                for recorded in runs:
                    end_run(store, recorded, "The run was taken down.")
                return Taken([session for recorded in runs for session in sessions_of(store, recorded)], problems)
        except StoreError as e:
            if copy is None:
                return Taken(problems=[e.message])
            place = _put_aside(copy, run)
            version = environment.begun_by() or "an unknown version"
            return Taken(problems=[
                f"The record of {run} was not taken into the store: {e.message} It was saved in {place}, where "
                f"`OPERATOR_HOME={place} operator-demo audit show last` reads it; it was written by {version}."])


def _import_all(store: Store, copy: Path) -> dict[str, list[Contradiction]]:
    """Takes over all that the other store holds; returns the runs in it, and what they contradict of what the host had
    stored. That is recorded too."""
    with Store(copy) as volume:
        records = {str(row["run"]): list(volume.events(row["run"]))
                   for row in volume.rows("SELECT DISTINCT run FROM events")}
    contradicted = {}
    for run, record in records.items():
        store.import_(record)
        stored = list(store.events(run))
        told = [e.data for e in stored if isinstance(e.data, Contradiction)]
        containers = [e for e in stored if e.source != events.STAGE]
        contradicted[run] = untold([*contradictions(containers, record), *holes(record)], told)[:MOST_TOLD]
        for content in contradicted[run]:
            store.record(events.event(run, events.STAGE, content))
    return contradicted


def _put_aside(copy: Path, run: str) -> Path:
    """The folder in which the record is a store of its own. Raises `StoreError` where it cannot be written."""
    place = home() / "aside" / run
    try:
        with closing(sqlite3.connect(copy)) as db:
            db.execute("PRAGMA journal_mode=DELETE")  # (what stands in the log beside it belongs into the file)
        make_private_folder(place)
        shutil.copyfile(copy, place / "tickets.db")
        close_to_others(place / "tickets.db")
    except (OSError, sqlite3.Error) as e:
        raise StoreError(f"The record of {run} could be saved neither in the store nor in {place} ({e}).",
                         "Nothing was removed. Free some space, or name another place with OPERATOR_HOME, and run "
                         "`operator-demo down` again.") from e
    return place
