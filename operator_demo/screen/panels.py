"""The panels: from the state to lines of Rich text. Each body gets the room it has and returns lines that fit it.

Text from events becomes `Text`, never markup. Every state has a symbol of its own, so that the screen can be read
without colour.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from rich.console import Console
from rich.text import Text

from operator_demo import events, phrases
from operator_demo.chapters import NAMES
from operator_demo.run_state import number_of
from operator_demo.screen.quantities import amount, milliseconds, money, plural, seconds, size
from operator_demo.screen.screen_state import Entry, ScreenState
from operator_demo.screen.terminal_text import Symbols
from operator_demo.ticket_state import Moment

STYLES = {"": "", "good": "green", "bad": "bold red", "warn": "yellow", "dim": "dim", "strong": "bold",
          "accent": "cyan", "command": "bold cyan", "think": "italic"}
CALM, ALARM, WORK = "cyan", "red", "yellow"
_OUTPUT_LINES = 4  # of a tool's output
_COMMAND_LINES = 6
_WRAPPED = 3000  # characters of one text that are worth wrapping
_NOTE_FOR = 20.0  # seconds that a warning stays in the footer

Lines = list[Text]
Points = list[Moment[events.Load]]


@dataclass(frozen=True)
class View:
    """The room for a body (in cells), the time (seconds since the epoch) and what the terminal can show."""

    console: Console
    symbols: Symbols
    now: float
    manual: bool
    width: int = 80
    height: int = 24

    def sized(self, width: int, height: int) -> "View":
        return replace(self, width=max(width, 1), height=max(height, 0))


def line(*parts: str | tuple[str, str]) -> Text:
    """One line of (text, tone) parts."""
    row = Text(no_wrap=True, end="")
    for part in parts:
        text, tone = (part, "") if isinstance(part, str) else part
        row.append(text.expandtabs(4).replace("\n", " "), STYLES[tone])
    return row


def fit(lines: Iterable[Text], view: View) -> Lines:
    """At most as many lines as there is room for, each cut to the width."""
    shown = list(lines)[:view.height]
    for text in shown:
        text.truncate(view.width, overflow="ellipsis" if view.symbols.ellipsis == "…" else "crop")
    return shown


def wrapped(text: str, tone: str, view: View, first: str = "", rest: str | None = None) -> Iterator[Text]:
    """`text` broken into lines; `first` and `rest` stand before the first line and the others."""
    rest = " " * len(first) if rest is None else rest
    head = first
    for paragraph in text.expandtabs(4).splitlines():
        room = max(view.width - len(head), 8)
        for part in Text(paragraph, STYLES[tone]).wrap(view.console, room) or [Text("")]:
            part.rstrip()
            yield Text.assemble((head, STYLES[tone]), part, no_wrap=True, end="")
            head = rest


Body = Callable[[ScreenState, View], Lines]


# -- chapter ---------------------------------------------------------------------------------------------------------


def chapter(state: ScreenState, view: View) -> Lines:
    """Where the run is, and what the presenter could say."""
    lines = [stepper(state, view), _headline(state, view)]
    room = view.height - len(lines)
    work = progress_line(state, view) or _sealed(state)
    narration = list(wrapped(state.chapter.narration, "", view))[:max(room - (1 if work else 0), 0)]
    return fit([*lines, *narration, *([work] if work else [])], view)


def _sealed(state: ScreenState) -> Text | None:
    """The promise made before the fault, and what it was."""
    if state.truth:
        return line(("sealed before the fault  ", "dim"), (phrases.json_fields(state.truth), "accent"))
    return line((f"root cause sealed, sha256 {state.sealed[:16]}", "dim")) if state.sealed else None


def stepper(state: ScreenState, view: View) -> Text:
    """All chapters in a row: done, here, to come."""
    s, here = view.symbols, number_of(state.chapter.name)
    row = Text(no_wrap=True, end="")
    short = view.width < sum(len(name) + 5 for name in NAMES)
    for n, name in enumerate(NAMES, 1):
        if n > 1:
            row.append(f" {s.rule} " if not short else " ", "dim")
        over = state.outcome is not None
        mark, style = (s.ok, "green") if n < here or over else (s.todo, "dim")
        if n == here and not over:
            mark, style = s.here, "bold reverse"
        row.append(f"{mark} {name.capitalize()}" if not short or n == here else mark, style)
    return row


def _headline(state: ScreenState, view: View) -> Text:
    title = state.chapter.title or state.chapter.name or "Starting"
    if state.outcome:
        good = state.outcome.data.exit_status == 0
        mark = view.symbols.ok if good else view.symbols.bad
        return line((f"{mark} {state.outcome.data.outcome.upper()}  ", "good" if good else "bad"), (title, "strong"))
    countdown = state.progress.get(("fault", "fault"))
    return line((title, "strong"), (f"   {countdown.status}", "bad")) if countdown else line((title, "strong"))


def chapter_line(state: ScreenState, view: View) -> Text:
    here = number_of(state.chapter.name)
    number = f"{here}/{len(NAMES)} " if here else ""
    row = Text.assemble((f" {number}", STYLES["dim"]), _headline(state, view), no_wrap=True, end="")
    work = progress_line(state, view)
    row.append("  ")
    row.append_text(work if work else Text(" ".join(state.chapter.narration.split()), "dim"))
    return fit([row], view)[0]


def progress_line(state: ScreenState, view: View) -> Text | None:
    """The newest of long work in a line; none before there are members, when the cluster's panel tells it."""
    work = _work(state)
    if not work or not state.members:
        return None
    parts: list[str | tuple[str, str]] = [(f"{view.symbols.here} {work[-1][0][0]}  ", "accent")]
    for (_, item), p in work[-4:]:
        share = f" {100 * p.current / p.total:.0f} %" if p.current is not None and p.total else ""
        parts += [item, (f" {p.status}{share}   ", "dim")]
    return line(*parts)


