"""The presenter's view follows the record: which run it shows, what it knows of the next chapter, and how it ends."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue

import pytest
from click.testing import CliRunner, Result
from pty_terminal import LEAVE, Terminal
from story import NOTES, RUN, story

from operator_demo import events, presenter
from operator_demo.chapters import CHAPTERS
from operator_demo.commands.notes import notes
from operator_demo.errors import UsageError
from operator_demo.events import TYPES, Event, event
from operator_demo.home import replace_json, store_path
from operator_demo.screen.speaker import Upcoming
from operator_demo.store import Store, StoreError

TREE = Path(__file__).parents[2]
PROGRAM = f"import sys; sys.path[:0] = [{str(TREE)!r}]; sys.argv[1:] = {{words!r}}\n" \
    "from operator_demo.cli import main; main()"


def recent(many: list[Event], seconds: float = 60, run: str = RUN) -> list[Event]:
    """The same events as if their run had begun so many seconds ago."""
    shift = datetime.now(UTC).timestamp() - seconds - events.parse_ts(many[0].ts)
    return [replace(e, run=run, ts=events.timestamp(datetime.fromtimestamp(events.parse_ts(e.ts) + shift, UTC)))
            for e in many if e.seq is not None]


def fill(many: list[Event]) -> None:
    with Store(store_path()) as store:
        store.import_(many)


def until(chapter: str) -> list[Event]:
    """The story's beginning, with this chapter as the last thing that was said."""
    whole = story()
    end = next(n for n, e in enumerate(whole) if e.type == "chapter" and e.raw["name"] == chapter)
    return whole[:end + 1]


def play(scenario: str, run: str = RUN) -> None:
    """The journal of the host that plays it, with the truth in it."""
    replace_json(store_path().parent / "journal" / "engine-demo-etcd.json",
                 {"run": run, "kind": "kill", "scenario": scenario, "seed": 7, "fault": "f", "phase": "sealed",
                  "truth": {"cause": "SECRET", "targets": ["SECRET"]}, "nonce": "SECRET"})


class Watched:
    """A view that does one step of the test at each tick, and leaves after the last."""

    def __init__(self, *steps: Callable[[], None]) -> None:
        self.keys: SimpleQueue[str] = SimpleQueue()
        self.said: list[str] = []
        self.next: dict[str, Upcoming | None] = {}
        self.now = 0.0
        self._upcoming: Upcoming | None = None
        self._steps: Iterator[Callable[[], None]] = iter(steps)

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def abandon(self) -> None: ...

    def begin(self) -> None:
        self.said.append("begin")

    def expect(self, upcoming: Upcoming | None) -> None:
        self._upcoming = upcoming

    def event(self, e: Event) -> None:
        if e.type == "chapter":
            self.said.append(e.raw["name"])
            self.next[e.raw["name"]] = self._upcoming
        elif e.type in ("run_started", "run_finished"):
            self.said.append(f"{e.type} {e.run}")

    def tick(self, now: float) -> None:
        self.now = now
        step = next(self._steps, None)
        if step is None:
            self.keys.put("quit")
        else:
            step()


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presenter, "PERIOD", 0.0)


def test_it_waits_for_a_run_and_follows_it_to_its_end(home: Path) -> None:
    whole = recent(story())
    view = Watched(lambda: None, lambda: fill([]), lambda: fill(whole[:1]), lambda: fill(whole[1:20]),
                   lambda: fill(whole[20:]))
    assert presenter.present(store_path(), None, view) is True
    told = [said for said in view.said if not said.startswith("run_")]
    assert told == ["begin", "welcome", "healthy", "load", "fault", "detection", "repair", "verified", "end"]
    assert f"run_finished {RUN}" in view.said


def test_leaving_before_the_end(home: Path) -> None:
    fill(recent(until("fault")))
    view = Watched()
    assert presenter.present(store_path(), None, view) is False
    assert view.said[-1] == "fault"


def test_a_run_that_is_over_is_not_the_one_that_is_waited_for_but_can_be_named(home: Path) -> None:
    fill(recent(story(), 3000, "run-aaaaaaaa"))
    view = Watched(lambda: fill(recent(story(), 60, "run-bbbbbbbb")))
    assert presenter.present(store_path(), None, view) is False, "it was over when it was seen first"
    assert view.said == []
    for name, run in (("last", "run-bbbbbbbb"), ("run-aaaaaaaa", "run-aaaaaaaa"), ("run-a", "run-aaaaaaaa")):
        view = Watched()
        assert presenter.present(store_path(), name, view) is True
        assert f"run_finished {run}" in view.said


