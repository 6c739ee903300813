"""A run as lines of text, one for each event worth telling: for pipes, logs and simple terminals."""

import re
from collections.abc import Iterator

from operator_demo import events, phrases, telling
from operator_demo.events import Event, MemberSeen
from operator_demo.screen.quantities import plural
from operator_demo.screen.terminal_text import Line, Symbols, Writer
from operator_demo.telling import Telling, tell

LOAD_EVERY = 10.0  # seconds between lines about a load that has not changed
_PERCENT = re.compile(r"\s*\d+ %$")  # what changes too often to be told
_OUTPUT_LINES = 8  # of a tool's output; the audit has all of it
_OUTPUT_WIDTH = 160  # characters of each
_SOURCE_TONES = {"stage": "strong", "oracle": "accent", "monitor": "accent", "engine": "accent", "load": "dim"}


class Plain:
    """Writes each event as `[  12.3s] monitor   ticket tkt-… opened: …`, with the time since the run began."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._choice = Choice(writer.symbols)
        self._began: float | None = None
        self._brain = ""

    def event(self, e: Event) -> None:
        for told in self.unsaid(e):
            self._write(max(0.0, e.at - self._began) if self._began is not None else 0.0, told)

    def unsaid(self, e: Event) -> list[Telling]:
        """Takes in an event and writes nothing; returns what would be told of it."""
        match e.data:
            case events.RunStarted(brain=brain):
                self._began, self._brain = e.at, brain
            case events.AgentStarted(brain=brain) | events.SessionStarted(brain=brain):
                self._brain = brain
        return list(self._choice.of(e))

    def _write(self, since: float, told: Telling) -> None:
        speaker = phrases.brain_source(self._brain) if told.speaker == "agent" else told.speaker
        first, *rest = told.lines
        self._writer.row((f"[{since:6.1f}s]", "dim"), (" ", ""),
                         (f"{speaker:<9}", _SOURCE_TONES.get(speaker, "agent")), (" ", ""), first)
        for line in rest:
            self._writer.row((" " * 20, ""), line)


class Choice:
    """Which events are worth a line. Remembers only what it needs to stay silent about what has not changed."""

    def __init__(self, symbols: Symbols) -> None:
        self._symbols = symbols
        self._members: dict[str, str] = {}
        self._leader: str | None = None
        self._violations: list[str] = []
        self._load_told = 0.0
        self._load_fails = False
        self._progress: dict[tuple[str, str], str] = {}

    def of(self, e: Event) -> Iterator[Telling]:
        """Usually one or none."""
        if isinstance(e.data, events.Observation):
            yield from (Telling("monitor", [line]) for line in self._changes(e.data.members))
            return
        told = tell(e, self._symbols) if self._is_news(e) else None
        if told is not None:
            shortened = self._output(told.lines) if isinstance(e.data, events.ToolResult) else told.lines
            yield Telling(told.speaker, shortened)

    def _is_news(self, e: Event) -> bool:
        match e.data:
            case events.Usage() | events.Score() | events.RecordHead():  # (the summary has the last)
                return False
            case events.ToolCall(tool="finding") | events.ToolResult(tool="finding", status="ok"):
                return False  # the finding itself is told
            case events.Reasoning(text=text):
                return bool(text.strip())
            case events.Prompt():
                return bool(e.data.space or e.data.question)
            case events.Progress():
                return self._is_new_step(e.data)
            case events.Load():
                return self._is_new_load(e.data, e.at)
            case events.TicketOpened(violations=violations):
                self._violations = [v.key for v in violations]
            case events.TicketUpdated(violations=violations):
                before, self._violations = self._violations, [v.key for v in violations]
                return self._violations != before
        return True

    def _is_new_step(self, data: events.Progress) -> bool:
        key, step = (data.task, data.item), _PERCENT.sub("", data.status)
        before, self._progress[key] = self._progress.get(key), step
        return step != before

    def _is_new_load(self, data: events.Load, at: float) -> bool:
        fails = data.failed > 0
        is_new = fails != self._load_fails or at - self._load_told >= LOAD_EVERY
        self._load_fails = fails
        if is_new:
            self._load_told = at
        return is_new

    def _changes(self, members: dict[str, MemberSeen]) -> Iterator[Line]:
        """What an observation has that the one before had not."""
        if not members:
            return
        states = {name: phrases.member_state(m) for name, m in members.items()}
        if not self._members:
            yield telling.health(members)
        else:
            for name, m in members.items():
                if states[name] != self._members.get(name):
                    yield telling.member(name, m, self._symbols)
        leader = telling.leader_of(members)
        if leader != self._leader:
            yield telling.leader(leader)
        self._members, self._leader = states, leader

    def _output(self, lines: list[Line]) -> list[Line]:
        """The result with the beginning of its output."""
        result, *output = lines
        shown = [(self._narrow(text), tone) for text, tone in output[:_OUTPUT_LINES]]
        if len(output) > _OUTPUT_LINES:
            more = plural(len(output) - _OUTPUT_LINES, "more line")
            shown.append((f"{self._symbols.quote} {self._symbols.ellipsis} {more}", "dim"))
        return [result, *shown]

    def _narrow(self, line: str) -> str:
        width = _OUTPUT_WIDTH + len(self._symbols.quote) + 1
        return line if len(line) <= width else line[:width] + self._symbols.ellipsis