# -- cluster ---------------------------------------------------------------------------------------------------------


def cluster(state: ScreenState, view: View) -> Lines:
    """Each member with its role and state; what was measured where there is room."""
    if not state.members:
        return fit(_preparing(state, view), view)
    width = max(len(name) for name in state.members)
    lines = [_member(name, m, width, view) for name, m in state.members.items()]
    return fit([*lines, cluster_line(state, view)], view)


def _work(state: ScreenState) -> list[tuple[tuple[str, str], events.Progress]]:
    return [(key, p) for key, p in state.progress.items() if key[0] != "fault"]


def _preparing(state: ScreenState, view: View) -> Iterator[Text]:
    work = _work(state)
    if not work:
        yield line(("No member was seen yet.", "dim"))
    for (task, item), p in work[-max(view.height, 1):]:
        share = f" {100 * p.current / p.total:.0f} %" if p.current is not None and p.total else ""
        yield line((f"{task} ", "dim"), item, (f"  {p.status}{share}", "accent"))


def member_mark(m: events.MemberSeen, s: Symbols) -> tuple[str, str]:
    """Symbol and tone: healthy (or leading), paused, not healthy, unknown."""
    if m.state == "paused":
        return s.paused, "warn"
    if m.healthy is True:
        return (s.leader if m.leader else s.healthy), "good"
    if m.healthy is None and not m.state:
        return s.unknown, "dim"
    return s.bad, "bad"


def _member(name: str, m: events.MemberSeen, width: int, view: View) -> Text:
    mark, tone = member_mark(m, view.symbols)
    state = "healthy" if m.healthy else m.state if m.state not in ("", "running") else \
        "not seen" if m.healthy is None and not m.state else "unreachable" if m.reachable is False else "not healthy"
    row = line((f"{mark} ", tone), (f"{name:<{width}}  ", "strong"), (f"{m.role:<9}", "accent" if m.leader else ""),
                (f"{state:<12}", tone))
    if not m.healthy:
        row.append(m.error or "", STYLES["dim"])
        return row
    measured = [f"{milliseconds(m.read_latency):>7}", f"{size(m.db_size):>7}",
                f"#{m.index:.0f}" if m.index is not None else ""]
    for text in (part.replace("—", view.symbols.none) for part in measured):
        if row.cell_len + len(text) + 2 <= view.width:
            row.append(f"{text}  ", STYLES["dim"])
    if m.alarms:
        row.append(f"{view.symbols.warn} {', '.join(m.alarms)}", STYLES["bad"])
    return row


