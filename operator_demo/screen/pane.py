"""What is drawn never fails as a whole: a panel that raises shows the error in its place, and the others go on."""

from collections.abc import Callable

from rich.console import Console, ConsoleOptions, RenderResult
from rich.panel import Panel
from rich.segment import Segment
from rich.text import Text

from operator_demo.screen.panels.view import RED, Body, Lines, View, fit
from operator_demo.screen.screen_state import ScreenState

Style = Callable[[ScreenState], str]
Words = Callable[[ScreenState, View], Text]


def lines_of(body: Body, state: ScreenState, view: View) -> Lines:
    """The lines of a panel, exactly as many as the view is high."""
    try:
        lines = fit(body(state, view), view)
    except Exception as e:
        lines = fit([Text(f"this panel failed: {type(e).__name__}: {e}", RED, no_wrap=True, end="")], view)
    return [*lines, *(Text(no_wrap=True, end="") for _ in range(view.height - len(lines)))]


def line_of(words: Words, state: ScreenState, view: View) -> Text:
    """One line, as wide as the view at most."""
    try:
        row = words(state, view)
    except Exception as e:
        row = Text(f"this line failed: {type(e).__name__}: {e}", RED, no_wrap=True, end="")
    row.truncate(view.width)
    return row


class Pane:
    """A frame around a body. What goes wrong in it is shown in its place; the others go on."""

    def __init__(self, state: ScreenState, view: View, body: Body, title: Words, color: Style,
                 subtitle: Words | None = None) -> None:
        self._state, self._view = state, view
        self._body, self._title, self._color, self._subtitle = body, title, color, subtitle

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width, height = options.max_width, options.height or options.size.height
        try:
            panel = self._panel(width, height)
            lines = console.render_lines(panel, options.update(height=height))
        except Exception as e:
            panel = Panel(Text(f"this panel failed: {type(e).__name__}: {e}", RED), height=height)
            lines = console.render_lines(panel, options.update(height=height))
        for row in lines:
            yield from row
            yield Segment.line()

    def _panel(self, width: int, height: int) -> Panel:
        view = self._view.sized(width - 4, height - 2)
        body = Text("\n", end="").join(self._body(self._state, view))
        body.no_wrap = True
        head, foot = self._title(self._state, view), self._subtitle(self._state, view) if self._subtitle else None
        for text in (head, foot):
            if text is not None:
                text.truncate(max(width - 6, 0))
        return Panel(body, title=head, title_align="left", subtitle=foot, subtitle_align="right", height=height,
                     border_style=self._color(self._state), padding=(0, 1))


class Bar:
    """One line without a frame."""

    def __init__(self, state: ScreenState, view: View, body: Words) -> None:
        self._state, self._view, self._body = state, view, body

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        try:
            row = self._body(self._state, self._view.sized(options.max_width, 1))
        except Exception as e:
            row = Text(f"this line failed: {type(e).__name__}: {e}", RED, no_wrap=True, end="")
        row.truncate(options.max_width)
        yield from console.render_lines(row, options.update(height=1))[0]
