"""The head of the record's chain is the last thing that a run shows, and it is that of the store."""

from collections.abc import Callable

import pytest
from fakes import RUN, Run

from operator_demo.errors import Exit, OperatorError
from operator_demo.events import RecordHead
from operator_demo.run_state import RunState
from operator_demo.screen.summary import summary
from operator_demo.screen.terminal_text import UNICODE
from operator_demo.store import StoreError
from operator_demo.verify import verify_run

MakeRun = Callable[..., Run]


def test_the_head_is_shown_at_the_end(make_run: MakeRun) -> None:
    run = make_run()
    assert run.stage.perform() == Exit.OK
    head = run.display.events[-1].data
    assert isinstance(head, RecordHead)
    found = verify_run(run.store, RUN, head.head)
    assert found.whole and (found.chain.entries, found.chain.head.hex()) == (head.entries, head.head)
    state = RunState()
    for event in run.display.events:
        state.apply(event)
    assert head.head in "\n".join(text for text, _ in summary(state, UNICODE))


def test_no_head_is_shown_where_a_part_of_the_record_was_not_stored(make_run: MakeRun) -> None:
    run = make_run()
    run.stage.recording.store_error = StoreError("The disk is full.")
    with pytest.raises(OperatorError, match="The disk is full"):
        run.stage.perform()
    assert "record_head" not in [event.type for event in run.display.events]
