"""HTTP's chunked transfer coding (RFC 9112, section 7.1), taken off a body many chunks at a time.

The engine sends each log record as a chunk of its own, and http.client reads each chunk by itself: that took a third of
the time in which the host reads a log.
"""


class ChunkError(ConnectionError):
    """What came is no chunked body; nothing that follows can be told apart."""


class ChunkReader:
    """Takes the coding off bytes that arrive in any pieces. `ended` once the last chunk was there."""

    def __init__(self) -> None:
        self.ended = False
        self._rest = b""  # of a size that has not come whole
        self._left = 0  # bytes of the chunk that is being read, with the two that end it

    def feed(self, piece: bytes) -> bytes:
        """The body's bytes that are in `piece`; raises ChunkError. A trailer is not looked at."""
        data = self._rest + piece if self._rest else piece
        parts, at, end = [], 0, len(data)
        while not self.ended:
            if not self._left:
                size_end = data.find(b"\r\n", at)
                if size_end < 0:
                    break
                self._left = _size(data[at:size_end]) + 2
                at = size_end + 2
                if self._left == 2:
                    self.ended = True
                    break
            parts.append(data[at:max(at, at + self._left - 2)])
            there = min(self._left, end - at)
            self._left -= there
            at += there
            if self._left:
                break
        self._rest = data[at:]
        return b"".join(parts)


def _size(text: bytes) -> int:
    try:
        size = int(text.partition(b";")[0], 16)
    except ValueError:
        size = -1
    if size < 0:
        raise ChunkError(f"not a chunk: {text[:40]!r}")
    return size