def cluster_line(state: ScreenState, view: View) -> Text:
    """`● 3 of 3 healthy, quorum`"""
    s, well = view.symbols, sum(m.healthy is True for m in state.members.values())
    total = len(state.members)
    whole = well == total and total > 0
    quorum = (" quorum ", "good") if state.quorum else (f" {s.bad} NO QUORUM ", "bad")
    parts: list[str | tuple[str, str]] = [(f"{s.healthy if whole else s.warn} {well} of {total} healthy",
                                           "good" if whole else "warn")]
    if state.quorum is not None:
        parts += [f" {s.dot}", quorum]
    leader = next((name for name, m in state.members.items() if m.leader), None)
    if leader:
        parts += [f"{s.dot} ", (f"{s.leader} {leader} leads", "")]
    return line(*parts)


# -- monitor, ticket, oracle -----------------------------------------------------------------------------------------


def monitor(state: ScreenState, view: View) -> Lines:
    """The ticket with its violations, the clocks, the oracle's checks, and in what room is left the engine's events."""
    lines = [*_ticket(state, view), *_clocks(state), *_oracle(state, view)]
    room = view.height - len(lines)
    return fit([*lines, *(_effects(state, view)[-room:] if room > 0 else [])], view)


def _ticket(state: ScreenState, view: View) -> Iterator[Text]:
    s, ticket = view.symbols, state.ticket
    if ticket is None:
        if state.violated:
            yield from (line((f"{s.warn} {key}", "warn")) for key in state.violated)
        elif state.observed:
            yield line((f"{s.healthy} every invariant holds, no ticket", "good"))
        else:
            yield line(("The monitor has not looked yet.", "dim"))
        return
    yield ticket_line(state, view)
    yield line((ticket.title, "strong"))
    for v in ticket.violations if ticket.closed is None else ():
        yield line((f"{s.warn} {v.key}  ", "bad" if v.severity == "critical" else "warn"), (v.text, "dim"))
    if ticket.closed is None and not ticket.violations:
        yield line((f"{s.healthy} no violation left", "good"))
    if ticket.state == "escalated" and ticket.reason:
        yield from list(wrapped(ticket.reason, "warn", view))[:3]


def ticket_line(state: ScreenState, view: View) -> Text:
    """`▲ tkt-… ACKNOWLEDGED critical 12 s`"""
    s, ticket = view.symbols, state.ticket
    if ticket is None:
        return line((f"{s.warn} {', '.join(state.violated)}", "warn") if state.violated else
                    (f"{s.healthy} no ticket", "good" if state.observed else "dim"))
    mark, tone = {"resolved": (s.ok, "good"), "cleared": (s.ok, "warn"), "escalated": (s.bad, "warn"),
                  "verifying": (s.unknown, "accent")}.get(ticket.state, (s.warn, "bad"))
    end = view.now if ticket.closed is None else ticket.closed
    age = f"  {seconds(end - ticket.opened)}" if ticket.opened is not None else ""
    back = f"  {s.warn} sent back" if ticket.returns and ticket.closed is None else ""
    return line((f"{mark} ", tone), (f"{ticket.id}  ", ""), (ticket.state.upper(), tone),
                (f"  {ticket.severity}{age}", "dim"), (back, "warn"))


def _clocks(state: ScreenState) -> Iterator[Text]:
    if state.fault_began is not None:
        parts: list[str | tuple[str, str]] = [("fault to ticket ", "dim"), (seconds(state.ttd), "strong")]
        if state.ttm is not None:
            parts += [("   to verified repair ", "dim"), (seconds(state.ttm), "good")]
        yield Text.assemble(*[line(p) for p in parts], no_wrap=True, end="") if state.ttd is not None else \
            line(("the fault is in, not yet noticed", "warn"))


