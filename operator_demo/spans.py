"""Spans of time: pairs of (begin, end) in seconds, in any order, which may overlap."""

from collections.abc import Iterable, Sequence

Span = tuple[float, float]


def within(spans: Iterable[Span], begin: float, end: float) -> list[Span]:
    """The parts that lie between `begin` and `end`."""
    cut = [(max(b, begin), min(e, end)) for b, e in spans]
    return [(b, e) for b, e in cut if b < e]


def common(some: Sequence[Span], others: Sequence[Span]) -> list[Span]:
    """The parts that lie in both."""
    return [part for begin, end in some for part in within(others, begin, end)]


def total(spans: Iterable[Span]) -> float:
    """The length of the union of the spans."""
    length, reached = 0.0, float("-inf")
    for begin, end in sorted(spans):
        length += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return length
