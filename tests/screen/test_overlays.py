"""A zoomed panel, an output and the help, as keys open and move them: each key is pressed, then a frame is drawn."""

import pytest
from drawn import drawn_of, folded
from hypothesis import given, settings
from hypothesis import strategies as st
from story import START, story, until
from test_agent_panel import Agent

from operator_demo.events import Event
from operator_demo.screen.layout import arrange
from operator_demo.screen.scrolling import Scroll
from operator_demo.screen.steering import LIVE, REPLAY, SCROLLING, Binding, Steering
from operator_demo.screen.terminal_text import ASCII, UNICODE, Symbols

SIZES = [(80, 24), (120, 40), (200, 60)]


class Viewer:
    """Somebody at the keys of a screen."""

    def __init__(self, many: list[Event], size: tuple[int, int] = (80, 24), symbols: Symbols = UNICODE,
                 table: tuple[Binding, ...] = LIVE) -> None:
        self.state, self.size, self.symbols = folded(many), size, symbols
        self.steering = Steering(table)

    def rows(self) -> list[str]:
        at = self.state.latest - START
        return drawn_of(self.state, self.size, at, self.symbols, True, arrange, self.steering)

    def press(self, *keys: str) -> str:
        """The screen after the last of them."""
        for key in keys:
            self.rows()
            self.steering.press(key)
        return "\n".join(self.rows())


def long_session(steps: int = 30) -> Agent:
    agent = Agent()
    for n in range(1, steps + 1):
        agent.shell(f"echo {n}", f"Reason number {n}.", "\n".join(f"row {n}.{row}" for row in range(1, 401)))
    return agent


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("key", "title", "part"), [
    ("1", "Cluster", "etcd1"), ("2", "Agent", "docker start demo-etcd-etcd1-1"), ("3", "Load", "op/s"),
    ("4", "Proof", "invariants"), ("?", "Help", "the agent stops after this step"),
    ("o", "3 Does it answer at all?", "curl: (6) Could not resolve host: etcd1")])
def test_each_is_alone_on_the_screen_and_goes(size: tuple[int, int], key: str, title: str, part: str) -> None:
    viewer = Viewer(until(22), size)
    before = viewer.rows()
    text = viewer.press(key)
    assert text.startswith(f"─ {title} ─")
    assert part in text
    assert "REHEARSAL" in text.splitlines()[0]
    assert len(viewer.rows()) == size[1]
    viewer.press("escape")
    assert viewer.rows() == before


def test_the_same_key_gives_the_whole_screen_back() -> None:
    viewer = Viewer(until(22))
    before = viewer.rows()
    for key in ("1", "2", "3", "4", "?", "o"):
        viewer.press(key, key)
        assert viewer.rows() == before, key


def test_the_end_is_followed_until_somebody_scrolls() -> None:
    agent = long_session()
    viewer = Viewer(agent.events)
    assert "Reason number 30." in viewer.press("2")
    earlier = viewer.press("page_up", "page_up", "up")
    assert "Reason number 30." not in earlier
    for e in long_session(40).events[len(agent.events):]:
        viewer.state.apply(e)
    body = [row for row in viewer.rows() if "of" not in row]
    assert body == [row for row in earlier.splitlines() if "of" not in row]  # what is read does not move
    assert "Reason number 40." in viewer.press("end")
    assert "Reason number 1." in viewer.press("home")


def test_the_whole_output_opens_scrolls_and_is_searched() -> None:
    viewer = Viewer(long_session().events)
    assert "400 lines, last: row 30.400" in "\n".join(viewer.rows())
    text = viewer.press("o")
    assert "30 Reason number 30." in text and "echo 30" in text and "row 30.1" in text
    assert "row 30.400" in viewer.press("end")
    assert "row 30.399" in viewer.press("home", "/", *"0.399", "enter")
    assert "of 40" in viewer.rows()[0]
    assert "/zz" in viewer.press("/", "z", "z")
    assert "not found" in viewer.press("enter")


