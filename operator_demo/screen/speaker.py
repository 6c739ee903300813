"""What the presenter reads in a second terminal, as lines: each chapter with its speaker notes, and what comes next."""

from collections.abc import Mapping
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TextIO

from operator_demo.chapters import NAMES
from operator_demo.events import Event
from operator_demo.run_state import RunState, number_of
from operator_demo.screen.color import use_color
from operator_demo.screen.terminal_text import Line, Symbols, Writer


@dataclass(frozen=True)
class Upcoming:
    """The chapter after the one that is shown. `notes` are None where they cannot be known."""

    name: str
    title: str
    notes: str | None = None

    @property
    def heading(self) -> str:
        return heading(self.name, self.title)


def heading(name: str, title: str) -> str:
    """`4/8 A fault`"""
    number = f"{number_of(name)}/{len(NAMES)} " if name in NAMES else ""
    return f"{number}{title or name}"


class SpeakerLines:
    """Prints a chapter when it comes. See `presenter.View`."""

    def __init__(self, out: TextIO, env: Mapping[str, str]) -> None:
        self.keys: SimpleQueue[str] = SimpleQueue()
        self._writer = Writer(out, use_color(out, env))
        self.begin()

    def start(self) -> None:
        pass

    def begin(self) -> None:
        self._state = RunState()
        self._upcoming: Upcoming | None = None

    def expect(self, upcoming: Upcoming | None) -> None:
        self._upcoming = upcoming

    def event(self, e: Event) -> None:
        before = self._state.chapter
        self._state.apply(e)
        if self._state.chapter is not before:
            self._writer.lines(told(self._state, self._upcoming, self._writer.symbols))

    def tick(self, now: float) -> None:
        pass

    def stop(self) -> None:
        self._writer.lines(ended(self._state))

    def abandon(self) -> None:
        pass


def told(state: RunState, upcoming: Upcoming | None, symbols: Symbols) -> list[Line]:
    """The chapter that the run is in; none before the first."""
    c = state.chapter
    if not c.name:
        return []
    since = max(0.0, state.chapter_at - state.run.began) if state.run.began is not None else 0.0
    lines: list[Line] = [(f"[{since:6.1f}s] {symbols.here} {heading(c.name, c.title)}", "strong")]
    lines += [(f"    {symbols.quote} {text}", "dim") for text in c.narration.splitlines()]
    lines += [(f"    {text}", "") for text in c.notes.splitlines()]
    if upcoming is not None:
        head, *rest = (upcoming.notes or "").splitlines() or [""]
        lines.append((f"    next: {upcoming.heading}{f': {head}' if head else ''}", "dim"))
        lines += [(f"          {text}", "dim") for text in rest]
    return lines


def ended(state: RunState) -> list[Line]:
    """How the run ended; none while it goes on."""
    outcome = state.outcome
    if outcome is None:
        return []
    return [(f"The run is over: {outcome.data.outcome}.", "good" if outcome.data.exit_status == 0 else "warn")]
