"""The presenter's view: what it shows at which moment, and what it never shows."""

import io
from collections.abc import Sequence
from dataclasses import replace

import pytest
from any_event import any_event
from drawn import drawn
from hypothesis import given, settings
from hypothesis import strategies as st
from story import NOTES, RUN, TICKET, Author, until

from operator_demo import events
from operator_demo.events import Event
from operator_demo.screen.speaker import SpeakerLines, Upcoming
from operator_demo.screen.speaker_live import arrange
from operator_demo.screen.terminal_text import ASCII, UNICODE, Symbols

REPAIR = Upcoming("repair", "Diagnosis and repair", "Point at the order.")


def draw(many: Sequence[Event], at: float, size: tuple[int, int] = (80, 24), upcoming: Upcoming | None = None,
         symbols: Symbols = UNICODE) -> list[str]:
    return drawn(many, size, at, symbols, False, lambda state, view: arrange(state, upcoming, view))


def printed(many: Sequence[Event], upcoming: Upcoming | None = None) -> str:
    out = io.StringIO()
    lines = SpeakerLines(out, {})
    lines.start()
    for e in many:
        lines.expect(upcoming)
        lines.event(e)
    lines.stop()
    return out.getvalue()


def test_notes_clocks_ticket_next_chapter_and_key() -> None:
    drawn = draw(until(16.9), 16.9, upcoming=REPAIR)
    assert RUN in drawn[0] and drawn[0].rstrip().endswith("00:16   fault + 1.8 s")
    whole = "\n".join(drawn)
    for part in ("5/8 Detected", "no notes for this chapter", "│ The monitor saw an invariant", "Next: 6/8 Diagnosis",
                 "Point at the order.", f"{TICKET}  ACKNOWLEDGED"):
        assert part in whole, part
    assert drawn[-1].startswith(" p  pause the agent    q  close this view")


def test_keys_do_here_what_they_do_in_the_run_s_terminal() -> None:
    a = Author()
    a.say(5, events.STAGE, "prompt", space="strike")
    assert draw([*until(5), *a.events], 5)[-1].startswith(" space  strike    q  close this view")


def test_the_plan_of_the_talk_and_the_time_that_is_left() -> None:
    planned = [replace(e, raw={**e.raw, "talk": 1200.0}) if e.type == "run_started" else e for e in until(16.9)]
    whole = "\n".join(draw(planned, 16.9))
    assert "this chapter 0.7 s of 2 min 00 s" in whole and "left of the talk 19 min 43 s" in whole
    assert " s late" not in whole
    assert "left of the talk" not in "\n".join(draw(until(16.9), 16.9))
    late = "\n".join(draw(planned, 1260, (120, 24)))
    assert "this chapter 20 min 44 s of 2 min 00 s" in late and "9 min 36 s late" in late


def test_what_the_agent_did_since_the_chapter_began_is_told_to_the_speaker_alone() -> None:
    whole = "\n".join(draw(until(24), 24))
    assert "the agent since then, " in whole
    assert "the agent since then" not in "\n".join(draw(until(16.9), 16.9))


def test_the_notes_stand_before_what_the_audience_reads() -> None:
    whole = "\n".join(draw(until(18), 18))
    assert 0 < whole.index(NOTES["repair"]) < whole.index("on their screen") < whole.index("It looks before it acts")
    assert "Next:" not in whole


@pytest.mark.parametrize(("notes", "shown"), [(None, "its notes are known when it comes"), ("", "no notes")])
def test_what_comes_next_is_told_as_far_as_it_is_known(notes: str | None, shown: str) -> None:
    whole = "\n".join(draw(until(16.9), 16.9, upcoming=Upcoming("repair", "Diagnosis and repair", notes)))
    assert "Next: 6/8 Diagnosis and repair" in whole and shown in whole


