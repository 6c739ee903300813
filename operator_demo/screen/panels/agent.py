"""The agent at work: each step by its reason, the newest one open, what is being written just now."""

from collections.abc import Iterator
from itertools import zip_longest

from rich.text import Text

from operator_demo.screen.panels import steps
from operator_demo.screen.panels.view import Lines, View, fit, line, wrapped
from operator_demo.screen.quantities import amount, money, plural, seconds
from operator_demo.screen.reasons import plain
from operator_demo.screen.screen_state import PROSE, STATEMENTS, Entry, ScreenState

_OUTPUT_LINES = 3  # of what a command prints while it runs
_THOUGHT_LINES = 6
_WRITTEN = 3000  # characters of live text that are shown
_TELLS_WHAT_IS_ABOVE = 12  # lines from which on there is one to spare


def agent(state: ScreenState, view: View) -> Lines:
    """The end of the log, the newest at the bottom. Earlier steps are folded; none is cut in two."""
    lines: Lines = []
    above = 0
    room = view.height - (1 if view.height >= _TELLS_WHAT_IS_ABOVE else 0)
    blocks = _blocks(state, view)
    for block, is_step in blocks:
        while lines and block and len(block) + len(lines) > room and not block[0].plain:
            block = block[1:]  # it would stand at the top: no blank line is needed over it
        if lines and len(block) + len(lines) > room:
            above = is_step + sum(step for _, step in blocks)
            break
        lines = _joined(block, lines)
    while lines and not lines[0].plain:
        lines = lines[1:]
    while lines and not lines[-1].plain:
        lines = lines[:-1]
    if above and room < view.height:
        lines = [line((f"{view.symbols.ellipsis} {plural(above, 'earlier step')}", "dim")), *lines]
    if not lines:
        lines = list(wrapped(_idle(state), "dim", view))
    return fit(lines[-view.height:] if view.height else [], view)


def _joined(above: Lines, below: Lines) -> Lines:
    """With one blank line between them at most."""
    if above and below and not above[-1].plain and not below[0].plain:
        below = below[1:]
    return [*above, *below]


def whole_log(state: ScreenState, view: View) -> tuple[Lines, list[tuple[int, Entry]]]:
    """All that is known of the agent's work, and at which line each step begins."""
    lines: Lines = []
    begins: list[tuple[int, Entry]] = []
    for entry, after in zip_longest(state.entries, state.entries[1:]):
        if entry.number:
            begins.append((len(lines), entry))
        is_its_reason = entry.kind == "text" and after is not None and plain(entry.text) == after.reason
        if not is_its_reason:
            lines += [*steps.whole(entry, view), line("")]
    lines += [*_live(state, view), *_over(state, view)]
    return lines or list(wrapped(_idle(state), "dim", view)), begins


def _idle(state: ScreenState) -> str:
    if state.agent.sessions:
        return "thinking ..."
    if state.agent.brain in ("", "none"):
        return "No agent takes part in this run." if state.agent.brain else "No agent yet."
    return "It waits for a ticket, and knows nothing of what will break."


def _blocks(state: ScreenState, view: View) -> Iterator[tuple[Lines, bool]]:
    """From the newest back; with each, whether it is a step. A step that is not over stays open, and the newest one."""
    blank = [line("")]
    if over := _over(state, view):
        yield [*blank, *over], False
    if live := [*_live(state, view)]:
        yield [*blank, *live], False
    newest, led_to_something = state.newest_step, False
    for entry in reversed(state.entries):
        if entry.kind in PROSE:
            if not led_to_something:
                yield [*blank, *_some(steps.prose(entry, view), view)], False
            led_to_something = led_to_something or entry.kind == "text"
            continue
        led_to_something = True
        if entry.kind in STATEMENTS:
            yield [*blank, *steps.statement(entry, view), *blank], False
        elif not entry.number:
            yield [*steps.remark(entry, view)], False
        elif entry is newest or not entry.status:
            yield [*blank, *steps.open_step(entry, view, entry is newest), *blank], True
        else:
            yield [*steps.folded_step(entry, view.width, view.symbols)], True


def _some(lines: Lines, view: View) -> Lines:
    most = max(_THOUGHT_LINES, view.height // 3)
    if len(lines) <= most:
        return lines
    left = plural(len(lines) - most + 1, "more line")
    return [*lines[:most - 1], line((f"{view.symbols.ellipsis} {left}", "dim"))]


def _over(state: ScreenState, view: View) -> Lines:
    """How the session ended, and what has not been said before."""
    s, session = view.symbols, state.agent.session
    if not session.status:
        return []
    good = session.status == "verified"
    summary = session.summary[:_WRITTEN].strip()
    told = any(plain(entry.text) == plain(summary) for entry in state.entries[-4:] if entry.kind in STATEMENTS)
    text = f"session {session.status}" + (f"  {summary}" if summary and not told else "")
    return [*wrapped(text, "good" if good else "warn", view, f"{s.ok if good else s.warn} ", "  ")]


def _live(state: ScreenState, view: View) -> Iterator[Text]:
    for n, part in enumerate(state.live):
        last = n == len(state.live) - 1
        text = part.text[-_WRITTEN:].strip() + (view.symbols.cursor if last else "")
        if part.kind == "command":
            yield from wrapped(text, "command", view, "     $ "[2:], "     ")
        elif part.kind == "output":
            tail = text.splitlines()[-_OUTPUT_LINES:]
            yield from (line((f"     {view.symbols.quote} {row}", "dim")) for row in tail)
        else:
            kind = Entry(0.0, part.kind, text)
            yield from steps.prose(kind, view)


def agent_use(state: ScreenState, view: View) -> str:
    """`execute mode · 4 steps · 10.8k tokens · $0.12 · 23 s`"""
    a, session = state.agent, state.agent.session
    if session.started is None:
        return a.mode
    took = seconds((session.finished or view.now) - session.started)
    return f" {view.symbols.dot} ".join([f"{a.mode} mode", plural(state.steps, "step"),
                                         f"{amount(a.tokens)} tokens",
                                         money(a.cost).replace("—", f"cost {view.symbols.none}"), took])
