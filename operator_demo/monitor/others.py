"""What others do with their own containers on a shared engine: counted, and told in one line after the session."""

import threading
from collections import Counter

from operator_demo.engine import EngineEvent
from operator_demo.events import Note
from operator_demo.store import Recorder
from operator_demo.text import clean, one_line

_NAMED = 3  # containers that the line names; a busy engine has hundreds


class Others:
    """Safe to use from several threads."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._lock = threading.Lock()
        self._actions: Counter[str] = Counter()
        self._names: dict[str, None] = {}  # in the order in which they were first seen

    def count(self, event: EngineEvent) -> None:
        with self._lock:
            self._actions[event.action.partition(": ")[0]] += 1
            if event.name:  # the guard hides the names of strangers
                self._names[one_line(clean(event.name), 60)] = None

    def tell(self) -> None:
        """Tells what was counted since the last time, if anything was."""
        with self._lock:
            actions, names = self._actions, list(self._names)
            self._actions, self._names = Counter(), {}
        if not actions:
            return
        counts = ", ".join(f"{count} {action}" for action, count in actions.most_common())
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        named = f" ({', '.join(names[:_NAMED])}{more})" if names else ""
        self._recorder.say(Note(level="info", others=len(names) or actions.total(), text=(
            f"Others used this engine during the session: {counts} of containers that are neither the subject's nor "
            f"ours{named}. No tool call accounts for it.")))
