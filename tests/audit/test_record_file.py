"""A run leaves the store as a file and comes back as it was; what is no such file changes nothing."""

import gzip
import json
import os
import re
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from story import RUN, SESSION, TICKET, story

from operator_demo import events, record_file
from operator_demo.chain import Chain, Entry, link
from operator_demo.commands.audit import audit
from operator_demo.errors import OperatorError, UsageError
from operator_demo.events import Event, Note
from operator_demo.home import store_path
from operator_demo.record_import import take_in
from operator_demo.store import Store
from operator_demo.store_schema import TABLES
from operator_demo.verify import altered, verify_run

ROOT = Path(__file__).parents[2]
STORY = [e for e in story() if e.seq is not None]
OLD = ROOT / "tests/core/stores/0.1.0.db"


@pytest.fixture
def recorded(home: Path) -> Path:
    with Store(store_path()) as store:
        store.import_(STORY)
    return store_path()


@pytest.fixture
def exported(recorded: Path, tmp_path: Path) -> Path:
    file = tmp_path / "it.opdemo"
    ask("export", RUN, "-o", str(file))
    return file


def run(*arguments: str, answer: str = "") -> Result:
    return CliRunner().invoke(audit, list(arguments), input=answer, catch_exceptions=False, standalone_mode=False)


def ask(*arguments: str) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def exit_code(*arguments: str) -> int:
    return CliRunner().invoke(audit, list(arguments), catch_exceptions=False).exit_code


def content(store: Path, *tables: str) -> list[tuple[object, ...]]:
    """All that a store holds, or that these tables do."""
    with Store(store) as opened:
        return [tuple(row.items()) for table in tables or TABLES
                for row in opened.rows(f"SELECT * FROM {table} ORDER BY 1, 2, 3")]


def lines(file: Path) -> list[bytes]:
    return gzip.decompress(file.read_bytes()).split(b"\n")


def write(file: Path, many: list[bytes]) -> None:
    file.write_bytes(gzip.compress(b"\n".join(many)))


# -- out and in ------------------------------------------------------------------------------------------------------


def test_the_same_run_is_the_same_bytes(recorded: Path, tmp_path: Path) -> None:
    for name in ("one", "other"):
        ask("export", RUN, "-o", str(tmp_path / name))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
    assert os.stat(tmp_path / "one").st_mode & 0o777 == 0o600


