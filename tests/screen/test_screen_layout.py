"""What is drawn, for sizes and moments. The pictures in `snapshots/` are compared as text; after a wanted change,
UPDATE_SNAPSHOTS=1 writes them anew."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from any_event import any_event
from drawn import drawn
from hypothesis import given, settings
from hypothesis import strategies as st
from story import Author, members, until

from operator_demo import events
from operator_demo.events import Event
from operator_demo.screen import layout
from operator_demo.screen.layout import arrange
from operator_demo.screen.panels.view import Lines, View
from operator_demo.screen.screen_state import ScreenState
from operator_demo.screen.terminal_text import ASCII, UNICODE, Symbols

SNAPSHOTS = Path(__file__).parent / "snapshots"
SIZES = [(160, 45), (120, 32), (80, 24), (60, 15), (30, 8)]


def draw(many: list[Event], size: tuple[int, int], at: float, symbols: Symbols = UNICODE,
         manual: bool = True) -> list[str]:
    return drawn(many, size, at, symbols, manual, arrange)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("at", [2.0, 22.0, 41.2])
def test_snapshot(size: tuple[int, int], at: float) -> None:
    drawn = "\n".join(line.rstrip() for line in draw(until(at), size, at)) + "\n"
    file = SNAPSHOTS / f"{at:.0f}s-{size[0]}x{size[1]}.txt"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(drawn, encoding="utf-8")
    assert drawn == file.read_text(encoding="utf-8")


def test_from_120_by_32_all_panels() -> None:
    drawn = "\n".join(draw(until(22), (120, 32), 22))
    for title in ("¹Cluster", "²Agent", "³Load", "⁴Proof"):
        assert f" {title} " in drawn, title
    for check in ("invariants", "data plane", "agreement"):
        assert check in drawn


def test_all_eight_checks_fit_at_120_by_32() -> None:
    drawn = "\n".join(draw(until(41.2), (120, 32), 41.2))
    for check in ("invariants", "data plane", "agreement", "redundancy", "writes", "load", "fingerprint", "alarms"):
        assert any(f"{mark} {check}" in drawn for mark in "✔○"), check


CLIMAX = {6.0: "★ etcd1", 14.5: "A fault strikes.", 16.3: "etcd1 is down (exited, status 137)",
          22.0: "docker start demo-etcd-etcd1-1", 40.3: "✔ fingerprint  unchanged", 41.2: "as sealed before"}
"""What matters, by the moment."""


@pytest.mark.parametrize("at", CLIMAX)
def test_at_80_by_24_nothing_that_matters_is_missing(at: float) -> None:
    drawn = draw(until(at), (80, 24), at)
    assert CLIMAX[at] in "\n".join(drawn)
    assert "op/s" in drawn[-2] or at < 6
    assert ("verified" in drawn[5]), "the chapters or the timeline"


@pytest.mark.parametrize("size", [(160, 45), (120, 32), (80, 24), (60, 15), (40, 10), (39, 9), (30, 8), (20, 3)])
@pytest.mark.parametrize("at", [17.45, 22.0])
def test_the_rehearsal_is_always_named(size: tuple[int, int], at: float) -> None:
    assert "REHEARSAL" in " ".join(draw(until(at), size, at))


@pytest.mark.parametrize("size", [(width, height) for width in (1, 5, 39, 40, 79, 80, 119, 120, 250)
                                  for height in (1, 2, 9, 10, 23, 24, 31, 32, 80)])
@pytest.mark.parametrize("at", [-1.0, 22.0, 41.2])
def test_no_size_is_refused(size: tuple[int, int], at: float) -> None:
    drawn = draw(until(at), size, max(at, 0))
    assert len(drawn) <= size[1]
    assert all(len(line) <= size[0] for line in drawn)
    assert "failed" not in "".join(drawn)


@pytest.mark.parametrize("size", SIZES)
def test_ascii_where_the_terminal_has_nothing_else(size: tuple[int, int]) -> None:
    for at in (2.0, 17.45, 22.0, 41.2):
        assert all(line.isascii() for line in draw(until(at), size, at, ASCII))


def test_states_can_be_told_apart_without_colour() -> None:
    a = Author()
    seen = members()
    seen["etcd2"] |= {"state": "paused", "healthy": False, "reachable": False}
    seen["etcd3"] |= {"state": "exited", "healthy": False}
    a.say(0, events.MONITOR, "observation", members=seen, cluster={"quorum": False}, violations=[], duration=0.1)
    drawn = "\n".join(draw(a.events, (80, 24), 1))
    for part in ("● etcd1", "‖ etcd2", "frozen", "✖ etcd3", "exited", "NO QUORUM · 1 of 3 live, 2 are needed"):
        assert part in drawn
    assert "leader" not in drawn and "★" not in drawn, "none leads without a quorum"


def test_a_panel_that_fails_says_so_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(state: ScreenState, view: View) -> Lines:
        raise ValueError("[bold]boom[/]")

    monkeypatch.setattr(layout, "CLUSTER", replace(layout.CLUSTER, body=broken))
    monkeypatch.setattr(layout, "footer", broken)
    drawn = "\n".join(draw(until(22), (120, 32), 22))
    assert "this panel failed: ValueError: [bold]boom[/]" in drawn
    assert "this line failed: ValueError" in drawn
    assert "docker start demo-etcd-etcd1-1" in drawn


def test_markup_is_text() -> None:
    a = Author()
    a.say(0, events.AGENT, "session_started", session="s", model="[blink]m[/]", brain="claude", mode="execute")
    a.say(1, events.AGENT, "reasoning", session="s", kind="text", text="[bold red]alarm[/] [/nope]")
    drawn = "\n".join(draw(a.events, (120, 32), 1))
    assert "[bold red]alarm[/] [/nope]" in drawn
    assert "Claude ([blink]m[/])" in drawn


def test_the_newest_is_at_the_bottom_of_the_agents_panel() -> None:
    a = Author()
    for n in range(100):
        a.say(n, events.AGENT, "reasoning", session="s", kind="text", text=f"thought {n}")
    drawn = "\n".join(draw(a.events, (80, 24), 100))
    assert "thought 99" in drawn
    assert "thought 10 " not in drawn


def test_a_running_command_shows_for_how_long() -> None:
    assert "running 0.5 s" in "\n".join(draw(until(22.4), (120, 32), 22.4))


def test_a_warning_shows_in_the_footer_and_goes() -> None:
    a = Author()
    a.say(10, events.STAGE, "note", level="warning", text="the network is slow")
    assert "▲ the network is slow" in draw(a.events, (120, 32), 11)[-1]
    assert "slow" not in draw(a.events, (120, 32), 60)[-1]


def test_the_footer_names_only_keys_that_do_something() -> None:
    def foot(at: float, width: int = 120, **prompt: str) -> str:
        a = Author()
        a.say(at, events.STAGE, "prompt", **prompt)
        return draw([*until(at), *a.events], (width, 32), at, manual=True)[-1]

    assert "space" not in foot(5)
    assert " space  next: Load   1-4  zoom   ?  help   q  quit " in foot(5, space="next: Load")
    assert " p  pause agent   s  stop agent   1-4  zoom   o  output   ?  help   q  quit " in foot(20)
    assert " o " not in foot(17)
    assert " space  next   p  pause agent   1-4  zoom   o  output   ?  help   q  quit " in foot(20, 80, space="next")
    assert " p " not in foot(42)
    assert foot(20, 60).split()[-1] == "00:20", "the clock stays where there is no room for the run's name"
    assert foot(20, space="next", question="End it? y").strip() == "End it? y"


@settings(max_examples=200, deadline=None)
@given(st.lists(any_event(), max_size=10), st.sampled_from(SIZES))
def test_no_event_breaks_a_panel(many: list[Event], size: tuple[int, int]) -> None:
    drawn = draw(many, size, 3)
    assert "this panel failed" not in "\n".join(drawn)
    assert "this line failed" not in "\n".join(drawn)
    assert not any(c in line for line in drawn for c in "\x1b\x9b\x07\u202e")


def asked(count: int = 1) -> list[Event]:
    """A story in whose last call the agent asks for approval."""
    a = Author()
    a.say(1, events.AGENT, "tool_call", call="c", tool="shell",
          input={"command": "docker stop etcd1", "reasoning": "It hangs."})
    for number in range(count):
        a.say(2, events.GUARD, "approval_requested", id=f"ask-{number}", rule="docker stop", method="POST",
              path="/containers/etcd1/stop", digest="d", limit=90.0, object="demo-etcd1-1", member="etcd1",
              destructive=True, call="c")
    return a.events


@pytest.mark.parametrize("size", [(160, 45), (120, 32), (80, 24), (60, 15)])
def test_what_waits_for_approval_is_in_a_box(size: tuple[int, int]) -> None:
    text = "\n".join(draw(asked(2), size, 12))
    for part in ("asks for your approval (1 of 2)", "docker stop on etcd1", "DESTRUCTIVE", " y ", " n ", " a "):
        assert part in text, part
    assert "1 of 2, a no in 80 s" in text
    if size[1] >= 24:
        assert "why: It hangs." in text
        assert "a no in 80 s" in text
    assert "asks for your approval" not in "\n".join(draw(until(22), size, 22))


def test_while_something_waits_the_footer_names_no_other_key() -> None:
    foot = draw(asked(), (120, 32), 12)[-1]
    assert "quit" not in foot
    assert "zoom" not in foot


def test_the_smallest_screen_says_that_something_waits() -> None:
    assert "y, n or a?" in "\n".join(draw(asked(), (30, 8), 12))


def test_what_is_answered_is_gone() -> None:
    answered = Author()
    answered.say(3, events.GUARD, "approval_answered", id="ask-0", answer="yes", by="anna")
    text = "\n".join(draw([*asked(), *answered.events], (120, 32), 12))
    assert "approval" not in text