def test_matches_are_stepped_through_around_the_end() -> None:
    viewer = Viewer(long_session().events)
    viewer.press("o", "/", *"0.3", "enter")
    scroll = viewer.steering.scroll
    first = scroll.match
    viewer.press("n")
    second = scroll.match
    assert first is not None and second is not None and second > first
    viewer.press("N")
    assert scroll.match == first
    viewer.press("N")
    assert scroll.match is not None and scroll.match > second
    viewer.press("n")
    assert scroll.match == first


def test_the_output_of_the_step_in_view_opens_where_it_was_scrolled_to() -> None:
    viewer = Viewer(long_session().events)
    assert "─ 1 Reason number 1. ─" in viewer.press("2", "home", "o")
    assert "row 1.5" in "\n".join(viewer.rows())
    assert viewer.press("escape").startswith("─ Agent")


def test_an_open_output_stays_when_another_command_ends() -> None:
    agent = long_session()
    viewer = Viewer(agent.events)
    before = viewer.press("o")
    for e in long_session(31).events[len(agent.events):]:
        viewer.state.apply(e)
    assert "\n".join(viewer.rows()) == before
    assert "31 Reason number 31." in viewer.press("escape", "o")


def test_output_without_a_command_says_so() -> None:
    assert "No command has ended yet." in Viewer(until(10)).press("o")


def test_json_is_set_out() -> None:
    agent = Agent()
    agent.shell("curl x", "Ask.", '{"health": "true", "members": ["a", "b"], "text": "' + "x" * 90 + '"}')
    assert '"members": [\n' in "\n".join(row.strip() for row in Viewer(agent.events).press("o").splitlines())


def test_the_narration_of_the_chapter_before_is_read_again() -> None:
    viewer = Viewer(until(22), (120, 32))
    text = viewer.press("left")
    assert "(read again: Detected) The monitor saw an invariant violated" in text
    assert "It looks before it acts" in viewer.press("right")
    assert "All is well" not in viewer.press(*["left"] * 30)  # it stays at the first
    assert "(read again: Welcome)" in "\n".join(viewer.rows())


def test_a_request_that_waits_stays_in_sight() -> None:
    from test_screen_layout import asked

    viewer = Viewer(asked(2), (80, 24))
    viewer.steering.press("2")
    text = "\n".join(viewer.rows())
    assert text.startswith("─ Agent")
    assert "docker stop on etcd1" in text and " y " in text


@pytest.mark.parametrize("table", [LIVE, REPLAY])
def test_the_help_names_each_key(table: tuple[Binding, ...]) -> None:
    viewer = Viewer(until(22), (120, 60), table=table)
    text = viewer.press("?")
    for binding in (*table, *SCROLLING):
        assert f" {binding.shown} " in text
        assert binding.about[:40] in text


def test_in_ascii_there_is_nothing_else() -> None:
    for key in ("1", "2", "3", "4", "?", "o"):
        assert Viewer(until(22), symbols=ASCII).press(key).isascii()


def test_marks_of_the_console_are_text() -> None:
    agent = Agent()
    agent.shell("x", "See.", "[bold]not markup[/] [/nope]")
    viewer = Viewer(agent.events)
    assert "[bold]not markup[/] [/nope]" in viewer.press("o", "/", "[", "enter")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([*(key for b in (*LIVE, *SCROLLING) for key in b.keys), "n", "N", "x"]), max_size=12),
       st.sampled_from([(1, 1), (40, 10), (80, 24), (120, 40)]), st.sampled_from([story(), until(22), []]))
def test_no_keys_break_a_frame(keys: list[str], size: tuple[int, int], many: list[Event]) -> None:
    viewer = Viewer(many, size)
    text = viewer.press(*keys)
    assert "failed:" not in text
    assert len(text.splitlines()) <= size[1]


@given(st.lists(st.sampled_from(["up", "down", "page_up", "page_down", "home", "end", "n", "N"]), max_size=20),
       st.integers(0, 50), st.integers(0, 12), st.booleans(), st.text("ab", max_size=2))
def test_a_window_never_leaves_its_text(keys: list[str], count: int, height: int, grows: bool, query: str) -> None:
    lines = ["ab"[n % 2] for n in range(count)]
    scroll = Scroll(grows)
    scroll.search(query)
    for key in keys:
        top = scroll.window(lines, height)
        assert 0 <= top <= max(count - max(height, 1), 0)
        scroll.press(key)
