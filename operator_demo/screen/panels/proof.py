"""The independent check of the repair: what the oracle asks, and what it saw."""

from rich.text import Text

from operator_demo import events, phrases
from operator_demo.screen.big_letters import with_banner
from operator_demo.screen.panels.moment import seal
from operator_demo.screen.panels.view import STYLES, Lines, View, fit, line
from operator_demo.screen.screen_state import ScreenState


def proof(state: ScreenState, view: View) -> Lines:
    """Each check with its mark, several in a line where there is little room; then what they say as a whole, and the
    sealed fault."""
    checks = checks_of(state)
    shown = _one_a_line(checks, view) if view.height >= len(checks) + 4 else _in_columns(checks, view)
    return fit([*shown, _sentence(state, view), *seal(state, view)], view)


def verdict(state: ScreenState, view: View) -> Lines:
    """The same, large: what was seen stands beside each check."""
    checks, promise = checks_of(state), seal(state, view)
    lines = [_sentence(state, view), Text(), *_one_a_line(checks, view), Text(), *promise]
    return with_banner(*_word(state), lines, view)


def checks_of(state: ScreenState) -> list[events.Check]:
    """All that are to be made, in the order in which they were announced, as far as they were judged."""
    judged = {_plain(check.name): check for check in _judged(state)}
    announced = [_plain(name) for name in state.checks]
    names = [*announced, *(name for name in judged if name not in announced)]
    return [judged.get(name, events.Check(name, "")) for name in names]


def _judged(state: ScreenState) -> tuple[events.Check, ...]:
    ticket = state.ticket
    if ticket is None:
        return ()
    if ticket.final is None and ticket.state == "verifying":
        return ()
    return ticket.verdict.data.checks if ticket.verdict is not None else ()


def _plain(name: str) -> str:
    return name.replace("_", " ")


def _sentence(state: ScreenState, view: View) -> Text:
    """What the checks say as a whole."""
    s, ticket = view.symbols, state.ticket
    verdict = ticket.verdict if ticket is not None else None
    if ticket is not None and ticket.final is not None:
        if ticket.final.data.passed:
            return line((f"{s.ok} ", "good"), ("verified from outside", "strong"))
        return line((f"{s.bad} ", "bad"), ("not verified", "strong"))
    if ticket is not None and ticket.state == "verifying":
        return line((f"{s.now} ", "accent"), ("the oracle looks for itself now", "strong"))
    if verdict is not None:
        if verdict.data.passed:
            return line((f"{s.warn} passes although something is broken", "bad"))
        return line("must fail now, and it does")
    if state.armed is not None:
        return line(("it knows how all was before the fault", "dim"))
    return line(("not armed yet", "dim"))


def _word(state: ScreenState) -> tuple[str, str]:
    """The banner: the verdict, or what it waits for."""
    ticket = state.ticket
    if ticket is None or ticket.final is None:
        return "CHECKING" if ticket is not None and ticket.state == "verifying" else "PROOF", "dim"
    return ("VERIFIED", "good") if ticket.final.data.passed else ("NOT VERIFIED", "bad")


def _in_columns(checks: list[events.Check], view: View) -> Lines:
    if not checks:
        return []
    width = max(len(_plain(check.name)) for check in checks) + 4
    across = max(view.width // width, 1)
    lines = []
    for first in range(0, len(checks), across):
        row = Text(no_wrap=True, end="")
        for check in checks[first:first + across]:
            mark, tone = phrases.check_mark(check.status, view.symbols)
            row.append(f"{mark} ", STYLES[tone])
            row.append(_plain(check.name).ljust(width - 2))
        lines.append(row)
    return lines


def _one_a_line(checks: list[events.Check], view: View) -> Lines:
    width = max((len(_plain(check.name)) for check in checks), default=0)
    lines = []
    for check in checks:
        mark, tone = phrases.check_mark(check.status, view.symbols)
        shown = check.saw or check.status.replace("_", " ")
        lines.append(line((f"{mark} ", tone), (f"{_plain(check.name):<{width}}  ", "strong"),
                          (phrases.one_line(shown), "" if check.status == "failed" else "dim")))
    return lines
