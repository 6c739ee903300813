"""The engine's log stream: frames, and the lines that are put together from them.

A frame is 8 bytes of header (the stream, three zeros, the length) and one log record. With timestamps on, a record is
`TIME SPACE TEXT`. The engine tears a line longer than 16 KiB into several records, each with its own time and only the
last with a newline; so the frame, not the newline, ends a record.
"""

import struct
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

_HEADER = struct.Struct(">BxxxL")
STDOUT, STDERR = 1, 2
_SYSTEM_ERROR = 3  # the engine's own trouble while reading the log
_REMEMBERED = 4096  # records of a stream, to know repeats
MAX_LINE = 1 << 20  # bytes; a line without end is cut there


class FrameError(ValueError):
    """What came is no multiplexed log stream."""


class FrameReader:
    """Cuts bytes, which arrive in any pieces, into frames."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> Iterator[tuple[int, bytes]]:
        """The (stream, payload) of each frame that is complete now; raises FrameError."""
        data = self._rest + piece if self._rest else piece
        at, end = 0, len(data)
        while end - at >= 8:
            stream, length = _HEADER.unpack_from(data, at)
            if stream > _SYSTEM_ERROR or data[at + 1:at + 4] != b"\0\0\0":
                raise FrameError("not a log stream: does the container have a terminal (tty)?")
            if end - at - 8 < length:
                break
            yield stream, data[at + 8:at + 8 + length]
            at += 8 + length
        self._rest = data[at:]


@dataclass
class _Stream:
    """How far one of stdout and stderr was read."""

    parts: list[bytes] = field(default_factory=list)  # of a line that has not ended yet
    size: int = 0
    last: bytes = b""  # time of the record read last
    recent: OrderedDict[int, None] = field(default_factory=OrderedDict)  # hashes of the records read last
    same: int = 0  # how many records of just that time were read
    skip: int = -1  # after a resume: records of that time still to drop; -1 when all is new


class LineReader:
    """Puts records together to lines, and after `resume` drops those that were read before.

    Within one stream the engine writes records in order, so the place is known by the last record's time and how many
    records had it. Besides, an engine that rotates the log under a reader sends some lines once more: a record is a
    repeat when it was among the last ones and time did not go on.
    """

    def __init__(self) -> None:
        self._streams = {STDOUT: _Stream(), STDERR: _Stream()}

    @property
    def last(self) -> bytes:
        """Time of the record read last, as the engine wrote it; empty before the first."""
        return max(s.last for s in self._streams.values())

    def resume(self) -> None:
        """The records that follow may begin before the place where reading ended."""
        for s in self._streams.values():
            s.skip = s.same if s.last else -1

    def feed(self, stream: int, record: bytes) -> str | None:
        """The line that this record ends, if it does."""
        s = self._streams.get(stream)
        if s is None:
            return None
        time, _, text = record.partition(b" ")
        if s.skip >= 0:
            if time < s.last:
                return None
            if time == s.last and s.skip:
                s.skip -= 1
                return None
            s.skip = -1
        ends_line = text.endswith(b"\n")
        known = hash(record)
        # Pieces of one line share a time and may be equal; whole lines with the same nanosecond are not.
        if known in s.recent and (time < s.last or (time == s.last and ends_line and not s.parts)):
            return None
        s.same = s.same + 1 if time == s.last else 1
        s.last = time
        s.recent[known] = None
        if len(s.recent) > _REMEMBERED:
            s.recent.popitem(last=False)
        if ends_line:
            text = text[:-1]
            if s.parts:
                return self._take(s, text)
            return text.decode("utf-8", "replace")
        s.parts.append(text)
        s.size += len(text)
        return self._take(s, b"") if s.size >= MAX_LINE else None

    def flush(self) -> Iterator[str]:
        """The lines that ended without a newline, because the process did."""
        for s in self._streams.values():
            if s.parts:
                yield self._take(s, b"")

    def _take(self, s: _Stream, end: bytes) -> str:
        line = b"".join([*s.parts, end]).decode("utf-8", "replace")
        s.parts, s.size = [], 0
        return line
