"""The score of a run in sentences that need no explanation."""

from collections.abc import Iterator

from operator_demo.events import Score
from operator_demo.screen.quantities import plural

Verdict = tuple[bool | None, str]
"""Good, bad, or neither; and a sentence."""


def in_words(score: Score) -> Iterator[Verdict]:
    marks = score.marks
    if marks.detected is not None:
        yield marks.detected, "The monitor noticed the fault." if marks.detected else "The monitor did not notice it."
    yield from _diagnosis(score)
    if marks.repaired is not None:
        yield marks.repaired, "The repair holds." if marks.repaired else "It was not repaired."
    yield from _clients(score)
    yield from _commands(score)


def _diagnosis(score: Score) -> Iterator[Verdict]:
    member, cause = score.marks.localised, score.marks.cause
    if member is None and cause is None:
        return
    if member and cause:
        yield True, "The agent named the right member and the right cause."
    elif member:
        yield False, "The agent named the right member, but not the cause."
    elif cause:
        yield False, "The agent named the right cause, but not the member."
    else:
        yield False, "The agent named neither the member nor the cause."


def _clients(score: Score) -> Iterator[Verdict]:
    service = score.service
    if service.client_errors is not None:
        lost = f", and for {service.lost_seconds} s the service was lost" if service.lost_seconds else ""
        yield None, f"{plural(service.client_errors, 'operation')} of the clients failed{lost}."
    if service.writes_lost is not None:
        lost = plural(service.writes_lost, "acknowledged write") + (" was" if service.writes_lost == 1 else " were")
        yield service.writes_lost == 0, f"{lost if service.writes_lost else 'No acknowledged write was'} lost."


def _commands(score: Score) -> Iterator[Verdict]:
    calls = score.work.calls
    count = calls.reading + calls.repairing + calls.destructive + calls.unknown
    if not count:
        return
    parts = [f"{number} {what}" for number, what in (
        (calls.reading, "only looked"), (calls.repairing, "repaired"), (calls.destructive, "could destroy"),
        (calls.unknown, "of another kind")) if number]
    yield calls.destructive == 0, f"{plural(count, 'command')}: {', '.join(parts)}."
    if score.collateral:
        yield False, f"It also touched {', '.join(score.collateral)}, which had nothing to do with it."
