"""One HTTP message at a time over a stream: h11's state machine with a reader and a writer."""

import asyncio
import select
from collections.abc import AsyncIterator, Iterable

import h11

PIECE = 64 * 1024  # bytes read at once
_BETWEEN_LOOKS = 0.2  # seconds between two looks for a client that is gone

_HOP_BY_HOP = {b"connection", b"content-length", b"keep-alive", b"proxy-authenticate", b"proxy-connection", b"te",
               b"trailer", b"transfer-encoding", b"upgrade"}

Headers = list[tuple[bytes, bytes]]


class HttpConnection:
    """Exchanges of a request and an answer, one after the other. `role` is `h11.SERVER` towards a client, `h11.CLIENT`
    towards the engine."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter,
                 role: type[h11.CLIENT] | type[h11.SERVER], max_head: int) -> None:
        self.reader, self.writer = reader, writer
        self.http = h11.Connection(role, max_incomplete_event_size=max_head)

    async def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """Raises h11.RemoteProtocolError for what is no HTTP, and ConnectionError."""
        while (event := self.http.next_event()) is h11.NEED_DATA:
            self.http.receive_data(await self.reader.read(PIECE))
        return event

    async def body(self) -> AsyncIterator[bytes]:
        """The body that follows, piece by piece."""
        while isinstance(event := await self.next_event(), h11.Data):
            yield bytes(event.data)
        if not isinstance(event, h11.EndOfMessage):
            raise h11.RemoteProtocolError("the body was cut off")

    async def send(self, *events: h11.Event) -> None:
        self.writer.write(b"".join(self.http.send(event) or b"" for event in events))
        await self.writer.drain()

    async def read_whole(self, limit: int) -> bytes | None:
        """The body, or None where it has more than `limit` bytes."""
        whole = bytearray()
        async for piece in self.body():
            whole += piece
            if len(whole) > limit:
                return None
        return bytes(whole)

    @property
    def is_open(self) -> bool:
        """Has the other side left it open, as far as is known?"""
        return not self.reader.at_eof() and not self.writer.is_closing()

    def restart(self) -> bool:
        """Makes it ready for another exchange; False where the last one does not allow it."""
        if self.http.our_state is not h11.DONE or self.http.their_state is not h11.DONE or self.http.trailing_data[0]:
            return False
        self.http.start_next_cycle()
        return self.is_open

    def abort(self) -> None:
        self.writer.transport.abort()


class WatchedReader(asyncio.StreamReader):
    """Tells when the other side has stopped sending, while nobody reads."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.ended = asyncio.Event()

    def feed_eof(self) -> None:
        super().feed_eof()
        self.ended.set()

    def set_exception(self, exc: Exception) -> None:
        super().set_exception(exc)
        self.ended.set()


def end_to_end(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Without those that are about one connection alone."""
    return [(name, value) for name, value in headers if name.lower() not in _HOP_BY_HOP]


async def until_gone(writer: asyncio.StreamWriter) -> None:
    """Returns when the other side has closed its socket for good, and not only its sending half."""
    poll = select.poll()
    poll.register(writer.get_extra_info("socket").fileno(), 0)  # (POLLHUP is always told)
    while not poll.poll(0):
        await asyncio.sleep(_BETWEEN_LOOKS)
