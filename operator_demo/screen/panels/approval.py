"""What waits for a human's answer."""

from rich.text import Text

from operator_demo import phrases
from operator_demo.screen.panels.view import STYLES, Lines, View, fit, line, wrapped
from operator_demo.screen.quantities import seconds
from operator_demo.screen.screen_state import ScreenState

_KEYS = (("y", "yes"), ("n", "no"), ("a", "always for this on this member"))


def approval(state: ScreenState, view: View) -> Lines:
    """The oldest request that waits for a human, why the agent makes it, and the keys that answer. A replay has none:
    what was asked then is answered in the record."""
    s, asked = view.symbols, state.waiting[0]
    data = asked.data
    call = next((x for x in reversed(state.entries) if x.kind == "call" and x.call == data.call), None)
    left = max(0.0, asked.at + data.limit - view.now)
    keys = Text(no_wrap=True, end="")
    for key, what in _KEYS if not view.mark else ():
        keys.append(f" {key} ", "reverse")
        keys.append(f" {what}  ")
    keys.append(f"a no in {seconds(left)}", STYLES["dim"])
    lines = [line((f"{s.warn} {phrases.asked_for(data)}", "bad" if data.destructive else "strong")),
             line((f"{data.method} {data.path}", "dim"))]
    if call is not None:
        lines += [line((call.text.partition("\n")[0], "command")), *wrapped(call.why, "think", view)]
    return fit([*lines[:max(view.height - 1, 1)], keys], view)
