"""The full screen in a terminal of its own (a pty), seen through a terminal emulator."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pty_terminal import ENTER, LEAVE, PATIENCE, Terminal

HERE = Path(__file__).parent
PROGRAM = """
import sys, time
sys.path[:0] = {paths!r}
from story import START, story
from operator_demo import events
from operator_demo.screen.display import make_display
display = make_display("tui", manual=True)
display.start()
{setup}
try:
    for e in story():
        if events.parse_ts(e.ts) <= START + {until}:
            display.event(e)
    while True:
        display.tick(time.time())
        {each}
        if not display.keys.empty():
            key = display.keys.get()
            if key == "quit":
                break
            print_later = key
        time.sleep(0.02)
finally:
    display.stop()
"""


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.close()


def program(until: float = 22, setup: str = "", each: str = "pass") -> str:
    return PROGRAM.format(paths=[str(HERE), str(HERE.parents[1])], until=until, setup=setup, each=each)


def test_it_draws_and_q_gives_the_terminal_back(terminals: list[Terminal]) -> None:
    terminals.append(t := Terminal(program(41.2)))
    t.until(b"verified from outside")
    t.read()
    drawn = t.screen()
    assert drawn[0].startswith(" etcd ")
    assert " ?  help   q  quit" in drawn[-1]
    assert t.raw.count(b"\x1b[?2026h") == t.raw.count(b"\x1b[?2026l")
    os.write(t.master, b"q")
    assert t.ended() == 0
    assert t.is_as_before()
    summary = t.raw.rpartition(LEAVE)[2].decode()
    assert "REPAIRED" in summary
    assert "audit show run-7k3mq2px" in summary


def test_columns_and_lines_of_the_environment_do_not_count(terminals: list[Terminal]) -> None:
    terminals.append(t := Terminal(program(), 80, 24, {"COLUMNS": "30", "LINES": "5"}))
    t.until(b" op/s")
    t.read()
    assert "quit" in t.screen()[23]


def test_it_follows_the_size(terminals: list[Terminal]) -> None:
    terminals.append(t := Terminal(program()))
    t.until(b"Proof")
    t.raw = ENTER
    t.resize(80, 24)
    end = time.monotonic() + PATIENCE
    while not t.screen()[7].startswith("╭─ ²Agent"):  # a frame of the old size may come first
        assert time.monotonic() < end, t.screen()
        t.read()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_handler_can_give_the_terminal_back_at_once(terminals: list[Terminal], number: signal.Signals) -> None:
    setup = f"""
import os, signal
def handler(n, f):
    display.restore()
    os._exit(7)
signal.signal({int(number)}, handler)"""
    terminals.append(t := Terminal(program(setup=setup)))
    t.until(b"Proof")
    t.process.send_signal(number)
    assert t.ended() == 7
    assert t.is_as_before()


def test_an_exception_leaves_the_terminal_usable(terminals: list[Terminal]) -> None:
    terminals.append(t := Terminal(program(each="if display._drawn: raise RuntimeError('oh no')")))
    assert t.ended() == 1
    assert t.is_as_before()
    assert b"oh no" in t.raw.rpartition(LEAVE)[2]


def test_an_exit_without_stop_leaves_the_terminal_usable(terminals: list[Terminal]) -> None:
    """`sys.exit` in the middle: the keyboard's thread must not hold up the end either."""
    body = program(setup="display.stop = lambda: None", each="if display._drawn: sys.exit(5)")
    terminals.append(t := Terminal(body))
    assert t.ended() == 5
    assert t.is_as_before()


def test_a_thread_that_fails_is_told_when_the_screen_is_left(terminals: list[Terminal]) -> None:
    setup = '''
import threading
def fail():
    raise RuntimeError("oh dear")
thread = threading.Thread(target=fail)
thread.start()
thread.join()'''
    terminals.append(t := Terminal(program(setup=setup)))
    t.until(b"Proof")
    assert b"oh dear" not in t.raw
    os.write(t.master, b"q")
    assert t.ended() == 0
    assert b"oh dear" in t.raw.rpartition(LEAVE)[2]


