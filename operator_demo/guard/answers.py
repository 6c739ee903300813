"""An answer of the engine on its way to the caller, in each of its shapes."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import h11

from operator_demo.guard.client import Client
from operator_demo.guard.connection import PIECE, Headers
from operator_demo.guard.decision import Shape
from operator_demo.guard.upstream import EngineGone, Exchange, decoded

_MAX_LINE = 1024 * 1024  # bytes of one event

Keep = Callable[[Any], Any]


async def pass_on(client: Client, exchange: Exchange, shape: Shape, keep: Keep | None) -> None:
    """An answer that is not whole. What the engine says of an error is passed on as it is."""
    if exchange.status == 101:
        await _raw(client, exchange)
        return
    body = exchange.connection.body()
    if shape is Shape.EVENTS and keep is not None and succeeded(exchange):
        body = _filtered(body, keep)
    await client.begin(exchange.status, exchange.headers)
    async for piece in body:
        await client.write(piece)
    await client.finish()


def succeeded(exchange: Exchange) -> bool:
    return exchange.status == 101 or 200 <= exchange.status < 300


async def pass_on_whole(client: Client, exchange: Exchange, body: bytes, keep: Keep | None) -> None:
    """Raises `EngineGone` where `keep` has nothing to look at."""
    if keep is None or not succeeded(exchange):
        await client.answer(exchange.status, exchange.headers, body)
        return
    value = decoded(body)
    if value is None:
        raise EngineGone("The engine's answer is no JSON.")
    await _pass_on_value(client, exchange.status, exchange.headers, keep(value))


async def pass_on_known(client: Client, value: Any, keep: Keep | None) -> None:
    """An answer that the engine has given before."""
    await _pass_on_value(client, 200, [(b"Content-Type", b"application/json")], keep(value) if keep else value)


async def _pass_on_value(client: Client, status: int, headers: Headers, visible: Any) -> None:
    if visible is None:
        await client.fail(404, "There is no such object.")
    else:
        await client.answer(status, headers, json.dumps(visible).encode())


async def _filtered(body: AsyncIterator[bytes], keep: Keep) -> AsyncIterator[bytes]:
    """One JSON object a line; what is no JSON is not shown."""
    rest = b""
    async for piece in body:
        *lines, rest = (rest + piece).split(b"\n")
        if len(rest) > _MAX_LINE:
            raise EngineGone(f"An event of the engine has more than {_MAX_LINE} bytes.")
        for line in lines:
            value = decoded(line)
            visible = None if value is None else keep(value)
            if visible is not None:
                yield json.dumps(visible).encode() + b"\n"


async def _raw(client: Client, exchange: Exchange) -> None:
    """Bytes both ways until the engine ends it; a client that stops sending still gets what comes."""
    engine = exchange.connection
    early = await client.switch(exchange.headers)
    client.writer.write(engine.http.trailing_data[0])
    engine.writer.write(early)
    sending = asyncio.create_task(_copy(client.reader, engine.writer))
    try:
        await _copy(engine.reader, client.writer)
    finally:
        sending.cancel()
        await asyncio.wait({sending})


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Until the source ends, which the sink then is told."""
    with suppress(OSError):
        while piece := await source.read(PIECE):
            sink.write(piece)
            await sink.drain()
        sink.write_eof()


BROKEN_OFF = (h11.RemoteProtocolError, OSError)
"""What an answer that is cut off raises while it is passed on."""
