"""How commands that read the record print: lines, JSON, or a pager where a person sits."""

import json
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

import click

from operator_demo.screen.color import use_color
from operator_demo.screen.terminal_text import Line, Symbols, Writer, encodable


def lines(many: Iterable[Line]) -> None:
    _writer().lines(many)


def made(make: Callable[[Symbols], Iterable[Line]]) -> None:
    """Lines that use symbols."""
    writer = _writer()
    writer.lines(make(writer.symbols))


def as_json(value: Any) -> None:
    """Keys in their order, ASCII only, so that no text can reach a terminal raw."""
    _writer().line(json.dumps(value, indent=2, ensure_ascii=True))


def aside(text: str) -> None:
    """A remark that is not part of the output."""
    click.echo(text, err=True)


def paged(make: Callable[[Symbols], Iterable[Line]]) -> None:
    """Through $PAGER (`less`, which ends by itself where all fits on the screen) on a terminal, else as it is."""
    writer = _writer()
    whole = list(make(writer.symbols))  # before anything is shown: what is damaged is then one clear error
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        writer.lines(whole)
        return
    os.environ.setdefault("LESS", "-FRX")
    click.echo_via_pager((encodable(writer.paint(text, tone), writer.encoding) + "\n"
                          for text, tone in whole), color=writer.color)


def _writer() -> Writer:
    return Writer(sys.stdout, use_color(sys.stdout, os.environ))
