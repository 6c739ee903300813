"""The player moves through a record by a clock and by keys, and always shows what a fold of the events shows."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from story import START, Author, members, story

from operator_demo import events
from operator_demo.chapters import NAMES
from operator_demo.events import Event
from operator_demo.replay import folded
from operator_demo.replay.folded import Folded
from operator_demo.replay.player import Player
from operator_demo.replay.timeline import Timeline
from operator_demo.screen.screen_state import ScreenState

RECORD = [e for e in story() if e.seq is not None]
NO_LIMIT = 1e9


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def fold(record: list[Event]) -> ScreenState:
    state = ScreenState()
    for e in record:
        state.apply(e)
    return state


def player(clock: Clock, idle_limit: float = NO_LIMIT, speed: float = 1.0, pause_on_chapters: bool = False) -> Player:
    return Player(Timeline(RECORD, idle_limit), clock, speed=speed, pause_on_chapters=pause_on_chapters)


def turned(made: Player, clock: Clock, seconds: float) -> Player:
    clock.seconds += seconds
    made.turn()
    return made


# -- moving ------------------------------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(st.lists(st.one_of(
    st.tuples(st.just("turn"), st.floats(0, 30)), st.tuples(st.just("seek"), st.integers(-3, len(RECORD) + 3)),
    st.tuples(st.just("step"), st.sampled_from([-1, 1])), st.tuples(st.just("chapter"), st.sampled_from([-1, 1])),
    st.tuples(st.just("pause"), st.just(0))), max_size=12), st.sampled_from([0.5, 2.0, NO_LIMIT]))
def test_wherever_it_goes_it_shows_what_a_fold_shows(moves: list[tuple[str, float]], idle_limit: float) -> None:
    clock = Clock()
    made = player(clock, idle_limit)
    for name, value in moves:
        if name == "turn":
            turned(made, clock, value)
        elif name == "pause":
            made.pause()
        else:
            getattr(made, name)(int(value))
        assert made.state == fold(made.timeline.events[:made.shown])
        assert made.timeline.events[0].at <= made.now <= made.timeline.events[-1].at


@settings(max_examples=20)
@given(st.integers(0, len(RECORD)), st.integers(10, 60))
def test_a_state_from_a_copy_is_that_of_a_fold(shown: int, every: int) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(folded, "EVERY", every)
        kept = Folded(RECORD)
        assert kept.state(shown) == fold(RECORD[:shown])
        kept.state(shown).apply(RECORD[-1])  # it is the caller's own
        assert kept.state(shown) == fold(RECORD[:shown])


def test_it_plays_at_the_pace_of_the_times() -> None:
    clock = Clock()
    made = player(clock, speed=4)
    for at in (5.0, 20.0, 30.0):
        turned(made, clock, at / 4 - (clock.seconds - 100))
        assert made.shown == sum(e.at <= START + at for e in RECORD)
        assert made.now == pytest.approx(START + at)


def test_it_stands_still_while_it_is_paused() -> None:
    clock = Clock()
    made = turned(player(clock), clock, 5)
    shown, now = made.shown, made.now
    made.pause()
    turned(made, clock, 60)
    assert (made.shown, made.now) == (shown, now)
    made.pause()
    assert turned(made, clock, 1).now == pytest.approx(now + 1)


def test_it_pauses_where_each_chapter_begins() -> None:
    clock = Clock()
    made = player(clock, pause_on_chapters=True)
    seen = []
    for _ in range(len(NAMES)):
        turned(made, clock, 1000)
        if not made.at_end:
            seen.append(made.state.chapter.name)
            assert not made.playing and isinstance(made.timeline.events[made.shown - 1].data, events.Chapter)
        made.pause()
    assert seen == list(NAMES[1:])


def test_steps_go_from_news_to_news() -> None:
    clock = Clock()
    made = player(clock)
    places = [made.shown]
    while not made.at_end:
        made.step(1)
        places.append(made.shown)
    told = [made.timeline.events[shown - 1] for shown in places[1:]]
    assert not any(isinstance(e.data, events.Usage) for e in told)
    assert sum(isinstance(e.data, events.Load) for e in told) < sum(isinstance(e.data, events.Load) for e in RECORD)
    for shown in reversed(places[1:-1]):
        made.step(-1)
        assert made.shown == shown


def test_chapters_back_and_forth() -> None:
    made = player(Clock())
    names = []
    while not made.at_end:
        made.chapter(1)
        names.append(made.state.chapter.name)
    assert names == [*NAMES, NAMES[-1]]
    made.chapter(-1)
    assert made.state.chapter.name == NAMES[-1] and made.shown == made.timeline.chapters[NAMES[-1]]
    made.step(1)
    made.chapter(-1)
    assert made.shown == made.timeline.chapters[NAMES[-1]]
    made.chapter(-1)
    assert made.shown == made.timeline.chapters[NAMES[-2]]


def test_after_the_end_it_begins_anew() -> None:
    clock = Clock()
    made = turned(player(clock), clock, 1000)
    assert made.at_end and not made.playing
    made.pause()
    assert made.playing and made.shown == 0
    assert 0 < turned(made, clock, 1).shown < len(RECORD)


@settings(max_examples=30)
@given(st.floats(0.01, 60), st.floats(0, 1))
def test_time_never_runs_back_and_nothing_is_left_out(idle_limit: float, share: float) -> None:
    timeline = Timeline(RECORD, idle_limit)
    seconds = [timeline.seconds(shown) for shown in range(1, len(RECORD) + 1)]
    assert seconds == sorted(seconds) and seconds[-1] == timeline.length
    assert timeline.length <= RECORD[-1].at - RECORD[0].at + 1e-6
    assert timeline.shown(timeline.length) == len(RECORD)
    at = share * timeline.length
    assert timeline.time(0) <= timeline.time(at) <= timeline.time(timeline.length)


# -- idle gaps ---------------------------------------------------------------------------------------------------------


def quiet_minute() -> list[Event]:
    """A chapter, a minute in which nothing changes, and another chapter."""
    author = Author()
    author.say(0, events.STAGE, "chapter", name="healthy", title="", narration="")
    for second in range(60):
        author.say(second, events.MONITOR, "observation", members=members(), violations=[], duration=0.02,
                   cluster={"leader": "etcd1", "quorum": True})
        author.say(second + 0.2, events.WORKLOAD, "load", ops=200, p50=0.002, p99=0.006, errors={})
    author.say(60, events.STAGE, "chapter", name="load", title="", narration="")
    return author.events


def test_a_gap_without_news_is_cut_short_and_all_of_it_is_shown() -> None:
    timeline = Timeline(quiet_minute(), 2.0)
    assert timeline.length == pytest.approx(2.0)
    assert timeline.time(1.0) == pytest.approx(START + 30)  # the clock runs faster and does not jump
    assert timeline.shown(1.0) == sum(e.at <= START + 30 for e in timeline.events)


def test_what_changes_is_no_gap() -> None:
    record = quiet_minute()
    down = events.Observation.of({"members": members(down="etcd2"), "violations": [], "duration": 0.02,
                                  "cluster": {"leader": "etcd1", "quorum": True}})
    changed = events.event(record[0].run, events.MONITOR, down)
    record.append(replace(changed, seq=99, ts=events.timestamp(datetime.fromtimestamp(START + 30.5, UTC))))
    assert Timeline(record, 2.0).length == pytest.approx(4.5)  # up to it, until it is undone, and on


def test_the_record_of_one_event() -> None:
    timeline = Timeline(RECORD[:1], 2.0)
    assert timeline.length == 0 and timeline.time(0) == START
    assert timeline.step(1, 1) == timeline.step(1, -1) == timeline.chapter(1, 1) == 1


def test_events_are_shown_in_the_order_of_their_times() -> None:
    assert Timeline(reversed(RECORD), 2.0).events == Timeline(RECORD, 2.0).events