def test_a_newer_run_takes_the_place_of_one_that_never_ended(home: Path) -> None:
    fill(recent(until("load"), 300, "run-aaaaaaaa"))
    view = Watched(lambda: fill(recent(story(), 60, "run-bbbbbbbb")))
    assert presenter.present(store_path(), None, view) is False
    assert view.said[0] == "begin" and view.said[-1] == "load"
    view = Watched(lambda: fill(recent(until("healthy"), 10, "run-cccccccc")))
    presenter.present(store_path(), None, view)
    assert view.said == ["begin", "welcome", "run_started run-cccccccc", "healthy"]


def test_a_run_of_long_ago_that_never_ended_is_not_shown(home: Path) -> None:
    fill(recent(until("load"), 2 * presenter.FORGOTTEN))
    view = Watched()
    presenter.present(store_path(), None, view)
    assert view.said == []


def test_the_clock_of_the_engine_is_the_one_that_counts(home: Path) -> None:
    """A virtual machine that slept is hours behind."""
    behind = 3 * presenter.FORGOTTEN
    fill([replace(e, raw=e.raw | {"clock_offset": -behind}) if e.type == "run_started" else e
          for e in recent(until("load"), behind + 30)])
    view = Watched()
    presenter.present(store_path(), None, view)
    assert view.said[-1] == "load"
    assert 0 < view.now - events.parse_ts(recent(until("load"), behind + 30)[0].ts) < 600


def test_the_next_chapters_notes_come_from_the_scenario_that_is_played(home: Path) -> None:
    play("member-kill")
    fill(recent(until("verified")))
    view = Watched()
    presenter.present(store_path(), None, view)
    assert view.next["load"] == Upcoming("fault", "A fault", "The seed chooses the member. The countdown gives you "
                                         "three seconds to turn to the screen.")
    assert view.next["detection"] == Upcoming("repair", "Diagnosis and repair", NOTES["repair"])
    assert view.next["verified"] == Upcoming("end", "The end", CHAPTERS[-1].notes)
    assert "SECRET" not in str(view.next)


