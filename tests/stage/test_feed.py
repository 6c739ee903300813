"""What the host takes from logs: each event once and in order, whatever the log lost, and only from its owner."""

import io
import json
import queue
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operator_demo import events, wire
from operator_demo.engine import Container
from operator_demo.events import (
    Contradiction,
    Event,
    Note,
    Payload,
    Reasoning,
    TicketOpened,
    TicketResolved,
    TicketReturned,
    Verdict,
)
from operator_demo.stage import feed
from operator_demo.stage.feed import Feed
from operator_demo.stage.inbox import Inbox
from operator_demo.stage.record_check import VERDICTS
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
            agent.say(Reasoning(kind="text", text=f"{n} " + "x" * (20_000 if n % 5 == 4 else 10)), session="ses-1")
        return list(store.events(RUN)), out.getvalue().splitlines()


def heard(lines: list[str], service: str = "agent", seen: int = 0) -> list[Event | str]:
    """What comes out of the queue when a log has these lines."""
    items = Inbox()
    listening = Feed(engine=None, run=RUN, seen={events.AGENT: seen}, items=items)  # type: ignore[arg-type]

    def follow(*_: object) -> Iterator[str]:
        yield from lines

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feed, "follow", follow)
        listening.follow([container(service)])
        for thread in listening._threads:
            thread.join()
    got = []
    try:
        while True:
            got.append(items.get(0.0))
    except queue.Empty:
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
    assert all(e.raw["filled"] for e in got if e.type == "gap")


def test_what_was_seen_is_not_repeated(spoken: tuple[list[Event], list[str]]) -> None:
    volume, lines = spoken
    assert heard(lines + lines, seen=3) == volume[3:]


def test_a_gap_that_cannot_be_filled_is_said(spoken: tuple[list[Event], list[str]]) -> None:
    volume, lines = spoken
    got = heard(lines[2:])
    gap = got[0]
    assert isinstance(gap, Event)
    assert (gap.type, gap.raw["first"], gap.raw["last"], gap.raw["filled"]) == ("gap", 1, 2, False)
    assert got[1:] == volume[2:]


def test_another_container_may_not_speak_for_the_agent(spoken: tuple[list[Event], list[str]]) -> None:
    _, lines = spoken
    (told,) = contradicted(heard(lines[:1], service="workload"))
    assert "in the name of agent" in told


def test_what_is_no_event_is_a_remark() -> None:
    assert heard(["Traceback (most recent call last):", ""]) == ["agent: Traceback (most recent call last):"]


