"""How long a human was waited for, by an answer or in a pause: this time counts for no timeout and no budget."""

import time

from operator_demo.approvals import GRACE, LIMIT
from operator_demo.events import AGENT, GUARD
from operator_demo.spans import Span, total, within
from operator_demo.store import Store


def waited(store: Store, run: str, since: float = 0.0) -> float:
    """Seconds after `since` (seconds since the epoch) in which the agent waited for a human, until now."""
    now = time.time()
    return total(within([*_questions(store, run, now), *_pauses(store, run, now)], since, now))


def _questions(store: Store, run: str, now: float) -> list[Span]:
    """When requests waited for an answer."""
    begins: dict[str, float] = {}
    spans: list[Span] = []
    for event in store.events(run, source=GUARD, types=("approval_requested", "approval_answered")):
        if event.type == "approval_requested":
            begins[event.raw["id"]] = event.at
        elif (begin := begins.pop(event.raw["id"], None)) is not None:
            spans.append((begin, event.at))
    return spans + [(begin, min(now, begin + LIMIT + GRACE)) for begin in begins.values()]


def _pauses(store: Store, run: str, now: float) -> list[Span]:
    """When a session stood still; a pause ends with its session in any case."""
    begins: dict[str | None, float] = {}
    spans: list[Span] = []
    for event in store.events(run, source=AGENT, types=("agent_paused", "agent_resumed", "session_finished")):
        if event.type == "agent_paused":
            begins[event.session] = event.at
        elif (begin := begins.pop(event.session, None)) is not None:
            spans.append((begin, event.at))
    return spans + [(begin, now) for begin in begins.values()]