def test_a_reader_that_stalls_holds_nothing_up(terminals: list[Terminal]) -> None:
    """As a frozen ssh: frames are dropped, keys and signals are heard, and the way back is found in the end."""
    setup = """
import signal
def handler(n, f):
    raise SystemExit(7)
signal.signal(signal.SIGTERM, handler)"""
    terminals.append(t := Terminal(program(setup=setup, each="display._dirty, display._drawn = True, 0.0")))
    t.until(b"Proof")
    t.until_full()
    t.process.send_signal(signal.SIGTERM)
    assert t.process.wait(PATIENCE) == 7
    t.read()
    assert t.is_as_before()


def test_stopped_and_continued_as_by_ctrl_z(terminals: list[Terminal]) -> None:
    terminals.append(t := Terminal(program()))
    t.until(b"Proof")
    t.process.send_signal(signal.SIGTSTP)
    t.until(LEAVE)
    end = time.monotonic() + PATIENCE
    while Path(f"/proc/{t.process.pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
        assert time.monotonic() < end
        time.sleep(0.05)
    assert t.is_as_before()
    t.raw = b""
    t.process.send_signal(signal.SIGCONT)
    t.until(b"Proof")
    os.write(t.master, b"q")
    assert t.ended() == 0
    assert t.is_as_before()


def test_each_key_that_looks_works_in_a_terminal(terminals: list[Terminal]) -> None:
    terminals.append(t := Terminal(program()))
    t.until(b"etcd2")
    for sent, shown in [(b"1", "─ Cluster ─"), (b"2", "─ Agent ─"), (b"\x1b[5~", "1-"), (b"\x1b[F", "docker start"),
                        (b"3", "─ Load ─"), (b"4", "─ Proof ─"), (b"4", "⁴Proof"),
                        (b"o", "Does it answer at all?"), (b"/", " /"), (b"curl\r", "curl: (6)"), (b"\x1b", "⁴Proof"),
                        (b"?", "─ Help ─"), (b"?", "⁴Proof"), (b"\x1b[D", "(read again: Detected)"),
                        (b" ", "It looks before it acts")]:
        os.write(t.master, sent)
        _until_shown(t, shown)
    os.write(t.master, b"q")
    assert t.ended() == 0
    assert t.is_as_before()


def _until_shown(t: Terminal, words: str) -> None:
    end = time.monotonic() + PATIENCE
    while words not in "\n".join(t.screen()):
        assert time.monotonic() < end, f"{words!r} never came"
        t.read()


@pytest.mark.parametrize("wrapper", ["", "timeout --foreground 60", """bash -c '"$@"; true' wrapper"""])
def test_ctrl_z_and_fg_in_a_shell(terminals: list[Terminal], tmp_path: Path, wrapper: str) -> None:
    """Also under what has started it, which the shell sees stop."""
    (tmp_path / "program.py").write_text(program())
    bash = ["bash", "--norc", "--noprofile", "-i"]
    terminals.append(t := Terminal("", env={"PS1": "READY> "}, command=bash))
    t.until(b"READY> ")
    os.write(t.master, f"{wrapper} {sys.executable} {tmp_path}/program.py; echo over $?\n".encode())
    t.until(b"etcd2")
    os.write(t.master, b"\x1a")
    t.until(b"Stopped")
    left = t.raw.rpartition(LEAVE)
    assert b"Stopped" in left[2]  # the screen was given back before
    t.raw = b""
    os.write(t.master, b"fg\n")
    t.until(b"etcd2")
    t.raw = b""
    os.write(t.master, b"q")
    t.until(LEAVE)
    t.until(b"READY> ")


def test_colour_is_left_out_with_no_color(terminals: list[Terminal]) -> None:
    terminals.append(t := Terminal(program(), env={"NO_COLOR": "1"}))
    t.until(b"Proof")
    t.read()
    assert b"\x1b[31m" not in t.raw
    assert b";31m" not in t.raw
    assert "★ etcd2" in "\n".join(t.screen())


def test_a_terminal_without_utf8(terminals: list[Terminal]) -> None:
    terminals.append(t := Terminal(program(), env={"PYTHONIOENCODING": "ascii"}))
    t.until(b"Proof")
    t.read()
    assert t.raw.isascii()
    assert "L etcd2" in "\n".join(t.screen())


