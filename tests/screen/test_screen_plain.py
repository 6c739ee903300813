import io
import json
import re

import pytest
from any_event import any_event
from hypothesis import given, settings
from hypothesis import strategies as st
from story import Author, members, story, until

from operator_demo import events, wire
from operator_demo.events import Event
from operator_demo.screen.color import choose_display, use_color
from operator_demo.screen.display import make_display
from operator_demo.screen.terminal_text import ASCII, UNICODE, Writer, symbols_for

LINE = re.compile(r"^\[ *\d+\.\ds\] [a-z]+ +\S")


class Stream(io.TextIOWrapper):
    def __init__(self, encoding: str = "utf-8", tty: bool = False) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, write_through=True)
        self.tty = tty

    def isatty(self) -> bool:
        return self.tty

    @property
    def said(self) -> str:
        raw = self.buffer
        assert isinstance(raw, io.BytesIO)
        return raw.getvalue().decode(self.encoding)


def shown(many: list[Event], name: str = "plain", encoding: str = "utf-8", env: dict[str, str] | None = None,
          tty: bool = False) -> str:
    out = Stream(encoding, tty)
    display = make_display(name, out=out, env=env or {})
    display.start()
    for e in many:
        display.event(e)
        display.tick(0.0)
    display.stop()
    display.stop()
    return out.said


def test_each_line_says_when_and_who() -> None:
    body = shown(story()).split("\n\n")[0].splitlines()
    assert body
    for line in body:
        assert LINE.match(line) or line.startswith(" " * 20), line


def test_the_whole_run_can_be_read() -> None:
    said = shown(story())
    for part in ("[  16.0s] monitor   ticket tkt-c4vn8wra opened (critical): etcd1 is down (exited, status 137)",
                 "✖ etcd1 is exited", "engine    etcd1: die (status 137) [fault]",
                 "rehearsal $ docker start demo-etcd-etcd1-1",
                 "✔ exit 0 in 0.6 s", "✖ exit 6 in 0.3 s", "finding: etcd1: process killed", "○ alarms: not checked",
                 "final verdict: passed", "Outcome   REPAIRED", "./operator-demo audit show run-7k3mq2px"):
        assert part in said, part


def test_what_repeats_is_told_once() -> None:
    said = shown(story())
    assert said.count("✖ etcd1 is exited") == 1  # of fourteen observations
    assert said.count("3 of 3 members are healthy") == 1
    assert said.count(" op/s, p50") <= 8


def test_a_rehearsal_never_reads_as_claude() -> None:
    said = shown(story()).replace("not Claude", "")
    assert "laude" not in said
    assert "REHEARSAL" in said
    assert "claude    $ docker start" in shown(story("claude", "claude-opus-5-5"))


def test_progress_in_percent_is_told_once_a_step() -> None:
    a = Author()
    for n in range(50):
        a.say(n, events.STAGE, "progress", task="pull", item="etcd", status=f"pulling {n} %")
    a.say(60, events.STAGE, "progress", task="pull", item="etcd", status="pulled")
    assert shown(a.events).count("pull etcd") == 2


def test_load_is_told_every_ten_seconds_and_when_errors_begin_and_end() -> None:
    a = Author()
    for n in range(21):
        a.say(n, events.WORKLOAD, "load", ops=200, p50=0.001, p99=None, errors={"timeout": 3} if n in (4, 5) else {})
    times = [line[:9] for line in shown(a.events).splitlines() if "op/s" in line]
    assert len(times) == 4  # at 0, 4 (errors), 6 (none), 16


def test_members_are_told_on_change_only() -> None:
    a = Author()
    for n in range(5):
        a.say(n, events.MONITOR, "observation", members=members("etcd2" if n >= 3 else None, leader="etcd1"),
              cluster={}, violations=[], duration=0.1)
    said = shown(a.events)
    assert said.count("etcd2") == 1
    assert "✖ etcd2 is exited" in said


def test_an_encoding_without_symbols_gets_ascii() -> None:
    said = shown(story(), encoding="ascii")
    assert "x exit 6 in 0.3 s" in said
    assert "\\u" not in said


def test_text_that_cannot_be_encoded_is_escaped_not_refused() -> None:
    a = Author()
    a.say(0, events.STAGE, "note", level="info", text="snow ☃")
    assert "snow \\u2603" in shown(a.events, encoding="latin-1")


