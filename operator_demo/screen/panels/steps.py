"""The agent's log in blocks of lines: a step, what it says, what it was refused; open, or folded to the least."""

import json
from functools import lru_cache

from rich.console import Console
from rich.text import Text

from operator_demo import phrases
from operator_demo.output_shapes import json_values
from operator_demo.results import parts
from operator_demo.screen.markdown import folded, markdown
from operator_demo.screen.panels.view import STYLES, Lines, View, line
from operator_demo.screen.quantities import plural, seconds
from operator_demo.screen.screen_state import Entry
from operator_demo.screen.terminal_text import Symbols

_COMMAND_LINES, _LONG_COMMAND = 6, 40
_STATEMENT_LINES = 4
_WRAPPED = 3000  # characters of one text that are worth wrapping
_IN = "     "  # below a step's number and mark
_SAYS = {"finding": "FINDING", "resolve": "SAYS IT IS REPAIRED", "no_action": "SAYS THERE IS NOTHING TO DO",
         "escalate": "HANDS IT TO A HUMAN"}
_CALLED = {"retry": "tries again", "refusal": "refused", "guard": "THE GUARD REFUSED", "interrupt": "interrupted"}


def mark(entry: Entry, s: Symbols) -> tuple[str, str]:
    """Of a step: how it ended, by shape and by tone."""
    if not entry.status:
        return s.here, "warn" if entry.changes else "accent"
    if entry.worked:
        return s.ok, "good"
    return {"refused": (s.refused, "warn"), "unknown": (s.unknown, "warn")}.get(entry.status, (s.bad, "bad"))


@lru_cache(maxsize=2000)
def folded_step(entry: Entry, width: int, s: Symbols) -> tuple[Text, ...]:
    """Two lines: number, mark and reason; and the result in a sentence."""
    sign, tone = mark(entry, s)
    head = line((f"{entry.number:>2} ", "dim"), (f"{sign} ", tone))
    reason = Text(entry.reason, no_wrap=True, end="")
    remark = f"  {entry.changes}" if entry.changes else ""
    room = width - head.cell_len
    if remark and room - len(remark) < 20:
        remark = ""
    _cut(reason, room - len(remark), s)
    head.append_text(reason)
    if remark:
        head.append(" " * max(room - reason.cell_len - len(remark), 0))
        head.append(remark, STYLES["warn"])
    result = line((f"{_IN}{said(entry, s)}", "dim"))
    _cut(result, width, s)
    return head, result


def said(entry: Entry, s: Symbols) -> str:
    """The result in a sentence, in characters that the terminal has."""
    return entry.result.replace("·", s.dot).replace("…", s.ellipsis)


def _cut(text: Text, width: int, s: Symbols) -> None:
    """A cut shows."""
    if text.cell_len > width:
        text.truncate(max(width - len(s.ellipsis), 0))
        text.append(s.ellipsis)


def open_step(entry: Entry, view: View, newest: bool = True) -> Lines:
    """The reason, the command, and how it goes or what came of it."""
    lines = list(_open_head(entry, view.width, view.console, view.symbols, _room_for_command(view)))
    if not entry.status:
        return [*lines, _running(entry, view, "running")]
    return [*lines, _result(entry, view, newest)]


def _room_for_command(view: View) -> int:
    return max(min(view.height - 5, _COMMAND_LINES), 1)


@lru_cache(maxsize=200)
def _open_head(entry: Entry, width: int, console: Console, s: Symbols, most: int) -> Lines:
    sign, tone = mark(entry, s)
    number = f"{entry.number:>2} "
    reason = [*folded("bold", entry.reason[:_WRAPPED], console, width - len(_IN))]
    if len(reason) > 3:
        reason = [*reason[:2], line((f"{s.ellipsis} more", "dim"))]
    head = Text.assemble((number, STYLES["dim"]), (f"{sign} ", STYLES[tone]), reason[0], no_wrap=True, end="")
    lines = [head, *(Text.assemble(_IN, part, no_wrap=True, end="") for part in reason[1:])]
    if entry.changes:
        _add_remark(lines, entry.changes, width)
    lines += command_lines(entry, width, console, s, most)
    return lines


