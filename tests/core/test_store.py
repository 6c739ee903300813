import hashlib
import io
import json
import os
import signal
import sqlite3
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operator_demo import events, tickets
from operator_demo.events import (
    Armed,
    Delta,
    Event,
    Interrupt,
    Note,
    SessionFinished,
    SessionStarted,
    ToolCall,
    Usage,
    Verdict,
)
from operator_demo.store import Recorder, Store, StoreError

RUN = "run-test"


def recorder(store: Store, source: str) -> Recorder:
    return Recorder(store, RUN, source, io.StringIO())


@pytest.fixture
def store(tmp_path: Path):
    with Store(tmp_path / "tickets.db", durable=True) as opened:
        yield opened


def test_seq_rises_by_one_per_source_also_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "tickets.db"
    for _ in range(2):
        with Store(path, durable=True) as store:
            agent, monitor = recorder(store, events.AGENT), recorder(store, events.MONITOR)
            agent.say(Interrupt(reason="x"))
            monitor.say(Armed(fingerprint={}, checks=[]))
            agent.say(Interrupt(reason="y"))
    with Store(path) as store:
        assert [e.seq for e in store.events(RUN, source=events.AGENT)] == [1, 2, 3, 4]
        assert [e.seq for e in store.events(RUN, source=events.MONITOR)] == [1, 2]


def test_printed_after_the_commit_and_not_at_all_when_it_fails(store: Store) -> None:
    out = io.StringIO()
    speaker = Recorder(store, RUN, events.AGENT, out)
    with pytest.raises(RuntimeError), speaker.transaction():
        speaker.say(Interrupt(reason="never happened"))
        assert out.getvalue() == ""
        raise RuntimeError
    assert out.getvalue() == ""
    assert list(store.events(RUN)) == []
    speaker.say(Interrupt(reason="happened"))
    assert json.loads(out.getvalue())["seq"] == 1


def test_ephemeral_events_are_printed_and_not_kept(store: Store) -> None:
    out = io.StringIO()
    Recorder(store, RUN, events.AGENT, out).say(Delta(kind="text", text="hm"))
    assert json.loads(out.getvalue())["seq"] is None
    assert list(store.events(RUN)) == []


def test_the_host_stamps_by_the_engines_clock(store: Store) -> None:
    store.skew = -3600.0
    early = recorder(store, events.STAGE).say(Note(level="info", text="an hour ago"))
    assert -3700 < events.parse_ts(early.ts) - time.time() < -3500
    store.skew = 0.0
    late = recorder(store, events.STAGE).say(Note(level="info", text="now"))
    store.skew = -3600.0
    assert recorder(store, events.STAGE).say(Note(level="info", text="still later")).ts > late.ts


def test_two_writers_never_share_a_seq(store: Store) -> None:
    def write() -> None:
        with Store(store.path, durable=True) as own:
            for _ in range(50):
                recorder(own, events.AGENT).say(Interrupt(reason="x"))

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [e.seq for e in store.events(RUN, source=events.AGENT)] == list(range(1, 151))


def story(store: Store) -> None:
    """A ticket's life as the containers write it."""
    monitor, agent = recorder(store, events.MONITOR), recorder(store, events.AGENT)
    ticket = tickets.open_(monitor, subject="etcd", severity="critical", title="etcd1 is down", violations=[])
    assert tickets.claim(agent, "ses-1")
    agent.say(SessionStarted(model="m", brain="rehearsal", mode="execute"), ticket=ticket, session="ses-1")
    agent.say(Usage(input_tokens=10, output_tokens=5, cache_read_tokens=1, cache_write_tokens=0, cost_usd=0.25,
                    duration=1.0, request_id="q", stop_reason="tool_use"), session="ses-1", ticket=ticket)
    agent.say(ToolCall(call="c1", tool="shell", input={"command": "docker ps"}), session="ses-1", ticket=ticket)
    tickets.verify(agent, ticket, "ses-1", "started it", ["docker start"])
    tickets.judge(monitor, ticket, False, "load is not back")
    tickets.verify(agent, ticket, "ses-1", "again", [])
    monitor.say(Verdict(phase="final", passed=True, checks=[]), ticket=ticket, session="ses-1")
    tickets.judge(monitor, ticket, True, "")
    agent.say(SessionFinished(status="verified", summary="done"), ticket=ticket, session="ses-1")


