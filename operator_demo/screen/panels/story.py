"""What is true now in a sentence, and what the chapter is about."""

from rich.text import Text

from operator_demo.chapters import NAMES
from operator_demo.headline import headline
from operator_demo.run_state import number_of
from operator_demo.screen.panels.progress import progress_line
from operator_demo.screen.panels.view import STYLES, Lines, View, fit, line, wrapped
from operator_demo.screen.screen_state import ScreenState

_ROOMY = 4  # lines


def story(state: ScreenState, view: View) -> Lines:
    """The headline, and below it the narration of the chapter; where there is little room the headline goes first."""
    mark, tone = mood(state, view)
    head = list(wrapped(headline(state), "strong", view, f"{mark} "))
    head[0].stylize(STYLES[tone], 0, len(mark))
    work = progress_line(state, view)
    below = list(wrapped(state.narration(view.steering.again), "dim", view))
    if work is not None:
        below = [*below[:max(view.height - len(head) - 1, 0)], work]
    if view.height >= _ROOMY:  # so that the narration keeps its place
        head += [Text()] * (2 - len(head))
    return fit([*head[:max(view.height - 1, 1)], *below], view)


def mood(state: ScreenState, view: View) -> tuple[str, str]:
    """A mark and its style: is all well, is something wrong, is it being looked at?"""
    s = view.symbols
    if state.outcome:
        return (s.ok, "good") if state.outcome.data.exit_status == 0 else (s.bad, "bad")
    if any(m.healthy is False for m in state.members.values()) or state.quorum is False:
        return s.bad, "bad"
    if state.violated or (state.ticket is not None and state.ticket.closed is None):
        return s.warn, "warn"
    return (s.healthy, "good") if state.observed else (s.todo, "dim")


def title_line(state: ScreenState, view: View) -> Text:
    """`6/8 Diagnosis and repair`, for small windows."""
    here = number_of(state.chapter.name)
    number = f" {here}/{len(NAMES)} " if here else " "
    return line((number, "dim"), (state.chapter.title or state.run.subject or "Starting", "strong"))
