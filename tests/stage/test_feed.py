"""What the host takes from logs: each event once and in order, whatever the log lost, and only from its owner."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operator_demo import events
from operator_demo.engine import Container
from operator_demo.events import Event
from operator_demo.stage import feed
from operator_demo.stage.feed import Feed
from operator_demo.store import Recorder, Store

RUN = "run-1"


def container(service: str) -> Container:
    return Container(id=f"id-{service}", name=f"p-{service}-1", service=service, state="running", health=None,
                     address=None, exit_code=None, labels={}, image="i")


def written(tmp_path: Path, count: int) -> tuple[list[Event], list[str]]:
    """What an agent said, as it stands in the volume and as lines of its log."""
    out = io.StringIO()
    with Store(tmp_path / "volume.db") as store:
        agent = Recorder(store, RUN, events.AGENT, out)
        for n in range(count):
            agent.say("reasoning", session="ses-1", kind="text", text=f"{n} " + "x" * (20_000 if n % 5 == 4 else 10))
        return list(store.events(RUN)), out.getvalue().splitlines()


def heard(lines: list[str], service: str = "agent", seen: int = 0) -> list[Event | str]:
    """What comes out of the queue when a log has these lines."""
    listening = Feed(engine=None, run=RUN, seen={events.AGENT: seen})  # type: ignore[arg-type]

    def follow(*_: object) -> Iterator[str]:
        yield from lines

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feed, "follow", follow)
        listening.follow([container(service)])
        for thread in listening._threads:
            thread.join()
    got = []
    while not listening.items.empty():
        got.append(listening.items.get())
    return got


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Event], list[str]]:
    return written(tmp_path_factory.mktemp("volume"), 12)


@given(st.data())
def test_lost_lines_are_filled_from_the_volume(spoken: tuple[list[Event], list[str]], data: st.DataObject) -> None:
    volume, lines = spoken
    lost = data.draw(st.sets(st.integers(0, len(lines) - 1)))
    kept = [line for n, line in enumerate(lines) if n not in lost]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Feed, "_from_volume", lambda self, source, after: [e for e in volume if (e.seq or 0) > after])
        got = [e for e in heard(kept) if isinstance(e, Event)]
    mine = [e for e in got if e.source == events.AGENT]
    assert mine == volume[:len(mine)]  # in order, none missing in between (what was lost at the end comes by `drain`)
    assert all(e.data["filled"] for e in got if e.type == "gap")


def test_what_was_seen_is_not_repeated(spoken: tuple[list[Event], list[str]]) -> None:
    volume, lines = spoken
    assert heard(lines + lines, seen=3) == volume[3:]


def test_a_gap_that_cannot_be_filled_is_said(spoken: tuple[list[Event], list[str]]) -> None:
    volume, lines = spoken
    got = heard(lines[2:])
    gap = got[0]
    assert isinstance(gap, Event)
    assert (gap.type, gap.data["first"], gap.data["last"], gap.data["filled"]) == ("gap", 1, 2, False)
    assert got[1:] == volume[2:]


def test_another_container_may_not_speak_for_the_agent(spoken: tuple[list[Event], list[str]]) -> None:
    _, lines = spoken
    got = heard(lines[:1], service="workload")
    assert len(got) == 1
    assert isinstance(got[0], str)
    assert "in the name of agent" in got[0]


def test_what_is_no_event_is_a_remark() -> None:
    assert heard(["Traceback (most recent call last):", ""]) == ["agent: Traceback (most recent call last):"]
