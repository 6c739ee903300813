"""Signals that end a command by an exception, so that it cleans up on the way out."""

import signal
from types import FrameType
from typing import NoReturn


def end_by_exception(*numbers: signal.Signals) -> None:
    """Each of these signals raises SystemExit with its status. One that is ignored (SIGHUP under nohup) stays
    ignored."""
    for number in numbers:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _end)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)
