"""What the audience will see, what the system is, and what the agent may and may not do."""

from operator_demo import phrases
from operator_demo.screen.panels.view import STYLES, Lines, View, fit, line, wrapped
from operator_demo.screen.screen_state import ScreenState
from operator_demo.settings import APPROVE, OBSERVE

_SEEN = (
    "Clients read and write. Every write that was acknowledged is remembered.",
    "A fault strikes. It was chosen and sealed beforehand, and nobody tells the agent.",
    "The monitor notices, and opens a ticket.",
    "The agent takes the ticket, finds the cause, and repairs it.",
    "The oracle checks from outside. What the agent says does not count.",
)
_MAY = {
    OBSERVE: ("look at the members, their logs and their state", "change anything: it only says what is wrong"),
    APPROVE: ("look, and change what a human allows, one request at a time", "change anything without a yes"),
    "": ("look, and change the members of this system", "touch anything else on this machine"),
}
"""By mode: what the agent may do, and what it may not."""


def about(state: ScreenState, view: View) -> Lines:
    lines = [line(("The system", "strong"))]
    title = state.run.title or state.run.subject or "It"
    lines += wrapped(f"{title}. It is real, and runs in containers on this machine.", "", view)
    lines += [line(""), line(("What happens", "strong"))]
    for number, text in enumerate(_SEEN, 1):
        lines += wrapped(text, "", view, f"{number} ")
    lines += [line(""), *_agent(state, view)]
    if len(lines) > view.height:
        lines = [row for row in lines if row.plain]
    return fit(lines, view)


def _agent(state: ScreenState, view: View) -> Lines:
    s, brain = view.symbols, state.agent.brain
    if brain == "none":
        return [line(("The agent", "strong")), line("No agent takes part in this run.")]
    label = phrases.brain_label(brain, state.agent.model) if brain else ""
    may, may_not = _MAY.get(state.agent.mode, _MAY[""])
    return [line(("The agent  ", "strong"), (label, "dim")),
            *_marked(s.ok, "good", f"may {may}", view),
            *_marked(s.bad, "bad", f"may not {may_not}", view),
            *_marked(s.bad, "bad", "does not know what will break, and cannot read the answer", view)]


def _marked(mark: str, tone: str, text: str, view: View) -> Lines:
    lines = list(wrapped(text, "", view, f"{mark} "))
    lines[0].stylize(STYLES[tone], 0, len(mark))
    return lines
