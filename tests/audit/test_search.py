"""`audit search`: words over all runs, from an index that follows the store and forgets what is deleted."""

import json
import shutil
import sqlite3
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from story import RUN, SESSION, story

from operator_demo import search as searching
from operator_demo.commands.audit import audit
from operator_demo.errors import OperatorError, UsageError
from operator_demo.events import Event
from operator_demo.home import store_path
from operator_demo.store import Store

OLD_STORES = Path(__file__).parents[1] / "core" / "stores"
STORY = [e for e in story() if e.seq is not None]


def fill(many: list[Event]) -> None:
    with Store(store_path()) as store:
        store.import_(many)


def run(*arguments: str) -> Any:
    result = CliRunner().invoke(audit, list(arguments), catch_exceptions=False, standalone_mode=False)
    assert result.exception is None, result.exception
    return result


def found(*words: str) -> list[dict[str, Any]]:
    hits: list[dict[str, Any]] = json.loads(run("search", "--json", *words).stdout)
    return hits


def another(suffix: str, **texts: str) -> list[Event]:
    """The story as another run, with another text in its finding."""
    return [replace(e, run=f"run-{suffix}", ticket=e.ticket and f"tkt-{suffix}", session=e.session and f"ses-{suffix}",
                    raw=e.raw | texts if e.type == "finding" else e.raw) for e in STORY]


@pytest.mark.parametrize(("words", "types"), [
    (["Bring", "member", "back"], ["tool_call"]),
    (["docker", "start"], ["ticket_verifying", "tool_call", "tool_call"]),
    (["OOMKilled"], ["tool_result"]),
    (["quorum"], ["reasoning"]),
    (["SIGKIL*"], ["finding", "reasoning"]),
    (["sigkill", "intact"], ["finding"]),
    (["nonsense"], [])])
def test_what_was_thought_run_seen_and_told_is_found(home: Path, words: list[str], types: list[str]) -> None:
    fill(STORY)
    assert sorted(hit["type"] for hit in found(*words)) == sorted(types)


def test_a_hit_says_where_it_is(home: Path) -> None:
    fill(STORY)
    (hit,) = found("Bring", "member")
    assert {key: hit[key] for key in ("run", "session", "speaker", "text")} == {
        "run": RUN, "session": SESSION, "speaker": "agent", "text": "why: Bring the member back with its own data."}
    head, line = run("search", "Bring member").stdout.splitlines()
    assert head == RUN and line.endswith("agent     why: Bring the member back with its own data.")


def test_all_runs_are_searched_the_newest_first(home: Path) -> None:
    fill(STORY)
    later = [replace(e, ts=e.ts.replace("T09:", "T10:")) for e in another("bbbbbbbb")]
    fill(later)
    hits = found("intact")
    assert [hit["run"] for hit in hits] == ["run-bbbbbbbb", RUN]
    assert [hit["run"] for hit in found("intact", "--limit", "1")] == ["run-bbbbbbbb"]


def test_what_comes_later_is_found_by_the_next_search(home: Path) -> None:
    fill([e for e in STORY if e.type != "finding"])
    assert found("intact") == []
    fill(STORY)
    assert len(found("intact")) == 1
    assert len(found("quorum")) == 1  # nothing is taken in twice


def test_what_is_deleted_is_found_no_more_and_its_words_leave_the_file(home: Path) -> None:
    fill(STORY)
    fill(another("bad", text="the password is xylophoneword"))
    assert len(found("xylophoneword")) == 1
    index = searching.index_path(store_path())
    assert b"xylophoneword" in index.read_bytes()
    run("delete", "run-bad", "--yes")
    assert b"xylophoneword" not in index.read_bytes()
    assert found("xylophoneword") == []
    assert [hit["run"] for hit in found("intact")] == [RUN]


def test_an_index_of_another_store_is_built_anew(home: Path) -> None:
    fill(another("gone", text="xylophoneword"))
    assert len(found("xylophoneword")) == 1
    store_path().unlink()
    fill(STORY)
    assert found("xylophoneword") == []
    assert len(found("intact")) == 1


def test_the_index_is_its_owners_alone(home: Path) -> None:
    fill(STORY)
    found("intact")
    assert stat.S_IMODE(searching.index_path(store_path()).stat().st_mode) == 0o600


def test_a_search_writes_nothing_into_the_store(home: Path) -> None:
    fill(STORY)
    before = store_path().read_bytes()
    found("intact")
    assert store_path().read_bytes() == before


@pytest.mark.parametrize("name", sorted(path.name for path in OLD_STORES.glob("*.db")))
def test_stores_of_older_versions_are_searched(home: Path, name: str) -> None:
    home.mkdir()
    shutil.copy(OLD_STORES / name, store_path())
    with Store(store_path(), read_only=True) as store:
        assert sum(store.sizes().values()) == store.rows("SELECT count(*) AS n FROM events")[0]["n"]
    assert isinstance(found("the"), list)


@pytest.mark.parametrize("words", [("",), ("*",), ("...",), ('"',)])
def test_without_a_word_nothing_is_searched(home: Path, words: tuple[str, ...]) -> None:
    fill(STORY)
    with pytest.raises(UsageError, match="no word"):
        CliRunner().invoke(audit, ["search", *words], catch_exceptions=False, standalone_mode=False)


@given(st.text(max_size=20))
def test_no_word_is_syntax(text: str) -> None:
    db = sqlite3.connect(":memory:")
    db.execute("CREATE VIRTUAL TABLE words USING fts5 (text)")
    try:
        asked = searching._query([text])
    except UsageError:
        return
    db.execute("SELECT * FROM words WHERE words MATCH ?", (asked,)).fetchall()


def test_a_sqlite_without_fts5_is_said(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(STORY)
    monkeypatch.setattr(searching, "_SCHEMA", searching._SCHEMA.replace("fts5", "fts_unknown"))
    with pytest.raises(OperatorError, match="lacks FTS5"):
        found("intact")


def test_a_damaged_index_is_said(home: Path) -> None:
    fill(STORY)
    searching.index_path(store_path()).write_bytes(b"this is no database\n" * 100)
    with pytest.raises(OperatorError, match=r"tickets.db.search cannot be used") as e:
        found("intact")
    assert "Remove that file" in e.value.hint
