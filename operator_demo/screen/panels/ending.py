"""The end: how it went in plain words, what it cost, and what to look at next."""

from rich.text import Text

from operator_demo import outcomes
from operator_demo.screen.big_letters import with_banner
from operator_demo.screen.panels.moment import seal
from operator_demo.screen.panels.view import STYLES, Lines, View, fit, line, wrapped
from operator_demo.screen.plain_score import in_words
from operator_demo.screen.quantities import amount, money, plural
from operator_demo.screen.screen_state import ScreenState

_WORDS = {outcomes.REPAIRED: "REPAIRED", outcomes.NO_ACTION: "NOTHING TO DO", outcomes.CLEARED: "HEALED",
          outcomes.ESCALATED: "TO A HUMAN"}


def ending(state: ScreenState, view: View) -> Lines:
    told: Lines = []
    for mark, tone, text in _told(state, view):
        row = list(wrapped(text, "", view, f"{mark} "))
        row[0].stylize(tone, 0, len(mark))
        told += row
    lines = [*seal(state, view), Text(), *told, Text(), *_next(state)]
    outcome = state.outcome
    if outcome is None:
        return fit(lines, view)
    word = _WORDS.get(outcome.data.outcome, outcome.data.outcome.upper().replace("_", " "))
    return with_banner(word, "good" if outcome.data.exit_status == 0 else "bad", lines, view)


def _told(state: ScreenState, view: View) -> list[tuple[str, str, str]]:
    """(mark, style of the mark, sentence): what was good and what was not, then the cost."""
    s = view.symbols
    marks = {True: (s.ok, STYLES["good"]), False: (s.bad, STYLES["bad"]), None: (s.dot, STYLES["dim"])}
    told = [(*marks[good], text) for good, text in in_words(state.score)] if state.score is not None else []
    agent = state.agent
    if agent.sessions:
        cost = "the cost is not known" if agent.cost is None else f"it cost {money(agent.cost)}"
        told.append((*marks[None], f"{plural(agent.steps, 'step')}, {amount(agent.tokens)} tokens; {cost}."))
    return told


def _next(state: ScreenState) -> Lines:
    run = state.run.id or "last"
    return [line(("What to look at next", "strong")),
            line((f"./operator-demo audit show {run}", "command")), line(("every command and its result", "dim")),
            line((f"./operator-demo report {run} -o run.html", "command")), line(("one page to send", "dim"))]
