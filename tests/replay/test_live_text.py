"""What a record does not keep is shown again: text as it is written, and the countdown."""

from story import story

from operator_demo import events
from operator_demo.replay.live_text import with_live_text
from operator_demo.replay.timeline import Timeline
from operator_demo.screen.screen_state import ScreenState

RECORD = [e for e in story() if e.seq is not None]
WHOLE = Timeline(with_live_text(RECORD), 2.0).events


def test_nothing_of_the_record_is_changed() -> None:
    assert [e for e in WHOLE if not e.ephemeral] == Timeline(RECORD, 2.0).events


def test_it_leaves_no_trace_in_the_state() -> None:
    """The durable events tidy up, as they do in a run."""
    with_text, without = ScreenState(), ScreenState()
    for e in WHOLE:
        with_text.apply(e)
    for e in RECORD:
        without.apply(e)
    assert with_text.live == [] and with_text.progress == {}
    assert with_text.entries == without.entries


def test_the_fault_is_counted_down() -> None:
    fault = next(e for e in WHOLE if isinstance(e.data, events.Fault))
    counted = [(round(fault.at - e.at), e.data.status) for e in WHOLE if isinstance(e.data, events.Progress)]
    assert counted == [(3, "in 3"), (2, "in 2"), (1, "in 1")]


def test_a_text_is_written_before_it_is_whole() -> None:
    written, finished = "", []
    for e in WHOLE:
        match e.data:
            case events.Delta(text=text):
                written += text
            case events.Reasoning(text=text) if written:
                assert written == text
                finished.append(text)
                written = ""
            case events.ToolCall(tool="shell", input=given) if written:
                assert written == given["command"]
                finished.append(written)
                written = ""
    assert len(finished) > 3
