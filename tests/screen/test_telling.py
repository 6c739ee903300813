import re
from dataclasses import replace

import pytest
from any_event import any_event
from hypothesis import given, settings
from hypothesis import strategies as st
from story import story

from operator_demo import events, phrases
from operator_demo.events import Event, Payload
from operator_demo.screen.terminal_text import ASCII, UNICODE, Symbols
from operator_demo.telling import SILENT, Telling, lines, tell


@pytest.mark.parametrize("kind", events.TYPES.values(), ids=list(events.TYPES))
@settings(max_examples=1)
@given(st.data())
def test_each_type_is_told_or_silent_on_purpose(kind: type[Payload], data: st.DataObject) -> None:
    event = replace(data.draw(any_event(kind)), ticket="tkt-aaaaaaaa")
    has_words = lines(event.data, event, UNICODE) != [(kind.type.replace("_", " "), "")]
    assert has_words != (kind in SILENT)


@settings(max_examples=500, deadline=None)
@given(any_event(), st.sampled_from([ASCII, UNICODE]))
def test_any_event_is_told_in_harmless_lines(event: Event, symbols: Symbols) -> None:
    told = tell(event, symbols)
    if told is None:
        assert isinstance(event.data, SILENT)
        return
    assert told.lines
    for text, _ in told.lines:
        assert not re.search("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", text)


def test_a_type_of_a_newer_version_is_told_as_its_name() -> None:
    newer = Event("run-aaaaaaaa", events.MONITOR, "quorum_\x1b[2Jlost", {"member": 7})
    assert tell(newer, UNICODE) == Telling("monitor", [("quorum lost", "")])


def test_a_record_that_does_not_keep_the_contract_is_told_as_its_name() -> None:
    assert tell(Event("run-aaaaaaaa", events.AGENT, "tool_call", {}), UNICODE) == Telling("agent", [("tool call", "")])


def test_speakers() -> None:
    tellings = [tell(e, UNICODE) for e in story()]
    assert {t.speaker for t in tellings if t} == {"stage", "monitor", "oracle", "engine", "agent", "load"}


@pytest.mark.parametrize(("event_type", "raw", "expected"), [
    ("finding", {"member": None, "cause": "disk_full", "text": "No space.", "proposal": "Free some."},
     [("finding: disk full", "strong"), ("No space.", ""), ("would do: Free some.", "")]),
    ("verdict", {"phase": "opening", "passed": True, "checks": []}, [("opening verdict: passed", "bad")]),
    ("verdict", {"phase": "opening", "passed": False, "checks": []},
     [("opening verdict: not passed, as expected while the fault is present", "warn")]),
    ("verdict", {"phase": "final", "passed": False, "checks": [{"name": "writes", "status": "not_checked"}]},
     [("final verdict: not passed", "bad"), ("○ writes: not checked", "dim")]),
    ("note", {"level": "warning", "text": "first\nsecond"}, [("warning: first", "warn"), ("second", "")]),
    ("effect", {"container": "c1", "member": None, "action": "kill", "explained": None},
     [("▲ c1: kill: unexplained, no tool call accounts for it", "warn")]),
    ("tool_call", {"call": "1", "tool": "logs", "input": {"member": "etcd1", "lines": [1, 2], "reasoning": "Look."}},
     [("logs  member=etcd1  lines=1; 2", "strong"), ("why: Look.", "dim")])])
def test_the_words(event_type: str, raw: dict[str, object], expected: list[tuple[str, str]]) -> None:
    source = events.TYPES[event_type].owners[0]
    told = tell(Event("run-aaaaaaaa", source, event_type, raw), UNICODE)
    assert told is not None
    assert told.lines == expected


def test_an_object_in_a_line_leaves_out_what_is_empty() -> None:
    truth = {"scenario": "split", "targets": ["etcd0", "etcd1"], "parameters": {}, "again": None, "seed": 0}
    assert phrases.json_fields(truth) == "scenario split; targets etcd0, etcd1; seed 0"
