"""The server between the callers and the engine: decide, record, forward.

A request is forwarded only if the policy has allowed it and, where it changes something, only after the decision is on
disk. Whatever fails on the way, fails as a refusal.
"""

import asyncio
import json
import os
import socket
import sys
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from operator_demo.guard.answers import BROKEN_OFF, pass_on, pass_on_known, pass_on_whole, succeeded
from operator_demo.guard.approvals import Approvals
from operator_demo.guard.client import Client
from operator_demo.guard.connection import WatchedReader
from operator_demo.guard.decision import Decider, Decision, Forward, Ruling, Shape
from operator_demo.guard.http import MAX_HEAD, BadRequest
from operator_demo.guard.pace import Pace
from operator_demo.guard.record import Record
from operator_demo.guard.request import Request
from operator_demo.guard.upstream import Call, EngineGone, Exchange, Upstream, decoded
from operator_demo.store import StoreError

MAX_CLIENTS = 64  # connections of one caller at once
BURST, RATE = 100, 20.0
_JSON = [(b"Content-Type", b"application/json")]
_WHOLE = 600.0  # seconds for an answer that is read whole, such as that to `docker stop`


Own = Callable[[Request], Awaitable[Any]]
"""Answers a request itself; returns what is sent as JSON."""


class Proxy:
    """Serves each caller at a socket of its own, until `stop`."""

    def __init__(self, policy: Decider, record: Record, upstream: Upstream, rate: float = RATE,
                 own: Mapping[tuple[str, ...], Own] | None = None, approvals: Approvals | None = None) -> None:
        """`rate`: entries a second that a caller may cause in the record, after the first `BURST`. `own` are endpoints
        of the guard itself, by caller and path. What the policy asks a human about waits in `approvals`."""
        self._rate, self._own = rate, own or {}
        self._approvals = approvals or Approvals(record)
        self._policy, self._record, self._upstream = policy, record, upstream
        self._servers: list[asyncio.Server] = []
        self._clients: dict[str, set[asyncio.Task[Any]]] = {}
        self._paces: dict[str, Pace] = {}

    async def serve(self, caller: str, path: Path) -> None:
        """Who can connect to the socket at `path` is `caller`. Returns when it listens."""
        loop = asyncio.get_running_loop()
        self._clients[caller], self._paces[caller] = set(), Pace(BURST, self._rate)

        async def attend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            assert isinstance(reader, WatchedReader)
            with suppress(asyncio.CancelledError):  # by `stop`: the loop would print it
                await self._attend(caller, Client(reader, writer))

        def protocol() -> asyncio.StreamReaderProtocol:
            return asyncio.StreamReaderProtocol(WatchedReader(MAX_HEAD), attend)

        self._servers.append(await loop.create_unix_server(protocol, sock=_listen(path), backlog=MAX_CLIENTS))

    async def stop(self) -> None:
        """Ends all connections; what runs in the engine for them is dropped."""
        for server in self._servers:
            server.close()
        tasks = [task for clients in self._clients.values() for task in clients]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._upstream.close()

    # -- one connection ----------------------------------------------------------------------------------------------

    async def _attend(self, caller: str, client: Client) -> None:
        task = asyncio.current_task()
        assert task is not None
        clients = self._clients[caller]
        try:
            if len(clients) >= MAX_CLIENTS:
                await client.fail(503, f"The guard serves at most {MAX_CLIENTS} connections at once.")
                return
            clients.add(task)
            while await self._serve_one(caller, client):
                pass
            await client.close()
        except BROKEN_OFF:
            pass  # the client has hung up, or the engine in the middle of its answer
        finally:
            clients.discard(task)
            client.writer.close()

    async def _serve_one(self, caller: str, client: Client) -> bool:
        """True when another request may follow on the connection."""
        try:
            request = await client.request()
        except BadRequest as e:
            await self._refuse_malformed(caller, client, e)
            return False
        if request is None:
            return False
        if not await _unless(client.gone(), self._answer(caller, client, request)):
            client.writer.transport.abort()
            return False
        return client.may_ask_again

    async def _refuse_malformed(self, caller: str, client: Client, problem: BadRequest) -> None:
        with suppress(StoreError):  # (it is refused in any case)
            await self._write(caller, partial(self._record.malformed, caller, client.line, str(problem)))
        await client.fail(400, f"Refused by the guard: {problem}.")

    async def _answer(self, caller: str, client: Client, request: Request) -> None:
        try:
            own = self._own.get((caller, *request.path))
            if own is not None:
                await client.answer(200, _JSON, json.dumps(await own(request)).encode())
                return
            decision = await self._policy.decide(caller, request)
            if decision.ruling is Ruling.ASK:
                request = await client.held(request)
                decision = await self._ask(caller, request, decision)
            if decision.recorded:
                await self._write(caller, partial(self._record.write, caller, request, decision))
            if decision.ruling is Ruling.ALLOW and decision.forward is not None:
                await self._forward(client, request, decision, decision.forward)
            else:
                await client.fail(decision.status, decision.reason)
        except BROKEN_OFF:
            raise
        except BadRequest as e:
            if client.answering:
                raise ConnectionAbortedError("in the middle of an answer") from e
            await self._refuse_malformed(caller, client, e)
        except Exception as e:
            if client.answering:
                raise ConnectionAbortedError("in the middle of an answer") from e
            await client.fail(*_explain(e))

    async def _ask(self, caller: str, request: Request, decision: Decision) -> Decision:
        """What a human decides; the question is in the record as well, so it comes at the caller's pace."""
        await asyncio.sleep(self._paces[caller].delay())
        return await self._approvals.decide(request, decision)

    async def _write(self, caller: str, write: Callable[[], None]) -> None:
        """Into the record, which a caller cannot fill faster than at its pace."""
        await asyncio.sleep(self._paces[caller].delay())
        await asyncio.to_thread(write)

    async def _forward(self, client: Client, request: Request, decision: Decision, forward: Forward) -> None:
        if request.stream != forward.stream:
            raise BadRequest("this endpoint takes JSON" if request.stream else "this endpoint takes an archive")
        if forward.known is not None and self._upstream.is_newest(request.version):
            await pass_on_known(client, forward.known, forward.keep)
            return
        client.raw = forward.shape is Shape.RAW
        call = Call(request.method, forward.path, forward.query, forward.body, request.version, upgrade=client.raw)
        async with self._upstream.exchange(request.method) as exchange:
            await exchange.send(call, client.body() if forward.stream else None)
            # What nobody has to look at need not be held in memory.
            if forward.shape is Shape.WHOLE and (forward.keep is not None or decision.changes):
                await self._whole(client, exchange, request, decision, forward)
            else:
                await exchange.head()
                if decision.changes and succeeded(exchange):
                    self._policy.answered(request, decision, None)
                await pass_on(client, exchange, forward.shape, forward.keep)

    async def _whole(self, client: Client, exchange: Exchange, request: Request, decision: Decision,
                     forward: Forward) -> None:
        try:
            async with asyncio.timeout(_WHOLE):
                await exchange.head()
                body = await exchange.whole()
        except TimeoutError as e:
            raise EngineGone(f"The engine was silent for {_WHOLE:g} s.") from e
        if decision.changes and succeeded(exchange):
            self._policy.answered(request, decision, decoded(body))
        await pass_on_whole(client, exchange, body, forward.keep)


def _explain(error: Exception) -> tuple[int, str]:
    """Status and text for what went wrong before anything was answered."""
    match error:
        case StoreError():
            return 503, f"Refused by the guard: its decision cannot be recorded. {error.message}"
        case EngineGone():
            return 502, error.message
    traceback.print_exception(error, file=sys.stderr)
    return 500, f"Refused: the guard has a defect ({type(error).__name__})."


async def _unless(gone: Coroutine[Any, Any, None], work: Coroutine[Any, Any, None]) -> bool:
    """Does `work`, whose exception it raises; False when `gone` came first, and the work is cancelled."""
    working, watching = asyncio.create_task(work), asyncio.create_task(gone)
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            return False
        working.result()
        return True
    finally:
        working.cancel()
        watching.cancel()
        await asyncio.gather(working, watching, return_exceptions=True)


def _listen(path: Path) -> socket.socket:
    """The listening socket, in the place of one that a dead guard has left. All who see it may connect: the volume that
    it is in belongs to one caller."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(fresh))
    fresh.chmod(0o666)
    listener.listen(MAX_CLIENTS)
    fresh.rename(path)
    return listener
