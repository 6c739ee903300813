"""The little of Markdown that a model writes in its prose, as lines: headings, lists, code, bold.

What is no Markdown stays as it is; nothing is taken for the markup of the console.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from rich.console import Console
from rich.text import Text

from operator_demo.screen.panels.view import STYLES

_FENCE = re.compile(r"\s*(?:```|~~~)")
_HEADING = re.compile(r"#{1,6}\s+(?P<text>.+)")
_ITEM = re.compile(r"(?P<indent>\s*)(?P<mark>[-*+]|\d{1,3}[.)])\s+(?P<text>.+)")
_INLINE = re.compile(r"\*\*(?P<bold>\S(?:.*?\S)?)\*\*|`(?P<code>[^`]+)`")
_BOLD, _CODE = STYLES["strong"], STYLES["accent"]
_LEAST = 8  # columns for text


def markdown(text: str, console: Console, width: int, style: str = "", bullet: str = "•") -> Iterator[Text]:
    """`text` in lines of at most `width` cells."""
    in_code = False
    for line in text.expandtabs(4).splitlines():
        if _FENCE.match(line):
            in_code = not in_code
        elif in_code:
            yield from folded(_CODE, line, console, width, "  ", "  ")
        else:
            yield from _line(line, console, width, style, bullet)


def _line(line: str, console: Console, width: int, style: str, bullet: str) -> tuple[Text, ...]:
    if heading := _HEADING.match(line):
        return folded(f"{style} {_BOLD}".strip(), heading["text"], console, width)
    if item := _ITEM.match(line):
        mark = bullet if item["mark"] in "-*+" else item["mark"]
        first = f"{item['indent'][:8]}{mark} "
        return folded(style, item["text"], console, width, first, " " * len(first))
    return folded(style, line, console, width)


@lru_cache(maxsize=2000)
def folded(style: str, line: str, console: Console, width: int, first: str = "", rest: str = "") -> tuple[Text, ...]:
    """One line of text, broken where it is too wide. Remembered: most lines are drawn many times."""
    parts = inline(line, style).wrap(console, max(width - len(first), _LEAST)) or [Text("")]
    lines = []
    for n, part in enumerate(parts):
        part.rstrip()
        lines.append(Text.assemble((rest if n else first, style), part, no_wrap=True, end=""))
    return tuple(lines)


def inline(line: str, style: str) -> Text:
    text, end = Text(style=style), 0
    for match in _INLINE.finditer(line):
        text.append(line[end:match.start()])
        text.append(match["bold"] or match["code"], _BOLD if match["bold"] else _CODE)
        end = match.end()
    text.append(line[end:])
    return text