def test_a_scenario_of_the_users_own(home: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("title: x\nstory:\n  healthy: only narration\n  load: {notes: Breathe.}\n")
    play(str(mine))
    fill(recent(until("load")))
    view = Watched()
    presenter.present(store_path(), None, view)
    assert view.next["welcome"] == Upcoming("healthy", "A healthy cluster", CHAPTERS[1].notes), "what it leaves out"
    assert view.next["healthy"] == Upcoming("load", "Under load", "Breathe.")


@pytest.mark.parametrize("scenario", ["nosuch", "/nowhere/mine.yaml", "../../../pyproject", ""])
def test_without_its_scenario_the_next_chapter_has_a_title_alone(home: Path, scenario: str) -> None:
    play(scenario)
    fill(recent(until("healthy")))
    view = Watched()
    presenter.present(store_path(), None, view)
    assert view.next["healthy"] == Upcoming("load", "Under load", None)


def test_the_journal_of_another_run_says_nothing(home: Path) -> None:
    play("member-kill", "run-other")
    (store_path().parent / "journal" / "torn-demo-etcd.json").write_text("{")
    (store_path().parent / "journal" / "odd-demo-etcd.json").write_text("[1]")
    assert presenter.scenario_of(RUN) is None
    assert presenter.scenario_of("run-other") == "member-kill"


def test_what_was_filled_in_later_is_not_missed(home: Path) -> None:
    """A ticket that lay in a gap of the log."""
    fill([])
    opened = {"subject": "etcd", "severity": "critical", "title": "t", "violations": []}

    def said(seq: int, kind: str, source: str = events.MONITOR, **data: object) -> Event:
        ticket = "tkt-a" if kind.startswith("ticket") else None
        return replace(event(RUN, source, TYPES[kind].of(data), ticket=ticket), seq=seq)

    with Store(store_path()) as store:
        follower = presenter.Follower(store, RUN)
        store.import_([said(3, "ticket_updated", violations=[])])
        assert [e.type for e in follower.new()] == ["ticket_updated"]
        store.import_([said(2, "ticket_opened", **opened),
                       said(1, "gap", events.STAGE, from_source="monitor", first=1, last=2, filled=True)])
        assert {e.type for e in follower.new()} == {"ticket_opened", "gap"}
        assert follower.new() == []


# -- the command -------------------------------------------------------------------------------------------------------


def ask(*arguments: str) -> Result:
    """Raises what the command raises (the program's `main` turns it into one message)."""
    return CliRunner().invoke(notes, list(arguments), catch_exceptions=False, standalone_mode=False)


def test_a_run_that_is_over_is_told_as_lines(home: Path) -> None:
    fill(recent(story()))
    for arguments in (("last",), (RUN[:6],)):
        said = ask(*arguments).stdout
        assert all(text in said for text in NOTES.values())
        assert said.endswith("The run is over: repaired.\n")


def test_what_is_unknown_is_an_error_for_people(home: Path) -> None:
    with pytest.raises(StoreError, match="There is no store"):
        ask("run-x")
    fill(recent(story()))
    with pytest.raises(UsageError, match="no run whose id begins with 'ses-h2xk9dtm'"):
        ask("ses-h2xk9dtm")


def test_it_writes_nothing(home: Path) -> None:
    fill(recent(story()))
    before = {p: p.read_bytes() for p in home.rglob("*") if p.is_file()}
    ask("last")
    assert {p: p.read_bytes() for p in home.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_piped_it_waits_until_it_is_ended(home: Path, number: signal.Signals, status: int) -> None:
    process = subprocess.Popen([sys.executable, "-c", PROGRAM.format(words=["notes"])], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    try:
        assert process.stderr is not None
        assert "Waiting for the current run" in process.stderr.readline()
        fill(recent(until("fault")))
        assert process.stdout is not None
        while NOTES["fault"] not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(number)
        said, complaint = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, complaint.strip()) == (status, "")
    assert "The run is over" not in said


@pytest.fixture
def terminal(home: Path) -> Iterator[Terminal]:
    made = Terminal(PROGRAM.format(words=["notes"]), 80, 24, {"OPERATOR_HOME": os.environ["OPERATOR_HOME"]})
    yield made
    made.close()


def test_on_a_terminal_it_ends_with_the_run_and_leaves_the_last_chapter(home: Path, terminal: Terminal) -> None:
    terminal.until(b"No run goes on")
    play("member-kill")
    fill(recent(until("detection"), 20))
    terminal.until(b"Point at the order")
    drawn = "\n".join(terminal.screen())
    assert "Next: 6/8 Diagnosis and repair" in drawn
    os.write(terminal.master, b" x")  # keys that belong into the other terminal do nothing here
    fill(recent(story(), 20))
    assert terminal.ended() == 0
    assert terminal.is_as_before()
    left = terminal.raw.rpartition(LEAVE)[2].decode()
    assert "8/8 Repaired and verified" in left and "The run is over: repaired." in left


@pytest.mark.parametrize(("how", "status"), [
    (lambda t: os.write(t.master, b"q"), 0), (lambda t: t.process.send_signal(signal.SIGINT), 130),
    (lambda t: t.process.send_signal(signal.SIGTERM), 143)], ids=["q", "ctrl-c", "sigterm"])
def test_the_presenter_leaves_without_a_word(home: Path, terminal: Terminal, how: Callable[[Terminal], object],
                                             status: int) -> None:
    terminal.until(b"No run goes on")
    fill(recent(until("fault"), 20))
    terminal.until(b"three seconds")
    how(terminal)
    assert terminal.ended() == status
    assert terminal.is_as_before()
    left = re.sub(rb"\x1b\[[?0-9;]*[a-z]", b"", terminal.raw.rpartition(LEAVE)[2])
    assert left.strip() == b""


def test_the_journal_is_read_and_left_alone(home: Path) -> None:
    play("member-kill")
    fill(recent(story()))
    before = json.loads((home / "journal" / "engine-demo-etcd.json").read_text())
    ask("last")
    assert json.loads((home / "journal" / "engine-demo-etcd.json").read_text()) == before
