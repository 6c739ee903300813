"""The guard's own requests to the engine, over the engine's socket."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h11

from operator_demo.errors import OperatorError
from operator_demo.guard.connection import Headers, HttpConnection, end_to_end
from operator_demo.guard.http import target

MAX_ANSWER = 4 * 1024 * 1024  # bytes of an answer that is read whole
_MAX_HEAD = 64 * 1024
_CONNECT = 5.0  # seconds until the engine accepts
_IDLE = 8  # connections that are kept for the next call
_ASK = 20.0  # seconds for the answer to a question of the guard's own


class EngineGone(OperatorError):
    """The engine does not answer, or what it says is no answer."""


@dataclass(frozen=True)
class Call:
    """A request that the guard makes. `upgrade` asks for a raw connection."""

    method: str
    path: tuple[str, ...]
    query: Mapping[str, str]
    body: Mapping[str, Any] | None = None
    version: str = ""
    upgrade: bool = False


class Exchange:
    """One call and its answer."""

    def __init__(self, connection: HttpConnection) -> None:
        self.connection = connection
        self.status = 0
        self.headers: Headers = []

    async def send(self, call: Call, more: AsyncIterator[bytes] | None = None) -> None:
        """Sends the call, with the body that `more` gives piece by piece."""
        content = b"" if call.body is None else json.dumps(call.body).encode()
        headers = [("Host", "engine")]
        if call.upgrade:
            headers += [("Connection", "Upgrade"), ("Upgrade", "tcp")]
        if more is not None:
            headers += [("Content-Type", "application/x-tar"), ("Transfer-Encoding", "chunked")]
        elif content or call.method in ("POST", "PUT"):
            headers += [("Content-Type", "application/json"), ("Content-Length", str(len(content)))]
        head = h11.Request(method=call.method, target=target(call.version, call.path, call.query), headers=headers)
        try:
            if more is None:
                await self.connection.send(head, h11.Data(data=content), h11.EndOfMessage())
                return
            await self.connection.send(head)
            async for piece in more:
                await self.connection.send(h11.Data(data=piece))
            await self.connection.send(h11.EndOfMessage())
        except ConnectionError:
            pass  # the engine refuses before it has read all: its answer is there

    async def head(self) -> None:
        """Waits for `status` and `headers`. Raises `EngineGone`."""
        event: Any = None
        try:
            event = await self.connection.next_event()
            while isinstance(event, h11.InformationalResponse) and event.status_code != 101:
                event = await self.connection.next_event()
        except (h11.RemoteProtocolError, OSError) as e:
            raise EngineGone("The engine broke off.") from e
        if not isinstance(event, h11.Response | h11.InformationalResponse):
            raise EngineGone("The engine broke off before it answered.")
        self.status, self.headers = event.status_code, end_to_end(event.headers)

    async def whole(self) -> bytes:
        """The answer's body. Raises `EngineGone` where it is cut off or greater than `MAX_ANSWER`."""
        try:
            body = await self.connection.read_whole(MAX_ANSWER)
        except (h11.RemoteProtocolError, OSError) as e:
            raise EngineGone("The engine broke off in the middle of an answer.") from e
        if body is None:
            raise EngineGone(f"The engine's answer has more than {MAX_ANSWER} bytes.")
        return body


class Upstream:
    """The engine's socket. Tasks of one loop may share it; connections on which nothing is open are used again."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._idle: list[HttpConnection] = []
        self._newest = ""  # version of the engine's API, as far as it has told

    def is_newest(self, version: str) -> bool:
        """Does a request of this version of the API ("" for none) get the answer that `get` gets?"""
        return version in ("", self._newest)

    @asynccontextmanager
    async def exchange(self, method: str) -> AsyncIterator[Exchange]:
        """A connection for one call. One that is left before the answer's end is closed: the engine then drops what it
        still did for it. Raises `EngineGone`."""
        # An idle connection may break at any moment, and then nobody knows whether the engine has read the call.
        used = self._idle_one() if method in ("GET", "HEAD") else None
        connection = used or await self._connect()
        try:
            yield Exchange(connection)
        finally:
            if len(self._idle) < _IDLE and connection.restart():
                self._idle.append(connection)
            else:
                connection.abort()

    def _idle_one(self) -> HttpConnection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
            connection.abort()
        return None

    async def _connect(self) -> HttpConnection:
        try:
            async with asyncio.timeout(_CONNECT):
                reader, writer = await asyncio.open_unix_connection(str(self._socket))
        except OSError as e:
            raise EngineGone("The engine does not answer.") from e
        return HttpConnection(reader, writer, h11.CLIENT, _MAX_HEAD)

    def close(self) -> None:
        for connection in self._idle:
            connection.abort()

    async def get(self, path: tuple[str, ...], query: Mapping[str, str] | None = None) -> Any:
        """The decoded JSON of the engine's answer; None where there is no such object (404; 400 where the name is
        none, or the beginning of several ids). Raises `EngineGone` for all else."""
        status, value = await self.ask(Call("GET", path, query or {}))
        if status in (400, 404):
            return None
        if status != 200 or value is None:
            raise EngineGone(f"The engine answers {status} to GET {target('', path, query or {})}.")
        return value

    async def ask(self, call: Call, patience: float = _ASK) -> tuple[int, Any]:
        """The status and the decoded JSON (None where it is none) of the engine's answer, within `patience` seconds.
        Raises `EngineGone`."""
        try:
            async with asyncio.timeout(patience), self.exchange(call.method) as exchange:
                await exchange.send(call)
                await exchange.head()
                body = await exchange.whole()
        except TimeoutError as e:
            raise EngineGone(f"The engine was silent for {patience:g} s.") from e
        self._newest = dict(exchange.headers).get(b"api-version", b"").decode("latin-1")
        return exchange.status, decoded(body)


def decoded(body: bytes) -> Any:
    """The JSON value, or None where it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
