"""Long work: what is built, pulled and started."""

from collections.abc import Iterator

from rich.text import Text

from operator_demo import events
from operator_demo.screen.panels.view import View, line
from operator_demo.screen.screen_state import ScreenState


def work(state: ScreenState) -> list[tuple[tuple[str, str], events.Progress]]:
    """What goes on now, by (task, item), the newest last; without the fault's own."""
    return [(key, p) for key, p in state.progress.items() if key[0] != "fault"]


def preparing(state: ScreenState, view: View) -> Iterator[Text]:
    """As many of the newest as there is room for, one a line."""
    jobs = work(state)
    if not jobs:
        yield line(("No member was seen yet.", "dim"))
    for (task, item), p in jobs[-max(view.height, 1):]:
        yield line((f"{task} ", "dim"), item, (f"  {p.status}{_share(p)}", "accent"))


def progress_line(state: ScreenState, view: View) -> Text | None:
    """The newest of long work in a line; None where there is none."""
    jobs = work(state)
    if not jobs:
        return None
    parts: list[str | tuple[str, str]] = [(f"{view.symbols.here} {jobs[-1][0][0]}  ", "accent")]
    for (_, item), p in jobs[-4:]:
        parts += [item, (f" {p.status}{_share(p)}   ", "dim")]
    return line(*parts)


def _share(p: events.Progress) -> str:
    return f" {100 * p.current / p.total:.0f} %" if p.current is not None and p.total else ""
