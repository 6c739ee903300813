"""Running a command inside a container, through the API."""

import secrets
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import requests

from operator_demo.engine.connect import Engine
from operator_demo.engine.failures import engine_errors
from operator_demo.engine.frames import STDERR, STDOUT, FrameReader
from operator_demo.engine.stream import open_stream, pieces, shutdown
from operator_demo.errors import OperatorError

_MARK = "OPERATOR_EXEC"  # in the command's environment, to find it and its children again
_SETTLE = 5.0  # seconds for the engine to tell the exit code after the output has ended


class ExecTimeout(OperatorError):
    """The command took too long; `stdout` and `stderr` hold what it had written."""

    def __init__(self, message: str, stdout: bytes, stderr: bytes) -> None:
        super().__init__(message)
        self.stdout, self.stderr = stdout, stderr


Input = bytes | Callable[[str], bytes] | None
"""What a command reads, or a function that makes it from the id of the exec."""


def exec_in(engine: Engine, container_id: str, argv: Sequence[str], *, stdin: Input = None,
            timeout: float = 30.0) -> tuple[int, bytes, bytes]:
    """Runs `argv` in a running container: its exit code, stdout and stderr.

    After `timeout` seconds it raises ExecTimeout. The API cannot end an exec, so the command is then killed from
    inside, with all that it started: that needs a shell in the container, without one it goes on there.
    """
    if stdin is not None and str(engine.api.base_url).startswith("https://"):
        raise OperatorError("input for a command cannot be sent to an engine reached over TLS",
                            "Reach it through its socket instead.")  # TLS has no half-closed connection in Python
    mark = secrets.token_hex(8)
    doing = f"running {argv[0]} in {container_id[:12]}"
    with engine_errors(doing):
        made = engine.api.exec_create(container_id, list(argv), stdin=stdin is not None,
                                      environment={_MARK: mark})["Id"]
        given = stdin(made) if callable(stdin) else stdin
    try:
        return _run(engine, made, doing, given, timeout)
    except ExecTimeout:
        _kill_inside(engine, container_id, mark)
        raise


def probe_in(engine: Engine, container_id: str, argv: Sequence[str], *, timeout: float,
             begin: Callable[[str], None]) -> tuple[int, bytes, bytes]:
    """As `exec_in`, but `argv` is all that the engine is asked to run: what takes too long goes on. `begin` gets the
    id of the exec before it starts."""
    doing = f"running {argv[0]} in {container_id[:12]}"
    with engine_errors(doing):
        made = engine.api.exec_create(container_id, list(argv))["Id"]
    begin(made)
    return _run(engine, made, doing, None, timeout)


def _run(engine: Engine, made: str, doing: str, stdin: bytes | None, timeout: float) -> tuple[int, bytes, bytes]:
    """Starts an exec and waits for its end."""
    with engine_errors(doing):
        response = open_stream(engine, "POST", f"/exec/{made}/start", body={"Detach": False, "Tty": False},
                               silence=timeout + _SETTLE)
        output, finished = _talk(response, stdin, timeout)
    if not finished:
        raise ExecTimeout(f"{doing}: no end after {timeout:g} s", output[STDOUT], output[STDERR])
    with engine_errors(doing):
        return _exit_code(engine, made), output[STDOUT], output[STDERR]


def _talk(response: requests.Response, stdin: bytes | None, timeout: float) -> tuple[dict[int, bytes], bool]:
    """Sends stdin while reading both outputs; False when `timeout` cut it off."""
    output: dict[int, list[bytes]] = {STDOUT: [], STDERR: []}
    expired = threading.Event()

    def expire() -> None:
        expired.set()
        shutdown(response)

    helpers: list[threading.Thread] = [threading.Timer(timeout, expire)]
    if stdin is not None:
        helpers.append(threading.Thread(target=_send, args=(response, stdin), name="exec-stdin"))
    for thread in helpers:
        thread.daemon = True
        thread.start()
    try:
        frames = FrameReader()
        for piece in pieces(response):
            for stream, payload in frames.feed(piece):
                output.setdefault(stream, []).append(payload)
    except Exception:
        if not expired.is_set():
            raise
    finally:
        helpers[0].cancel()  # type: ignore[attr-defined]
        response.close()
        for thread in helpers:
            thread.join()
    return {stream: b"".join(parts) for stream, parts in output.items()}, not expired.is_set()


def _send(response: requests.Response, stdin: bytes) -> None:
    raw: Any = response.raw
    connection: socket.socket = raw._fp.fp.raw._sock
    try:
        connection.sendall(stdin)
        connection.shutdown(socket.SHUT_WR)
    except OSError:
        return  # the command ended without reading all of it


def _exit_code(engine: Engine, exec_id: str) -> int:
    deadline = time.monotonic() + _SETTLE
    while True:
        described = engine.api.exec_inspect(exec_id)
        if not described["Running"] and described["ExitCode"] is not None:
            return int(described["ExitCode"])
        if time.monotonic() > deadline:
            raise OperatorError("a command has closed its output and goes on; its exit code is not known")
        time.sleep(0.02)


def _kill_inside(engine: Engine, container_id: str, mark: str) -> None:
    script = (f'for p in /proc/[0-9]*; do if grep -qs "{_MARK}={mark}" "$p/environ"; '
              'then kill -9 "${p#/proc/}"; fi; done')
    try:
        with engine_errors("ending a command"):
            made = engine.api.exec_create(container_id, ["sh", "-c", script])["Id"]
            engine.api.exec_start(made, detach=True)
    except OperatorError:
        return  # the container itself may have ended
