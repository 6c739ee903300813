"""The screen of a replay, in a terminal of its own: marked at every size, steered by keys, drawn by the live screen."""

import io
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pty_terminal import PATIENCE, Terminal
from rich.console import Console
from story import START, Author, story

from operator_demo import events, record_file
from operator_demo.home import store_path
from operator_demo.screen.panels.approval import approval
from operator_demo.screen.panels.view import View
from operator_demo.screen.screen_state import ScreenState
from operator_demo.screen.terminal_text import UNICODE
from operator_demo.store import Store

ROOT = Path(__file__).parents[2]
STORY = [e for e in story() if e.seq is not None]
PROGRAM = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from operator_demo.cli import main; sys.argv = {{}}; main()"


@pytest.fixture
def file(home: Path, tmp_path: Path) -> Path:
    file = tmp_path / "it.opdemo"
    with Store(store_path()) as store:
        store.import_(STORY)
        file.write_bytes(record_file.pack(store.chain(STORY[0].run), store.entries(STORY[0].run)))
    return file


@pytest.fixture
def replayed(file: Path) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def start(*arguments: str, columns: int = 120, lines: int = 40) -> Terminal:
        program = PROGRAM.format(["operator-demo", "replay", str(file), *arguments])
        opened.append(Terminal(program, columns, lines))
        return opened[-1]

    yield start
    for terminal in opened:
        terminal.close()


def test_a_request_of_then_offers_no_keys() -> None:
    author = Author()
    author.say(0, events.GUARD, "approval_requested", id="ask-1", rule="docker stop", method="POST", path="/stop",
               digest="d", limit=90.0, member="etcd1")
    state = ScreenState()
    for e in author.events:
        state.apply(e)
    console = Console(file=io.StringIO(), width=80, height=24, _environ={})
    live = View(console, UNICODE, START + 1, True)
    keys = [text.plain for text in approval(state, live)][-1]
    assert " y " in keys and " n " in keys
    replayed = [text.plain for text in approval(state, replace(live, mark="REPLAY"))][-1]
    assert replayed.startswith("a no in")


def until(terminal: Terminal, holds: Callable[[list[str]], bool]) -> list[str]:
    end = time.monotonic() + PATIENCE
    while True:
        terminal.read()
        screen = terminal.screen()
        if holds(screen):
            return screen
        assert time.monotonic() < end, "\n".join(screen)


def test_each_key(replayed: Callable[..., Terminal]) -> None:
    t = replayed("--from", "repair", "--speed", "0.1")
    t.until("REPLAY ▶ 2026-03-14 rehearsal".encode())
    os.write(t.master, b" ")
    t.until("REPLAY ‖ 2026-03-14 rehearsal".encode())

    def at_chapter(number: int) -> Callable[[list[str]], bool]:
        narration = {6: "It looks before it acts", 7: "The agent says so."}[number]
        return lambda screen: any(narration in line for line in screen) and "‖" in screen[-1]

    until(t, at_chapter(6))
    os.write(t.master, b"]")
    until(t, at_chapter(7))
    os.write(t.master, b"[")
    until(t, at_chapter(6))
    os.write(t.master, b"\x1b[6~")  # page down, as a clicker sends it
    until(t, at_chapter(7))
    os.write(t.master, b"\x1b[D")  # one event back
    until(t, at_chapter(6))
    os.write(t.master, b"\x1b[C")
    until(t, at_chapter(7))
    os.write(t.master, b"p")
    until(t, lambda screen: "▶" in screen[-1])
    os.write(t.master, b"q")
    assert t.ended() == 0 and t.is_as_before()
    assert "nothing of it happens now" in t.raw.decode().rpartition("\x1b[?1049l")[2]


@pytest.mark.parametrize("size", [(120, 32), (80, 24), (60, 15), (30, 8)])
def test_every_size_says_that_it_is_a_replay(replayed: Callable[..., Terminal], size: tuple[int, int]) -> None:
    t = replayed("--from", "end", columns=size[0], lines=size[1])
    screen = until(t, lambda screen: "REPLAY" in " ".join(screen))
    shown = " ".join(" ".join(screen).split())
    assert "2026-03-14" in shown and "rehearsal" in shown
    os.write(t.master, b"q")
    assert t.ended() == 0
