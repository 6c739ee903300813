import json
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operator_demo import events, wire
from operator_demo.events import BadEvent, Event, Load, Note, Reasoning, Unknown, Verdict
from operator_demo.wire import Decoder

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40_000)
thoughts = st.builds(
    lambda text, seq, ticket: replace(
        events.event("run-x", events.AGENT, Reasoning(kind="text", text=text), ticket=ticket, session="ses-1"),
        seq=seq),
    texts, st.integers(1, 2**40), st.none() | st.from_regex(r"[a-z0-9-]{1,20}", fullmatch=True))


@given(thoughts)
def test_an_event_survives_its_lines(event: Event) -> None:
    lines = list(wire.encode(event))
    assert all(len(line.encode()) <= wire.MAX_LINE and "\n" not in line for line in lines)
    decoder = Decoder()
    decoded = [decoder.feed(line) for line in lines]
    assert decoded[-1] == event
    assert decoded[:-1] == [None] * (len(lines) - 1)


def test_the_worst_text_for_quoting_still_fits_a_line() -> None:
    event = events.event("r", events.AGENT, Reasoning(kind="text", text='"\\' * 30_000))
    assert all(len(line) <= wire.MAX_LINE for line in wire.encode(event))


@given(st.lists(thoughts, min_size=1, max_size=3), st.integers(0, 60))
def test_a_lost_line_loses_one_event_at_most(sent: list[Event], lost: int) -> None:
    lines = [line for event in sent for line in wire.encode(event)]
    del lines[lost % len(lines)]
    decoder, got = Decoder(), []
    for line in lines:
        try:
            event = decoder.feed(line)
        except BadEvent:
            continue
        if event is not None:
            got.append(event)
    assert len(got) >= len(sent) - 1
    assert all(event in sent for event in got)


@given(st.text())
def test_any_line_is_an_event_a_bad_event_or_nothing(line: str) -> None:
    for text in (line, '{"v":' + line, json.dumps({"v": 1, "chunk": "k", "n": line, "of": 1, "part": line})):
        try:
            assert Decoder().feed(text) is None or isinstance(Decoder().feed(text), Event)
        except BadEvent:
            pass


GOOD = {"v": 1, "run": "run-1", "source": "workload", "type": "load", "seq": 1, "ts": "2026-03-14T09:00:00.000000Z",
        "data": {"ops": 1, "p50": None, "p99": 0.1, "errors": {}}, "ticket": None, "session": None}
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2), max_leaves=4)


@given(st.sampled_from([*GOOD, *GOOD["data"]]), json_values)  # type: ignore[misc]
def test_a_field_of_any_value_is_an_event_that_can_be_stored_or_a_bad_one(field: str, value: Any) -> None:
    forged = {**GOOD, "data": dict(GOOD["data"])}  # type: ignore[call-overload]
    (forged if field in GOOD else forged["data"])[field] = value
    try:
        event = Decoder().feed(json.dumps(forged, separators=(",", ":")))
    except BadEvent:
        return
    assert event is not None and (isinstance(event.data, Load) or event.type not in events.TYPES)
    f"{event.run} {event.ts} {event.ticket} {event.session}".encode()
    assert event.seq is None or 1 <= event.seq < 2**63
    assert events.after(event.ts) > event.ts


def changed(**what: Any) -> str:
    return json.dumps({**GOOD, **what}, separators=(",", ":"))


