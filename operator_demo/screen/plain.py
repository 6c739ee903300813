"""A run as lines of text, one for each event worth telling: for pipes, logs and simple terminals."""

import re
from collections.abc import Iterator
from typing import Any

from operator_demo.chapters import NAMES
from operator_demo.events import TYPES, Event
from operator_demo.run_state import RunState
from operator_demo.screen import values, words
from operator_demo.screen.terminal_text import Line, Writer

LOAD_EVERY = 10.0  # seconds between lines about a load that has not changed
_PERCENT = re.compile(r"\s*\d+ %$")  # what changes too often to be told
_OUTPUT_LINES = 8  # of a tool's output; the audit has all of it
_OUTPUT_WIDTH = 160  # characters of each
_SOURCE_TONES = {"stage": "strong", "oracle": "accent", "monitor": "accent", "engine": "accent", "load": "dim"}


class Plain:
    """Writes each event as `[  12.3s] monitor   ticket tkt-… opened: …`, with the time since the run began."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._state = RunState()
        self._teller = Teller(writer)

    def event(self, e: Event) -> None:
        self._state.apply(e)
        at = values.seconds_of(e.ts) or self._state.latest
        began = self._state.run.began
        since = max(0.0, at - began) if began is not None else 0.0
        for source, lines in self._teller.tell(e, at):
            self._write(since, source, lines)

    def _write(self, since: float, source: str, lines: list[Line]) -> None:
        paint = self._writer.paint
        head = paint(f"[{since:6.1f}s]", "dim") + " " + paint(f"{source:<9}", _SOURCE_TONES.get(source, "agent")) + " "
        (first, tone), *rest = lines
        self._writer.line(head + paint(first, tone))
        for text, tone in rest:
            self._writer.line(" " * 20 + paint(text, tone))


class Teller:
    """Puts events into words. Remembers only what it needs to stay silent about what has not changed."""

    def __init__(self, writer: Writer) -> None:
        self._symbols = writer.symbols
        self._brain = ""
        self._model = ""
        self._members: dict[str, str] = {}
        self._leader: str | None = None
        self._violations: list[str] = []
        self._load_told = 0.0
        self._load_errors = 0
        self._progress: dict[tuple[str, str], str] = {}

    def tell(self, e: Event, at: float) -> Iterator[tuple[str, list[Line]]]:
        """(who, lines) for each thing that is worth telling; usually one or none."""
        d = e.raw
        match e.type:
            case "run_started":
                self._meet(d)
                yield "stage", [(f"run {values.label(e.run)}: {values.label(d['subject'])} "
                                 f"in project {values.label(d['project'])}, {values.label(d['mode'])} mode, "
                                 f"agent: {self._label()}", "strong")]
            case "chapter":
                name = values.label(d["name"])
                number = f"{NAMES.index(name) + 1}/{len(NAMES)} " if name in NAMES else ""
                title = f"{self._symbols.here} {number}{values.label(d['title']) or name}"
                yield "stage", [(title, "strong"), *_lines(d["narration"])]
            case "progress":
                yield from self._progressed(d)
            case "observation":
                yield from self._observed(d)
            case "load":
                yield from self._loaded(d, at)
            case "ticket_updated":
                keys = [values.label(values.mapping(v).get("key")) for v in values.sequence(d["violations"])]
                if keys != self._violations:
                    self._violations = keys
                    yield "monitor", [(f"ticket {values.label(e.ticket)}: {', '.join(keys) or 'no violation left'}",
                                       "")]
            case "agent_started" | "session_started":
                self._meet(d)
                what = "is ready" if e.type == "agent_started" else f"takes up ticket {values.label(e.ticket)}"
                yield self._agent(), [(f"{self._label()} {what} ({values.label(d['mode'])} mode)", "")]
            case "usage" | "delta":
                pass
            case _:
                source = self._agent() if e.source == "agent" else e.source
                yield from self._other(e, source)

    def _other(self, e: Event, source: str) -> Iterator[tuple[str, list[Line]]]:
        d, s = e.raw, self._symbols
        match e.type:
            case "truth_sealed":
                yield source, [(f"the root cause is written down and sealed: sha256 {values.label(d['sha256'])}", "")]
            case "truth_opened":
                yield source, [(f"the sealed root cause was: {values.fields(d['truth'])}", "")]
            case "fault":
                targets = ", ".join(values.label(t) for t in values.sequence(d["targets"]))
                phase = values.label(d["phase"])
                yield source, [(f"fault {phase}: {values.label(d['kind'])} of {targets}",
                                "bad" if phase in ("injected", "failed") else "warn")]
            case "note":
                level = values.label(d["level"])
                head, *rest = _lines(d["text"]) or [("", "")]
                tone = {"warning": "warn", "error": "bad"}.get(level, "")
                yield source, [(f"{level}: {head[0]}" if tone else head[0], tone), *rest]
            case "gap":
                what = "were filled in" if d["filled"] else "are missing"
                yield source, [(f"events {values.label(d['first'])} to {values.label(d['last'])} of "
                                f"{values.label(d['from_source'])} {what}", "dim" if d["filled"] else "warn")]
            case "run_finished":
                outcome = values.label(d["outcome"])
                tone = "good" if outcome in ("repaired", "no_action") else "warn"
                yield source, [(f"the run is over: {outcome}", tone)]
            case "monitor_started":
                names = ", ".join(values.label(m) for m in values.sequence(d["members"]))
                yield source, [(f"watches {values.label(d['subject'])}: {names}", "")]
            case "effect":
                known = values.label(d["explained"])
                yield "engine", [(f"{words.effect(d)}" + (f" [{known.replace('_', ' ')}]" if known else
                                                          f" {s.warn} unexplained"), "" if known else "warn")]
            case "armed":
                checks = ", ".join(values.label(c) for c in values.sequence(d["checks"]))
                yield "oracle", [(f"took its baseline{f' for: {checks}' if checks else ''}", "")]
            case "verdict":
                yield "oracle", self._verdict(d)
            case _ if e.type.startswith("ticket_"):
                yield source, self._ticket(e)
            case "reasoning":
                verb = "thinks" if d["kind"] == "thinking" else "says"
                lines = _lines(d["text"])
                if lines:
                    yield source, [(f"{verb}: {lines[0][0]}", ""), *lines[1:]]
            case "tool_call":
                typed = words.command(values.label(d["tool"]), d["input"]).splitlines() or [""]
                why = [(f"why: {text}", "dim") for text, _ in _lines(words.why(d["input"]))]
                yield source, [*[(text, "strong") for text in typed], *why]
            case "tool_result":
                line = words.result(values.label(d["status"]), values.number(d.get("exit_code")),
                                    values.number(d.get("duration")), s)
                yield source, [line, *self._output(d)]
            case "finding":
                said = [values.label(d["member"]), values.label(d["cause"]).replace("_", " ")]
                yield source, [(f"finding: {': '.join(part for part in said if part)}", "strong"),
                               *_lines(words.finding_text(d))]
            case "retry":
                yield source, [(f"retry {values.label(d['attempt'])} in {words.seconds(values.number(d['delay']))}: "
                                f"{values.label(d['reason'])}", "warn")]
            case "refusal":
                yield source, [(f"{s.refused} refused: {values.label(d['reason'])}", "warn")]
            case "interrupt":
                yield source, [(f"interrupted: {values.label(d['reason'])}", "warn")]
            case "session_finished":
                head, *rest = _lines(d["summary"]) or [("", "")]
                yield source, [(f"session {values.label(e.session)} is over: {values.label(d['status'])}. {head[0]}",
                                ""), *rest]
            case "workload_started":
                yield "load", [(f"begins: {values.label(d['rate'])} op/s over {values.label(d['keys'])} keys", "")]
            case "write_check":
                lost = values.count(d["lost"])
                yield "load", [(f"acknowledged writes: {values.count(d['kept'])} kept, {lost} lost, "
                                f"{values.count(d['unknown'])} unknown", "bad" if lost else "good")]
            case _ if e.type in TYPES:
                yield source, [(e.type.replace("_", " "), "")]

    # -- what repeats: told only when it changes ---------------------------------------------------------------------

    def _observed(self, d: dict[str, Any]) -> Iterator[tuple[str, list[Line]]]:
        s = self._symbols
        seen = {values.label(name): values.mapping(m) for name, m in values.mapping(d["members"]).items()}
        leader = next((name for name, m in seen.items() if m.get("leader") is True), None)
        said: dict[str, str] = {}
        for name, m in seen.items():
            state = values.label(m.get("state"))
            said[name] = "healthy" if m.get("healthy") is True else \
                f"{state or 'unknown'}{', not healthy' if state == 'running' else ''}"
        if not self._members and said:
            well = sum(text == "healthy" for text in said.values())
            yield "monitor", [(f"{well} of {len(said)} members are healthy", "good" if well == len(said) else "warn")]
        else:
            for name, text in said.items():
                if text != self._members.get(name):
                    good = text == "healthy"
                    error = values.label(seen[name].get("error"))
                    yield "monitor", [(f"{s.healthy if good else s.bad} {name} is {text}"
                                       + (f": {error}" if error and not good else ""), "good" if good else "bad")]
        if leader != self._leader and said:
            yield "monitor", [(f"leader: {leader or 'none'}", "" if leader else "bad")]
        self._members, self._leader = said or self._members, leader

    def _loaded(self, d: dict[str, Any], at: float) -> Iterator[tuple[str, list[Line]]]:
        errors = values.total(d["errors"])
        changed = (errors > 0) != (self._load_errors > 0)
        self._load_errors = errors
        if changed or at - self._load_told >= LOAD_EVERY:
            self._load_told = at
            kinds = ", ".join(f"{values.label(k)} {values.count(n)}" for k, n in values.mapping(d["errors"]).items()
                              if values.count(n))
            yield "load", [(f"{values.number(d['ops']) or 0:.0f} op/s, p50 "
                            f"{words.milliseconds(values.number(d['p50']))}, p99 "
                            f"{words.milliseconds(values.number(d['p99']))}, "
                            f"{words.plural(errors, 'error')}{f' ({kinds})' if kinds else ''}".replace(
                                "—", self._symbols.none), "warn" if errors else "")]

    def _progressed(self, d: dict[str, Any]) -> Iterator[tuple[str, list[Line]]]:
        key, status = (values.label(d["task"]), values.label(d["item"])), values.label(d["status"])
        step = _PERCENT.sub("", status)
        if self._progress.get(key) != step:
            self._progress[key] = step
            yield "stage", [(f"{' '.join(dict.fromkeys(key))}: {status}", "dim")]

    # -- parts -------------------------------------------------------------------------------------------------------

    def _ticket(self, e: Event) -> list[Line]:
        d, name, move = e.raw, values.label(e.ticket), e.type.removeprefix("ticket_")
        detail, tone = "", ""
        rest: list[Line] = []
        match move:
            case "opened":
                detail, tone = f" ({values.label(d['severity'])}): {values.label(d['title'])}", "bad"
                found = [values.mapping(v) for v in values.sequence(d["violations"])]
                self._violations = [values.label(v.get("key")) for v in found]
                rest = [(f"{self._symbols.warn} {values.label(v.get('key'))}: {values.label(v.get('text'))}", "")
                        for v in found]
            case "claimed":
                detail = f" by session {values.label(d['holder'])}"
            case "verifying":
                said = "nothing is to do" if d.get("claim") == "no_action" else "it is repaired"
                detail = f": the agent says {said}. {values.label(d['summary'])}"
                rest = [(f"did: {values.label(a)}", "") for a in values.sequence(d["actions"])]
            case "returned":
                told = _lines(d["words"]) or [("", "")]
                detail, tone, rest = f" to the agent: {told[0][0]}", "warn", told[1:]
            case "released" | "escalated":
                told = _lines(d["reason"]) or [("", "")]
                detail, tone, rest = f": {told[0][0]}", "warn", told[1:]
            case "resolved":
                tone = "good"
        return [(f"ticket {name} {move}{detail}", tone), *rest]

    def _verdict(self, d: dict[str, Any]) -> list[Line]:
        phase, passed = values.label(d["phase"]), d["passed"] is True
        expected = phase == "opening" and not passed  # it must fail while the fault is there
        head = f"{phase} verdict: {'passed' if passed else 'not passed'}" + (
            ", as it must while the fault is there" if expected else "")
        lines: list[Line] = [(head, "good" if passed and phase == "final" else "warn" if expected else "bad")]
        for value in values.sequence(d["checks"]):
            c = values.mapping(value)
            status = values.label(c.get("status"))
            mark, tone = words.check_mark(status, self._symbols)
            lines.append((f"{mark} {words.check_text(values.label(c.get('name')), status, values.label(c.get('saw')))}",
                          tone))
        return lines

    def _output(self, d: dict[str, Any]) -> list[Line]:
        lines = values.text(d["output"]).rstrip().splitlines()
        shown: list[Line] = [(f"{self._symbols.quote} {self._narrow(line)}", "dim")
                              for line in lines[:_OUTPUT_LINES]]
        if len(lines) > _OUTPUT_LINES:
            left = words.plural(len(lines) - _OUTPUT_LINES, "more line")
            shown.append((f"{self._symbols.quote} {self._symbols.ellipsis} {left}", "dim"))
        return shown

    def _narrow(self, line: str) -> str:
        return line if len(line) <= _OUTPUT_WIDTH else line[:_OUTPUT_WIDTH] + self._symbols.ellipsis

    def _meet(self, d: dict[str, Any]) -> None:
        self._brain, self._model = values.label(d["brain"]), values.label(d["model"])

    def _label(self) -> str:
        return words.brain_label(self._brain, self._model)

    def _agent(self) -> str:
        return words.brain_source(self._brain)


def _lines(text: Any) -> list[Line]:
    return [(line, "") for line in values.text(text).strip().splitlines()]
