import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operator_demo.text import clean, clean_counted, cut, escape, one_line


@given(st.text())
def test_clean_leaves_no_control_characters(text: str) -> None:
    for character in clean(text):
        assert character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cs"), repr(character)
    assert clean(clean(text)) == clean(text)


@pytest.mark.parametrize(("raw", "harmless"), [
    ("\x1b[31mred\x1b[0m", "red"),
    ("\x1b]0;title\x07text", "text"),
    ("\x1b]8;;file:///etc\x1b\\link\x1b]8;;\x1b\\", "link"),
    ("\x9b2Jgone", "gone"),
    ("50%\r\n100%\rdone", "50%\n100%\ndone"),
    ("\x1bPq#0\x1b\\x", "x"),
])
def test_terminal_sequences_go(raw: str, harmless: str) -> None:
    assert clean(raw) == harmless


@pytest.mark.parametrize("introducer", ["\x1b]", "\x1bP", "\x1b_", "\x1b^", "\x1bX"])
def test_a_sequence_without_end_ends_at_the_newline(introducer: str) -> None:
    assert clean_counted(f"before {introducer}0;hidden\nafter") == ("before \nafter", 10)


@pytest.mark.parametrize("introducer", ["\x1b]", "\x1bP"])
def test_a_sequence_without_end_ends_after_256_characters(introducer: str) -> None:
    text, removed = clean_counted(f"{introducer}{'x' * 256}docker ps")
    assert (text, removed) == ("docker ps", 258)


def test_a_csi_without_end_does_not_take_what_follows() -> None:
    assert clean("\x1b[31\nafter") == "\nafter"
    assert clean("\x1b[" + "1" * 1000).endswith("1" * 900)


@pytest.mark.parametrize(("raw", "shown"), [
    ("a\u200bb", "a\\u200bb"),  # zero width space
    ("a\u202eb", "a\\u202eb"),  # right-to-left override
    ("a\u2066b", "a\\u2066b"),
    ("a\U000e0041b", "a\\U000e0041b"),  # tag
    ("a\U000e0100b", "a\\U000e0100b"),  # variation selector, printable to Python
    ("a\u3164b", "a\\u3164b"),  # a filler, a letter to Unicode
    ("a\ufeffb", "a\\ufeffb"),
    ("a\ud800b", "a\\ud800b"),
])
def test_what_cannot_be_seen_is_shown_escaped(raw: str, shown: str) -> None:
    assert clean(raw) == shown
    assert escape(raw) == shown


@given(st.text(alphabet=st.characters()))
def test_escape_hides_nothing(text: str) -> None:
    """Where the text has no backslash, what is shown can be turned back into it."""
    text = text.replace("\\", "/")
    shown = escape(text)
    assert not set(shown) & set("\x00\x1b\x7f\x9b\u200b\u202e\ud800\U000e0041")
    code = re.compile(r"\\(?:x(..)|u(....)|U(........))")
    assert code.sub(lambda m: chr(int(m[1] or m[2] or m[3], 16)), shown) == text


def test_escape_keeps_lines_and_tabs_and_shows_the_rest() -> None:
    assert escape("a\tb\nc\x1b]d\re\x9b") == "a\tb\nc\\x1b]d\\x0de\\x9b"


@given(st.text(), st.integers(2, 200))
def test_cut_keeps_head_and_tail_and_counts_the_rest(text: str, limit: int) -> None:
    shown, omitted = cut(text, limit)
    size = len(text.encode("utf-8", "replace"))
    if size <= limit:
        assert (shown, omitted) == (text, 0)
    else:
        assert size - limit <= omitted <= size
        assert str(omitted) in shown


@given(st.text(), st.integers(1, 50))
def test_one_line_is_one_line(text: str, width: int) -> None:
    line = one_line(text, width)
    assert len(line) <= width
    assert "\n" not in line