def test_a_number_that_the_volume_lacks_is_forged(spoken: tuple[list[Event], list[str]]) -> None:
    """A line ahead of its source does not make the host skip what the source says next."""
    volume, lines = spoken
    forged = wire.to_json(replace(volume[5], seq=99, raw={"kind": "text", "text": "all is well"}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Feed, "_from_volume", lambda self, source, after: [e for e in volume if (e.seq or 0) > after])
        got = heard([lines[0], forged, *lines])
    assert [e for e in got if isinstance(e, Event) and e.source == events.AGENT] == volume
    assert contradicted(got) == ["The log of agent said reasoning as event 99; the volume has no such event."]


@pytest.mark.parametrize("what", [
    {"seq": 2**70}, {"ticket": ["tkt-1"]}, {"session": "\ud800"},
    {"data": {"kind": [1], "text": "x"}}, {"data": {"kind": "text", "text": "\ud800"}}])
def test_a_forged_line_is_a_remark_and_nothing_ends(spoken: tuple[list[Event], list[str]], tmp_path: Path,
                                                    what: dict[str, object]) -> None:
    volume, lines = spoken
    forged = json.dumps({**json.loads(lines[1]), **what}, separators=(",", ":"))
    got = heard([lines[0], forged, *lines[1:]])
    assert [item for item in got if isinstance(item, Event)] == volume
    remarks = [item for item in got if isinstance(item, str)]
    assert len(remarks) == 1 and remarks[0].startswith("agent ")
    with Store(tmp_path / "tickets.db") as store:
        store.record(events.event(RUN, events.STAGE, events.Note(level="warning", text=remarks[0])))


def test_a_number_far_ahead_that_nobody_can_look_up_is_not_believed(spoken: tuple[list[Event], list[str]]) -> None:
    volume, lines = spoken
    forged = json.dumps({**json.loads(lines[1]), "seq": 2**63 - 1}, separators=(",", ":"))
    got = heard([lines[0], forged, *lines[1:]])
    assert [e for e in got if isinstance(e, Event) and e.source == events.AGENT] == volume
    (told,) = contradicted(got)
    assert "the volume cannot be read" in told


@pytest.mark.parametrize("what", [{"type": "verdict", "seq": None, "data": {"phase": "final", "passed": True,
                                                                            "checks": []}},
                                  {"type": "note", "seq": None, "data": {"level": "info", "text": "x"}}])
def test_what_should_have_a_number_and_has_none_is_not_believed(what: dict[str, object]) -> None:
    forged_line = json.dumps({**json.loads(forged(1, note(1))), **what}, separators=(",", ":"))
    got = heard([forged_line], service="monitor")
    (told,) = contradicted(got)
    assert "without a number" in told and of_the_monitor(got) == []


def test_live_text_takes_no_number(spoken: tuple[list[Event], list[str]]) -> None:
    volume, lines = spoken
    delta = json.dumps({**json.loads(lines[0]), "type": "delta"}, separators=(",", ":"))
    got = heard([delta, *lines])
    assert [e for e in got if isinstance(e, Event) and e.source == events.AGENT] == volume
    assert "with a number" in contradicted(got)[0]


# -- what decides the run comes from the volume -----------------------------------------------------------------------


MINE: dict[str, Any] = {"ticket": "tkt-1", "session": "ses-1"}
PASSED = Verdict(phase="final", passed=True, checks=())
RESOLVED = TicketResolved(outcome="repaired")


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Event], list[str]]:
    """What a monitor said of a repair that it did not accept, in the volume and in its log."""
    out = io.StringIO()
    with Store(tmp_path_factory.mktemp("volume") / "volume.db") as store:
        monitor = Recorder(store, RUN, events.MONITOR, out)
        opened = TicketOpened(subject="etcd", severity="critical", title="t", violations=())
        for content in (note(1), opened, Verdict(phase="opening", passed=False, checks=()), note(2), note(3),
                        Verdict(phase="final", passed=False, checks=()), TicketReturned(words="no"), note(4)):
            monitor.say(content, ticket=None if isinstance(content, Note) else "tkt-1")
        return list(store.events(RUN)), out.getvalue().splitlines()


def note(number: int) -> Note:
    return Note(level="info", text=f"{number}")


def forged(seq: int, content: Payload) -> str:
    """A line that somebody writes to the stdout of the monitor's container."""
    e = events.event(RUN, events.MONITOR, content, **({} if isinstance(content, Note) else MINE))
    return wire.to_json(replace(e, seq=seq))


def hear_monitor(volume: list[Event] | None, lines: list[str]) -> list[Event | str]:
    """With what the volume holds; None: it cannot be read."""
    def read(self: Feed, source: str, after: int) -> list[Event] | None:
        return None if volume is None else [e for e in volume if (e.seq or 0) > after]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Feed, "_from_volume", read)
        return heard(lines, service="monitor")


def contradicted(got: list[Event | str]) -> list[str]:
    return [item.data.text for item in got if isinstance(item, Event) and isinstance(item.data, Contradiction)]


def of_the_monitor(got: list[Event | str]) -> list[Event]:
    return [item for item in got if isinstance(item, Event) and item.source == events.MONITOR]


def test_verdicts_and_tickets_come_from_the_volume(judged: tuple[list[Event], list[str]]) -> None:
    volume, lines = judged
    got = hear_monitor(volume, lines)
    assert got == volume


