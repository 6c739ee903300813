"""The record as lines for people: the lists, and one session, run or ticket in full."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from operator_demo.screen import values, words
from operator_demo.screen.terminal_text import Line, Symbols
from operator_demo.settings import CLAUDE
from operator_demo.text import cut

_OUTPUT = 1200  # bytes of a tool's output, unless all of it is asked for
_INDENT = " " * 12
Row = dict[str, Any]


def session_table(rows: list[Row]) -> Iterator[Line]:
    columns = ("SESSION", "RUN", "TICKET", "SUBJECT", "BRAIN", "STATUS", "VERDICT", "STARTED", "TOOK", "STEPS", "COST")
    yield from table(columns, [
        (r["session"], r["run"], r["ticket"], r["subject"], _brain(r), r["status"], r["verdict"],
         local_time(r["started"])[:16], _took(r["duration"]), r["steps"], words.money(r["cost_usd"])) for r in rows],
        [{"passed": "good", "failed": "bad"}.get(r["verdict"], "") for r in rows])


def ticket_table(rows: list[Row]) -> Iterator[Line]:
    columns = ("TICKET", "RUN", "SUBJECT", "STATE", "SEVERITY", "OPENED", "TOOK", "HOLDER", "TITLE")
    tones = {"resolved": "good", "escalated": "warn", "cleared": "warn"}
    yield from table(columns, [
        (r["ticket"], r["run"], r["subject"], r["state"], r["severity"], local_time(r["opened"]), _took(r["duration"]),
         r["holder"], r["title"]) for r in rows], [tones.get(r["state"], "") for r in rows])


def show(record: Row, symbols: Symbols, *, full: bool = False) -> Iterator[Line]:
    """The head, the oracle's verdict, and every entry in the order of time."""
    run = record["run"]
    yield f"{record['kind']} {values.label(record['id'])}", "strong"
    yield from _run(run)
    for ticket in record["tickets"]:
        yield from _ticket(ticket)
    for session in record["sessions"]:
        yield from _session(session)
    if not record["sessions"]:
        yield _field("session", "none: no agent took this up"), "warn"
    yield from _verdicts(record["verdicts"], symbols)
    yield "", ""
    start = run.get("started") or (record["entries"][0]["ts"] if record["entries"] else None)
    brains = {s["session"]: words.brain_source(values.label(s["brain"])) for s in record["sessions"]}
    teller = _Entries(symbols, full, record["entries"], brains)
    for entry in record["entries"]:
        lines = list(teller.tell(entry))
        if not lines:
            continue
        (source, first, tone), rest = lines[0], lines[1:]
        yield f"{since(start, entry['ts']):>10}  {source:<9} {first}", tone
        for _, text, tone in rest:
            yield f"{_INDENT}{'':<10}{text}", tone
    if not record["entries"]:
        yield "no entries", "dim"


# -- the head --------------------------------------------------------------------------------------------------------


def _field(name: str, text: str) -> str:
    return f"  {name:<9} {text}"


def _run(run: Row) -> Iterator[Line]:
    about = [values.label(run["run"])]
    about += [f"{key} {values.label(run[key])}" for key in ("subject", "project") if run.get(key)]
    yield _field("run", ", ".join(about)), ""
    if run.get("outcome"):
        tone = "good" if run["outcome"] == "repaired" else "warn"
        yield _field("outcome", f"{values.label(run['outcome'])}; TTD {words.seconds(values.number(run['ttd']))}, "
                                f"TTM {words.seconds(values.number(run['ttm']))}"), tone
    elif run.get("started"):
        yield _field("outcome", "none recorded: the run goes on, or was cut off"), "warn"


def _ticket(ticket: Row) -> Iterator[Line]:
    state = f"{values.label(ticket['ticket'])} {values.label(ticket['state'])} ({values.label(ticket['severity'])})"
    yield _field("ticket", f"{state}: {values.label(ticket['title'])}"), ""
    if ticket["returns"]:
        yield _field("", f"sent back to the agent {words.plural(ticket['returns'], 'time')}"), "warn"
    for line in values.text(ticket["reason"]).splitlines():
        yield _field("", line), "warn"