def test_no_key_is_named_where_none_goes_on() -> None:
    many = [replace(e, raw={**e.raw, "manual": False}) if e.type == "run_started" else e
            for e in until(17)]
    assert draw(many, 17)[-1].startswith(" it goes on by itself")


def test_before_a_run_it_says_that_it_waits() -> None:
    assert "No run goes on. Start `operator-demo run`" in " ".join(draw([], 0))


def test_the_clocks_stand_still_when_the_run_is_over() -> None:
    assert draw(until(42), 42)[0] == draw(until(42), 4200)[0]


def test_neither_the_fault_nor_its_targets_are_told() -> None:
    """Not even what the run itself has said of them: the presenter looks there."""
    a = Author()
    a.say(0, events.STAGE, "run_started", project="p", subject="etcd", mode="execute", model="m", brain="rehearsal",
          version="v", engine="e", seed=7)
    a.say(1, events.STAGE, "chapter", name="fault", title="A fault", narration="Now.", notes="Look up.")
    a.say(2, events.STAGE, "truth_sealed", sha256="abc")
    for phase in ("injecting", "injected"):
        a.say(3, events.STAGE, "fault", phase=phase, kind="wal-cut", targets=["etcd2"])
    a.say(3, events.MONITOR, "effect", container="p-etcd2-1", member="etcd2", action="kill", explained="fault")
    for text in ("\n".join(draw(a.events, 4)), printed(a.events)):
        assert "Look up." in text
        assert "etcd2" not in text and "wal-cut" not in text and "kill" not in text


@pytest.mark.parametrize("size", [(width, height) for width in (1, 5, 39, 40, 80, 200)
                                  for height in (1, 2, 9, 13, 14, 24, 60)])
def test_no_size_is_refused(size: tuple[int, int]) -> None:
    for many, at in (([], 0.0), (until(0), 0.0), (until(18), 18.0), (until(42), 42.0)):
        drawn = draw(many, at, size, REPAIR)
        assert len(drawn) <= size[1] and all(len(line) <= size[0] for line in drawn)
        assert "failed" not in "".join(drawn)


@pytest.mark.parametrize("size", [(30, 8), (60, 10)])
def test_in_a_small_window_the_notes_remain(size: tuple[int, int]) -> None:
    assert "Point at the order" in "\n".join(draw(until(18), 18, size))


def test_ascii_where_the_terminal_has_nothing_else() -> None:
    assert all(line.isascii() for line in draw(until(18), 18, upcoming=REPAIR, symbols=ASCII))


def test_long_notes_are_read_before_the_narration_is() -> None:
    a = Author()
    a.say(0, events.STAGE, "chapter", name="fault", title="A fault", narration="Now.", notes="word " * 2000)
    drawn = draw(a.events, 1, upcoming=Upcoming("detection", "Detection", "later " * 2000))
    assert sum("word" in line for line in drawn) > 8 and sum("later" in line for line in drawn) > 3


def test_markup_and_control_characters_are_text() -> None:
    a = Author()
    a.say(0, events.STAGE, "chapter", name="fault", title="[red]T[/]", narration="\x1b[2Jn", notes="[bold]\x1b[31mx[/]")
    for text in ("\n".join(draw(a.events, 1)), printed(a.events)):
        assert "[red]T[/]" in text and "[bold]x[/]" in text and "\x1b[2J" not in text


@settings(max_examples=60)
@given(st.lists(any_event(), max_size=8))
def test_nothing_that_an_event_holds_breaks_it(many: list[Event]) -> None:
    drawn = "".join(draw(many, 1))
    assert "this panel failed" not in drawn and "this line failed" not in drawn
    printed(many)


def test_as_lines() -> None:
    text = printed(until(42), REPAIR)
    assert "[  12.0s] > 4/8 The fault\n    | One of the three" in text
    assert f"    {NOTES['fault']}\n    next: 6/8 Diagnosis and repair: Point at the order.\n" in text
    assert text.endswith("The run is over: repaired.\n")
    assert text.count("4/8 The fault") == 1
