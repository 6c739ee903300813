"""The agent at work: what it thinks, runs and sees, as it is being written."""

from collections.abc import Iterator

from rich.text import Text

from operator_demo import phrases
from operator_demo.screen.panels.view import Lines, View, fit, line, wrapped
from operator_demo.screen.quantities import amount, money, plural, seconds
from operator_demo.screen.screen_state import Entry, ScreenState

_OUTPUT_LINES = 4  # of a tool's output
_COMMAND_LINES = 6
_WRAPPED = 3000  # characters of one text that are worth wrapping


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
