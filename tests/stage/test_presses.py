"""Which presses count: one step for a clicker's three, a question before what ends the run."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operator_demo.stage.presses import CONFIRM, REPEAT, STEP, Presses

WORDS = ("next", "back", "pause", "stop", "menu", "quit", "escape", "yes", "no", "always")


class Keys:
    """Presses at chosen times, in seconds."""

    def __init__(self) -> None:
        self.now = 100.0
        self.presses = Presses(lambda: self.now)

    def press(self, *words: str, after: float = 1.0, approval: bool = False) -> None:
        self.now += after
        self.presses.hear(words, approval)

    def counted(self) -> set[str]:
        return {word for word in WORDS if self.presses.take(word)}


@pytest.fixture
def keys() -> Keys:
    return Keys()


def test_a_clickers_three_presses_are_one_step(keys: Keys) -> None:
    steps = 0
    for after in (1.0, 0.15, 0.16):
        keys.press("next", after=after)
        steps += keys.presses.take("next")
    assert steps == 1
    keys.press("next", after=STEP)
    assert keys.presses.take("next")


def test_presses_that_come_at_once_count_once(keys: Keys) -> None:
    keys.press("next", "next", "next")
    assert keys.presses.take("next")
    assert not keys.presses.take("next")


def test_a_key_that_is_held_down_is_pressed_once(keys: Keys) -> None:
    keys.press("pause")
    for _ in range(50):
        keys.press("pause", after=0.03)
    assert keys.counted() == {"pause"}
    for _ in range(50):
        keys.press("pause", after=0.03)
        assert keys.counted() == set()
    keys.press("pause", after=REPEAT)
    assert keys.counted() == {"pause"}


@pytest.mark.parametrize("word", ["quit", "stop"])
@pytest.mark.parametrize("answer", ["yes", "same"])
def test_what_ends_something_is_asked_about_once(keys: Keys, word: str, answer: str) -> None:
    keys.press(word)
    assert keys.counted() == set()
    assert keys.presses.question
    keys.press(word if answer == "same" else answer)
    assert keys.counted() == {word}
    assert keys.presses.question == ""


@pytest.mark.parametrize("word", ["quit", "stop"])
@pytest.mark.parametrize("other", ["no", "next", "escape", "pause"])
def test_any_other_key_takes_it_back_and_does_nothing_else(keys: Keys, word: str, other: str) -> None:
    keys.press(word)
    keys.press(other)
    assert keys.presses.question == ""
    assert keys.counted() == set()


def test_a_question_that_nobody_answers_is_over(keys: Keys) -> None:
    keys.press("quit")
    keys.press("quit", after=CONFIRM + 0.1)
    assert keys.counted() == set()
    assert keys.presses.question, "it is the first press again"


def test_at_the_end_nothing_is_asked(keys: Keys) -> None:
    keys.presses.offer_recording()
    keys.presses.end()
    keys.press("quit", "menu")
    assert keys.counted() == {"quit"}


def test_a_recording_is_gone_on_from_where_there_is_one(keys: Keys) -> None:
    keys.press("menu")
    assert (keys.presses.question, keys.counted()) == ("", set())
    keys.presses.offer_recording()
    keys.press("menu")
    assert "recording" in keys.presses.question
    keys.press("yes")
    assert keys.counted() == {"menu"}


def test_while_a_request_waits_only_an_answer_counts(keys: Keys) -> None:
    keys.press("quit", after=1.0)
    keys.press("next", "quit", "pause", "stop", "yes", approval=True)
    assert keys.presses.answer == "yes"
    assert keys.counted() == set()
    assert keys.presses.question == ""


@given(st.lists(st.tuples(st.sampled_from(WORDS), st.floats(0, 3)), max_size=30))
def test_nothing_ends_the_run_without_a_second_press(pressed: list[tuple[str, float]]) -> None:
    keys, quits, steps, last_step = Keys(), 0, [], None
    for word, after in pressed:
        keys.press(word, after=after)
        if keys.presses.take("quit"):
            quits += 1
            assert word in ("quit", "yes")
        if keys.presses.take("next"):
            assert last_step is None or keys.now - last_step >= STEP
            last_step = keys.now
            steps.append(word)
    assert quits <= sum(word == "quit" for word, _ in pressed)
