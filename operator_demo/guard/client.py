"""A caller's connection: its requests one after the other, and the answers to them."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace

import h11

from operator_demo.guard.connection import PIECE, Headers, HttpConnection, WatchedReader, until_gone
from operator_demo.guard.http import MAX_BODY, MAX_HEAD, BadRequest, parse_head, parse_json, sealed
from operator_demo.guard.request import Request

_IDLE = 60.0  # seconds that a client may take for a request's head
_BODY = 20.0  # seconds for a JSON body, and for each piece of another one
_LINGER = 1.0  # seconds in which what a refused client still sends is read, so that it gets to read the refusal
_NO_BODY = (204, 304)
MAX_HELD = 4 * 1024 * 1024  # bytes of an archive that waits for a human


class Client:
    """`raw` is set for a connection on which both sides may end for themselves."""

    def __init__(self, reader: WatchedReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.raw = False
        self.line = ""  # the request line, as it came
        self._connection = self._fresh()
        self._method, self._upgrade = "", False
        self._held: bytearray | None = None

    def _fresh(self) -> HttpConnection:
        return HttpConnection(self.reader, self.writer, h11.SERVER, MAX_HEAD)

    @property
    def may_ask_again(self) -> bool:
        """Is the connection ready for another request? One that was sent before its turn is not served."""
        http = self._connection.http
        return http.our_state is h11.DONE and http.their_state is h11.DONE and not http.trailing_data[0]

    @property
    def answering(self) -> bool:
        """Has the answer begun?"""
        return self._connection.http.our_state not in (h11.IDLE, h11.SEND_RESPONSE)

    async def request(self) -> Request | None:
        """The next request, with its body if that is JSON; None when the client has hung up or is silent for long.

        Raises `BadRequest`, and ConnectionError.
        """
        self._connection, self._method, self.line, self._held = self._fresh(), "", "", None
        head = await self._head()
        if head is None:
            return None
        self.line = head.partition(b"\r\n")[0].decode("latin-1")
        request, _ = parse_head(self._connection.http, head)
        self._method, self._upgrade = request.method, request.upgrade
        if self._connection.http.they_are_waiting_for_100_continue:
            await self._connection.send(h11.InformationalResponse(status_code=100, headers=[]))
        if request.stream:
            return request
        body = await self._whole()
        return sealed(replace(request, body=parse_json(body))) if body else request

    async def _head(self) -> bytes | None:
        try:
            async with asyncio.timeout(_IDLE):
                return await self.reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as e:
            if e.partial:
                raise BadRequest("the request was cut off") from e
            return None
        except asyncio.LimitOverrunError as e:
            raise BadRequest(f"the head has more than {MAX_HEAD} bytes") from e
        except TimeoutError:
            return None

    async def _whole(self) -> bytes:
        try:
            async with asyncio.timeout(_BODY):
                body = await self._connection.read_whole(MAX_BODY)
        except h11.RemoteProtocolError as e:
            raise BadRequest(str(e)) from e
        except TimeoutError as e:
            raise BadRequest(f"the body did not come within {_BODY:g} s") from e
        if body is None:
            raise BadRequest(f"the body has more than {MAX_BODY} bytes")
        return body

    async def held(self, request: Request) -> Request:
        """With the archive in its digest, if one follows: that is read here, and `body` gives what was read. Raises
        `BadRequest`."""
        if not request.stream:
            return request
        held = bytearray()
        async for piece in self.body():
            held += piece
            if len(held) > MAX_HELD:
                raise BadRequest(f"an archive that a human is asked about has at most {MAX_HELD} bytes")
        self._held = held
        return sealed(request, held)

    async def body(self) -> AsyncIterator[bytes]:
        """The body of a request with `stream`, piece by piece. Raises `BadRequest`."""
        if self._held is not None:
            yield bytes(self._held)
            return
        pieces = self._connection.body()
        while True:
            try:
                async with asyncio.timeout(_BODY):
                    piece = await anext(pieces, None)
            except h11.RemoteProtocolError as e:
                raise BadRequest(str(e)) from e
            except TimeoutError as e:
                raise BadRequest(f"the body paused for {_BODY:g} s") from e
            if piece is None:
                return
            yield piece

    # -- answers -----------------------------------------------------------------------------------------------------

    async def begin(self, status: int, headers: Headers) -> None:
        """The head of an answer that goes on."""
        await self._connection.send(self._response(status, headers))

    async def write(self, piece: bytes) -> None:
        await self._connection.send(*self._data(piece))

    async def finish(self) -> None:
        await self._connection.send(h11.EndOfMessage())

    async def answer(self, status: int, headers: Headers, body: bytes) -> None:
        """A whole answer."""
        length = [] if status in _NO_BODY else [(b"Content-Length", str(len(body)).encode())]
        head = self._response(status, [*headers, *length])
        await self._connection.send(head, *self._data(body), h11.EndOfMessage())

    def _response(self, status: int, headers: Headers) -> h11.Response:
        if self._connection.http.their_state in (h11.SEND_BODY, h11.ERROR):  # what is left of the request is not read
            headers = [*headers, (b"Connection", b"close")]
        return h11.Response(status_code=status, headers=headers)

    def _data(self, piece: bytes) -> list[h11.Data]:
        return [h11.Data(data=piece)] if piece and self._method != "HEAD" else []

    async def fail(self, status: int, message: str) -> None:
        """An error as the engine tells it."""
        await self.answer(status, [(b"Content-Type", b"application/json")], json.dumps({"message": message}).encode())

    async def switch(self, headers: Headers) -> bytes:
        """Says that the connection is raw from now on; returns what the client has sent on it already."""
        if self._upgrade:
            switching = [*headers, (b"Connection", b"Upgrade"), (b"Upgrade", b"tcp")]
            await self._connection.send(
                h11.InformationalResponse(status_code=101, headers=switching, reason=b"UPGRADED"))
        else:  # Docker's way with clients that ask for none: an answer without an end (which h11 does not know)
            lines = [b"HTTP/1.1 200 OK", *(name + b": " + value for name, value in headers), b"", b""]
            self.writer.write(b"\r\n".join(lines))
        return self._connection.http.trailing_data[0]

    # -- the end -----------------------------------------------------------------------------------------------------

    async def gone(self) -> None:
        """Returns when the client has hung up."""
        await self.reader.ended.wait()
        if self.raw:
            await until_gone(self.writer)

    async def close(self) -> None:
        """Sends what is left to send, and gives the client a moment to read it."""
        with suppress(OSError):
            self.writer.write_eof()
            async with asyncio.timeout(_LINGER):
                while await self.reader.read(PIECE):
                    pass
        self.writer.close()
