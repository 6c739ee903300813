"""A session that looks like Claude's, drawn: Markdown, parallel calls, a long script and a long log.

The agent's panel is compared with pictures in `snapshots/`; after a wanted change UPDATE_SNAPSHOTS=1 writes them anew.
"""

import io
import os
from pathlib import Path

import pytest
from claude_story import claude_story, claude_until
from drawn import drawn, folded
from rich.console import Console
from story import START
from test_overlays import Viewer

from operator_demo.screen.layout import arrange
from operator_demo.screen.panels.agent import agent
from operator_demo.screen.panels.view import View
from operator_demo.screen.terminal_text import ASCII, UNICODE

SNAPSHOTS = Path(__file__).parent / "snapshots"
ROOM = [(76, 12), (60, 28), (100, 50)]  # of the panel, on a terminal of 80x24, 120x40 and 200x60
MOMENTS = [17.7, 20.4, 21.9, 41.2]
SIZES = [(80, 24), (120, 40), (200, 60)]


@pytest.mark.parametrize("room", ROOM)
@pytest.mark.parametrize("at", MOMENTS)
def test_snapshot_of_the_panel(room: tuple[int, int], at: float) -> None:
    view = View(Console(file=io.StringIO()), UNICODE, START + at, True, *room)
    text = "\n".join(line.plain.rstrip() for line in agent(folded(claude_until(at)), view)) + "\n"
    file = SNAPSHOTS / f"claude-{at:g}s-{room[0]}x{room[1]}.txt"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("size", SIZES)
def test_no_moment_shows_marks_of_markdown_or_names_of_fields(size: tuple[int, int]) -> None:
    for at in range(17, 42):
        text = "\n".join(drawn(claude_until(at), size, at, UNICODE, True, arrange))
        assert "CLAUDE" in text.upper()
        for mark in ("**", "```", "### ", "cause=", "summary=", "failed:"):
            assert mark not in text, (mark, at)


@pytest.mark.parametrize("size", SIZES)
def test_each_thing_is_said_once(size: tuple[int, int]) -> None:
    text = "\n".join(drawn(claude_until(22), size, 22, UNICODE, True, arrange))
    assert text.count("THE GUARD REFUSED") == 1
    assert text.count("removes nothing") == 1
    assert text.count("SIGKILL") <= 1


def test_the_whole_log_of_a_long_command_opens() -> None:
    viewer = Viewer(claude_story(), (120, 40))
    text = viewer.press("2", "home", "/", *"$ docker logs", "enter", "o")
    assert "Its last words" in text
    assert '"msg": "established TCP streaming connection 399"' in viewer.press("end")


def test_a_long_script_is_cut_in_the_panel_and_whole_in_the_output() -> None:
    many = claude_until(20.4)
    assert "more lines  o" in "\n".join(drawn(many, (120, 40), 20.4, UNICODE, True, arrange))
    text = Viewer(many, (120, 60)).press("o")
    assert "look 26" in text and "bash /tmp/check.sh" in text


def test_ascii() -> None:
    for at in (18, 20, 22, 41):
        assert all(row.isascii() for row in drawn(claude_until(at), (120, 40), at, ASCII, True, arrange))
