"""The plan of a talk: how long each chapter may take, and how the time goes."""

import re
from dataclasses import dataclass

from operator_demo.chapters import NAMES
from operator_demo.run_state import RunState

_SHARES = {"welcome": 15, "healthy": 10, "load": 10, "fault": 12, "detection": 10, "repair": 23, "verified": 12,
           "end": 8}  # of a hundred
_UNITS = {"s": 1.0, "m": 60.0, "": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smh]?)")


def parse(text: str) -> float:
    """Seconds of `20m`, `90s`, `1h` or `20` (minutes). Raises `ValueError`."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no length of time; write 20m, 90s or 1h.")
    return float(match[1]) * _UNITS[match[2]]


def plan(talk: float) -> dict[str, float]:
    """Seconds for each chapter of a talk of `talk` seconds."""
    return {name: talk * share / 100 for name, share in _SHARES.items()}


@dataclass(frozen=True)
class Timing:
    """In seconds. `late` is by how much the talk is behind its plan, negative where it is ahead."""

    spent: float  # in this chapter
    planned: float  # for this chapter
    left: float  # of the talk
    late: float


def timing(state: RunState, now: float) -> Timing | None:
    """None without a plan, or before the first chapter. A talk is late by what its chapters took beyond their plan."""
    talk, began, chapter = state.run.talk, state.run.began, state.chapter.name
    if not talk or began is None or chapter not in NAMES:
        return None
    shares = plan(talk)
    spent, elapsed = max(0.0, now - state.chapter_at), max(0.0, now - began)
    until_here = sum(shares[name] for name in NAMES[:NAMES.index(chapter)])
    due = until_here + min(spent, shares[chapter])
    return Timing(spent, shares[chapter], talk - elapsed, elapsed - due)
