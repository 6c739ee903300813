"""Panels side by side in one frame: lines of text are put together to rows as wide as the screen."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from operator_demo.screen.panels.view import GREY, Lines
from operator_demo.screen.terminal_text import Symbols


@dataclass(frozen=True)
class Section:
    """A panel in a column: its title, and as many lines as it is high."""

    title: Text
    lines: Lines


@dataclass(frozen=True)
class Column:
    """Sections one above the other; `width` is that of the lines."""

    width: int
    sections: Sequence[Section]

    def rows(self, symbols: Symbols) -> "list[tuple[Text, bool]]":
        """The rows with the space at both sides, and whether each is the rule over a section."""
        rows = []
        for section in self.sections:
            rows.append((self._rule(section.title, symbols), True))
            rows += [(padded(Text.assemble(" ", text, end=""), self.width + 2), False) for text in section.lines]
        return rows

    def _rule(self, title: Text, symbols: Symbols) -> Text:
        rule = symbols.frame[4]
        row = Text(rule, GREY, no_wrap=True, end="")
        if title.plain:
            head = title.copy()
            head.truncate(max(self.width - 2, 0))
            row = Text.assemble(row, " ", head, " ", no_wrap=True, end="")
        row.append(rule * max(self.width + 2 - row.cell_len, 0), GREY)
        row.truncate(self.width + 2)
        return row


def padded(row: Text, width: int) -> Text:
    """Exactly so wide."""
    row.truncate(width, pad=True)
    return row


def framed(columns: Sequence[Column], symbols: Symbols) -> Lines:
    """The columns side by side; all are equally high."""
    top_left, top_right, bottom_left, bottom_right, horizontal, vertical = tuple(symbols.frame)
    left, right, down, up, cross = tuple(symbols.ties)
    sides = [column.rows(symbols) for column in columns]
    lines = []
    for number, parts in enumerate(zip(*sides, strict=True)):
        ruled = [is_rule for _, is_rule in parts]
        row = Text(no_wrap=True, end="")
        row.append(top_left if number == 0 else left if ruled[0] else vertical, GREY)
        for n, (text, is_rule) in enumerate(parts):
            if n > 0:
                joints = {(True, True): cross, (True, False): right, (False, True): left}
                row.append(down if number == 0 else joints.get((ruled[n - 1], is_rule), vertical), GREY)
            row.append_text(text)
        row.append(top_right if number == 0 else right if ruled[-1] else vertical, GREY)
        lines.append(row)
    floor = up.join(horizontal * (column.width + 2) for column in columns)
    lines.append(Text(f"{bottom_left}{floor}{bottom_right}", GREY, no_wrap=True, end=""))
    return lines