def test_colour_only_where_it_is_wanted() -> None:
    assert "\x1b[" in shown(story(), tty=True)
    assert "\x1b" not in shown(story(), tty=True, env={"NO_COLOR": "1"})
    assert "\x1b" not in shown(story())
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown(story(), tty=True))
    assert plain == shown(story())


def test_json_is_one_event_a_line() -> None:
    decoder = wire.Decoder()
    said = shown(story(), "json")
    assert [decoder.feed(line) for line in said.splitlines()] == story()
    assert all(json.loads(line) for line in said.splitlines())


def test_quiet_says_only_how_it_ended() -> None:
    lines = shown(story(), "quiet").splitlines()
    assert "REPAIRED" in lines[2]
    assert not any(LINE.match(line) for line in lines)


def test_a_run_that_was_cut_off_says_so() -> None:
    said = shown(until(22), "quiet")
    assert "NOT FINISHED" in said
    assert "no final verdict" in said


def test_a_reader_that_went_away_does_not_stop_the_run() -> None:
    class Gone(io.StringIO):
        def write(self, s: str) -> int:
            raise BrokenPipeError

    display = make_display("plain", out=Gone(), env={})
    for e in story():
        display.event(e)
    display.stop()


@settings(max_examples=300, deadline=None)
@given(st.lists(any_event(), max_size=10), st.sampled_from(["utf-8", "ascii"]))
def test_no_event_breaks_the_lines_or_reaches_the_terminal_raw(many: list[Event], encoding: str) -> None:
    said = shown(many, encoding=encoding)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", said)


def test_the_writer_lets_no_text_steer_the_terminal() -> None:
    """Texts of our own, such as messages of errors, were not cleaned where they came in."""
    for color in (False, True):
        out = io.StringIO()
        writer = Writer(out, color)
        writer.line("\x1b]52;c;eA==\x07a\x1b[2Jb", "bad")
        writer.row(("\x9b31mc", ""), ("\u202ed", "warn"))
        writer.lines([("\x1b[8me", "dim")])
        assert re.sub(r"\x1b\[(1;31|33|90|0)m", "", out.getvalue()) == "ab\nc\\u202ed\ne\n"


class Stub:
    def __init__(self, tty: bool) -> None:
        self.tty = tty

    def isatty(self) -> bool:
        return self.tty


@pytest.mark.parametrize(("requested", "stdin", "stdout", "term", "expected"), [
    ("auto", True, True, "xterm-256color", "tui"), ("auto", False, True, "xterm", "plain"),
    ("auto", True, False, "xterm", "plain"), ("auto", True, True, "dumb", "plain"), ("auto", True, True, "", "plain"),
    ("tui", True, True, "xterm", "tui"), ("tui", True, False, "xterm", "plain"), ("json", True, True, "xterm", "json"),
    ("quiet", False, False, "", "quiet"), ("plain", True, True, "xterm", "plain")])
def test_which_display(requested: str, stdin: bool, stdout: bool, term: str, expected: str) -> None:
    env = {"TERM": term, "FORCE_COLOR": "1"}  # colour that is forced does not make a terminal
    assert choose_display(requested, Stub(stdin), Stub(stdout), env) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(("env", "tty", "expected"), [
    ({}, True, True), ({}, False, False), ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
    ({"NO_COLOR": ""}, True, True),
    ({"FORCE_COLOR": "1"}, False, True), ({"CLICOLOR_FORCE": "1"}, False, True), ({"FORCE_COLOR": "0"}, True, False),
    ({"CLICOLOR": "0"}, True, False), ({"TERM": "dumb"}, True, False),
    ({"TERM": "dumb", "FORCE_COLOR": "1"}, True, True)])
def test_colour_precedence(env: dict[str, str], tty: bool, expected: bool) -> None:
    assert use_color(Stub(tty), env) is expected  # type: ignore[arg-type]


def test_symbols_by_encoding() -> None:
    assert symbols_for("utf-8") is UNICODE
    for encoding in ("ascii", "latin-1", None, "no-such-encoding"):
        assert symbols_for(encoding) is ASCII
    assert all(value.isascii() for value in ASCII.__dict__.values())


def test_a_finding_is_told_once() -> None:
    a = Author()
    given = {"member": "etcd1", "cause": "process_killed", "text": "It was killed."}
    a.say(1, events.AGENT, "tool_call", call="c", tool="finding", input=given)
    a.say(1, events.AGENT, "finding", **given)
    a.say(1, events.AGENT, "tool_result", call="c", tool="finding", status="ok", output="noted")
    text = shown(a.events)
    assert text.count("It was killed.") == 1
    assert "cause=" not in text and "noted" not in text
