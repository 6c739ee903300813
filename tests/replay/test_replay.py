"""`replay`: which record it takes, what it refuses, and what it writes where there is no terminal."""

import gzip
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from story import RUN, story

from operator_demo import events, record_file
from operator_demo.commands import completion
from operator_demo.commands import replay as command
from operator_demo.errors import Exit, OperatorError, UsageError
from operator_demo.home import store_path
from operator_demo.replay.source import load, recording, recordings
from operator_demo.store import Store

ROOT = Path(__file__).parents[2]
STORY = [e for e in story() if e.seq is not None]


@pytest.fixture
def recorded(home: Path) -> None:
    with Store(store_path()) as store:
        store.import_(STORY)


@pytest.fixture
def exported(recorded: None, tmp_path: Path) -> Path:
    file = tmp_path / "it.opdemo"
    with Store(store_path()) as store:
        file.write_bytes(record_file.pack(store.chain(RUN), store.entries(RUN)))
    return file


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command.replay, list(arguments), catch_exceptions=False, standalone_mode=False)


# -- which record ------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("recorded")
def test_a_run_of_the_store_with_the_head_that_stood_on_its_last_screen() -> None:
    for name in ("last", RUN, RUN[:7]):
        record = load(name)
        assert record.run == RUN
        assert sorted(record.events[:-1], key=lambda e: e.ts) == sorted(STORY, key=lambda e: e.ts)
        assert isinstance(record.events[-1].data, events.RecordHead)


def test_a_file(exported: Path) -> None:
    assert load(str(exported)).events == load(RUN).events


def test_a_recording_that_is_shipped_needs_no_home(home: Path) -> None:
    names = recordings()
    assert "etcd/member-kill" in names
    for name in names:
        kinds = {e.type for e in load(name).events}
        assert {"run_started", "truth_opened", "score", "run_finished"} <= kinds, name
    assert not home.exists()


def test_a_run_that_goes_on_is_shown_as_far_as_it_is_recorded(home: Path) -> None:
    with Store(store_path()) as store:
        store.import_(STORY[:50])
    assert sorted(load("last").events, key=lambda e: (e.ts, e.source)) == sorted(
        STORY[:50], key=lambda e: (e.ts, e.source))
    assert "not finished" in run("last").output.lower()


@pytest.mark.usefixtures("recorded")
def test_what_is_no_record() -> None:
    for name in ("run-nothere", "nothere.opdemo", "etcd/nothere", "./etcd/member-kill", __file__):
        with pytest.raises(UsageError):
            load(name)


def test_an_altered_file_names_the_entry_and_has_its_own_status(exported: Path) -> None:
    content = gzip.decompress(exported.read_bytes()).split(b"\n")
    content[9] = content[9].replace(b"2026-03-14", b"2026-03-15")
    exported.write_bytes(gzip.compress(b"\n".join(content)))
    with pytest.raises(OperatorError, match=r"altered \(changed: entry \d+ \(") as raised:
        load(str(exported))
    assert raised.value.exit_status == Exit.NOT_REACHED


def test_a_torn_file(exported: Path) -> None:
    exported.write_bytes(exported.read_bytes()[:-200])
    with pytest.raises(UsageError, match="no record of operator-demo that can be read"):
        load(str(exported))


# -- without a terminal ------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("recorded")
def test_the_plain_display_comes_at_once_and_is_marked_first_and_last() -> None:
    lines = run("last").output.splitlines()
    assert lines[0] == lines[-1] == ("REPLAY: recorded on 2026-03-14, REHEARSAL (rule-based, not Claude); "
                                     "nothing of it happens now.")
    assert any("ticket tkt-c4vn8wra" in line for line in lines)
    assert any(line.startswith("  Outcome   REPAIRED") for line in lines)


@pytest.mark.usefixtures("recorded")
def test_from_a_chapter_on() -> None:
    whole, part = run("last").output.splitlines(), run("last", "--from", "verified").output.splitlines()
    assert part[1:] == whole[-len(part) + 1:]
    assert "7/8 " in part[1]


@pytest.mark.usefixtures("recorded")
def test_at_a_pace_it_writes_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    assert run("last", "--speed", "1000", "--pause-on-chapters").output == run("last").output


@pytest.mark.usefixtures("recorded")
def test_a_chapter_that_was_never_reached() -> None:
    with Store(store_path()) as store:
        store.import_([replace(e, run="run-other") for e in STORY[:20]])
    with pytest.raises(UsageError, match="never reached the chapter verified"):
        run("run-other", "--from", "verified")


def test_the_list() -> None:
    assert run("--list").output.splitlines() == recordings()


def test_completion_offers_recordings_runs_and_files(recorded: None) -> None:
    def offered(typed: str) -> list[tuple[str, str]]:
        context, parameter = click.Context(command.replay), command.replay.params[0]
        return [(item.value, item.type) for item in completion.replayed(context, parameter, typed)]

    assert ("etcd/member-kill", "plain") in offered("etcd/m")
    assert offered("run-7") == [(RUN, "plain")]
    assert offered("~/talk") == [("~/talk", "file")]
    assert {"last", RUN, *recordings()} == {value for value, _ in offered("")}


def test_it_needs_neither_engine_nor_model() -> None:
    program = ("import sys; from operator_demo.cli import cli; cli(['replay', 'etcd/member-kill'], "
               "standalone_mode=False); print([m for m in sys.modules if m.split('.')[0] in "
               "('docker', 'anthropic', 'rich', 'urllib3', 'ssl')])")
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert result.stdout.splitlines()[-1] == "[]", result.stderr


# -- what the recordings hold ------------------------------------------------------------------------------------------


def test_the_recordings_are_small_rehearsals_and_tell_nothing_of_the_machine() -> None:
    size = 0
    for name in recordings():
        with recording(name) as path:
            content = path.read_bytes()
        size += len(content)
        text = gzip.decompress(content).decode()
        for private in ("/root", "/home/", "/Users/", "sk-ant-"):
            assert private not in text, (name, private)
        started = next(e.data for e in load(name).events if e.type == "run_started")
        assert isinstance(started, events.RunStarted) and started.brain == "rehearsal"
    assert size <= 1_000_000
