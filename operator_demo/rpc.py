"""Questions between our containers: one JSON line each way over a Unix socket in the shared volume.

    {"op": "members", ...arguments}  ->  {"ok": true, "result": {...}}  |  {"ok": false, "error": "..."}

A connection may ask several times. What comes in is not trusted: a line that is too long, not JSON or of an unknown
`op` gets an error, and a client that is slow or silent loses its connection, never the server.
"""

import contextlib
import json
import os
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from operator_demo.errors import OperatorError

Handler = Callable[..., dict[str, Any]]

_MAX_REQUEST = 64 * 1024  # bytes
_MAX_ANSWER = 16 * 1024 * 1024  # bytes
_MAX_CLIENTS = 32
_IDLE = 30.0  # seconds that a client may take to ask
_ACCEPT = 0.2  # seconds between two looks at the stop event


class RpcError(OperatorError):
    """Nobody answers at the socket, or the answer is an error."""


def serve(path: Path, handlers: Mapping[str, Handler], stop: threading.Event) -> None:
    """Answers at `path` until `stop` is set; blocks. A socket file that a dead server left behind is replaced.

    Each connection has a thread of its own, so a slow handler does not hold up others. A handler's exception becomes
    the error text of its answer. Handlers that take long look at the same `stop`.
    """
    clients: dict[threading.Thread, socket.socket] = {}
    with _listen(path) as listener:
        try:
            while not stop.is_set():
                for thread in [t for t in clients if not t.is_alive()]:
                    clients.pop(thread).close()
                try:
                    client, _ = listener.accept()
                except TimeoutError:
                    continue
                except OSError:  # out of descriptors: those in use come back
                    stop.wait(_ACCEPT)
                    continue
                if len(clients) >= _MAX_CLIENTS:
                    client.close()
                    continue
                thread = threading.Thread(target=_attend, args=(client, handlers, stop), name=f"rpc {path.name}")
                clients[thread] = client
                thread.start()
        finally:
            with contextlib.suppress(OSError):
                path.unlink()
            for client in clients.values():
                with contextlib.suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)
            for thread, client in clients.items():
                thread.join()
                client.close()


def _listen(path: Path) -> socket.socket:
    """The listening socket, readable by its owner alone from its first moment, in the place of any older one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(fresh))
        fresh.chmod(0o600)
        listener.listen(_MAX_CLIENTS)
        listener.settimeout(_ACCEPT)
        fresh.rename(path)
    except BaseException:
        listener.close()
        fresh.unlink(missing_ok=True)
        raise
    return listener


def _attend(client: socket.socket, handlers: Mapping[str, Handler], stop: threading.Event) -> None:
    client.settimeout(_IDLE)
    with contextlib.suppress(OSError), client.makefile("rb") as lines:
        while not stop.is_set():
            line = lines.readline(_MAX_REQUEST + 1)
            if not line:
                return
            whole = line.endswith(b"\n")
            answer = _answer(line, handlers) if whole else _error("The request is too long or not ended by a newline.")
            client.sendall(json.dumps(answer, separators=(",", ":")).encode() + b"\n")
            if not whole:
                return


def _answer(line: bytes, handlers: Mapping[str, Handler]) -> dict[str, Any]:
    try:
        request = json.loads(line)
        op = request.pop("op")
        handler = handlers[op]
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return _error(f"A request is a JSON object whose \"op\" is one of: {', '.join(sorted(handlers))}.")
    try:
        return {"ok": True, "result": handler(**request)}
    except OperatorError as e:
        return _error(e.message)
    except Exception as e:  # the asker gets to know; the server lives on
        return _error(f"{type(e).__name__}: {e}")


def _error(text: str) -> dict[str, Any]:
    return {"ok": False, "error": text}


def call(path: Path, op: str, timeout: float = 5.0, **arguments: Any) -> dict[str, Any]:
    """Asks once; `timeout` (seconds) bounds each wait for the other side. Raises `RpcError`."""
    hint = "Is its container running? `operator-demo status` tells."
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout)
            connection.connect(str(path))
            connection.sendall(json.dumps({"op": op, **arguments}).encode() + b"\n")
            with connection.makefile("rb") as lines:
                line = lines.readline(_MAX_ANSWER)
        answer = json.loads(line)
    except TimeoutError as e:
        raise RpcError(f"No answer from {path.name} within {timeout:g} s ({op}).", hint) from e
    except (OSError, ValueError) as e:
        raise RpcError(f"{path.name} does not answer ({op}): {e}.", hint) from e
    if not isinstance(answer, dict) or not answer.get("ok"):
        raise RpcError(str(answer.get("error", "no reason given")) if isinstance(answer, dict) else "Malformed answer.")
    return dict(answer["result"])
