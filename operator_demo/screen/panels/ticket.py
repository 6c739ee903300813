"""The ticket with its violations, the clocks, and what the engine saw happen."""

from collections import Counter
from collections.abc import Iterator

from rich.text import Text

from operator_demo import events, phrases
from operator_demo.screen.panels.view import Lines, View, fit, line, wrapped
from operator_demo.screen.quantities import seconds
from operator_demo.screen.screen_state import ScreenState

_LOOP = 2  # restarts by the engine's policy that are told as one


def monitor(state: ScreenState, view: View) -> Lines:
    """The ticket with its violations, the clocks, and in what room is left the engine's events."""
    lines = [*_ticket(state, view), *_clocks(state)]
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


def _effects(state: ScreenState, view: View) -> Lines:
    """What happened to containers, by the engine's own word; what nobody accounts for stands out. What its policy did
    to a member is told once, with how often."""
    restarts = Counter(effect.member for effect in state.effects if _by_policy(effect))
    lines = [_effect(effect, view) for effect in state.effects
             if effect.explained != "policy" or restarts[effect.member] < _LOOP]
    return [*lines, *(line(("engine  ", "dim"), f"{member}: restarted {count} times", ("  policy", "dim"))
                      for member, count in restarts.items() if count >= _LOOP)]


def _by_policy(effect: events.Effect) -> bool:
    return effect.explained == "policy" and effect.action == "start"


def _effect(effect: events.Effect, view: View) -> Text:
    text = phrases.effect(effect)
    if effect.explained:
        return line(("engine  ", "dim"), (text, ""), (f"  {effect.explained.replace('_', ' ')}", "dim"))
    return line((f"{view.symbols.warn} unexplained  ", "warn"), (text, "warn"))
