"""The record as lines for people: the lists, and one session, run or ticket in full."""

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from operator_demo import events, phrases
from operator_demo.audit import is_over
from operator_demo.chain import entries_in_words
from operator_demo.events import Event, parse_ts
from operator_demo.json_pretty import pretty
from operator_demo.phrases import as_text, one_line
from operator_demo.screen.quantities import money, plural, seconds
from operator_demo.screen.terminal_text import Line, Symbols
from operator_demo.settings import CLAUDE
from operator_demo.telling import Telling, lines, tell
from operator_demo.text import clean, cut

if TYPE_CHECKING:
    from operator_demo.verify import Verification

_OUTPUT = 1200  # bytes of a tool's output, unless all of it is asked for
_INDENT = " " * 22
_LEAST_ROOM = 30  # columns for the text of an entry, however narrow the terminal is
Row = dict[str, Any]


def session_table(rows: list[Row]) -> Iterator[Line]:
    columns = ("SESSION", "RUN", "TICKET", "SUBJECT", "SCENARIO", "BRAIN", "STATUS", "VERDICT", "STARTED", "TOOK",
               "STEPS", "COST")
    yield from table(columns, [
        (r["session"], r["run"], r["ticket"], r["subject"], r["scenario"], _brain(r), r["status"], r["verdict"],
         local_time(r["started"])[:16], seconds(r["duration"]), r["steps"], money(r["cost_usd"])) for r in rows],
        [{"passed": "good", "failed": "bad"}.get(r["verdict"], "") for r in rows])


def hits(found: list[Row]) -> Iterator[Line]:
    """What a search found, under the run that it is of."""
    run = None
    for hit in found:
        if hit["run"] != run:
            run = hit["run"]
            yield _label(run), "strong"
        yield f"  {local_time(hit['ts'])}  {_label(hit['speaker']):<9} {_label(hit['text'])}", ""


def ticket_table(rows: list[Row]) -> Iterator[Line]:
    columns = ("TICKET", "RUN", "SUBJECT", "STATE", "SEVERITY", "OPENED", "TOOK", "HOLDER", "TITLE")
    tones = {"resolved": "good", "escalated": "warn", "cleared": "warn"}
    yield from table(columns, [
        (r["ticket"], r["run"], r["subject"], r["state"], r["severity"], local_time(r["opened"]),
         seconds(r["duration"]), r["holder"], r["title"]) for r in rows], [tones.get(r["state"], "") for r in rows])


def show(record: Row, symbols: Symbols, *, full: bool = False, width: int | None = None) -> Iterator[Line]:
    """The head, the oracle's verdict, and every entry in the order of time; wrapped to `width` columns, if given."""
    yield from head(record, symbols)
    yield from entries(record, symbols, full=full, width=width)
    if not record["entries"]:
        yield "no entries", "dim"


def head(record: Row, symbols: Symbols) -> Iterator[Line]:
    """What is known of it as a whole."""
    run = record["run"]
    yield f"{record['kind']} {_label(record['id'])}", "strong"
    yield from _run(run)
    for ticket in record["tickets"]:
        yield from _ticket(ticket)
    for session in record["sessions"]:
        yield from _session(session)
    if not record["sessions"]:
        yield _field("session", "none: no agent took this up"), "warn"
    yield from _verdicts(record["verdicts"], symbols)
    yield from _chain(record["chain"])
    yield "", ""


def entries(record: Row, symbols: Symbols, *, full: bool = False, width: int | None = None,
            told: set[tuple[str, int]] | None = None) -> Iterator[Line]:
    """Every entry in the order of time. With `told`, only those that are not in it, each without what it still waits
    for; they are added."""
    start = record["run"].get("started") or (record["entries"][0]["ts"] if record["entries"] else None)
    layout = _Entries(record, symbols, full)
    room = None if width is None else max(_LEAST_ROOM, width - len(_INDENT))
    for entry in record["entries"]:
        key = entry["source"], entry["seq"]
        if told is not None and (key in told or (_waits(entry) and not is_over(record))):
            continue
        telling = layout.tell(entry)
        if telling is not None:
            margin = f"{since(start, entry['ts']):>10}  {telling.speaker:<9} "
            for text, tone in _wrapped(telling.lines, room, symbols):
                yield margin + text, tone
                margin = _INDENT
        if told is not None:
            told.add(key)


def _waits(entry: Row) -> bool:
    return bool(entry["type"] == "tool_call" and entry["outcome"] is None)