def _add_remark(lines: Lines, remark: str, width: int) -> None:
    """At the right of the first line, where there is room."""
    room = width - lines[0].cell_len - len(remark)
    if room >= 2:
        lines[0].append(" " * room)
        lines[0].append(remark, STYLES["warn"])
    else:
        lines.append(line((f"{_IN}{remark}", "warn")))


def command_lines(entry: Entry, width: int, console: Console, s: Symbols, most: int) -> Lines:
    """What was typed; the call of another tool than the shell says nothing that its reason does not."""
    if entry.tool != "shell" and not entry.input:
        return []
    typed = entry.text.removeprefix("$ ").expandtabs(4).splitlines()
    prompt = f"{_IN[:-2]}$ " if entry.tool == "shell" else _IN
    lines: Lines = []
    shown = 0  # lines of the command that are wholly among the first ones
    for n, row in enumerate(typed[:most + 1]):
        lines += _typed(row[:_WRAPPED], console, width, _IN if n else prompt)
        if len(lines) < most:
            shown = n + 1
    if len(lines) > most:
        rest = plural(max(len(typed) - shown, 1), "more line")
        lines = [*lines[:max(most - 1, 1)], line((f"{_IN}{s.ellipsis} {rest}  ", "dim"), ("o", "accent"))]
    if entry.ran:
        lines.append(line((f"{_IN}{s.warn} {entry.ran}", "warn")))
    return lines


@lru_cache(maxsize=1000)
def _typed(row: str, console: Console, width: int, first: str) -> tuple[Text, ...]:
    pieces = Text(row, STYLES["command"]).wrap(console, max(width - len(first), 8)) or [Text("")]
    rows = []
    for n, piece in enumerate(pieces):
        piece.rstrip()
        rows.append(Text.assemble((first if n == 0 else _IN, STYLES["command"]), piece, no_wrap=True, end=""))
    return tuple(rows)


def _running(entry: Entry, view: View, doing: str) -> Text:
    frames = view.symbols.working
    turn = frames[int(view.now * 10) % len(frames)]
    return line((f"{_IN}{turn} {doing} {seconds(max(view.now - entry.at, 0.0))}", "accent"))


def _result(entry: Entry, view: View, newest: bool) -> Text:
    """In a sentence; and the key that opens the whole of it, where there is more."""
    sign, tone = mark(entry, view.symbols)
    took = f"  {seconds(entry.duration)}" if entry.duration is not None else ""
    more = "  o" if newest and is_long(entry) else ""
    row = line((f"{_IN}{sign} ", tone))
    result = Text(said(entry, view.symbols), "" if entry.worked else STYLES["bad"], no_wrap=True, end="")
    _cut(result, view.width - row.cell_len - len(took) - len(more), view.symbols)
    row.append_text(result)
    row.append(took, STYLES["dim"])
    row.append(more, STYLES["accent"])
    return row


def is_long(entry: Entry) -> bool:
    """Is the sentence about the output not all of it?"""
    return len(entry.output.strip()) > len(entry.result) + 40


# -- what is no step --------------------------------------------------------------------------------------------------


def statement(entry: Entry, view: View, most: int = _STATEMENT_LINES) -> Lines:
    """A finding, or the agent's word that it is done, has nothing to do, or gives up."""
    lines = list(_statement(entry, view.width, view.console, view.symbols, most))
    if entry.kind == "finding" and entry.status in ("", "ok"):
        return lines
    if not entry.status:
        doing = "the oracle looks from outside" if entry.kind in ("resolve", "no_action") else "handing over"
        return [*lines, _running(entry, view, doing)]
    if entry.kind == "escalate" and entry.worked:
        return lines
    verified = entry.worked and not entry.result.startswith("not verified")
    sign, tone = (view.symbols.ok, "good") if verified else (view.symbols.bad, "bad")
    return [*lines, *folded(STYLES[tone], said(entry, view.symbols), view.console, view.width, f"  {sign} ", "    ")]


@lru_cache(maxsize=500)
def _statement(entry: Entry, width: int, console: Console, s: Symbols, most: int) -> Lines:
    head, rest = "", entry.text
    if entry.kind == "finding":
        head, _, rest = entry.text.partition("\n")
    sign, tone = (s.warn, "warn") if entry.kind == "escalate" else (s.stated, "accent")
    lines = [line((f"{sign} ", tone), (f"{_SAYS[entry.kind]}  ", "strong"), (head, "strong"))]
    rows = markdown(rest[:_WRAPPED], console, width - 2, "", s.dot)
    body = [Text.assemble("  ", row, no_wrap=True, end="") for row in rows]
    if len(body) > most:
        body = [*body[:most - 1], line((f"  {s.ellipsis} {plural(len(body) - most + 1, 'more line')}", "dim"))]
    return [*lines, *body]


