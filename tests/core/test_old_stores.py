"""Stores that earlier versions wrote are read: `stores/0.1.0.db` by the first version, `stores/untyped-score.db` by the
last one whose score was no typed payload. Each holds the story of tests/screen/story.py, as it was then."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from story import RUN, SESSION, TICKET

from operator_demo import events
from operator_demo.cli import cli
from operator_demo.errors import UsageError
from operator_demo.events import Note
from operator_demo.run_state import RunState
from operator_demo.score import Expected, grade
from operator_demo.store import Store

STORES = Path(__file__).parent / "stores"
FIRST, UNTYPED = "0.1.0.db", "untyped-score.db"


@pytest.fixture(params=[FIRST, UNTYPED])
def old(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose store is a copy of an old one."""
    monkeypatch.setenv("OPERATOR_HOME", str(tmp_path))
    shutil.copy(STORES / request.param, tmp_path / "tickets.db")
    return STORES / request.param


def printed(*arguments: str) -> str:
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False, standalone_mode=False)
    return result.output


def test_the_fold_reads_it(old: Path) -> None:
    state = RunState()
    with Store(old, read_only=True) as store:
        recorded = list(store.events(RUN))
    for event in recorded:
        state.apply(event)
    assert [type(event.data).__name__ for event in recorded].count("Unknown") == 0
    assert state.fault_ticket is not None and state.fault_ticket.id == TICKET
    assert (state.ttd, state.ttm) == (pytest.approx(0.9), pytest.approx(24.9))
    assert (state.agent.session.id, state.agent.session.status) == (SESSION, "verified")
    score = grade(recorded, "repaired", Expected("repaired", ("member_down",), "process_killed", ("etcd1",)), True)
    assert (score.marks.detected, score.marks.cause, score.work.steps) == (True, True, 4)


def test_the_audit_reads_it(old: Path) -> None:
    sessions = json.loads(printed("audit", "list", "--json"))
    assert [(s["session"], s["status"], s["verdict"], s["tool_calls"]) for s in sessions] == [
        (SESSION, "verified", "passed", 5)]
    for name in (SESSION, RUN):
        told = printed("audit", "show", name)
        assert "docker start demo-etcd-etcd1-1" in told and "SIGKILL" in told


def test_its_score_is_shown_where_it_has_one(old: Path) -> None:
    if old.name == FIRST:
        with pytest.raises(UsageError, match="has no score"):
            printed("score", RUN)
        return
    assert "repaired, as it should be" in printed("score", "--last")
    assert json.loads(printed("score", RUN, "--json"))["clocks"]["verified"] == 24.9


def test_it_is_written_on(old: Path, tmp_path: Path) -> None:
    """A newer version goes on in the same file."""
    with Store(tmp_path / "tickets.db") as store:
        last = store.last_seq(RUN, "stage")
        again = next(store.events(RUN, source="stage", after=last - 1))
        assert store.record(again).seq == last + 1


def test_it_was_recorded_before_the_chain_existed(old: Path, tmp_path: Path) -> None:
    with Store(old, read_only=True) as store:
        count = store.chain(RUN).unchained
        assert count == len(list(store.events(RUN)))
    words = f"{count} entries were recorded before the chain existed"
    assert words in printed("audit", "show", RUN)
    assert words in printed("audit", "verify", RUN)
    with Store(tmp_path / "tickets.db") as store:
        store.record(events.event(RUN, "stage", Note(level="info", text="later")))
        assert (store.chain(RUN).unchained, store.chain(RUN).entries) == (count, 1)
    assert "unaltered, 1 entry, head" in printed("audit", "verify", RUN)
    with closing(sqlite3.connect(tmp_path / "tickets.db")) as db, db:
        db.execute("DELETE FROM events WHERE type='finding'")
    assert "removed: 1 entry of those recorded before the chain existed" in printed("audit", "verify", RUN)