@pytest.mark.parametrize(("line", "why"), [
    (changed(seq=2**70), "64 bits"),
    (changed(seq=0), "from 1"),
    (changed(seq=True), "seq"),
    (changed(ticket=["tkt-1"]), "ticket"),
    (changed(session="ses-\ud800"), "encoded"),
    (changed(ts="9999-12-31T23:59:59.999999Z"), "ts"),
    (changed(ts="yesterday"), "ts"), (changed(ts="2026-02-31T09:00:00.000000Z"), "ts"),
    (changed(ts="2026-01-31T24:00:00.000000Z"), "ts"), (changed(ts="2026-01-31T09:00:00.000000Z\n"), "ts"),
    (changed(run=None), "run"), (changed(run="a b"), "run must"), (changed(source={}), "source"),
    (changed(type=1), "type"),
    (changed(data={"ops": "many", "p50": None, "p99": None, "errors": {}}), "load: ops must be a number"),
    (changed(data={"ops": 1, "p50": float("nan"), "p99": None, "errors": {}}), "p50 must be a number"),
    (changed(data={"ops": 1, "p50": None, "p99": None, "errors": {"x": 2**70}}), "errors.x must be a whole number"),
    (changed(data={"ops": 1, "p50": None, "p99": None}), "errors is missing"),
    (changed(source="agent", type="ticket_claimed", data={"holder": [1]}), "holder must be text"),
    (changed(source="monitor", type="verdict", data={"phase": "final", "passed": True, "checks": [{"name": "x"}]}),
     r"checks\[0\].status is missing"),
    (changed(v=2), "schema version 2"),
    ('{"v":1,"chunk":"k","n":0,"of":1000000000,"part":""}', "too long"),
])
def test_what_does_not_fit_is_refused_with_its_reason(line: str, why: str) -> None:
    with pytest.raises(BadEvent, match=why):
        Decoder().feed(line)


def test_a_payload_is_frozen_has_its_defaults_and_knows_its_fields() -> None:
    load = Load(ops=1.0, p50=None, p99=None, errors={})
    assert (load.reads, load.failed) == (0, 0)
    assert load == Load(ops=1.0, p50=None, p99=None, errors={}, reads=0) != Load(ops=2.0, p50=None, p99=None, errors={})
    assert {Note(level="info", text="a"), Note(level="info", text="a"), Unknown()} == {
        Note(level="info", text="a"), Unknown()}
    assert "ops=1.0, p50=None" in repr(load)
    with pytest.raises(FrozenInstanceError):
        load.ops = 2.0  # type: ignore[misc]
    with pytest.raises(TypeError, match="'errors', 'p50', 'p99'"):
        Load(ops=1.0)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="'opps'"):
        Load(ops=1.0, p50=None, p99=None, errors={}, opps=1)  # type: ignore[call-arg]


def test_typed_texts_are_harmless_and_the_record_keeps_them_as_they_came() -> None:
    event = events.event("r", events.STAGE, Note(level="in\x1b[2Jfo\n", text="a\x1b]0;title\x07b\nc"))
    assert event.data == Note(level="in\\x1b[2Jfo", text="ab\nc")
    assert event.raw == {"level": "in\x1b[2Jfo\n", "text": "a\x1b]0;title\x07b\nc"}


def test_fields_and_types_of_a_newer_version_travel_along() -> None:
    event = Decoder().feed(changed(data={**GOOD["data"], "p100": 9}))  # type: ignore[dict-item]
    assert event is not None and event.raw["p100"] == 9
    assert '"p100":9' in next(wire.encode(event))
    event = Decoder().feed(changed(type="gossip", data={"x": 1}))
    assert event is not None and isinstance(event.data, Unknown) and event.raw == {"x": 1}


def test_a_record_that_does_not_keep_the_contract_has_an_unknown_payload() -> None:
    assert isinstance(Event("r", "stage", "note", {"x": 1}).data, Unknown)


def test_only_the_owner_says_a_verdict() -> None:
    with pytest.raises(BadEvent, match="agent may not say verdict"):
        events.event("r", events.AGENT, Verdict(phase="final", passed=True, checks=()))
    with pytest.raises(BadEvent, match="agent may not say verdict"):
        Decoder().feed(changed(source="agent", type="verdict", data={"phase": "final", "passed": True, "checks": []}))


def test_an_own_field_of_the_wrong_type_is_refused() -> None:
    with pytest.raises(BadEvent, match="text must be text"):
        events.event("r", events.AGENT, Reasoning(kind="text", text=7))  # type: ignore[arg-type]
