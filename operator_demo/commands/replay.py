"""`operator-demo replay`: a recorded run, drawn again by the screen that draws it live."""

import os
import signal
import sys
import time
from collections.abc import Callable

import click

from operator_demo import chapters
from operator_demo.commands import completion, output
from operator_demo.commands.signals import end_by_exception
from operator_demo.errors import UsageError
from operator_demo.replay.live_text import with_live_text
from operator_demo.replay.player import Player
from operator_demo.replay.source import load, recordings
from operator_demo.replay.timeline import Timeline
from operator_demo.screen.color import choose_display, use_color
from operator_demo.screen.plain import Plain
from operator_demo.screen.summary import summary
from operator_demo.screen.terminal_text import Writer

TURN = 0.03  # seconds


@click.command()
@click.argument("record", default="last", metavar="[RUN|FILE|SUBJECT/SCENARIO]", shell_complete=completion.replayed)
@click.option("--speed", type=click.FloatRange(0.1, 1000), help="How many times as fast as it was.  [default: 1]")
@click.option("--from", "first", type=click.Choice(chapters.NAMES), help="Begin with this chapter.")
@click.option("--pause-on-chapters", is_flag=True, help="Pause where a chapter begins.")
@click.option("--idle-limit", type=click.FloatRange(0.1, 3600), default=2.0, show_default=True,
              help="Seconds that a time without news takes at most.")
@click.option("--display", type=click.Choice(["auto", "tui", "plain"]), default="auto", show_default=True,
              help="auto: tui on a terminal, else plain; plain comes at once unless --speed is given.")
@click.option("--list", "list_", is_flag=True, help="List the recordings that this program brings.")
def replay(record: str, speed: float | None, first: str | None, pause_on_chapters: bool, idle_limit: float,
           display: str, list_: bool) -> None:
    """Draw a recorded run again. Needs no engine, no key and no network.

    RUN is an id, the beginning of exactly one, or `last` (the default); FILE one that `audit export` wrote;
    SUBJECT/SCENARIO a recording that this program brings: `replay etcd/member-kill`.

    \b
    space, p   pause, go on          ← →   one event back, on
    1-4        one panel alone       [ ]   one chapter back, on
    ?          all keys              q     quit
    """
    if list_:
        for name in recordings():
            output.line(name)
        return
    timeline = Timeline(with_live_text(load(record).events), idle_limit)
    player = Player(timeline, time.monotonic, speed=speed or 1.0, pause_on_chapters=pause_on_chapters)
    if first is not None:
        if first not in timeline.chapters:
            raise UsageError(f"{record} never reached the chapter {first}.", "Leave out --from.")
        player.seek(timeline.chapters[first])
    end_by_exception(signal.SIGTERM, signal.SIGHUP)  # the terminal is given back
    if choose_display(display, sys.stdin, sys.stdout, os.environ) == "tui":
        on_screen(player)
    else:
        as_lines(player, at_once=speed is None)


def on_screen(player: Player, is_over: Callable[[], bool] = lambda: False) -> None:
    """Until somebody leaves, or it is over."""
    from operator_demo.screen.replay_live import ReplayScreen  # Rich is needed for this one only

    screen = ReplayScreen(sys.stdout, os.environ, player)
    screen.start()
    try:
        while screen.turn() and not is_over():
            time.sleep(TURN)
    finally:
        screen.stop()


def as_lines(player: Player, *, at_once: bool = False, is_over: Callable[[], bool] = lambda: False) -> None:
    """What `run --display plain` writes, from where the player stands to the end, or until it is over."""
    writer = Writer(sys.stdout, use_color(sys.stdout, os.environ))
    plain = Plain(writer)
    record = player.timeline.events
    told = max(player.shown - 1, 0)  # the chapter that it begins with is told too
    for e in record[:told]:
        plain.unsaid(e)
    writer.line(player.about.title, "strong")
    if at_once:
        player.seek(len(record))
    while True:
        for e in record[told:player.shown]:
            plain.event(e)
        told = player.shown
        if player.at_end or is_over():
            break
        time.sleep(TURN)
        player.playing = True  # nobody can press a key
        player.turn()
    writer.lines(summary(player.state, writer.symbols, program=""))
    writer.line(player.about.title, "strong")
