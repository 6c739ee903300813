"""The plan of a talk: what its chapters may take, and how late it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from story import START, until

from operator_demo.chapters import NAMES
from operator_demo.run_state import RunState
from operator_demo.talk import parse, plan, timing


def state(at: float, talk: float | None = 1200.0) -> RunState:
    made = RunState()
    for e in until(at):
        made.apply(e)
    made.run.talk = talk
    return made


@pytest.mark.parametrize(("text", "seconds"), [("20m", 1200), ("90s", 90), ("1h", 3600), ("20", 1200), ("1.5 h", 5400)])
def test_lengths_of_time(text: str, seconds: float) -> None:
    assert parse(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "-5m", "20 minutes", "1h30m"])
def test_what_is_no_length_of_time(text: str) -> None:
    with pytest.raises(ValueError, match="20m"):
        parse(text)


@given(st.floats(1, 1e5))
def test_the_chapters_take_the_whole_talk(talk: float) -> None:
    assert set(plan(talk)) == set(NAMES)
    assert sum(plan(talk).values()) == pytest.approx(talk)


def test_a_talk_is_late_by_what_its_chapters_took_too_long() -> None:
    early = timing(state(5), START + 5)  # in "healthy" after five seconds
    assert early is not None
    assert (early.spent, early.planned, early.left) == (pytest.approx(1.0), 120.0, pytest.approx(1195.0))
    assert early.late < 0
    late = timing(state(5), START + 5 + 600)
    assert late is not None
    assert late.late == pytest.approx(605 - 180 - 120)


def test_without_a_plan_there_is_none() -> None:
    assert timing(state(5, None), START + 5) is None
    assert timing(RunState(), START) is None