def _wrapped(lines: Iterable[Line], room: int | None, symbols: Symbols) -> Iterator[Line]:
    """Lines of at most `room` columns. The gutter of an output goes on beside what is wrapped."""
    for text, tone in lines:
        gutter = f"{symbols.quote} "
        margin, rest = (gutter, text[len(gutter):]) if text.startswith(gutter) else ("", text)
        if room is None or len(text) <= room:
            yield text, tone
            continue
        for piece in textwrap.wrap(rest, room - len(margin), drop_whitespace=False, replace_whitespace=False) or [""]:
            yield margin + piece, tone


def verification(found: "Verification") -> Iterator[Line]:
    """What was found in the record of one run."""
    chain = found.chain
    if found.whole and chain.entries == 0:
        yield f"{chain.run}: no entry is in a chain", "warn"
    elif found.whole:
        yield f"{chain.run}: unaltered, {entries_in_words(chain.entries)}, head {chain.head.hex()}", "good"
    else:
        yield f"{chain.run}: ALTERED", "bad"
    for alteration in found.alterations:
        yield f"  {alteration.what}: {alteration.text}", "bad"
    if chain.unchained:
        yield f"  {_unchained(chain.unchained)}; nothing proves them", "warn"


# -- the head --------------------------------------------------------------------------------------------------------


def _field(name: str, text: str) -> str:
    return f"  {name:<9} {text}"


def _run(run: Row) -> Iterator[Line]:
    about = [_label(run["run"])]
    about += [f"{key} {_label(run[key])}" for key in ("subject", "project") if run.get(key)]
    yield _field("run", ", ".join(about)), ""
    if run.get("outcome"):
        tone = "good" if run["outcome"] == "repaired" else "warn"
        yield _field("outcome", f"{_label(run['outcome'])}; TTD {seconds(run['ttd'])}, "
                                f"TTM {seconds(run['ttm'])}"), tone
    elif run.get("started"):
        yield _field("outcome", "none recorded: the run goes on, or was cut off"), "warn"


def _ticket(ticket: Row) -> Iterator[Line]:
    state = f"{_label(ticket['ticket'])} {_label(ticket['state'])} ({_label(ticket['severity'])})"
    yield _field("ticket", f"{state}: {_label(ticket['title'])}"), ""
    if ticket["returns"]:
        yield _field("", f"sent back to the agent {plural(ticket['returns'], 'time')}"), "warn"
    for line in _text(ticket["reason"]).splitlines():
        yield _field("", line), "warn"


def _session(s: Row) -> Iterator[Line]:
    model, mode = _label(s["model"]) or "—", _label(s["mode"]) or "—"
    yield _field("session", f"{_label(s['session'])}: {_label(s['status'])}"), "strong"
    yield _field("brain", f"{phrases.brain_label(_label(s['brain']), model)}; model {model}, mode {mode}"), ""
    yield _field("time", f"{local_time(s['started'])} to {local_time(s['finished'])} ({seconds(s['duration'])})"), ""
    tokens = s["tokens"]
    yield _field("used", f"{plural(s['steps'], 'step')}, {plural(s['tool_calls'], 'tool call')}, "
                         f"{tokens['total']} tokens ({tokens['input']} in, {tokens['output']} out, "
                         f"{tokens['cache_read']} cache read, {tokens['cache_write']} cache write), "
                         f"cost {money(s['cost_usd'])}"), ""
    for n, line in enumerate(_text(s["summary"]).splitlines()):
        yield _field("" if n else "summary", line), ""


def _verdicts(verdicts: list[Row], symbols: Symbols) -> Iterator[Line]:
    final = [v for v in verdicts if v["phase"] == "final"]
    if not final:
        yield _field("oracle", "no final verdict"), "warn"
        return
    passed = final[-1]["passed"] is True
    yield _field("oracle", "passed" if passed else "not passed"), "good" if passed else "bad"
    for check in final[-1]["checks"]:
        mark, tone = phrases.check_mark(check["status"], symbols)
        text = phrases.check_text(check["name"], check["status"], check.get("saw") or "")
        yield _field("", f"{mark} {text}"), tone


def _chain(chain: Row) -> Iterator[Line]:
    if chain["unchained"]:
        yield _field("record", _unchained(chain["unchained"])), "warn"
    if chain["entries"]:
        yield _field("record", f"{entries_in_words(chain['entries'])}, head {chain['head']}"), ""


def _unchained(count: int) -> str:
    return f"{count} entries were recorded before the chain existed"


