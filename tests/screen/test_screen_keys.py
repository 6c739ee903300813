"""Keys as a terminal sends them, and what each does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operator_demo.screen.keys import Parser
from operator_demo.screen.steering import LIVE, REPLAY, SCROLLING, Binding, Steering


@pytest.mark.parametrize(("sent", "keys"), [
    ([" "], ["space"]), (["\r"], ["enter"]), (["\n"], ["enter"]), (["\x1b[C"], ["right"]), (["\x1bOC"], ["right"]),
    (["\x1b[5~", "\x1b[6~"], ["page_up", "page_down"]), (["\x1b[D\x1b[A"], ["left", "up"]),
    (["\x1b[F", "\x1bOF", "\x1b[4~"], ["end"] * 3), (["\x7f"], ["backspace"]),
    (["q"], ["q"]), (["Q"], ["Q"]), ([" q"], ["space", "q"]), (["é?/"], ["é", "?", "/"]),
    (["\x1b", "[C"], ["right"]), (["\x1b[", "C"], ["right"]), (["\x1bO", "C"], ["right"]),
    (["\x1b[1;5C"], []), (["\x1b[15~"], []), (["\x1bq"], []), (["\x00\x01"], []),
    (["\x1b[200~", " q\r", "\x1b[201~", "x"], ["x"])])
def test_what_a_terminal_sends(sent: list[str], keys: list[str]) -> None:
    parser = Parser()
    assert [key for text in sent for key in parser.feed(text)] == keys


def test_an_escape_alone_is_a_key_when_nothing_follows() -> None:
    parser = Parser()
    assert parser.feed("\x1b") == []
    assert parser.waits
    assert parser.end() == ["escape"]
    assert parser.feed("\x1b[") == []
    assert parser.end() == []
    assert not parser.waits


@given(st.lists(st.text(), max_size=8))
def test_no_input_is_too_strange(pieces: list[str]) -> None:
    parser = Parser()
    for piece in pieces:
        assert all(key.isprintable() for key in parser.feed(piece))


@pytest.mark.parametrize("table", [LIVE, REPLAY])
def test_a_key_does_one_thing(table: tuple[Binding, ...]) -> None:
    keys = [key for binding in table for key in binding.keys]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize(("key", "word"), [
    ("space", "next"), ("enter", "next"), ("right", "next"), ("page_down", "next"), ("left", ""),
    ("page_up", ""), ("p", "pause"), ("s", "stop"), ("f", "menu"), ("q", "quit"), ("?", ""), ("1", ""), ("x", ""),
    ("y", ""), ("up", "")])
def test_words_for_the_run(key: str, word: str) -> None:
    assert Steering().press(key) == word


@given(st.sampled_from([key for binding in LIVE for key in binding.keys] + ["y", "n", "a", "x", "end"]))
def test_while_something_is_asked_only_answers_count(key: str) -> None:
    assert Steering().press(key, asked=True) == {"y": "yes", "n": "no", "a": "always"}.get(key, "")


def test_a_clicker_turns_pages_of_what_is_zoomed_and_of_nothing_else() -> None:
    steering = Steering()
    assert [steering.press(key) for key in ("2", "page_up", "up", "down", "page_down")] == [""] * 5
    assert steering.zoom == "agent"
    assert steering.press("space") == "next"
    steering.press("2")
    assert steering.zoom == ""
    assert steering.press("page_down") == "next"


def test_a_chapter_is_read_again_before_the_run_goes_on() -> None:
    steering = Steering()
    assert [steering.press(key) for key in ("left", "page_up", "right", "space", "space")] == ["", "", "", "", "next"]
    steering.press("left")
    steering.press("escape")
    assert steering.press("right") == "next"


def test_what_is_over_the_screen_lets_no_key_through() -> None:
    for opens in ("?", "o"):
        steering = Steering()
        steering.press(opens)
        assert [steering.press(key) for key in ("space", "p", "s", "f", "left", "1", "y")] == [""] * 7
        assert steering.press("q") == ""  # closes it
        assert not steering.covered
        assert steering.press("q") == "quit"


def test_what_is_typed_goes_to_the_search() -> None:
    steering = Steering()
    for key in ("/", "q", "space", "1", "x", "backspace", "up", "?"):
        assert steering.press(key) == ""
    assert steering.typing == "q 1?"
    assert (steering.zoom, steering.help) == ("agent", False)
    steering.press("enter")
    assert (steering.typing, steering.scroll.query) == (None, "q 1?")
    steering.press("/")
    steering.press("escape")
    assert (steering.typing, steering.zoom) == (None, "agent")
    assert steering.press("q") == "quit"


@given(st.lists(st.sampled_from([key for binding in (*LIVE, *REPLAY, *SCROLLING) for key in binding.keys]
                                + ["y", "n", "N", "backspace", "x", "é"]), max_size=30),
       st.sampled_from([LIVE, REPLAY]))
def test_no_sequence_of_keys_is_a_trap(keys: list[str], table: tuple[Binding, ...]) -> None:
    steering = Steering(table)
    for key in keys:
        steering.press(key)
    for _ in range(4):
        steering.press("escape")
    assert not steering.covered
    assert steering.press("q") == "quit"
