"""How long a human was waited for: this time counts for no timeout and no budget."""

import time

from operator_demo.approvals import GRACE, LIMIT
from operator_demo.events import GUARD
from operator_demo.store import Store


def waited(store: Store, run: str, since: float = 0.0) -> float:
    """Seconds after `since` (seconds since the epoch) in which at least one request of the run waited, until now."""
    begins: dict[str, float] = {}
    spans: list[tuple[float, float]] = []
    for event in store.events(run, source=GUARD, types=("approval_requested", "approval_answered")):
        if event.type == "approval_requested":
            begins[event.raw["id"]] = event.at
        elif (begin := begins.pop(event.raw["id"], None)) is not None:
            spans.append((begin, event.at))
    now = time.time()
    spans += [(begin, min(now, begin + LIMIT + GRACE)) for begin in begins.values()]
    return _covered(spans, since)


def _covered(spans: list[tuple[float, float]], since: float) -> float:
    """The length of the union of the spans after `since`."""
    total, reached = 0.0, since
    for begin, end in sorted(spans):
        total += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return total
