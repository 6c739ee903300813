"""The fault: what is sealed, the countdown, the strike."""

import re

from rich.text import Text

from operator_demo import phrases
from operator_demo.screen.big_letters import big
from operator_demo.screen.panels.view import Lines, View, fit, line, wrapped
from operator_demo.screen.quantities import seconds
from operator_demo.screen.screen_state import ScreenState


def strike(state: ScreenState, view: View) -> Lines:
    """Large in the middle what happens now, and what it means below."""
    began = state.strikes[-1] if state.strikes else None
    left = seconds_left(state)
    room = view.sized(view.width, max(view.height - 7, 1))
    if began is not None:
        large = big("FAULT", "bad", room)
        told = [("strong", f"It struck {seconds(max(view.now - began, 0.0))} ago."),
                ("dim", "Nobody told the agent. The monitor has to notice by itself.")]
    elif left:
        large = big(left, "warn", room)
        told = [("strong", "A fault strikes."), ("dim", "Nobody tells the agent which, or where.")]
    else:
        large = []
        told = [("strong", "A fault is about to strike."),
                ("dim", "It is chosen by chance, and sealed before it happens.")]
    lines = [*large, Text(), *(row for tone, text in told for row in wrapped(text, tone, view)), Text(),
             *seal(state, view)]
    above = max((view.height - len(lines)) // 3, 0)
    return fit([*(Text() for _ in range(above)), *lines], view)


def seconds_left(state: ScreenState) -> str:
    """Of the countdown, as digits; "" without one."""
    countdown = state.progress.get(("fault", "fault"))
    digits = re.search(r"\d+", countdown.status) if countdown else None
    return digits.group() if digits else ""


def seal(state: ScreenState, view: View) -> Lines:
    """The promise made before the fault; once it is opened, what it was."""
    if not state.sealed:
        return []
    if state.truth:
        return list(wrapped(phrases.opened(state.truth, state.sealed), "", view))
    return [line((f"fault sealed beforehand: sha256 {state.sealed[:16]}", "dim"))]