@given(st.randoms(use_true_random=False), st.integers(1, 4))
def test_the_host_reaches_the_same_state_in_any_order_between_sources(chance, times: int) -> None:
    """Within a source the order is kept; between sources anything may come first, and anything may come twice."""
    with tempfile.TemporaryDirectory() as folder:
        with Store(Path(folder) / "volume.db", durable=True) as volume, Store(Path(folder) / "host.db") as host:
            story(volume)
            queues = [list(volume.events(RUN, source=s)) for s in (events.MONITOR, events.AGENT)] * times
            while any(queues):
                source = chance.choice([q for q in queues if q])
                host.import_([source.pop(0)])
            for table, key in (("tickets", "ticket"), ("agent_sessions", "session")):
                want, got = volume.row(f"SELECT * FROM {table}"), host.row(f"SELECT * FROM {table}")
                assert want and got
                want.pop("lease_until", None), got.pop("lease_until", None)
                assert got == want, key
            assert list(host.events(RUN)) == list(volume.events(RUN))


def test_importing_again_adds_nothing(store: Store, tmp_path: Path) -> None:
    story(store)
    with Store(tmp_path / "host.db") as host:
        sent = list(store.events(RUN))
        assert host.import_(sent) == sent
        assert host.import_(sent) == []
        session = host.row("SELECT * FROM agent_sessions")
        assert session and (session["steps"], session["input_tokens"], session["cost_usd"]) == (1, 10, 0.25)


def test_gaps_are_found(store: Store) -> None:
    def numbered(seq: int) -> Event:
        return replace(events.event(RUN, events.AGENT, Interrupt(reason="x")), seq=seq)

    store.import_([numbered(n) for n in (3, 4, 8)])
    assert store.missing(RUN, events.AGENT) == [(1, 2), (5, 7)]


def test_an_unknown_price_makes_the_cost_unknown_not_zero(store: Store) -> None:
    agent = recorder(store, events.AGENT)
    for cost in (0.5, None):
        agent.say(Usage(input_tokens=1, output_tokens=1, cache_read_tokens=0, cache_write_tokens=0, cost_usd=cost,
                        duration=0.1, request_id="", stop_reason="end_turn"), session="s")
    assert store.spent(RUN)["cost_usd"] is None
    assert store.spent(RUN)["steps"] == 2


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("read_only", [True, False])
def test_a_foreign_or_damaged_file_is_named_and_left_untouched(tmp_path: Path, read_only: bool) -> None:
    foreign, damaged, newer = tmp_path / "foreign.db", tmp_path / "damaged.db", tmp_path / "newer.db"
    with sqlite3.connect(foreign) as db:
        db.execute("CREATE TABLE mine (a)")
    damaged.write_bytes(b"not a database at all " * 100)
    Store(newer).close()
    with sqlite3.connect(newer) as db:
        db.execute("PRAGMA user_version=99")
    for path, words in ((foreign, "another program"), (damaged, "damaged"), (newer, "newer version")):
        before = digest(path)
        with pytest.raises(StoreError, match=words):
            Store(path, read_only=read_only)
        assert digest(path) == before


def test_a_newer_version_is_named(tmp_path: Path) -> None:
    path = tmp_path / "newer.db"
    with Store(path) as store:
        run = events.RunStarted(project="demo", subject="etcd", mode="execute", model="m", brain="claude",
                                version="operator-demo 9.9 (commit abc)", engine="1", seed=3)
        recorder(store, events.STAGE).say(run)
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version=99")
    with pytest.raises(StoreError, match=r"newest run: operator-demo 9\.9 \(commit abc\)\)"):
        Store(path)


def test_a_host_that_was_killed_while_it_wrote_leaves_a_readable_store(tmp_path: Path) -> None:
    path = tmp_path / "tickets.db"
    with Store(path) as store:
        recorder(store, events.STAGE).say(Note(level="info", text="before"))
    if (child := os.fork()) == 0:
        store = Store(path)
        store._db.execute("PRAGMA cache_size=2")  # so that the half transaction reaches the disk
        with store.transaction():
            for _ in range(200):
                recorder(store, events.STAGE).say(Note(level="info", text="x" * 500))
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert (tmp_path / "tickets.db-journal").exists()
    with Store(path, read_only=True) as store:
        assert [e.raw["text"] for e in store.events(RUN)] == ["before"]


def test_a_missing_store_is_not_made_by_reading(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="There is no store"):
        Store(tmp_path / "none" / "tickets.db", read_only=True)
    assert list(tmp_path.iterdir()) == []
