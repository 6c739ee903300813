import pytest
from hypothesis import given
from hypothesis import strategies as st

from operator_demo.compose import units
from operator_demo.interpolate import interpolate

ENV = {"A": "1", "EMPTY": "", "B_2": "two"}


@pytest.mark.parametrize(("text", "expected"), [
    ("plain", "plain"), ("$A", "1"), ("${A}", "1"), ("x${A}y$B_2/", "x1ytwo/"), ("$$A", "$A"), ("$${A}", "${A}"),
    ("${NONE:-d}", "d"), ("${NONE-d}", "d"), ("${EMPTY:-d}", "d"), ("${EMPTY-d}", ""), ("${A:-d}", "1"),
    ("${NONE:-{\"a\":1}}", '{"a":1}'), ("${A:-{\"a\":1}}", "1"), ("${NONE:-{x}y}", "{x}y"), ("${NONE:+{y}}", ""),
    ("${A:+{y}}", "{y}"), ("x${NONE:-{}}z", "x{}z"), ("${NONE:-{a}}-${NONE:-{b}}", "{a}-{b}"), ("${NONE:-a}}", "a}"),
    ("${NONE:-{a}", "{a"), ("${NONE:-${NONE:-{x}}}", "{x}"), ("${NONE:-{${A}}}", "{1}"), ("${A:?{x}}", "1"),
    ("{${NONE:-{\"a\":{\"b\":1}}}}", '{{"a":{"b":1}}}'), ("{{${A}}}", "{{1}}"),
    ("$", "$"), ("5 $ each", "5 $ each"), ("end$", "end$"), ("$1", "$1"), ("$A$", "1$"), ("$$$", "$$"),
    ("$\u00e9", "$\u00e9"), ("${NONE:-$2a$14$}", "$2a$14$"), ("${NONE:-$}", "$"),
    ("${NONE:-}", ""), ("${NONE:-${A}}", "1"), ("${NONE:-a${NONE2:-b}c}", "abc"), ("${A:?needed}", "1"),
    ("${EMPTY?needed}", ""), ("${NONE:-$$}", "$"), ("${NONE:-a:b-c?d}", "a:b-c?d"),
])
def test_variables_are_filled_in(text: str, expected: str) -> None:
    assert interpolate(text, ENV) == expected


@pytest.mark.parametrize(("text", "words"), [
    ("$NONE", "NONE is not set"), ("${NONE}", "NONE is not set"), ("${NONE:?say why}", "say why"),
    ("${EMPTY:?say why}", "say why"), ("${A", "without its }"), ("${}", "name"), ("${-x}", "name"),
    ("${A:=x}", "not understood"), ("${1}", "name"), ("${NONE:-{a} and ${A", "without its }"),
    ("${NONE?}", "NONE is needed: it is not set"), ("${A!}", "not understood"),
])
def test_what_cannot_be_filled_in_is_said(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        interpolate(text, ENV)


@given(st.text())
def test_doubled_dollars_bring_any_text_through(text: str) -> None:
    assert interpolate(text.replace("$", "$$"), {}) == text


@given(st.text(alphabet="${}AB:-+?x", max_size=40))
def test_nothing_but_a_value_error(text: str) -> None:
    try:
        interpolate(text, ENV)
    except ValueError:
        pass


@pytest.mark.parametrize(("text", "expected"), [
    ("10s", 10), ("1m30s", 90), ("500ms", 0.5), ("1h", 3600), ("1.5s", 1.5), ("2us", 2e-6),
    ("1d", 86400), ("1w2d", 777600)])
def test_durations(text: str, expected: float) -> None:
    assert units.seconds(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "10", "s", "10 s", "99999999999w", "1m x", "-1s", "\u0661s"])
def test_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        units.seconds(text)


@pytest.mark.parametrize(("text", "expected"), [
    ("512m", 512 << 20), ("1g", 1 << 30), ("1.5gb", 3 << 29), ("1024", 1024), ("2KiB", 2048), ("10b", 10),
    ("1T", 1 << 40)])
def test_sizes(text: str, expected: int) -> None:
    assert units.size(text) == expected


@pytest.mark.parametrize("text", ["", "m", "12x", "9999999p", "-1m", "1 000"])
def test_no_sizes(text: str) -> None:
    with pytest.raises(ValueError, match="size"):
        units.size(text)


@pytest.mark.parametrize(("text", "expected"), [("0440", 0o440), ("0o440", 0o440), ("288", 0o440), ("0", 0)])
def test_file_modes(text: str, expected: int) -> None:
    assert units.file_mode(text) == expected


@pytest.mark.parametrize("text", ["", "rw", "-1", "0999", "99999", "010000"])
def test_no_file_modes(text: str) -> None:
    with pytest.raises(ValueError, match="mode"):
        units.file_mode(text)


def test_a_size_may_be_without_limit() -> None:
    assert (units.size_or_unlimited("-1"), units.size_or_unlimited("1k")) == (-1, 1024)
