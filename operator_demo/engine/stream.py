"""Answers of the engine that go on for a while: read piece by piece, ended at any moment by a stop event.

docker-py's own iterators cannot be woken while the engine is silent, and lose what an upgraded connection sent
together with its header; so this is the one place that uses its request helpers directly.
"""

import io
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import requests

from operator_demo.engine.chunks import ChunkReader
from operator_demo.engine.connect import Engine

T = TypeVar("T")
_PIECE = 64 * 1024  # bytes read at once
_CONNECT_TIMEOUT = 10.0  # seconds to connect; after that the answer may be silent for as long as it likes
_LOOK_FOR_STOP = 0.1  # seconds; a stop is obeyed within this time


def open_stream(engine: Engine, method: str, path: str, *, params: Mapping[str, Any] | None = None, body: Any = None,
                headers: Mapping[str, str] | None = None, silence: float | None = None) -> requests.Response:
    """Starts a streaming request (`path` such as `/events`); docker.errors.APIError when the engine refuses.

    `silence` is after how many seconds without a byte the engine counts as gone; None: never."""
    api = engine.api
    response: requests.Response = api.request(
        method, api._url(path), params=params, json=body, headers=headers, stream=True,
        timeout=(_CONNECT_TIMEOUT, silence))
    try:
        api._raise_for_status(response)
    except BaseException:
        response.close()
        raise
    return response


def pieces(response: requests.Response) -> Iterator[bytes]:
    """The body as it comes in; ends with the body, raises one of BROKEN_CONNECTION when it was cut off."""
    connection = _chunked(response)
    if connection is None:
        while piece := response.raw.read1(_PIECE):
            yield piece
        return
    chunks = ChunkReader()
    while not chunks.ended:
        piece = connection.read1(_PIECE)
        if not piece:
            raise ConnectionError("the connection was cut off")
        body = chunks.feed(piece)
        if body:
            yield body


def _chunked(response: requests.Response) -> io.BufferedReader | None:
    """What the body is read from, where it is chunked and nothing else has to be taken off it."""
    if response.headers.get("Transfer-Encoding", "").lower() != "chunked" or "Content-Encoding" in response.headers:
        return None
    beneath = getattr(getattr(response.raw, "_fp", None), "fp", None)
    return beneath if isinstance(beneath, io.BufferedReader) else None


def json_objects(body: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    """The JSON objects of a body that has one a line; a last line that was cut off is dropped."""
    rest = b""
    for piece in body:
        *lines, rest = (rest + piece).split(b"\n")
        yield from (json.loads(line) for line in lines if line.strip())


def unless_stopped(stop: threading.Event, call: Callable[[], T]) -> T | None:
    """The result of `call`, or its exception; None as soon as `stop` is set, however long the engine is silent. The
    call is then left to its own end, in a thread that does not keep the process alive."""
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as e:
            errors.append(e)

    thread = threading.Thread(target=run, name="engine call", daemon=True)
    thread.start()
    while thread.is_alive() and not stop.is_set():
        thread.join(_LOOK_FOR_STOP)
    if errors:
        raise errors[0]
    return results[0] if results else None


@contextmanager
def ended_by(stop: threading.Event, response: requests.Response) -> Iterator[None]:
    """While inside, a reader of `response` is woken (it sees the end of the body) as soon as `stop` is set."""
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            if stop.wait(_LOOK_FOR_STOP):
                shutdown(response)
                return

    thread = threading.Thread(target=watch, name="end-stream", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        response.close()


def shutdown(response: requests.Response) -> None:
    """Wakes whoever reads `response`; harmless when it has ended meanwhile."""
    try:
        response.raw.shutdown()
    except (ValueError, RuntimeError, OSError, AttributeError):
        return