@pytest.mark.parametrize("ahead", [0, 1, 5])
def test_a_forged_verdict_is_not_believed(judged: tuple[list[Event], list[str]], ahead: int) -> None:
    """(Two such lines made the screen and the store say REPAIRED while the member was dead.)"""
    volume, lines = judged
    lies = [forged(5 + ahead, PASSED), forged(6 + ahead, RESOLVED)]
    got = hear_monitor(volume, [*lines[:4], *lies, *lines[4:]])
    assert of_the_monitor(got) == volume
    assert len(contradicted(got)) == 2
    assert "said verdict as event" in contradicted(got)[0]


def test_a_forged_line_that_takes_the_number_of_a_verdict_is_told(judged: tuple[list[Event], list[str]]) -> None:
    volume, lines = judged
    got = hear_monitor(volume, [*lines[:5], forged(6, note(66)), *lines[5:]])
    assert contradicted(got) == ["The log of monitor said note as event 6; the volume holds verdict there."]
    (told,) = (item.data for item in got if isinstance(item, Event) and isinstance(item.data, Contradiction))
    assert told.recorded is not None and told.recorded["data"] == volume[5].raw


def test_a_forged_line_under_a_number_that_was_taken_is_told(judged: tuple[list[Event], list[str]]) -> None:
    volume, lines = judged
    got = hear_monitor(volume, [*lines, forged(4, PASSED), forged(4, PASSED), *lines])
    assert of_the_monitor(got) == volume
    assert contradicted(got) == ["The log of monitor said verdict as event 4; the volume holds note there."]


def test_two_events_under_one_number_contradict_each_other_also_without_the_volume(
        judged: tuple[list[Event], list[str]]) -> None:
    volume, lines = judged
    got = hear_monitor(None, [*lines, forged(4, PASSED)])
    assert of_the_monitor(got) == volume
    assert contradicted(got) == ["The log of monitor said both note and verdict as event 4."]


def test_without_the_volume_the_log_is_believed_for_now(judged: tuple[list[Event], list[str]]) -> None:
    """(What decides is held against the volume before the outcome is told.)"""
    volume, lines = judged
    assert hear_monitor(None, lines) == volume


@given(st.data())
def test_whatever_is_forged_no_verdict_is_taken_that_the_volume_lacks(judged: tuple[list[Event], list[str]],
                                                                      data: st.DataObject) -> None:
    volume, lines = judged
    lies = data.draw(st.lists(st.tuples(
        st.integers(0, len(lines)), st.integers(1, 12), st.sampled_from([PASSED, RESOLVED, note(9)])), max_size=6))
    heard_lines = list(lines)
    for place, seq, content in lies:
        heard_lines.insert(place, forged(seq, content))
    got = hear_monitor(volume, heard_lines)
    deciding = [e for e in of_the_monitor(got) if e.type in VERDICTS]
    assert all(e in volume for e in deciding)


def of_version_2(line: str) -> str:
    return json.dumps({**json.loads(line), "v": 2}, separators=(",", ":"))


def test_an_event_of_a_later_version_is_a_remark(spoken: tuple[list[Event], list[str]]) -> None:
    volume, lines = spoken
    got = heard([lines[0], of_version_2(lines[1]), *lines[1:]])
    assert [item for item in got if isinstance(item, Event)] == volume
    (remark,) = (item for item in got if isinstance(item, str))
    assert "schema version 2, expected 1" in remark


def test_a_log_that_is_read_faster_than_the_loop_stores_it_waits(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "MOST_WAITING", 10)
    monkeypatch.setattr(feed, "follow", lambda *_: iter(written(tmp_path, 40)[1]))
    items = Inbox()
    listening = Feed(engine=None, run=RUN, seen={}, items=items)  # type: ignore[arg-type]
    listening.follow([container("agent")])
    got = [items.get(30.0) for _ in range(15)]
    time.sleep(0.3)
    assert len(items) <= 12
    got += [items.get(30.0) for _ in range(25)]
    assert [e.seq for e in got] == list(range(1, 41))
    listening.stop()
