"""The state of the screen after any number of events, at once: copies of it are kept on the way."""

from collections.abc import Sequence
from copy import deepcopy

from operator_demo.events import Event
from operator_demo.screen.screen_state import ScreenState

EVERY = 500  # events between two copies


class Folded:
    """Folds the events once when it is made."""

    def __init__(self, record: Sequence[Event]) -> None:
        self._record = record
        self._copies: list[ScreenState] = []
        state = ScreenState()
        for index, e in enumerate(record):
            if index % EVERY == 0:
                self._copies.append(deepcopy(state))
            state.apply(e)

    def state(self, shown: int) -> ScreenState:
        """After the first `shown` events. It is the caller's own: more events may be applied to it."""
        if not self._copies:
            return ScreenState()
        number = min(shown // EVERY, len(self._copies) - 1)
        state = deepcopy(self._copies[number])
        for e in self._record[number * EVERY:shown]:
            state.apply(e)
        return state
