"""What the full screen takes of one core, on a real terminal and in a process of its own."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from queue import Empty, SimpleQueue

from benchmarks.measure import ROOT, Benchmark, Row, say
from operator_demo import events
from operator_demo.events import Delta, Event
from operator_demo.screen.display import Display, make_display
from tests.screen.story import START, story

ROUNDS, SECONDS, WARM = 3, 10.0, 2.0
ROWS, COLUMNS = 40, 140
BEAT = 0.05  # seconds that the stage waits for an event before it lets the screen draw
IDLE_UNTIL, STREAM_UNTIL = 11.0, 17.15  # seconds into the story of a run, from which both begin
PIECE_EVERY, PIECES = 0.03, ["Which ", "member ", "is ", "it, ", "and ", "why?\n"]  # faster than the screen draws


def screen() -> list[Row]:
    """CPU time of the process, its threads and what the kernel does for it, in per cent of the time that went by."""
    used: dict[str, list[float]] = {"idle": [], "streaming": []}
    for number in range(ROUNDS):
        for kind, samples in used.items():
            say(f"screen, {kind}: round {number + 1} of {ROUNDS}")
            samples.append(_measure(kind))
    size = f"{COLUMNS} by {ROWS} cells"
    return [
        Row("screen of a healthy run", "one core", "%", used["idle"], [], 3, against_theirs=False,
            remark=f"{size}; an observation and a second of load come each second"),
        Row("screen while the agent's text streams at 10 Hz", "one core", "%", used["streaming"], [], 10,
            against_theirs=False),
    ]


def _measure(kind: str) -> float:
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    reader = threading.Thread(target=_swallow, args=(ours,), name="terminal")
    with subprocess.Popen([sys.executable, "-m", "benchmarks.screen", kind], cwd=ROOT, stdin=its, stdout=its,
                          stderr=subprocess.PIPE, env={**os.environ, "TERM": "xterm-256color"}) as process:
        os.close(its)
        try:
            reader.start()
            _, said = process.communicate()
        finally:
            process.kill()
            process.wait()
            reader.join()
            os.close(ours)
    try:
        return float(said)
    except ValueError:
        raise RuntimeError(f"the screen failed: {said.decode(errors='replace')}") from None


def _swallow(terminal: int) -> None:
    with suppress(OSError):  # (so a pseudo-terminal tells that nobody is at its other end)
        while os.read(terminal, 65536):
            pass


# -- the process on the terminal -------------------------------------------------------------------------------------


def _show(kind: str) -> None:
    """Plays the beginning of a run at once, then goes on as such a run does; says on stderr what it took."""
    begin = START + (IDLE_UNTIL if kind == "idle" else STREAM_UNTIL)
    told = [e for e in story() if events.parse_ts(e.ts) <= begin]
    display, queue, stop = make_display("tui"), SimpleQueue[Event](), threading.Event()
    source = threading.Thread(target=_go_on, args=(kind, told, queue, stop), name="source")
    display.start()
    try:
        for event in told:
            display.event(event)
        source.start()
        _turn(display, queue, begin, WARM)
        used, passed = time.process_time(), time.perf_counter()
        _turn(display, queue, begin + WARM, SECONDS)
        used, passed = time.process_time() - used, time.perf_counter() - passed
    finally:
        stop.set()
        source.join()
        display.stop()
    print(100 * used / passed, file=sys.stderr)


def _turn(display: Display, queue: SimpleQueue[Event], now: float, seconds: float) -> None:
    """As the stage does."""
    begin = time.monotonic()
    while (at := time.monotonic() - begin) < seconds:
        with suppress(Empty):
            display.event(queue.get(timeout=BEAT))
        display.tick(now + at)


def _go_on(kind: str, told: list[Event], queue: SimpleQueue[Event], stop: threading.Event) -> None:
    newest = {e.type: e for e in told}
    for beat in _beats(stop, 1.0 if kind == "idle" else PIECE_EVERY):
        if kind == "streaming":
            text = PIECES[beat % len(PIECES)]
            session = newest["session_started"].session
            queue.put(events.event(told[0].run, events.AGENT, Delta(kind="thinking", text=text), session=session))
        if kind == "idle" or beat % round(1 / PIECE_EVERY) == 0:
            for type_ in ("observation", "load"):
                old = newest[type_]
                newest[type_] = replace(old, seq=(old.seq or 0) + 1, ts=_later(old.ts))
                queue.put(newest[type_])


def _beats(stop: threading.Event, every: float) -> Iterator[int]:
    count, begin = 0, time.monotonic()
    while not stop.wait(max(0.0, begin + count * every - time.monotonic())):
        yield count
        count += 1


def _later(ts: str) -> str:
    return events.timestamp(datetime.fromtimestamp(events.parse_ts(ts) + 1, UTC))


BENCHMARKS: dict[str, Benchmark] = {"screen": screen}

if __name__ == "__main__":
    _show(sys.argv[1])
