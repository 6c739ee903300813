"""Words and digits that can be read from the last row."""

from rich.text import Text

from operator_demo.screen.panels.view import STYLES, Lines, View, fit

_GLYPHS = {
    "A": "25755", "B": "65656", "C": "34443", "D": "65556", "E": "74647", "F": "74644", "G": "34553", "H": "55755",
    "I": "72227", "J": "11152", "K": "55655", "L": "44447", "M": "57755", "N": "65555", "O": "25552", "P": "65644",
    "Q": "25563", "R": "65655", "S": "34216", "T": "72222", "U": "55557", "V": "55552", "W": "55775", "X": "55255",
    "Y": "55222", "Z": "71247", "0": "75557", "1": "26227", "2": "61247", "3": "71317", "4": "55711", "5": "74616",
    "6": "34757", "7": "71222", "8": "75757", "9": "75716", " ": "00000",
}
"""Three by five points: a digit for each row, of which the bits are the points."""
_ROWS = 5
_SIZES = ((6, 3), (4, 2), (2, 1), (1, 1))
"""Columns and lines that a point takes; the largest that fits."""


def big(word: str, tone: str, view: View) -> Lines:
    """`word` in letters of blocks, in the middle of the width; in bold where there is no room for them."""
    for across, down in _SIZES:
        width = len(word) * 3 * across + (len(word) - 1) * _gap(across)
        if width <= view.width and down * _ROWS <= view.height and set(word) <= set(_GLYPHS):
            return _drawn(word, tone, across, down, width, view)
    return fit([Text(word.center(view.width), f"bold {STYLES[tone]}", no_wrap=True, end="")], view)


def with_banner(word: str, tone: str, lines: Lines, view: View) -> Lines:
    """`word` large above the lines; where there is little room, in a bar as wide as the panel."""
    if view.height >= len(lines) + _ROWS + 1:
        return fit([*big(word, tone, view.sized(view.width, _ROWS)), Text(), *lines], view)
    bar = Text(word.center(view.width), f"reverse {STYLES[tone]}", no_wrap=True, end="")
    if view.height < len(lines) + 1:
        lines = [row for row in lines if row.plain]
    return fit([bar, *lines], view)


def _gap(across: int) -> int:
    return max(across // 2, 1)


def _drawn(word: str, tone: str, across: int, down: int, width: int, view: View) -> Lines:
    lines = []
    margin = " " * ((view.width - width) // 2)
    for row in range(_ROWS):
        letters = []
        for letter in word:
            bits = f"{int(_GLYPHS[letter][row]):03b}"
            letters.append("".join((view.symbols.block if bit == "1" else " ") * across for bit in bits))
        text = margin + (" " * _gap(across)).join(letters)
        lines += [Text(text, STYLES[tone], no_wrap=True, end="") for _ in range(down)]
    return lines
