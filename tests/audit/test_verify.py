"""Whatever is altered in the store, `audit verify` finds it and says where."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from story import RUN, SESSION, TICKET, story

from operator_demo import events
from operator_demo.chain import Chain, canonical, link, seed
from operator_demo.commands.audit import audit
from operator_demo.errors import UsageError
from operator_demo.home import store_path
from operator_demo.store import Store
from operator_demo.verify import Alteration, Verification, verify_run

STORY = [e for e in story() if e.seq is not None]
COLUMNS = ("source", "seq", "ts", "type", "ticket", "session", "data", "position", "hash")


@pytest.fixture
def recorded(home: Path) -> Path:
    """A store with one run."""
    with Store(store_path()) as store:
        store.import_(STORY)
    return store_path()


def edit(path: Path, sql: str, *parameters: Any) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(sql, parameters)


def verified(path: Path, head: str = "") -> Verification:
    with Store(path, read_only=True) as store:
        return verify_run(store, RUN, head)


def found(path: Path) -> list[tuple[str, int | None, int | None]]:
    return [(a.what, a.first, a.last) for a in verified(path).alterations]


def command(*arguments: str) -> Result:
    return CliRunner().invoke(audit, ["verify", *arguments], catch_exceptions=False)


# -- the chain -------------------------------------------------------------------------------------------------------


def test_the_chain_is_as_it_is_documented(recorded: Path) -> None:
    with closing(sqlite3.connect(recorded)) as db:
        rows = db.execute("SELECT run, source, type, data, seq, ts, ticket, session, position, hash FROM events "
                          "ORDER BY position").fetchall()
        head = db.execute("SELECT entries, head FROM chains").fetchone()
    previous = seed(RUN, 0)
    for n, (run, source, type_, data, seq, ts, ticket, session, position, hash) in enumerate(rows, start=1):
        event = {"run": run, "source": source, "type": type_, "data": json.loads(data), "seq": seq, "ts": ts,
                 "ticket": ticket, "session": session}
        previous = link(previous, json.dumps(event, separators=(",", ":")).encode())
        assert (position, hash) == (n, previous)
    assert head == (len(STORY), previous)


def test_it_follows_the_order_in_which_the_host_took_the_events_in(home: Path) -> None:
    """A gap that is filled later is appended."""
    late, others = STORY[3], [*STORY[:3], *STORY[4:]]
    with Store(store_path()) as store:
        store.import_(others)
        before = store.chain(RUN)
        store.import_(STORY)
        entries = store.entries(RUN)
        assert (entries[-1].event.source, entries[-1].event.seq) == (late.source, late.seq)
        assert store.chain(RUN).entries == before.entries + 1
    assert verified(store_path(), before.head.hex()).whole


def test_what_is_rolled_back_is_not_in_it(recorded: Path) -> None:
    more = [replace(STORY[-1], seq=900 + n) for n in range(3)]
    with Store(recorded) as store:
        with pytest.raises(RuntimeError), store.transaction():
            store.import_(more)
            raise RuntimeError
        store.import_(more[:1])
        assert store.chain(RUN).entries == len(STORY) + 1
    assert verified(recorded).whole


def test_two_processes_that_write_to_one_run_continue_one_chain(recorded: Path) -> None:
    with Store(recorded) as one, Store(recorded) as other:
        for n in range(6):
            (one, other)[n % 2].import_([replace(STORY[-1], seq=900 + n)])
    assert verified(recorded).whole
    assert verified(recorded).chain.entries == len(STORY) + 6


def test_two_events_never_have_the_same_canonical_form() -> None:
    """A text that holds quotes cannot move from one field into another."""
    one = events.Event("r", "s", 'a","data":{},"seq":1', {}, 1, "t")
    other = events.Event("r", "s", "a", {}, 1, "t")
    assert canonical(one, "{}") != canonical(other, '{},"seq":1,"data":{}')
    json.loads(canonical(one, "{}"))


# -- what is altered -------------------------------------------------------------------------------------------------


def test_nothing_altered(recorded: Path) -> None:
    assert verified(recorded).whole
    result = command(RUN)
    assert result.exit_code == 0
    assert f"{RUN}: unaltered, {len(STORY)} entries, head {verified(recorded).chain.head.hex()}" in result.output


def test_a_changed_entry(recorded: Path) -> None:
    edit(recorded, "UPDATE events SET data=replace(data, 'docker start', 'docker rm') WHERE position="
         "(SELECT min(position) FROM events WHERE type='tool_call' AND data LIKE '%docker start%')")
    [alteration] = verified(recorded).alterations
    assert alteration.what == "changed" and "agent tool_call" in alteration.text
    result = command(RUN)
    assert result.exit_code == 1
    assert "ALTERED" in result.output and "changed: entry" in result.output


def test_removed_entries(recorded: Path) -> None:
    edit(recorded, "DELETE FROM events WHERE position IN (7, 8)")
    assert found(recorded) == [("removed", 7, 8)]


def test_removed_at_the_end(recorded: Path) -> None:
    edit(recorded, "DELETE FROM events WHERE position > ?", len(STORY) - 2)
    assert found(recorded) == [("removed", len(STORY) - 1, len(STORY))]


def test_removed_and_the_others_moved_up(recorded: Path) -> None:
    edit(recorded, "DELETE FROM events WHERE position=7")
    edit(recorded, "UPDATE events SET position=position-1 WHERE position>7")
    assert found(recorded)


@pytest.mark.parametrize("position", [5, len(STORY) + 1])
def test_an_added_entry(recorded: Path, position: int) -> None:
    edit(recorded, "UPDATE events SET position=position+1 WHERE position>=?", position)
    edit(recorded, "INSERT INTO events (run, source, seq, ts, type, data, position, hash) "
         "VALUES (?, 'stage', 800, '2026-03-14T09:00:00.000000Z', 'note', '{}', ?, zeroblob(32))", RUN, position)
    assert ("added", position, position) in found(recorded)


def test_an_entry_that_claims_to_be_older_than_the_chain(recorded: Path) -> None:
    edit(recorded, "INSERT INTO events (run, source, seq, ts, type, data) "
         "VALUES (?, 'stage', 800, '2026-03-14T09:00:00.000000Z', 'note', '{}')", RUN)
    [alteration] = verified(recorded).alterations
    assert alteration.what == "added" and "stage note, number 800" in alteration.text
    edit(recorded, "UPDATE chains SET unchained=1")
    assert found(recorded)


def test_a_new_chain_has_another_head_than_the_one_that_was_shown(recorded: Path, tmp_path: Path) -> None:
    shown = verified(recorded).chain.head.hex()
    forged = [replace(e, raw={**e.raw, "outcome": "repaired!"}) if e.type == "run_finished" else e for e in STORY]
    recorded.unlink()
    with Store(recorded) as store:
        store.import_(forged)
    assert verified(recorded).whole  # in itself
    [alteration] = verified(recorded, shown).alterations
    assert "stands nowhere" in alteration.text
    assert command(RUN, "--head", shown[:16]).exit_code == 1


def test_a_head_that_was_shown_before_more_was_recorded(recorded: Path) -> None:
    shown = verified(recorded).chain.head.hex()
    with Store(recorded) as store:
        store.import_([replace(STORY[-1], seq=901)])
    assert command(RUN, "--head", shown).exit_code == 0


@pytest.mark.parametrize("arguments", [("--head", "ab" * 32), (RUN, "--head", "abc"), (RUN, "--head", "x" * 64)])
def test_a_head_that_is_none(recorded: Path, arguments: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        CliRunner().invoke(audit, ["verify", *arguments], catch_exceptions=False, standalone_mode=False)


@pytest.mark.parametrize("sql", [
    f"UPDATE runs SET outcome='failed' WHERE run='{RUN}'",
    f"UPDATE tickets SET state='escalated' WHERE ticket='{TICKET}'",
    f"UPDATE agent_sessions SET verdict=NULL WHERE session='{SESSION}'",
    f"DELETE FROM agent_sessions WHERE session='{SESSION}'",
    f"INSERT INTO tickets (ticket, run) VALUES ('tkt-none', '{RUN}')",
])
def test_tables_that_say_otherwise_than_the_events(recorded: Path, sql: str) -> None:
    edit(recorded, sql)
    [alteration] = verified(recorded).alterations
    assert "table" in alteration.text
    assert command(RUN).exit_code == 1


def test_all_runs_are_checked_without_one(recorded: Path) -> None:
    with Store(recorded) as store:
        store.import_([replace(e, run="run-second", ticket=None, session=None) for e in STORY[:9]])
    assert command().exit_code == 0
    edit(recorded, "DELETE FROM events WHERE run='run-second' AND position=4")
    result = command("--json")
    assert result.exit_code == 1
    assert [(r["run"], len(r["alterations"])) for r in json.loads(result.output)] == [(RUN, 0), ("run-second", 1)]


# -- whatever it is --------------------------------------------------------------------------------------------------


def change(db: sqlite3.Connection, draw: Callable[[Any], Any]) -> None:
    """One field of one entry."""
    column, position = draw(st.sampled_from(COLUMNS)), draw(st.integers(1, len(STORY)))
    before = db.execute(f"SELECT {column} FROM events WHERE position=?", (position,)).fetchone()[0]
    values: dict[str, st.SearchStrategy[Any]] = {"seq": st.integers(1, 10**6), "position": st.integers(-5, 200)}
    value = draw(values.get(column, st.one_of(st.text(max_size=20), st.binary(max_size=40), st.none())))
    if value == before and type(value) is type(before):
        value = f"{value}x"
    db.execute(f"UPDATE OR IGNORE events SET {column}=? WHERE position=?", (value, position))


def swap(db: sqlite3.Connection, draw: Callable[[Any], Any]) -> None:
    """The places of two entries, with or without their hashes."""
    one, other = draw(st.lists(st.integers(1, len(STORY)), min_size=2, max_size=2, unique=True))
    hashes = dict(db.execute("SELECT position, hash FROM events").fetchall())
    db.execute("UPDATE events SET position=-1 WHERE position=?", (one,))
    db.execute("UPDATE events SET position=? WHERE position=?", (one, other))
    db.execute("UPDATE events SET position=? WHERE position=-1", (other,))
    if draw(st.booleans()):
        for position in (one, other):
            db.execute("UPDATE events SET hash=? WHERE position=?", (hashes[position], position))


def remove(db: sqlite3.Connection, draw: Callable[[Any], Any]) -> None:
    position = draw(st.integers(1, len(STORY)))
    db.execute("DELETE FROM events WHERE position=?", (position,))
    if draw(st.booleans()):
        db.execute("UPDATE events SET position=position-1 WHERE position>?", (position,))


def insert(db: sqlite3.Connection, draw: Callable[[Any], Any]) -> None:
    position, hash = draw(st.one_of(st.none(), st.integers(-1, len(STORY) + 2))), None
    if draw(st.booleans()):
        hash = draw(st.binary(min_size=32, max_size=32))
    if position is not None and draw(st.booleans()):
        db.execute("UPDATE events SET position=position+1 WHERE position>=?", (position,))
    db.execute("INSERT INTO events (run, source, seq, ts, type, data, position, hash) "
               "VALUES (?, 'stage', 800, '2026-03-14T09:00:00.000000Z', 'note', '{}', ?, ?)", (RUN, position, hash))


def edit_chain(db: sqlite3.Connection, draw: Callable[[Any], Any]) -> None:
    column, value = draw(st.sampled_from([("entries", 3), ("unchained", 1), ("head", b"x" * 32), ("head", None),
                                          ("entries", "many"), ("unchained", "few")]))
    db.execute(f"UPDATE OR IGNORE chains SET {column}=?", (value,))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data(), st.sampled_from([change, change, swap, remove, insert, edit_chain]))
def test_any_alteration_is_found(tmp_path: Path, data: st.DataObject, alter: Callable[..., None]) -> None:
    path = tmp_path / "tickets.db"
    if not path.exists():
        with Store(path) as store:
            store.import_(STORY)
    with closing(sqlite3.connect(path)) as original, closing(sqlite3.connect(tmp_path / "altered.db")) as db:
        original.backup(db)
        before = db.execute("SELECT * FROM events ORDER BY source, seq").fetchall()
        chain = db.execute("SELECT * FROM chains").fetchall()
        alter(db, data.draw)
        db.commit()
        same = (db.execute("SELECT * FROM events ORDER BY source, seq").fetchall() == before
                and db.execute("SELECT * FROM chains").fetchall() == chain)
    assert verified(tmp_path / "altered.db").whole == same


def test_a_verification_is_whole_without_alterations() -> None:
    chain = Chain.begin("run-x")
    assert Verification(chain, []).whole
    assert not Verification(chain, [Alteration("changed", "x")]).whole