def remark(entry: Entry, view: View) -> Lines:
    """A refusal, a retry, an interruption; what a human was asked."""
    s = view.symbols
    if entry.kind == "approval":
        return _approval(entry, view)
    sign, tone = {"guard": (s.shield, "bad"), "refusal": (s.refused, "warn")}.get(entry.kind, (s.warn, "warn"))
    text = f"{_CALLED.get(entry.kind, entry.kind)}  {entry.text[:_WRAPPED].strip()}"
    return [*folded(STYLES[tone], phrases.one_line(text), view.console, view.width, f"{sign} ", "  ")]


def _approval(entry: Entry, view: View) -> Lines:
    s = view.symbols
    lines = [*folded(STYLES["warn"], f"asks a human  {entry.text}", view.console, view.width, f"{s.warn} ", "  ")]
    if not entry.status:
        return [*lines, line(("  waits for the answer", "warn"))]
    allowed = entry.status in ("yes", "always")
    sign, tone = (s.ok, "good") if allowed else (s.refused, "warn")
    return [*lines, line((f"  {sign} {entry.result}", tone))]


def prose(entry: Entry, view: View) -> Lines:
    """What the agent thinks and says."""
    style = f"{STYLES['think']} {STYLES['dim']}" if entry.kind == "thinking" else ""
    return [*markdown(entry.text[:_WRAPPED].strip(), view.console, view.width, style, view.symbols.dot)]


# -- the whole log ----------------------------------------------------------------------------------------------------


def whole(entry: Entry, view: View) -> Lines:
    """Everything of an entry but the output, of which the beginning is shown."""
    if entry.kind in _SAYS:
        return statement(entry, view, 1000)
    if entry.kind != "call":
        return prose(entry, view) if entry.kind in ("thinking", "text") else remark(entry, view)
    lines = list(_open_head(entry, view.width, view.console, view.symbols, _LONG_COMMAND))
    if entry.why and phrases.one_line(entry.why) != entry.reason:
        lines[1:1] = [*folded("", phrases.one_line(entry.why), view.console, view.width, _IN, _IN)]
    if not entry.status:
        return [*lines, _running(entry, view, "running")]
    return [*lines, _result(entry, view, True), *_beginning(entry, view.width, view.symbols)]


@lru_cache(maxsize=2000)
def _beginning(entry: Entry, width: int, s: Symbols, most: int = 4) -> tuple[Text, ...]:
    if not is_long(entry):
        return ()
    rows = parts(entry.output)[0].strip().splitlines() or entry.output.strip().splitlines()
    shown = [line((f"{_IN}{s.quote} {row}", "dim")) for row in rows[:most]]
    for row in shown:
        _cut(row, width, s)
    if len(rows) > most:
        shown.append(line((f"{_IN}{s.quote} {s.ellipsis} {plural(len(rows) - most, 'more line')}  ", "dim"),
                          ("o", "accent")))
    return tuple(shown)


@lru_cache(maxsize=8)
def output_lines(entry: Entry, width: int, console: Console) -> Lines:
    """The whole command, and the whole output, wrapped; JSON is set out."""
    lines: Lines = []
    for row in entry.text.expandtabs(4).splitlines():
        lines += _typed(row, console, width, "")
    lines.append(line(""))
    for row in entry.output.rstrip().expandtabs(4).splitlines():
        values = json_values(row)
        if values and len(row) > width and isinstance(values[0], dict | list):
            row = "\n".join(json.dumps(value, indent=1, ensure_ascii=False) for value in values)
        for piece in row.splitlines() or [""]:
            lines += _plain(piece, console, width)
    return lines


def _plain(row: str, console: Console, width: int) -> Lines:
    if len(row) <= width and row.isascii():
        return [Text(row, no_wrap=True, end="")]
    pieces = Text(row).wrap(console, max(width, 8)) or [Text("")]
    return [Text.assemble(piece, no_wrap=True, end="") for piece in pieces]
