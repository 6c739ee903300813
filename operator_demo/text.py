"""Text from outside: made harmless for terminals and people, and cut to a size.

`clean` is for output, `escape` for what must be seen in full: commands, names and values.
"""

import re

_SEQUENCE_TEXT = 256  # characters after which a terminal sequence that has no end ends nevertheless

# Each part matches at once or not at all (possessive), so that time is linear in the length of the text.
_SEQUENCES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]{0,64}+[ -/]{0,8}+[@-~]?"  # CSI
    rf"|\x1b[\]PX^_][^\n\x07\x1b\x9c]{{0,{_SEQUENCE_TEXT}}}+(?:\x1b\\|[\x07\x9c])?"  # OSC, DCS, SOS, PM, APC with text
    r"|\x1b[ -/]{0,8}+[0-~]?"  # the two-byte escapes
)
_CONTROL_CLASS = "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but tab and newline, DEL, C1
_INVISIBLE_CLASS = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0"  # soft hyphen, joiners, fillers
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\ufffb"  # zero width, other line breaks, directions
    "\ufe00-\ufe0d\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"  # variation selectors (but of emoji), formatting
    "\U000e0000-\U000e0fff\ud800-\udfff"  # tags, and half a character
)
_CONTROLS = re.compile(f"[{_CONTROL_CLASS}]")
_INVISIBLE = re.compile(f"[{_INVISIBLE_CLASS}]")
_UNSEEN = re.compile(f"[{_CONTROL_CLASS}{_INVISIBLE_CLASS}]")


def clean(text: str) -> str:
    """Without terminal sequences and control characters (but tab and newline); invisible characters are escaped."""
    return clean_counted(text)[0]


def clean_counted(text: str) -> tuple[str, int]:
    """The same, and the number of characters that were removed."""
    text = text.replace("\r\n", "\n")
    without = _SEQUENCES.sub("", text)
    without = _CONTROLS.sub("", without.replace("\r", "\n"))
    return _INVISIBLE.sub(_escaped, without), len(text) - len(without)


def escape(text: str) -> str:
    """With each control character (but tab and newline) and invisible character as an escape: `\\x1b`, `\\u202e`."""
    return _UNSEEN.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def cut(text: str, limit: int) -> tuple[str, int]:
    """`text` in at most about `limit` bytes of UTF-8, head and tail kept; and the number of bytes left out."""
    raw = text.encode("utf-8", "replace")
    if len(raw) <= limit:
        return text, 0
    half = limit // 2
    head = raw[:half].decode("utf-8", "ignore")
    tail = raw[-half:].decode("utf-8", "ignore")
    omitted = len(raw) - len(head.encode()) - len(tail.encode())
    return f"{head}\n[... {omitted} bytes left out ...]\n{tail}", omitted


def one_line(text: str, width: int) -> str:
    """The first line of `text`, at most `width` characters long."""
    first = " ".join(text.split())
    return first if len(first) <= width else first[: max(width - 1, 0)] + "…"
