"""What happened, entry by entry: each command of the agent with its thought, its result and what it caused, and
everything else as a sentence.

An entry is {"at", "kind", "speaker", "lines": [[text, tone]]}; a step of the agent ({"kind": "step"}) has besides
    "call", "to"      the id of the call, when its result came
    "why"             the reason that the agent gave
    "thoughts"        what it thought and said since the step before
    "command"         as it was typed, control characters escaped
    "ran"             the identity of what ran, where it is shown otherwise
    "result"          [text, tone]
    "output"          the tool's output, cut to `OUTPUT` bytes
    "effects"         [[text, tone]]: the guard's decisions and what the engine reported
    "changes"         did the engine report a change?
    "refused"         did the guard deny something, or did the call not run?
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from operator_demo import audit, events, phrases
from operator_demo.events import Event
from operator_demo.json_pretty import pretty
from operator_demo.screen.terminal_text import UNICODE
from operator_demo.telling import lines, tell
from operator_demo.text import cut

SYMBOLS = replace(UNICODE, shield=UNICODE.refused)  # few fonts of browsers have the shield
OUTPUT = 8000  # bytes of a tool's output
_KINDS: dict[type[events.Payload], str] = {
    events.Chapter: "chapter", events.Finding: "finding", events.Verdict: "verdict", events.Fault: "fault",
    events.TicketOpened: "ticket", events.TicketResolved: "ticket", events.TicketEscalated: "ticket",
    events.TicketReturned: "ticket", events.Refusal: "refusal", events.Interrupt: "refusal",
    events.ApprovalRequested: "refusal", events.ApprovalAnswered: "refusal", events.SessionFinished: "session"}
_TOLD = {*audit.ABOUT_A_RUN, events.Chapter.type} - {events.Usage.type}
_LOOKING = "exec_start"  # is no change

Json = dict[str, Any]


def story(record: Sequence[Event], start: float) -> list[Json]:
    """The entries in the order of time; `start` is when the run began, in seconds since the epoch."""
    return list(_Story(record, start).entries())


def _kind(data: events.Payload) -> str:
    if isinstance(data, events.Guard) and data.ruling == "deny":
        return "refusal"
    return _KINDS.get(type(data), "event")


class _Story:
    def __init__(self, record: Sequence[Event], start: float) -> None:
        self._record = [e for e in record if e.type in _TOLD]
        self._start = start
        self._results = {(e.session, e.data.call): e for e in record if isinstance(e.data, events.ToolResult)}
        self._calls = {e.data.call for e in record if isinstance(e.data, events.ToolCall)}
        self._caused: dict[str, list[Event]] = {}
        for e in self._record:
            if isinstance(e.data, events.Effect | events.Guard) and e.data.call is not None:
                self._caused.setdefault(e.data.call, []).append(e)
        self._brain = "agent"

    def entries(self) -> Iterator[Json]:
        thoughts: list[str] = []
        for e in self._record:
            match e.data:
                case events.RunStarted(brain=brain) | events.SessionStarted(brain=brain):
                    self._brain = phrases.brain_source(brain)
            match e.data:
                case events.Reasoning(text=text):
                    thoughts.append(text.strip())
                    continue
                case events.ToolCall() as call:
                    yield self._step(e, call, thoughts)
                    thoughts = []
                    continue
                case events.ToolResult(call=id) if id in self._calls:
                    continue
                case events.Effect(call=id) | events.Guard(call=id) if id in self._calls:
                    continue
            if isinstance(e.data, events.SessionFinished):
                yield from self._last_words(e.at, thoughts)
                thoughts = []
            told = tell(e, SYMBOLS)
            if told is not None:
                speaker = self._brain if told.speaker == events.AGENT else told.speaker
                yield {"at": self._after(e.at), "kind": _kind(e.data), "speaker": speaker,
                       "lines": [list(line) for line in told.lines]}
        if self._record:
            yield from self._last_words(self._record[-1].at, thoughts)  # the session was cut off

    def _last_words(self, at: float, thoughts: list[str]) -> Iterator[Json]:
        """What the agent said after its last command."""
        said = [[line, ""] for thought in thoughts for line in thought.splitlines()]
        if said:
            yield {"at": self._after(at), "kind": "event", "speaker": self._brain, "lines": said}

    def _step(self, e: Event, call: events.ToolCall, thoughts: list[str]) -> Json:
        result = self._results.get((e.session, call.call))
        done = result.data if result is not None else None
        words = f"{SYMBOLS.unknown} outcome unknown: no result was written", "warn"
        output, refused = "", self._denied(call.call)
        if isinstance(done, events.ToolResult):
            words = phrases.result(done.status, done.exit_code, done.duration, SYMBOLS)
            output, _ = cut(pretty(done.output.rstrip()), OUTPUT)
            refused = refused or done.status == "refused"
        effects, changes = self._effects(call.call)
        at = self._after(e.at)
        return {
            "at": at, "to": self._after(result.at) if result is not None else at, "kind": "step",
            "speaker": self._brain, "call": call.call, "tool": call.tool, "why": phrases.why(call.input).strip(),
            "thoughts": [thought for thought in thoughts if thought],
            "command": phrases.command(call.tool, call.input).removeprefix("$ "), "ran": phrases.what_ran(call),
            "result": list(words), "output": output, "effects": effects, "changes": changes,
            "refused": refused}

    def _effects(self, call: str) -> tuple[list[list[str]], bool]:
        """What the guard decided and the engine reported during a call, and whether anything was changed."""
        effects, changes = [], False
        for e in self._caused.get(call, []):
            match e.data:
                case events.Guard() as guard:
                    effects += [[f"guard: {text}", tone] for text, tone in lines(guard, e, SYMBOLS)]
                case events.Effect() as effect:
                    effects.append([f"engine: {phrases.effect(effect)}", "agent"])
                    changes = changes or effect.action != _LOOKING
        return effects, changes

    def _denied(self, call: str) -> bool:
        return any(isinstance(e.data, events.Guard) and e.data.ruling == "deny" for e in self._caused.get(call, []))

    def _after(self, at: float) -> float:
        return round(at - self._start, 3)
