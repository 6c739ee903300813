import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operator_demo.text import REDACTED, clean, cut, one_line, redact


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
    ("a\u202eb", "ab"),
    ("50%\r\n100%\rdone", "50%\n100%\ndone"),
    ("\x1bPq#0\x1b\\x", "x"),
])
def test_terminal_sequences_go(raw: str, harmless: str) -> None:
    assert clean(raw) == harmless


@pytest.mark.parametrize("leak", [
    "sk-ant-REDACTED",
    "Authorization: Bearer abcdef123456",
    "x-api-key: abcdef123456",
    "ANTHROPIC_API_KEY=abcdef123456",
    "DB_PASSWORD=correcthorse",
])
def test_what_looks_like_a_key_is_redacted(leak: str) -> None:
    shown = redact(f"before {leak} after")
    assert REDACTED in shown
    assert leak.split()[-1].split("=")[-1] not in shown
    assert shown.startswith("before ")
    assert shown.endswith(" after")


def test_a_known_secret_is_redacted_wherever_it_stands() -> None:
    assert redact("xhunter2hunter2x", ["hunter2hunter2"]) == f"x{REDACTED}x"


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
