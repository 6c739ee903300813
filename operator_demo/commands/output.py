"""The one place where commands print, for people or as JSON.

Labels, files and messages of the engine may contain anything. Here every text loses its control sequences, except our
own colours.
"""

import io
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from operator_demo.screen.color import use_color
from operator_demo.screen.terminal_text import Line, Symbols, Writer
from operator_demo.text import clean

_MOMENT = 0.5  # seconds after which one wants to know how long it still takes


def line(text: str, tone: str = "") -> None:
    _writer().line(text, tone)


def lines(many: Iterable[Line]) -> None:
    _writer().lines(many)


def with_symbols(make: Callable[[Symbols], Iterable[Line]]) -> None:
    """Lines that use symbols."""
    lines(make(_writer().symbols))


def as_json(value: Any) -> None:
    """Keys in their order, ASCII only, so that no control character reaches a terminal."""
    _writer().line(json.dumps(value, indent=2, ensure_ascii=True))


def aside(text: str) -> None:
    """A remark that is not part of the output."""
    click.echo(clean(text), err=True)


def complain(message: str, hint: str) -> None:
    """An error: what happened, and what to do next (may be empty)."""
    aside(f"operator-demo: {message}")
    if hint:
        aside(f"  {hint}")


def complain_of_usage(error: click.ClickException) -> None:
    """With the usage of the command."""
    text = io.StringIO()
    error.show(text)
    aside(text.getvalue().rstrip("\n"))


def on_terminal() -> bool:
    """Is there somebody who can be asked?"""
    return sys.stdin.isatty() and sys.stdout.isatty()


def ask(question: str, choices: list[str], default: str) -> str:
    return str(click.prompt(clean(question), type=click.Choice(choices), default=default))


def paged(make: Callable[[Symbols], Iterable[Line]]) -> None:
    """Through $PAGER (`less`, which ends by itself if all fits on the screen) on a terminal, else directly."""
    writer = _writer()
    whole = list(make(writer.symbols))  # before anything is shown, so that a damaged record is one clear error
    if not on_terminal():
        writer.lines(whole)
        return
    os.environ.setdefault("LESS", "-FRX")
    click.echo_via_pager((writer.paint(text, tone) + "\n" for text, tone in whole), color=writer.color)


@contextmanager
def counting(what: str) -> Iterator[Callable[[int, int], None]]:
    """Tells on the terminal how far long work is, once it takes longer than a moment; nothing remains of it."""
    begun, shown = time.monotonic(), False

    def progress(done: int, total: int) -> None:
        nonlocal shown
        if sys.stderr.isatty() and time.monotonic() - begun > _MOMENT:
            click.echo(f"\r{what}: {done} of {total} runs", nl=False, err=True)
            shown = True

    try:
        yield progress
    finally:
        if shown:
            click.echo("\r" + " " * 60 + "\r", nl=False, err=True)


def width() -> int | None:
    """Columns of the terminal; None where the output goes elsewhere and lines stay whole."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _writer() -> Writer:
    return Writer(sys.stdout, use_color(sys.stdout, os.environ))
