"""What waits for a human's answer."""

from rich.text import Text

from operator_demo import phrases
from operator_demo.approvals import ALWAYS, NO, YES
from operator_demo.screen.markdown import folded
from operator_demo.screen.panels.view import STYLES, Lines, View, fit, line
from operator_demo.screen.quantities import seconds
from operator_demo.screen.screen_state import ScreenState
from operator_demo.screen.steering import ANSWERS

_MEANS = {YES: "yes", NO: "no", ALWAYS: "always"}
_ALWAYS = " for this on this member"
_WIDE = 74  # cells that the keys take with all their words


def approval(state: ScreenState, view: View) -> Lines:
    """The oldest request that waits for a human, why the agent makes it, and the keys that answer. The keys are always
    there, and before them what is asked."""
    s, asked = view.symbols, state.waiting[0]
    data = asked.data
    about = data.member or data.object
    what = f"{phrases.one_line(data.rule)}{f' on {phrases.one_line(about)}' if about else ''}"
    risk = "   DESTRUCTIVE: it could lose data" if data.destructive else ""
    lines = [line((f"{s.warn} {what}", "strong"), (risk, "bad"))]
    step = next((entry for entry in reversed(state.entries) if entry.number and entry.call == data.call), None)
    if step is not None:
        lines += folded("", f"why: {step.reason}", view.console, view.width, "  ", "  ")[:2]
        command = step.text.removeprefix("$ ").partition("\n")[0]
        lines.append(line((f"  $ {command}", "command")))
    lines.append(line((f"  {data.method} {data.path}", "dim")))
    return fit([*lines[:max(view.height - 1, 1)], _keys(state, view)], view)


def _keys(state: ScreenState, view: View) -> Text:
    """`y yes  n no  a always ...  1 of 2, a no in 80 s`. A replay has no keys here: the answer is in the record."""
    asked = state.waiting[0]
    row = Text(no_wrap=True, end="")
    for key, answer in ANSWERS.items() if not view.mark else ():
        row.append(f" {key} ", "reverse")
        more = _ALWAYS if answer == ALWAYS and view.width >= _WIDE else ""
        row.append(f" {_MEANS[answer]}{more}  ")
    count = f"1 of {len(state.waiting)}, " if len(state.waiting) > 1 else ""
    left = max(0.0, asked.at + asked.data.limit - view.now)
    row.append(f"{count}a no in {seconds(left)}", STYLES["warn" if left < 20 else "dim"])
    return row