def _session(s: Row) -> Iterator[Line]:
    model, mode = values.label(s["model"]) or "—", values.label(s["mode"]) or "—"
    yield _field("session", f"{values.label(s['session'])}: {values.label(s['status'])}"), "strong"
    yield _field("brain", f"{words.brain_label(values.label(s['brain']), model)}; model {model}, mode {mode}"), ""
    yield _field("time", f"{local_time(s['started'])} to {local_time(s['finished'])} ({_took(s['duration'])})"), ""
    tokens = s["tokens"]
    yield _field("used", f"{words.plural(s['steps'], 'step')}, {words.plural(s['tool_calls'], 'tool call')}, "
                         f"{tokens['total']} tokens ({tokens['input']} in, {tokens['output']} out, "
                         f"{tokens['cache_read']} cache read, {tokens['cache_write']} cache write), "
                         f"cost {words.money(s['cost_usd'])}"), ""
    for n, line in enumerate(values.text(s["summary"]).splitlines()):
        yield _field("" if n else "summary", line), ""


def _verdicts(verdicts: list[Row], symbols: Symbols) -> Iterator[Line]:
    final = [v for v in verdicts if v["phase"] == "final"]
    if not final:
        yield _field("oracle", "no final verdict"), "warn"
        return
    passed = final[-1]["passed"] is True
    yield _field("oracle", "passed" if passed else "not passed"), "good" if passed else "bad"
    for line in _checks(final[-1]["checks"], symbols):
        yield _field("", line[0]), line[1]


def _checks(checks: Any, symbols: Symbols) -> Iterator[Line]:
    for check in map(values.mapping, values.sequence(checks)):
        name, status, saw = (values.label(check.get(key)) for key in ("name", "status", "saw"))
        mark, tone = words.check_mark(status, symbols)
        yield f"{mark} {words.check_text(name, status, saw)}", tone


# -- the entries -----------------------------------------------------------------------------------------------------


