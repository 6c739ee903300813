"""Whatever removes a demo takes its record over first, whatever is in the way."""

import io
import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from operator_demo import audit, events, labels
from operator_demo.compose import down
from operator_demo.engine import Engine, put_files
from operator_demo.errors import OperatorError
from operator_demo.events import RunFinished, RunStarted, SessionStarted, ToolCall
from operator_demo.stage.environment import Environment
from operator_demo.stage.journal import Entry, Journal
from operator_demo.stage.leftovers import Removal, remove_demo, remove_old_data
from operator_demo.store import Recorder, Store

RUN = "run-left"
STARTED = RunStarted(project="demo", subject="etcd", mode="execute", model="m", brain="rehearsal", version="0",
                     engine="x", seed=1, clock_offset=0.0, manual=False)


def record(path: Path) -> None:
    """What an agent left in the volume: a session that has not ended."""
    with Store(path, durable=True) as store:
        agent = Recorder(store, RUN, events.AGENT, io.StringIO())
        agent.say(SessionStarted(model="m", brain="rehearsal", mode="execute"), ticket="tkt-1", session="ses-1")
        for n in range(5):
            agent.say(ToolCall(call=f"c{n}", tool="shell", input={}), ticket="tkt-1", session="ses-1")


class Left:
    """An environment of which the containers have stopped; `volume` is the store that they wrote."""

    project = "demo"
    engine = SimpleNamespace(id="engine")

    def __init__(self, volume: Path, run: str | None = RUN) -> None:
        self.volume, self.run = volume, run
        self.steps: list[str] = []

    def leftover_run(self) -> str | None:
        return self.run

    def begun_by(self) -> str:
        return "operator-demo 9.9"

    def stop_operators(self) -> None:
        self.steps.append("stop")

    def copy_record(self, folder: Path) -> Path | None:
        self.steps.append("copy")
        if not self.volume.exists():
            return None
        for suffix in ("", "-wal"):
            file = Path(f"{self.volume}{suffix}")
            if file.exists():
                (folder / f"tickets.db{suffix}").write_bytes(file.read_bytes())
        return folder / "tickets.db"

    def remove_left(self, sessions: list[str], tell: Callable[[str], None]) -> list[str]:
        if len(sessions) < 2:
            return []
        assert sessions[0] == (self.run or RUN), "what was made between two sessions bears the run's id"
        tell(f"left by {sessions[1:]}")
        self.steps.append("remove left")
        return [f"container of {session}" for session in sessions[1:]]

    def down(self, volumes: bool, progress: object) -> list[str]:
        self.steps.append("remove")
        return ["container c"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "home"
    monkeypatch.setenv("OPERATOR_HOME", str(place))
    return place


def quiet(*_: str) -> None: ...


def remove(left: Left, tell: Callable[[str], None] = quiet) -> Removal:
    return remove_demo(left, volumes=True, progress=quiet, tell=tell)  # type: ignore[arg-type]


def calls(store_path: Path) -> int:
    with audit.open_store(store_path) as store:
        return int(audit.sessions(store)[0]["tool_calls"])


def test_the_record_is_taken_over_before_anything_is_removed(home: Path, tmp_path: Path) -> None:
    left = Left(tmp_path / "volume.db")
    record(left.volume)
    assert remove(left) == Removal(["container of ses-1", "container c"], [])
    assert left.steps == ["stop", "copy", "remove left", "remove"]
    assert calls(home / "tickets.db") == 5


def test_nothing_recorded_is_no_problem(home: Path, tmp_path: Path) -> None:
    assert remove(Left(tmp_path / "volume.db")).problems == []


def test_what_nobody_is_left_to_close_is_closed(home: Path, tmp_path: Path) -> None:
    left = Left(tmp_path / "volume.db")
    record(left.volume)
    remove(left)
    with audit.open_store(home / "tickets.db") as store:
        (session,) = audit.sessions(store)
        assert (session["status"], session["summary"]) == ("interrupted", "The run was taken down.")


def host_recorded(home: Path, *said: events.Payload) -> None:
    with Store(home / "tickets.db") as store:
        for payload in said:
            store.record(events.event(RUN, events.STAGE, payload))


def ends(home: Path) -> list[tuple[str, int]]:
    with audit.open_store(home / "tickets.db") as store:
        finished = [event.data for event in store.events(RUN, types=["run_finished"])]
    return [(end.outcome, end.exit_status) for end in finished if isinstance(end, RunFinished)]


@pytest.mark.parametrize("recorded", [True, False])
def test_a_run_without_an_end_ends_interrupted_once(home: Path, tmp_path: Path, recorded: bool) -> None:
    host_recorded(home, STARTED)
    left = Left(tmp_path / "volume.db")
    if recorded:
        record(left.volume)
    remove(left)
    remove(left)
    assert ends(home) == [("interrupted", 143)]
    with audit.open_store(home / "tickets.db") as store:
        last = list(store.events(RUN))[-1]
    assert last.type == "run_finished"  # sessions and tickets are closed before


def test_an_end_that_was_recorded_stays(home: Path, tmp_path: Path) -> None:
    host_recorded(home, STARTED, RunFinished(outcome="repaired", exit_status=0))
    remove(Left(tmp_path / "volume.db"))
    assert ends(home) == [("repaired", 0)]


def test_a_run_that_had_no_container_yet_is_known_from_the_journal(home: Path, tmp_path: Path) -> None:
    host_recorded(home, STARTED)
    Journal(home, "engine", "demo").write(Entry(RUN, "kill", "member-kill", 1))
    remove(Left(tmp_path / "volume.db", run=None))
    assert ends(home) == [("interrupted", 143)]


def test_a_store_that_cannot_take_it_does_not_lose_it(home: Path, tmp_path: Path) -> None:
    left = Left(tmp_path / "volume.db")
    record(left.volume)
    home.mkdir()
    (home / "tickets.db").write_bytes(b"not a database, but long enough to look at" * 50)
    (problem,) = remove(left).problems
    assert left.steps == ["stop", "copy", "remove"]
    assert str(home / "aside" / RUN) in problem
    assert calls(home / "aside" / RUN / "tickets.db") == 5
    assert (home / "aside" / RUN / "tickets.db").stat().st_mode & 0o077 == 0


def test_a_record_of_a_newer_version_is_put_aside(home: Path, tmp_path: Path) -> None:
    left = Left(tmp_path / "volume.db")
    record(left.volume)
    with sqlite3.connect(left.volume) as db:
        db.execute("PRAGMA user_version=99")
    (problem,) = remove(left).problems
    assert "newer version" in problem
    assert "written by operator-demo 9.9" in problem
    with sqlite3.connect(home / "aside" / RUN / "tickets.db") as db:
        assert db.execute("SELECT count(*) FROM events").fetchone() == (6,)


def test_what_can_be_saved_nowhere_stays_where_it_is(home: Path, tmp_path: Path) -> None:
    left = Left(tmp_path / "volume.db")
    record(left.volume)
    home.mkdir()
    (home / "tickets.db").write_bytes(b"not a database, but long enough to look at" * 50)
    (home / "aside").write_text("a file where the folder should be")
    with pytest.raises(OperatorError) as e:
        remove(left)
    assert "Nothing was removed" in e.value.hint
    assert "remove" not in left.steps


def test_a_journal_that_cannot_be_read_is_kept(home: Path, tmp_path: Path) -> None:
    journal = home / "journal" / "engine-demo.faults.json"
    journal.parent.mkdir(parents=True)
    journal.write_text('{"version": 99}')
    (problem,) = remove(Left(tmp_path / "volume.db")).problems
    assert "Another version" in problem or "cannot be read" in problem
    assert journal.exists()


def test_what_an_earlier_run_left_in_volumes_is_taken_over_and_removed(home: Path, tmp_path: Path) -> None:
    host_recorded(home, STARTED)
    left = Left(tmp_path / "volume.db", run=None)
    record(left.volume)
    removal = remove_old_data(left, quiet, quiet)  # type: ignore[arg-type]
    assert (removal.problems, left.steps) == ([], ["copy", "remove left", "remove"])
    assert calls(home / "tickets.db") == 5
    assert ends(home) == [("interrupted", 143)]


@pytest.mark.engine
def test_a_volume_that_no_container_uses_any_more(home: Path, tmp_path: Path, engine: Engine) -> None:
    project = f"t{tmp_path.name[-8:].replace('_', '').lower()}old"
    record(tmp_path / "volume.db")
    marks = {labels.PROJECT: f"{project}-operator"}
    api = engine.api
    try:
        volume = api.create_volume(f"{project}-operator_operator-data", labels=marks)["Name"]
        made = api.create_container_from_config({
            "Image": "operator-demo/base:trixie", "Cmd": ["true"],
            "HostConfig": {"Mounts": [{"Type": "volume", "Source": volume, "Target": "/data"}]}})["Id"]
        put_files(engine, made, "/data", {file.name.replace("volume", "tickets"): file.read_bytes()
                                          for file in tmp_path.glob("volume.db*")})
        api.remove_container(made)
        environment = Environment(engine, project)
        assert environment.old_volumes() == [volume]
        assert remove_old_data(environment, quiet, quiet).problems == []
        assert environment.old_volumes() == []
    finally:
        down(engine, f"{project}-operator", volumes=True)
    assert calls(home / "tickets.db") == 5


@pytest.mark.engine
def test_the_record_in_a_real_volume(home: Path, tmp_path: Path, engine: Engine) -> None:
    record(tmp_path / "volume.db")
    project = f"t{tmp_path.name[-8:].replace('_', '').lower()}left"
    marks = {labels.PROJECT: f"{project}-operator", labels.SERVICE: "agent", labels.RUN: RUN}
    api = engine.api
    try:
        volume = api.create_volume(labels={k: v for k, v in marks.items() if not k.endswith("service")})["Name"]
        made = api.create_container_from_config({
            "Image": "operator-demo/base:trixie", "Cmd": ["sleep", "60"], "Labels": marks,
            "HostConfig": {"Mounts": [{"Type": "volume", "Source": volume, "Target": "/data"}]}})["Id"]
        put_files(engine, made, "/data", {file.name.replace("volume", "tickets"): file.read_bytes()
                                          for file in tmp_path.glob("volume.db*")})
        api.start(made)
        done = remove_demo(Environment(engine, project), volumes=True, progress=quiet, tell=quiet)
        assert done.problems == []
        assert api.containers(all=True, filters={"id": made}) == []
    finally:
        down(engine, f"{project}-operator", volumes=True)
    assert calls(home / "tickets.db") == 5


@pytest.mark.engine
def test_what_a_session_made_and_left_goes_and_is_told_before(home: Path, tmp_path: Path, engine: Engine,
                                                              project_name: str) -> None:
    """It hangs on the subject's network, which could not be removed otherwise. What others made stays."""
    session = f"ses-{project_name}"
    with Store(home / "tickets.db") as store:
        store.record(events.event(RUN, events.STAGE, STARTED))
        Recorder(store, RUN, events.AGENT, io.StringIO()).say(
            SessionStarted(model="m", brain="rehearsal", mode="execute"), ticket="tkt-1", session=session)
    api = engine.api
    api.create_network(f"{project_name}_default", labels={labels.PROJECT: project_name, labels.NETWORK: "default"})
    ids = []
    try:
        for mark in ({labels.SESSION: session}, {labels.SESSION: "ses-of-another"}, {}):
            network = f"{project_name}_default" if session in mark.values() else "none"
            ids.append(api.create_container_from_config({
                "Image": "operator-demo/base:trixie", "Cmd": ["sleep", "60"], "Labels": mark,
                "HostConfig": {"NetworkMode": network}})["Id"])
        api.start(ids[0])
        there_when_told: list[bool] = []
        Journal(home, engine.id, project_name).write(Entry(RUN, "kill", "member-kill", 1))
        done = remove_demo(Environment(engine, project_name), volumes=True, progress=quiet,
                           tell=lambda text: there_when_told.append(bool(api.inspect_container(ids[0]))))
        assert done.problems == [] and there_when_told == [True]
        assert f"network {project_name}_default" in done.removed
        left = {c["Id"] for c in api.containers(all=True)}
        assert [id_ in left for id_ in ids] == [False, True, True]
    finally:
        for id_ in ids[1:]:
            api.remove_container(id_, force=True)


def test_a_line_that_only_the_log_had_makes_the_run_unverified(tmp_path: Path, home: Path) -> None:
    """The demo was kept after its end, so nobody has held its record against the volume."""
    record(tmp_path / "volume.db")
    with Store(home / "tickets.db") as store:
        stage = Recorder(store, RUN, events.STAGE, io.StringIO())
        stage.say(STARTED)
        forged = events.event(RUN, events.MONITOR, events.Note(level="info", text="all is well"))
        store.import_([forged.numbered(1, events.now())])
        stage.say(RunFinished(outcome="repaired", exit_status=0))
    problems = remove(Left(tmp_path / "volume.db")).problems
    assert problems == [f"{RUN} counts as unverified: The log of monitor said note as event 1; the volume has no such "
                        "event."]
    assert remove(Left(tmp_path / "volume.db")).problems == []  # it is told once
    with audit.open_store(home / "tickets.db") as store:
        (row,) = store.rows("SELECT outcome, exit_status FROM runs")
        assert (row["outcome"], row["exit_status"]) == ("unverified", 1)
        assert len(list(store.events(RUN, types=["contradiction"]))) == 1
