"""How long it takes to draw a long record at any point."""

import io
import random
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from rich.console import Console
from rich.screen import Screen

from benchmarks.measure import Benchmark, Row, say
from operator_demo import events
from operator_demo.events import Event
from operator_demo.replay.player import Player
from operator_demo.replay.timeline import Timeline
from operator_demo.screen.layout import arrange
from operator_demo.screen.panels.view import View
from operator_demo.screen.terminal_text import UNICODE
from tests.screen.story import story

EVENTS, POINTS, SIZE = 10_000, 200, (140, 40)


def replay() -> list[Row]:
    """Seconds from the key to the whole screen, at points drawn at random."""
    say(f"replay: a record of {EVENTS} events")
    player = Player(Timeline(long_record(), idle_limit=2.0), time.monotonic)
    console = Console(file=io.StringIO(), width=SIZE[0], height=SIZE[1], force_terminal=True, _environ={})
    draw = random.Random(1)
    samples = [_drawn(player, console, draw.randint(0, EVENTS)) for _ in range(POINTS)]
    return [Row("replay: a record of 10,000 events drawn at any point", "one key", "s", samples, [], 0.2,
                against_theirs=False, remark=f"{SIZE[0]} by {SIZE[1]} cells, {POINTS} points")]


def _drawn(player: Player, console: Console, shown: int) -> float:
    begin = time.perf_counter()
    player.seek(shown)
    console.print(Screen(arrange(player.state, View(console, UNICODE, player.now, False, *SIZE))), end="")
    return time.perf_counter() - begin


def long_record() -> list[Event]:
    """The story of a run over and over, until it is long enough."""
    return [e for e, _ in zip(_again_and_again(), range(EVENTS), strict=False)]


def _again_and_again() -> Iterator[Event]:
    told = [e for e in story() if e.seq is not None]
    length, count = told[-1].at - told[0].at + 1, 0
    while True:
        for e in told:
            at = datetime.fromtimestamp(e.at + count * length, UTC)
            yield replace(e, seq=(e.seq or 0) + count * len(told), ts=events.timestamp(at))
        count += 1


BENCHMARKS: dict[str, Benchmark] = {"replay": replay}