def _oracle(state: ScreenState, view: View) -> Iterator[Text]:
    s, verdict = view.symbols, state.ticket.verdict if state.ticket else None
    if verdict is None:
        if state.armed is not None:
            yield line(("oracle  ", "dim"), ("has its baseline", ""))
        return
    passed = verdict.data.passed
    if verdict.data.phase == "final":
        yield line(("oracle  ", "dim"), (f"{s.ok} VERIFIED", "good") if passed else (f"{s.bad} NOT VERIFIED",
                                                                                          "bad"))
    else:
        yield line(("oracle  ", "dim"), (f"{s.bad} fails now, as it must", "warn") if not passed else
                   (f"{s.warn} passes although something is broken", "bad"))
    for c in verdict.data.checks:
        mark, tone = phrases.check_mark(c.status, s)
        text = c.saw if c.status in ("passed", "failed") and c.saw else c.status.replace("_", " ")
        yield line((f"{mark} ", tone), (f"{c.name}  ", ""), (text, "dim"))


def _effects(state: ScreenState, view: View) -> Lines:
    """What happened to containers, by the engine's own word; what nobody accounts for stands out."""
    return [_effect(effect, view) for effect in state.effects]


def _effect(effect: events.Effect, view: View) -> Text:
    text = phrases.effect(effect)
    if effect.explained:
        return line(("engine  ", "dim"), (text, ""), (f"  {effect.explained.replace('_', ' ')}", "dim"))
    return line((f"{view.symbols.warn} unexplained  ", "warn"), (text, "warn"))


# -- agent -----------------------------------------------------------------------------------------------------------


def agent(state: ScreenState, view: View) -> Lines:
    """The end of the agent's log: what it thinks, runs and sees; the newest at the bottom, as it is being written."""
    blocks = _agent_blocks(state, view)
    lines: Lines = []
    for block in blocks:  # from the newest back
        lines = [*block, *([line("")] if lines else []), *lines]
        if len(lines) >= view.height:
            break
    if not lines:
        lines = list(wrapped(_idle(state), "dim", view))
    return fit(lines[-view.height:] if view.height else [], view)


def _idle(state: ScreenState) -> str:
    if state.agent.sessions:
        return "thinking ..."
    if state.agent.brain in ("", "none"):
        return "No agent takes part in this run." if state.agent.brain else "No agent yet."
    return "It waits for a ticket, and knows nothing of what will break."


def _agent_blocks(state: ScreenState, view: View) -> Iterator[Lines]:
    s = view.symbols
    session = state.agent.session
    if session.status:
        good = session.status == "verified"
        yield [*wrapped(f"{s.ok if good else s.warn} session {session.status}. {session.summary[:_WRAPPED]}",
                        "good" if good else "warn", view)]
    live = [*_live(state, view)]
    if live:
        yield live
    held: Lines = []
    for entry in reversed(state.entries):
        block = _entry(entry, view)
        if entry.kind == "call":
            yield [*block, *held]
            held = []
        else:
            yield block


def _live(state: ScreenState, view: View) -> Iterator[Text]:
    for n, part in enumerate(state.live):
        last = n == len(state.live) - 1
        text = part.text[-_WRAPPED:].strip() + (view.symbols.cursor if last else "")
        if part.kind == "command":
            yield from wrapped(text, "command", view, "$ ", "  ")
        elif part.kind == "output":
            tail = text.splitlines()[-_OUTPUT_LINES:]
            yield from (line((f"{view.symbols.quote} {row}", "dim")) for row in tail)
        else:
            yield from wrapped(text, "think" if part.kind == "thinking" else "", view)


def _entry(entry: Entry, view: View) -> Lines:
    s, text = view.symbols, entry.text[:_WRAPPED].strip()
    match entry.kind:
        case "call":
            return _call(entry, view)
        case "thinking":
            return list(wrapped(text, "think", view))
        case "finding":
            return list(wrapped(f"FINDING  {text}", "strong", view, f"{s.here} ", f"{s.quote} "))
        case "retry":
            return list(wrapped(f"retry: {text}", "warn", view, f"{s.warn} "))
        case "refusal":
            return list(wrapped(f"refused: {text}", "warn", view, f"{s.refused} "))
        case "guard":
            return list(wrapped(f"THE GUARD REFUSED  {text}", "bad", view, f"{s.shield} ", f"{s.quote} "))
        case "interrupt":
            return list(wrapped(f"interrupted: {text}", "warn", view, f"{s.bad} "))
    return list(wrapped(text, "", view))