class _Entries:
    """Puts entries into words; a call's result and its effects stand under it, not where they came in."""

    def __init__(self, symbols: Symbols, full: bool, entries: list[Row], brains: dict[str, str]) -> None:
        self._symbols, self._full, self._brains = symbols, full, brains
        self._calls = {(e["session"], e["data"]["call"]) for e in entries if e["type"] == "tool_call"}
        self._linked = {call for _, call in self._calls}

    def tell(self, entry: Row) -> Iterator[tuple[str, str, str]]:
        """(source, text, tone) for each line; none for what is told elsewhere."""
        d, kind = entry["data"], entry["type"]
        source = entry["source"]
        if source == "agent":
            source = self._brains.get(entry["session"], "agent")
        s = self._symbols
        match kind:
            case "tool_call":
                yield from self._call(source, entry)
            case "tool_result" if (entry["session"], d["call"]) in self._calls:
                return
            case "tool_result":
                yield source, f"{values.label(d['tool'])} (its call was not recorded)", "warn"
                yield from self._result(source, d)
            case "effect":
                explained = values.label(d["explained"])
                if d.get("call") in self._linked:
                    return
                if explained:
                    yield "engine", f"{words.effect(d)} [{explained.replace('_', ' ')}]", ""
                else:
                    yield "engine", f"{s.warn} {words.effect(d)}: unexplained, no tool call accounts for it", "warn"
            case "reasoning":
                yield from self._text(source, "thinks" if d["kind"] == "thinking" else "says", d["text"], "")
            case "finding":
                cause = values.label(d["cause"]).replace("_", " ")
                said = ": ".join(part for part in (values.label(d["member"]), cause) if part)
                yield from self._text(source, "finding", f"{said}\n{words.finding_text(d)}", "strong")
            case "retry":
                yield source, (f"retry {values.label(d['attempt'])} after {words.seconds(values.number(d['delay']))}: "
                               f"{values.label(d['reason'])}"), "warn"
            case "refusal":
                yield from self._text(source, f"{s.refused} refusal", d["reason"], "warn")
            case "interrupt":
                yield from self._text(source, "interrupted", d["reason"], "warn")
                for ended in values.sequence(d.get("ended")):
                    yield source, f"ended: {values.label(ended)}", ""
            case "usage":
                if self._full:
                    yield source, (f"request {values.label(d['request_id']) or '—'}: {values.label(d['input_tokens'])} "
                                   f"tokens in, {values.label(d['output_tokens'])} out, "
                                   f"{words.seconds(values.number(d['duration']))}, "
                                   f"{words.money(values.number(d['cost_usd']))}, {values.label(d['stop_reason'])}"
                                   ), "dim"
            case "verdict":
                passed = d["passed"] is True
                yield "oracle", f"{values.label(d['phase'])} verdict: {'passed' if passed else 'not passed'}", \
                    "good" if passed else "warn"
                for text, tone in _checks(d["checks"], s):
                    yield "oracle", text, tone
            case _ if kind.startswith("ticket_"):
                yield from self._move(source, entry)
            case _:
                yield from self._other(source, entry)

    def _call(self, source: str, entry: Row) -> Iterator[tuple[str, str, str]]:
        d = entry["data"]
        for line in words.command(values.label(d["tool"]), d["input"]).splitlines() or [""]:
            yield source, line, "strong"
        for n, line in enumerate(words.why(d["input"]).splitlines()):
            yield source, f"{'     ' if n else 'why: '}{line}", "dim"
        if entry["outcome"] is None:
            yield source, f"{self._symbols.unknown} outcome unknown: no result was written", "warn"
        else:
            yield from self._result(source, entry["outcome"])
        for effect in entry["effects"]:
            yield source, f"engine: {words.effect(effect)}", "accent"

    def _result(self, source: str, d: Row) -> Iterator[tuple[str, str, str]]:
        yield (source, *words.result(values.label(d["status"]), values.number(d.get("exit_code")),
                                     values.number(d.get("duration")), self._symbols))
        output = values.text(d["output"]).rstrip()
        if not self._full:
            output, _ = cut(output, _OUTPUT)
        for line in output.splitlines():
            yield source, f"{self._symbols.quote} {line}", ""
        if values.count(d.get("omitted_bytes")):
            yield source, f"{self._symbols.quote} ({values.count(d['omitted_bytes'])} bytes were not kept)", "dim"

    def _text(self, source: str, verb: str, text: Any, tone: str) -> Iterator[tuple[str, str, str]]:
        head, *rest = values.text(text).strip().splitlines() or [""]
        yield source, f"{verb}: {head}", tone
        for line in rest:
            yield source, line, tone

    def _move(self, source: str, entry: Row) -> Iterator[tuple[str, str, str]]:
        d, move = entry["data"], entry["type"].removeprefix("ticket_")
        detail = values.text(d.get("title") or d.get("summary") or d.get("reason") or d.get("words")
                             or d.get("holder"))
        if move == "updated":
            keys = [values.label(values.mapping(v).get("key")) for v in values.sequence(d["violations"])]
            detail = ", ".join(keys) or "no violation left"
        tone = {"resolved": "good", "returned": "warn", "escalated": "warn", "opened": "bad"}.get(move, "")
        yield from self._text(source, f"ticket {move}", detail, tone) if detail else \
            iter([(source, f"ticket {move}", tone)])
        if move == "opened":
            for v in map(values.mapping, values.sequence(d["violations"])):
                yield source, f"{self._symbols.warn} {values.label(v.get('key'))}: {values.label(v.get('text'))}", ""
        for action in values.sequence(d.get("actions")):
            yield source, f"did: {values.label(action)}", ""

    def _other(self, source: str, entry: Row) -> Iterator[tuple[str, str, str]]:
        """The rest, whose data are few and flat."""
        d, kind = entry["data"], entry["type"]
        shown = {"fault": ("phase", "kind", "targets"), "truth_sealed": ("sha256",), "truth_opened": ("truth",),
                 "session_started": ("brain", "model", "mode"), "session_finished": ("status", "summary"),
                 "agent_started": ("brain", "model", "mode"), "note": ("level", "text"),
                 "gap": ("from_source", "first", "last", "filled"), "write_check": ("kept", "lost", "unknown"),
                 "run_started": ("subject", "project", "brain", "model", "mode", "version"),
                 "run_finished": ("outcome", "exit_status")}.get(kind, ())
        said = values.fields({name: d[name] for name in shown if values.label(d.get(name))})
        yield source, f"{kind.replace('_', ' ')}{f': {said}' if said else ''}", ""


# -- small things ----------------------------------------------------------------------------------------------------


def table(columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]], tones: list[str]) -> Iterator[Line]:
    cells = [[values.label(value) or "—" for value in row] for row in rows]
    widths = [max([len(name), *(len(row[n]) for row in cells)]) for n, name in enumerate(columns)]

    def line(row: Iterable[str]) -> str:
        return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()

    yield line(columns), "dim"
    for row, tone in zip(cells, tones, strict=True):
        yield line(row), tone


def _brain(row: Row) -> str:
    """`rehearsal`, or the model where it is Claude."""
    brain = values.label(row["brain"])
    return values.label(row["model"]) or brain if brain == CLAUDE else brain


def _took(value: float | None) -> str:
    return words.seconds(value)


def local_time(ts: Any) -> str:
    """`2026-03-14 10:00:00` in the time zone of whoever reads."""
    try:
        return datetime.fromisoformat(ts).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, TypeError, OverflowError, OSError):
        return "—"


def since(start: Any, ts: str) -> str:
    """`+12.345s`, the time since the run began."""
    begun, at = values.seconds_of(start) if isinstance(start, str) else None, values.seconds_of(ts)
    return "" if begun is None or at is None else f"{at - begun:+.3f}s"
