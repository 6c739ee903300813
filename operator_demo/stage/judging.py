"""The last word on a run rests on the volume, which is the record, and not on what the logs said.

Before the outcome is told, what decides it is read from the volume. After all has stopped, the whole record is here,
and the outcome is judged once more on it alone. A contradiction is told; the run then counts as `unverified`.
"""

from collections.abc import Sequence

from operator_demo import events
from operator_demo.errors import Exit, OperatorError
from operator_demo.events import Contradiction, Event, RunFinished
from operator_demo.outcomes import JUDGED
from operator_demo.stage import verdict
from operator_demo.stage.context import Context
from operator_demo.stage.record_check import MOST_TOLD, contradictions, holes, key, untold
from operator_demo.stage.situation import Situation
from operator_demo.ticket_state import order

STORE_LIMIT = 30.0  # seconds that another process may hold the store


class Judging:
    def __init__(self, context: Context) -> None:
        self._environment, self._scenario, self._run = context.environment, context.scenario, context.options.run
        self._loop, self._recording = context.loop, context.recording

    def settle(self) -> None:
        """Holds what decides the outcome against the volume."""
        recording = self._recording
        self._loop.wait_for(lambda _: recording.settled, STORE_LIMIT)
        told = dict(recording.decided)
        try:
            recorded = self._loop.work("monitor", lambda _: self._environment.deciding(self._run,
                                                                                       recording.incoming.put))
        except OperatorError as e:
            self._say(Contradiction(text=f"Nothing proves the outcome, because the volume cannot be read: {e.message}"))
            return
        recording.import_(event for event in recorded if key(event) not in recording.decided)
        for event in recorded:  # some came by the logs meanwhile
            if key(event) in recording.decided:
                told[key(event)] = recording.decided[key(event)]
        self._tell(contradictions(told.values(), recorded))

    def judge_again(self, record: Sequence[Event]) -> None:
        """Holds all that the host stored of the containers against their whole `record`, which was imported. Raises
        `OperatorError` where the store cannot be read."""
        store, run = self._recording.store, self._run
        stored = self._loop.read_store(lambda: list(store.events(run)), STORE_LIMIT)
        stages = [event for event in stored if event.source == events.STAGE]
        end = self._recording.situation.run.outcome
        self._tell(contradictions([event for event in stored if event.source != events.STAGE], record))
        self._tell(holes(record))
        if end is not None and end.data.outcome in JUDGED:
            situation = Situation()
            for event in sorted([*record, *stages], key=order):
                situation.apply(event)
            self._compare(end.data, situation)

    def _compare(self, told: RunFinished, situation: Situation) -> None:
        outcome = verdict.outcome(self._scenario, situation)
        reached = verdict.reached(self._scenario, situation)
        if (outcome, reached) != (told.outcome, told.exit_status == Exit.OK):
            right = "as the scenario wants it" if reached else "not as the scenario wants it"
            self._say(Contradiction(text=f"The outcome was told as {told.outcome}. The whole record says {outcome}, "
                                         f"{right}."))

    def _tell(self, contradicted: Sequence[Contradiction]) -> None:
        """Those that were not told already."""
        new = untold(contradicted, self._recording.situation.run.contradictions)
        for content in new[:MOST_TOLD]:
            self._say(content)
        if len(new) > MOST_TOLD:
            self._say(Contradiction(text=f"The volume contradicts {len(new) - MOST_TOLD} more events."))

    def _say(self, content: Contradiction) -> None:
        self._recording.say(content)
