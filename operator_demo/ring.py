"""Output of any length in limited memory: the beginning and the end are kept."""

from collections.abc import Callable
from dataclasses import dataclass

from operator_demo.redaction import LONGEST_SECRET, Harmless


@dataclass(frozen=True)
class Kept:
    """What was kept, scrubbed; the bytes left out between its two parts, and the characters removed by the scrubber."""

    text: str
    omitted: int
    removed: int


class Ring:
    """Keeps the first and the last `limit / 2` bytes of what it is fed."""

    def __init__(self, limit: int) -> None:
        self._half = limit // 2
        self._head = bytearray()
        self._tail = bytearray()
        self._total = 0

    def feed(self, data: bytes) -> None:
        self._total += len(data)
        room = self._half - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        self._tail += data
        if len(self._tail) > 4 * self._half:  # now and then, not at each feed
            del self._tail[:-self._half]

    def kept(self, scrub: Callable[[str], Harmless]) -> Kept:
        """The cut may go through a secret, and half a secret is not recognised. So each part is scrubbed, then loses as
        many characters beside the cut as the longest secret has."""
        tail = self._tail[-self._half:]
        if len(self._head) + len(tail) == self._total:
            whole = scrub((self._head + tail).decode("utf-8", "replace"))
            return Kept(whole.text, 0, whole.removed)
        head_lost, tail_lost = min(LONGEST_SECRET, len(self._head)), min(LONGEST_SECRET, len(tail))
        omitted = self._total - (len(self._head) - head_lost) - (len(tail) - tail_lost)
        first = scrub(self._head.decode("utf-8", "replace"))
        last = scrub(tail.decode("utf-8", "replace"))
        head_text = first.text[:max(len(first.text) - head_lost, 0)]
        text = f"{head_text}\n[... {omitted} bytes left out ...]\n{last.text[tail_lost:]}"
        return Kept(text, omitted, first.removed + last.removed)