def _call(entry: Entry, view: View) -> Lines:
    s = view.symbols
    command = entry.text[:_WRAPPED]
    prompt = "$ " if command.startswith("$ ") else f"{s.here} "
    lines = list(wrapped(command.removeprefix("$ "), "command", view, prompt, "  "))
    if len(lines) > _COMMAND_LINES or len(entry.text) > _WRAPPED:
        lines = [*lines[:_COMMAND_LINES - 1], line((f"  {s.ellipsis} more of the command is in the audit", "warn"))]
    if entry.ran:
        lines.append(line((f"  {s.warn} {entry.ran}", "warn")))
    if not entry.status:
        frames = s.working
        mark = frames[int(view.now * 10) % len(frames)]
        return [*lines, line((f"  {mark} running {seconds(view.now - entry.at)}", "accent"))]
    text, tone = phrases.result(entry.status, entry.exit_code, entry.duration, s)
    output = entry.output.rstrip().splitlines()
    shown = [line((f"  {s.quote} {row}", "dim")) for row in output[:_OUTPUT_LINES]]
    if len(output) > _OUTPUT_LINES:
        more = plural(len(output) - _OUTPUT_LINES + 1, "more line")
        shown[-1] = line((f"  {s.quote} {s.ellipsis} {more}", "dim"))
    return [*lines, line((f"  {text}", tone)), *shown]


def agent_use(state: ScreenState, view: View) -> str:
    """`4 steps · 10.8k tokens · $0.12 · 23 s`"""
    a, session = state.agent, state.agent.session
    if session.started is None:
        return a.mode
    took = seconds((session.finished or view.now) - session.started)
    return f" {view.symbols.dot} ".join([f"{a.mode} mode", plural(a.steps, "step"),
                                         f"{amount(a.tokens)} tokens",
                                         money(a.cost).replace("—", f"cost {view.symbols.none}"), took])


# -- load ------------------------------------------------------------------------------------------------------------


def load(state: ScreenState, view: View) -> Lines:
    """The last minute of operations, 99th percentile and errors, one column a second."""
    if not state.load:
        return fit([line(("No load yet.", "dim"))], view)
    now = state.load[-1].data
    kinds = ", ".join(f"{kind} {n}" for kind, n in now.errors.items() if n)
    room = max(min(view.width - 30, 60), 4)
    points = state.load[-room:]

    def chart(name: str, levels: list[float | None], text: str, tone: str) -> Text:
        row = line((f"{name:<5}", "dim"))
        row.append_text(spark(levels, points, view))
        row.append(" " * (room - len(points) + 1))
        row.append(text, STYLES[tone])
        return row

    return fit([
        chart("op/s", _ops_levels(state, points), f"{now.ops:.0f} op/s", "strong"),
        chart("p99", _p99_levels(points), f"{milliseconds(now.p99)}  (p50 {milliseconds(now.p50)})".replace(
            "—", view.symbols.none), ""),
        chart("err", _error_levels(points), f"{view.symbols.warn} {now.failed}/s {kinds}" if now.failed else
            f"{view.symbols.ok} no error", "bad" if now.failed else "good"),
    ], view)


def _ops_levels(state: ScreenState, points: Points) -> list[float | None]:
    top = 1.1 * max([state.rate or 0.0, *(p.data.ops for p in points), 1.0])
    return [p.data.ops / top for p in points]


def _p99_levels(points: Points) -> list[float | None]:
    """On a logarithmic scale from 1 ms: a usual second and a timeout differ by a factor of a thousand."""
    top = math.log10(1000 * max([0.1, *(p.data.p99 or 0.0 for p in points)]))
    return [None if p.data.p99 is None else math.log10(max(1000 * p.data.p99, 1.0)) / top for p in points]


def _error_levels(points: Points) -> list[float | None]:
    top = max([1, *(p.data.failed for p in points)])
    return [p.data.failed / top if p.data.failed else None for p in points]


