"""Has the subject been well once? A system that is still starting has no incident.

It was well in the first look in which every member is healthy and no invariant is violated. That is kept in the record,
so that a monitor that is restarted in an incident opens its ticket at once.
"""

from operator_demo.events import Readiness as Said
from operator_demo.monitor.violations import State
from operator_demo.store import Recorder
from operator_demo.subject import Observation


class Readiness:
    """Says, as long as the subject has not been well, what it still lacks."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._missing: tuple[str, ...] | None = None
        self.once_well = recorder.store.row(
            "SELECT 1 FROM events WHERE run=? AND source='monitor' AND type='readiness' AND "
            "json_array_length(data, '$.missing')=0", recorder.run) is not None

    def see(self, observation: Observation, state: State) -> bool:
        """Takes a look in. Returns whether the subject has been well, now or before."""
        if not self.once_well:
            missing = what_is_missing(observation, state)
            if missing != self._missing:
                self._missing = missing
                self._recorder.say(Said(missing=missing))
            self.once_well = not missing
        return self.once_well


def what_is_missing(observation: Observation, state: State) -> tuple[str, ...]:
    """In words; empty where all members are healthy and nothing is violated."""
    if not observation.members:
        return (observation.failure or "Nothing was seen of the members yet.",)
    texts = [active.violation.text for active in state.values()]
    named = {active.violation.member for active in state.values()}
    texts += [f"{name}: {member['error'] or 'not healthy'}." for name, member in observation.members.items()
              if not member["healthy"] and name not in named]
    return tuple(texts)
