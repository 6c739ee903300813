"""Following a container's log: whole lines, once and in order, over restarts and broken connections."""

import logging
import math
import threading
from collections.abc import Iterator
from typing import Any

import docker.errors

from operator_demo.engine.connect import Engine, parse_time
from operator_demo.engine.containers import inspect
from operator_demo.engine.failures import BROKEN_CONNECTION, EngineUnavailable, NotOnEngine, engine_errors, explain
from operator_demo.engine.frames import FrameError, FrameReader, LineReader
from operator_demo.engine.stream import ended_by, open_stream, pieces, unless_stopped
from operator_demo.errors import OperatorError

_log = logging.getLogger(__name__)
READ_LIMIT = 16 * 1024 * 1024  # bytes of a log that `read_log` reads at most
READ_SILENCE = 10.0  # seconds without a byte after which the engine counts as gone
_LOOK = 0.25  # seconds between two looks at a container that has stopped, or at an engine that does not answer


class LogsUnavailable(OperatorError):
    """The container's log cannot be read at all (log driver `none`, or a terminal)."""


def follow(engine: Engine, container_id: str, stop: threading.Event, since: float | None = None) -> Iterator[str]:
    """The lines that a container writes, stdout and stderr as they come, without newline.

    From the beginning of what the engine has kept, or from the second that `since` falls in (seconds since the epoch on
    the engine's clock).
    Goes on when the container is started again and when the connection breaks; ends when `stop` is set (at once, also
    in silence) or the container is gone. What the engine has rotated away is lost to it: the caller sees that by `seq`.
    A line without newline ends with the process that wrote it. Bytes that are no UTF-8 become U+FFFD.
    Raises LogsUnavailable.
    """
    described = _look(engine, container_id, stop)
    if described is not None:
        _check_readable(described)
    lines = LineReader()
    while described is not None:
        before, ended = described, False
        try:
            yield from _read(engine, container_id, stop, lines, since)
            ended = True
        except BROKEN_CONNECTION as e:
            _log.debug("the log of %s broke off and is asked for again: %s", container_id[:12], e)
            stop.wait(_LOOK)
        if ended and not _runs(before):
            # Only now all is read that the process wrote: engines end a follow a little before the end. What it left
            # without newline is a line. Then the next start is awaited.
            if not stop.is_set():
                yield from lines.flush()
            while described is not None and not _runs(described) and _started(described) == _started(before):
                stop.wait(_LOOK)
                described = _look(engine, container_id, stop)
        else:
            described = _look(engine, container_id, stop)
            if ended and described is not None and _runs(described) and _started(described) == _started(before):
                stop.wait(_LOOK)  # the engine has not noticed yet that it ended
        if lines.last:
            # From a whole second, since fractions are not exact on every engine; and one more back, since stdout and
            # stderr may be out of order by a little. What was seen is dropped.
            lines.resume()
            since = math.floor(parse_time(lines.last.decode())) - 1
    if not stop.is_set():
        yield from lines.flush()


def _runs(described: dict[str, Any]) -> bool:
    return bool(described["State"]["Running"])


def _started(described: dict[str, Any]) -> str:
    return str(described["State"]["StartedAt"])


def _read(engine: Engine, container_id: str, stop: threading.Event, lines: LineReader,
          since: float | None) -> Iterator[str]:
    """One connection's worth of lines; ends with the log."""
    params: dict[str, Any] = {"stdout": 1, "stderr": 1, "follow": 1, "timestamps": 1}
    if since is not None:
        params["since"] = math.floor(since)
    try:
        response = unless_stopped(stop, lambda: open_stream(
            engine, "GET", f"/containers/{container_id}/logs", params=params))
    except docker.errors.NotFound:
        return
    except docker.errors.APIError as e:
        if "support reading" in explain(e):
            raise LogsUnavailable(f"the log of {container_id[:12]} cannot be read: {explain(e)}") from e
        raise ConnectionError(explain(e)) from e  # while it is removed, or the engine goes down: look again
    if response is None:
        return
    with ended_by(stop, response):
        frames = FrameReader()
        try:
            for piece in pieces(response):
                for stream, record in frames.feed(piece):
                    line = lines.feed(stream, record)
                    if line is not None:
                        yield line
        except FrameError as e:
            raise LogsUnavailable(f"the log of {container_id[:12]} cannot be read: {e}") from e


def _look(engine: Engine, container_id: str, stop: threading.Event) -> dict[str, Any] | None:
    """The container, None when it is gone or `stop` was set while the engine did not answer."""
    while not stop.is_set():
        try:
            return unless_stopped(stop, lambda: inspect(engine, container_id))
        except NotOnEngine:
            return None
        except EngineUnavailable as e:
            _log.debug("%s is looked at again: %s", container_id[:12], e)
            stop.wait(_LOOK)
    return None


def _check_readable(described: dict[str, Any]) -> None:
    name = described["Name"].lstrip("/")
    if described["HostConfig"]["LogConfig"]["Type"] == "none":
        raise LogsUnavailable(f"the log of {name} cannot be read: its log driver is none")
    if described["Config"]["Tty"]:
        raise LogsUnavailable(f"the log of {name} cannot be read: it has a terminal (tty)")


def read_log(engine: Engine, container_id: str, lines: int) -> Iterator[bytes]:
    """The last `lines` of a container's log, stdout and stderr together, piece by piece, since a line may have any
    length. After `READ_LIMIT` bytes it ends, and says so. Raises NotOnEngine, LogsUnavailable, OperatorError."""
    params = {"stdout": 1, "stderr": 1, "tail": lines}
    with engine_errors(f"reading the log of {container_id[:12]}"):
        response = open_stream(engine, "GET", f"/containers/{container_id}/logs", params=params, silence=READ_SILENCE)
        frames, read = FrameReader(), 0
        try:
            for piece in pieces(response):
                read += len(piece)
                if read > READ_LIMIT:
                    yield f"\n[... the rest is not read: the log has more than {READ_LIMIT} bytes ...]\n".encode()
                    return
                yield from (record for _, record in frames.feed(piece))
        except FrameError as e:
            raise LogsUnavailable(f"the log of {container_id[:12]} cannot be read: {e}") from e
        finally:
            response.close()