# -- the entries -----------------------------------------------------------------------------------------------------


class _Entries:
    """Lays entries out; a call's result, its effects and the guard's decisions stand under it."""

    def __init__(self, record: Row, symbols: Symbols, full: bool) -> None:
        self._run = record["run"]["run"]
        self._symbols, self._full = symbols, full
        self._brains = {s["session"]: phrases.brain_source(s["brain"] or "") for s in record["sessions"]}
        self._calls = {(e["session"], e["data"]["call"]) for e in record["entries"] if e["type"] == "tool_call"}
        self._linked = {call for _, call in self._calls}

    def tell(self, entry: Row) -> Telling | None:
        """None for what stands elsewhere, or in the full record only."""
        e = self._event(entry)
        telling: Telling | None
        match e.data:
            case events.ToolCall() as call:
                telling = Telling("agent", [*_asked(call), *self._outcome(entry)])
            case events.ToolResult(call=call) if (e.session, call) in self._calls:
                return None
            case events.ToolResult(tool=tool):
                telling = Telling("agent", [(f"{tool} (its call was not recorded)", "warn"), *self._lines(e)])
            case events.Effect(call=call) | events.Guard(call=call) if call in self._linked:
                return None
            case events.Usage() if not self._full:
                return None
            case _:
                telling = tell(e, self._symbols)
        if telling is not None and telling.speaker == "agent":
            return replace(telling, speaker=self._brains.get(e.session or "", "agent"))
        return telling

    def _outcome(self, call: Row) -> Iterator[Line]:
        """What the guard decided during a call, its result, and what it caused."""
        for raw in call["guard"]:
            ((text, tone),) = self._lines(self._event(call, "guard", raw))
            yield f"guard: {text}", tone
        if call["outcome"] is None:
            yield f"{self._symbols.unknown} outcome unknown: no result was written", "warn"
        else:
            yield from self._lines(self._event(call, "tool_result", call["outcome"]))
        for raw in call["effects"]:
            match self._event(call, "effect", raw).data:
                case events.Effect() as effect:
                    yield f"engine: {phrases.effect(effect)}", "accent"

    def _lines(self, e: Event) -> list[Line]:
        data = e.data
        if isinstance(data, events.ToolResult):
            laid_out = pretty(data.output.rstrip())
            data = replace(data, output=laid_out if self._full else cut(laid_out, _OUTPUT)[0])
        return lines(data, e, self._symbols)

    def _event(self, entry: Row, type: str = "", raw: Row | None = None) -> Event:
        """The event of an entry, or another one of its session."""
        return Event(self._run, entry["source"], type or entry["type"], entry["data"] if raw is None else raw,
                     ts=entry["ts"], ticket=entry["ticket"], session=entry["session"])


def _asked(call: events.ToolCall) -> list[Line]:
    """The reason that the agent gave, and the command."""
    reason: list[Line] = [(line, "strong") for line in phrases.why(call.input).strip().splitlines()]
    typed: list[Line] = [(line, "accent") for line in phrases.command(call.tool, call.input).strip().splitlines()]
    ran = phrases.what_ran(call)
    return [*reason, *(typed or [("", "")]), *([(ran, "warn")] if ran else [])]


# -- small things ----------------------------------------------------------------------------------------------------


def table(columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]], tones: list[str]) -> Iterator[Line]:
    cells = [[_label(value) or "—" for value in row] for row in rows]
    widths = [max([len(name), *(len(row[n]) for row in cells)]) for n, name in enumerate(columns)]

    def line(row: Iterable[str]) -> str:
        return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()

    yield line(columns), "dim"
    for row, tone in zip(cells, tones, strict=True):
        yield line(row), tone


def _text(value: Any) -> str:
    """A column's text without what could steer a terminal."""
    return clean(as_text(value))


def _label(value: Any) -> str:
    return one_line(_text(value))


def _brain(row: Row) -> str:
    """`rehearsal`, or the model where it is Claude."""
    brain = _label(row["brain"])
    return _label(row["model"]) or brain if brain == CLAUDE else brain


def local_time(ts: Any) -> str:
    """`2026-03-14 10:00:00` in the time zone of whoever reads."""
    try:
        return datetime.fromisoformat(ts).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, TypeError, OverflowError, OSError):
        return "—"


def since(start: Any, ts: str) -> str:
    """`+12.345s`, the time since the run began."""
    try:
        return f"{parse_ts(ts) - parse_ts(start):+.3f}s"
    except (ValueError, TypeError, OverflowError):
        return ""