def spark(levels: list[float | None], points: Points, view: View) -> Text:
    """A bar for each level from 0 to 1; red where that second had errors."""
    bars, row = view.symbols.bars, Text(no_wrap=True, end="")
    for level, point in zip(levels, points, strict=True):
        bar = " " if level is None else bars[max(0, min(int(level * len(bars)), len(bars) - 1))]
        row.append(bar, "red" if point.data.failed else "green")
    return row


def load_line(state: ScreenState, view: View) -> Text:
    if not state.load:
        return line(("no load yet", "dim"))
    now = state.load[-1].data
    row = line((f"{now.ops:>4.0f} op/s  ", "strong"),
                (f"p99 {milliseconds(now.p99)}  ".replace("—", view.symbols.none), ""),
                (f"{view.symbols.warn} {plural(now.failed, 'error')}/s  " if now.failed else "no error  ",
                 "bad" if now.failed else "good"))
    room = view.width - row.cell_len
    if room > 4:
        points = state.load[-room:]
        row.append_text(spark(_ops_levels(state, points), points, view))
    return row


# -- approval ---------------------------------------------------------------------------------------------------------


def approval(state: ScreenState, view: View) -> Lines:
    """The oldest request that waits for a human, why the agent makes it, and the keys that answer."""
    s, asked = view.symbols, state.waiting[0]
    data = asked.data
    call = next((x for x in reversed(state.entries) if x.kind == "call" and x.call == data.call), None)
    left = max(0.0, asked.at + data.limit - view.now)
    keys = Text(no_wrap=True, end="")
    for key, what in (("y", "yes"), ("n", "no"), ("a", "always for this on this member")):
        keys.append(f" {key} ", "reverse")
        keys.append(f" {what}  ")
    keys.append(f"a no in {seconds(left)}", STYLES["dim"])
    lines = [line((f"{s.warn} {phrases.asked_for(data)}", "bad" if data.destructive else "strong")),
             line((f"{data.method} {data.path}", "dim"))]
    if call is not None:
        lines += [line((call.text.partition("\n")[0], "command")), *wrapped(call.why, "think", view)]
    return fit([*lines[:max(view.height - 1, 1)], keys], view)


# -- footer, and the least of all ------------------------------------------------------------------------------------


def footer(state: ScreenState, view: View) -> Text:
    """Keys on the left; run, mode and clock on the right; a fresh warning between them."""
    keys = [("space", "next"), ("q", "quit")] if view.manual else [("q", "quit")]
    row = Text(no_wrap=True, end="")
    for key, what in keys:
        row.append(f" {key} ", "reverse")
        row.append(f" {what}  ")
    note = state.notes[-1] if state.notes else None
    if note and note.data.level in ("warning", "error") and view.now - note.at < _NOTE_FOR:
        tone = "bad" if note.data.level == "error" else "warn"
        row.append(f"{view.symbols.warn} {' '.join(note.data.text.split())}", STYLES[tone])
    right = f" {view.symbols.dot} ".join(part for part in (state.run.id, state.run.about, clock(state, view)) if part)
    row.truncate(max(view.width - len(right) - 1, 0))
    row.append(" " * max(view.width - row.cell_len - len(right), 0))
    row.append(right, "dim")
    return fit([row], view)[0]


def clock(state: ScreenState, view: View) -> str:
    """Since the run began, as 01:23."""
    if state.run.began is None:
        return "00:00"
    minutes, seconds = divmod(int(max(0.0, view.now - state.run.began)), 60)
    return f"{minutes:02d}:{seconds:02d}"


def status_line(state: ScreenState, view: View) -> Text:
    """Everything in a line, for windows too small for anything else."""
    s, well = view.symbols, sum(m.healthy is True for m in state.members.values())
    ticket = state.ticket
    whole = s.healthy if well == len(state.members) else s.warn
    parts = [f"{well}/{len(state.members)} {whole}" if state.members else "",
             phrases.brain_source(state.agent.brain).upper() if state.agent.brain not in ("", "none") else "",
             "y, n or a?" if state.waiting else "",
             state.outcome.data.outcome if state.outcome else state.chapter.name,
             ticket.state if ticket else "", clock(state, view)]
    return Text(f" {s.dot} ".join(p for p in parts if p))