def test_the_default_name(recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ask("export", "last")
    assert altered(*record_file.read(tmp_path / f"{RUN}.opdemo")) == []
    with pytest.raises(UsageError, match="is there already"):
        run("export", "last")


def test_out_and_in_and_out_is_the_identity(exported: Path, recorded: Path, tmp_path: Path) -> None:
    before = content(recorded)
    recorded.unlink()
    assert f"{len(STORY)} entries" in ask("import", str(exported))
    assert content(recorded) == before
    ask("export", RUN, "-o", str(tmp_path / "again"))
    assert (tmp_path / "again").read_bytes() == exported.read_bytes()


def test_so_it_is_for_what_was_recorded_before_the_chain_existed(home: Path, tmp_path: Path) -> None:
    home.mkdir()
    store_path().write_bytes(OLD.read_bytes())
    with Store(store_path()) as store:
        store.record(events.event(RUN, events.STAGE, Note(level="info", text="later")))
    ask("export", RUN, "-o", str(tmp_path / "one"))
    before = content(store_path(), "events", "chains")
    store_path().unlink()
    ask("import", str(tmp_path / "one"))
    assert content(store_path(), "events", "chains") == before  # (the old version wrote its tables otherwise)
    ask("export", RUN, "-o", str(tmp_path / "other"))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


TEXT = st.text(max_size=40)
ANY_EVENT = st.builds(
    lambda source, text, type_: Event(RUN, source, type_, {"level": "info", "text": text, f"more {text}": [1.5, None]}),
    st.sampled_from((events.STAGE, events.MONITOR)), TEXT, st.sampled_from(("note", "of_a_newer_version")))


@settings(max_examples=60, deadline=None)
@given(st.lists(ANY_EVENT, min_size=1, max_size=8))
def test_whatever_is_recorded_comes_back(many: list[Event]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "it.opdemo"
        with Store(folder / "one.db") as one, Store(folder / "other.db") as other:
            for event in many:
                one.record(event)
            file.write_bytes(record_file.pack(one.chain(RUN), one.entries(RUN)))
            chain, is_new = take_in(other, file)
            assert (is_new, other.entries(RUN)) == (True, one.entries(RUN))
            assert take_in(other, file) == (chain, False)
            assert verify_run(other, RUN).whole
            assert record_file.pack(other.chain(RUN), other.entries(RUN)) == file.read_bytes()


def test_a_reader_of_the_documentation_can_check_it(exported: Path) -> None:
    """The program in docs/audit.md does what `audit verify` does."""
    [program] = re.findall(r"```python\n(.*?)```", (ROOT / "docs/audit.md").read_text(), re.DOTALL)
    done = subprocess.run([sys.executable, "-", str(exported)], input=program, capture_output=True, text=True,
                          check=True)
    assert done.stdout.split() == [json.loads(lines(exported)[0])["head"], "True"]


# -- what is altered or malformed ------------------------------------------------------------------------------------


def test_an_altered_file_is_found_and_not_taken_in(exported: Path, recorded: Path) -> None:
    many = lines(exported)
    write(exported, [*many[:7], *many[8:]])
    assert exit_code("verify", str(exported)) == 1
    assert "removed: entry 7" in run("verify", str(exported)).output
    recorded.unlink()
    with pytest.raises(UsageError, match="was altered"):
        run("import", str(exported))
    assert content(recorded) == []


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_any_line_that_is_changed_removed_doubled_or_swapped_is_found(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "it.opdemo"
        with Store(Path(name) / "tickets.db") as store:
            store.import_(STORY)
            file.write_bytes(record_file.pack(store.chain(RUN), store.entries(RUN)))
        many = lines(file)
        before = list(many)
        at, other = (data.draw(st.integers(0, len(many) - 2)) for _ in range(2))
        match data.draw(st.sampled_from(["byte", "remove", "double", "swap"])):
            case "byte":
                place = data.draw(st.integers(0, len(many[at]) - 1))
                byte = data.draw(st.integers(32, 126))
                many[at] = many[at][:place] + bytes([byte]) + many[at][place + 1:]
            case "remove":
                del many[at]
            case "double":
                many.insert(other, many[at])
            case "swap":
                many[at], many[other] = many[other], many[at]
        write(file, many)
        if many == before:
            return
        try:
            assert altered(*record_file.read(file))
        except UsageError:
            pass  # it is no record any more


def header(**changes: object) -> bytes:
    return json.dumps({"format": record_file.FORMAT, "version": 1, "run": RUN, "unchained": 0, "entries": 0,
                       "head": "ab" * 32, **changes}, separators=(",", ":")).encode()


GARBAGE = {
    "empty": b"", "no gzip": b"not gzip at all", "empty gzip": gzip.compress(b""), "empty line": gzip.compress(b"\n"),
    "no header": gzip.compress(b"{}\n"), "a list": gzip.compress(b"[1]\n"), "no text": gzip.compress(b"\xff\xfe\n"),
    "cut gzip": gzip.compress(header())[:-9], "no newline": gzip.compress(header()),
    "newer": gzip.compress(header(version=2) + b"\n"), "run": gzip.compress(header(run=5) + b"\n"),
    "head": gzip.compress(header(head="xy") + b"\n"), "no head": gzip.compress(header(head=None) + b"\n"),
    "entries": gzip.compress(header(entries="1") + b"\n"),
    "deep": gzip.compress(header() + b"\n" + b"[" * 100_000 + b"\n"),
    "no event": gzip.compress(header() + b'\n{"event":1}\n'),
    "bad event": gzip.compress(header() + b'\n{"position":1,"hash":"00","event":{"run":"run-x"}}\n'),
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_what_is_no_record_is_refused(kind: str, recorded: Path, tmp_path: Path) -> None:
    before = content(recorded)
    (tmp_path / "bad.opdemo").write_bytes(GARBAGE[kind])
    for command in ("verify", "import"):
        with pytest.raises(UsageError, match="is no record of operator-demo"):
            run(command, str(tmp_path / "bad.opdemo"))
    assert content(recorded) == before


def test_a_file_that_unpacks_to_too_much_is_refused(recorded: Path, tmp_path: Path,
                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_file, "MAX_CONTENT", 1000)
    (tmp_path / "bomb.opdemo").write_bytes(gzip.compress(b" " * 1_000_000))
    with pytest.raises(UsageError, match="holds more than 1000 bytes"):
        run("import", str(tmp_path / "bomb.opdemo"))
    monkeypatch.setattr(record_file, "MAX_FILE", 100)
    with pytest.raises(UsageError, match="is larger than 100 bytes"):
        run("import", str(tmp_path / "bomb.opdemo"))


def test_a_missing_file(recorded: Path, tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="cannot be used"):
        run("verify", str(tmp_path / "none.opdemo"))


def test_another_record_of_the_same_run_is_refused(exported: Path, recorded: Path) -> None:
    assert "the same record already" in ask("import", str(exported))
    with Store(recorded) as store:
        store.record(events.event(RUN, events.STAGE, Note(level="info", text="later")))
    before = content(recorded)
    with pytest.raises(UsageError, match="with another record"):
        run("import", str(exported))
    assert content(recorded) == before


def chained(many: list[Event], unchained: int = 0) -> bytes:
    """A file whose chain holds, whatever its events are."""
    chain, entries = Chain.begin(RUN, unchained), []
    for n, event in enumerate(many):
        entry = Entry(event, json.dumps(event.raw, separators=(",", ":")), None, None)
        if n >= unchained:
            chain = Chain(RUN, unchained, chain.entries + 1, link(chain.head, entry.canonical()))
            entry = replace(entry, position=chain.entries, hash=chain.head)
        entries.append(entry)
    return record_file.pack(chain, entries)


@pytest.mark.parametrize("unchained", [0, 3])
def test_an_event_that_comes_twice_is_not_taken_in(home: Path, tmp_path: Path, unchained: int) -> None:
    (tmp_path / "it.opdemo").write_bytes(chained([STORY[0], STORY[0], STORY[1]], unchained))
    with pytest.raises(UsageError, match="another head here"):
        run("import", str(tmp_path / "it.opdemo"))
    assert content(store_path()) == []


@pytest.mark.parametrize("event", [
    Event(RUN, events.STAGE, "record_head", {"entries": 1, "head": "ab"}, 1, STORY[0].ts),
    Event(RUN, events.AGENT, "run_finished", {"outcome": "repaired", "exit_status": 0}, 1, STORY[0].ts),
    Event("run-other", events.STAGE, "note", {"level": "info", "text": "x"}, 1, STORY[0].ts),
    Event(RUN, events.STAGE, "note", {"level": "info"}, 1, STORY[0].ts),
    Event(RUN, events.STAGE, "note", {"level": "info", "text": "x"}, None, STORY[0].ts),
    Event(RUN, events.STAGE, "note", {"level": "info", "text": "x"}, 1, "yesterday"),
    Event(RUN, "\x1b]0;x", "note", {"level": "info", "text": "x"}, 1, STORY[0].ts),
], ids=["ephemeral", "not its own", "of another run", "incomplete", "without a number", "time", "name"])
def test_an_event_that_no_host_records_is_refused(home: Path, tmp_path: Path, event: Event) -> None:
    (tmp_path / "it.opdemo").write_bytes(chained([event]))
    with pytest.raises(UsageError, match="is no record of operator-demo"):
        run("import", str(tmp_path / "it.opdemo"))


@pytest.mark.parametrize(("kind", "name"), [("ticket", TICKET), ("session", SESSION)])
def test_a_record_cannot_change_what_another_run_recorded(recorded: Path, tmp_path: Path, kind: str,
                                                          name: str) -> None:
    file = tmp_path / "it.opdemo"
    with Store(tmp_path / "elsewhere.db") as store:
        many = [replace(e, run="run-hostile") for e in STORY]
        others = {"ticket": "tkt-other", "session": "ses-other"} | {kind: name}
        store.import_([replace(e, ticket=e.ticket and others["ticket"], session=e.session and others["session"])
                       for e in many])
        file.write_bytes(record_file.pack(store.chain("run-hostile"), store.entries("run-hostile")))
    before = content(recorded)
    with pytest.raises(UsageError, match=f"The {kind} {name} is another run's"):
        run("import", str(file))
    assert content(recorded) == before


def test_an_export_while_the_run_goes_on_holds_together(recorded: Path, tmp_path: Path) -> None:
    """Entries and head are read at one moment."""
    with closing(Store(recorded)) as writer:
        for n in range(3):
            ask("export", RUN, "-o", str(tmp_path / f"{n}.opdemo"))
            assert altered(*record_file.read(tmp_path / f"{n}.opdemo")) == []
            writer.record(events.event(RUN, events.STAGE, Note(level="info", text="more")))


