"""Keys with what they do, as the footer and the help show them."""

from collections.abc import Iterable

from rich.text import Text

from operator_demo.screen.panels.view import View
from operator_demo.screen.steering import Binding

_IN_WORDS = {"↑↓": "up/down", "←": "left", "→": "right"}


def keycap(binding: Binding, view: View) -> Text:
    shown = binding.shown
    if shown.isascii() or view.symbols.ellipsis == "…":
        return Text(f" {shown} ", "reverse", no_wrap=True, end="")
    return Text(f" {_IN_WORDS.get(shown, shown)} ", "reverse", no_wrap=True, end="")


def keycaps(bindings: Iterable[Binding], view: View) -> Text:
    row = Text(no_wrap=True, end="")
    for binding in bindings:
        row.append_text(keycap(binding, view))
        row.append(f" {binding.does}  ")
    return row
