"""A local server of the Messages API, so that the rehearsal uses the same client as Claude."""

import contextlib
import json
import secrets
import socket
import socketserver
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

from operator_demo.agent.rehearsal import messages
from operator_demo.agent.rehearsal.operator import Turn, decide

Brain = Callable[[dict[str, Any]], Turn]

PACE = 90.0  # characters a second: an audience can read along
_LARGEST = 32 * 1024 * 1024  # bytes of a request, as with the real service


class RehearsalServer:
    """Listens on a free port of `host` between `start` and `stop`; also a context manager.

    `pace` is the speed of streamed prose in characters per second; 0 sends all at once. `brain` makes the turns; an
    exception in it becomes an answer with status 500.
    """

    def __init__(self, brain: Brain = decide, pace: float = PACE, host: str = "127.0.0.1") -> None:
        self._brain = brain
        self._pace = pace
        self._host = host
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def base_url(self) -> str:
        """For the client's `base_url`. Raises `RuntimeError` before `start`."""
        if self._server is None:
            raise RuntimeError("the rehearsal server is not running")
        return f"http://{self._host}:{self._server.server_address[1]}"

    def start(self) -> None:
        if self._server is not None:
            return
        self._server = _Server(self._brain, self._pace, self._host)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="rehearsal")
        self._thread.start()

    def stop(self) -> None:
        """Ends open answers and returns when all threads have ended. May be called again."""
        if self._server is None or self._thread is None:
            return
        self._server.shutdown()
        self._server.hang_up()
        self._server.server_close()  # joins the threads of the connections
        self._thread.join()
        self._server = self._thread = None

    def __enter__(self) -> "RehearsalServer":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Server(socketserver.ThreadingTCPServer):
    """http.server's own class asks the resolver for the host's name, which may hang without a network."""

    daemon_threads = False
    block_on_close = True

    def __init__(self, brain: Brain, pace: float, host: str) -> None:
        self.brain = brain
        self.pace = pace
        self.stopping = threading.Event()
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__((host, 0), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        self.stopping.set()
        with self._lock:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Prints nothing: a broken connection is the client's concern."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_POST(self) -> None:
        self._request_id = f"req_{secrets.token_hex(12)}"
        body = self._body()
        if body is None:
            return
        if self.path.partition("?")[0] != "/v1/messages":
            self._fail(404, "not_found_error", f"Not found: {self.path[:200]}")
            return
        try:
            request = messages.check(json.loads(body))
        except messages.Malformed as e:
            self._fail(400, "invalid_request_error", str(e))
            return
        except (ValueError, RecursionError):
            self._fail(400, "invalid_request_error", "The request body is not valid JSON")
            return
        try:
            whole = messages.message(request, self.server.brain(request))
        except Exception as e:
            self._fail(500, "api_error", f"The rehearsal operator failed: {type(e).__name__}")
            return
        if request.get("stream"):
            self._stream(whole)
        else:
            self._answer(200, whole)

    def _body(self) -> bytes | None:
        """None when the request was answered with an error instead."""
        length = self.headers.get("content-length", "")
        if not length.isascii() or not length.isdigit():
            self.close_connection = True
            self._fail(411, "invalid_request_error", "Content-Length is required")
            return None
        if len(length) > 12 or int(length) > _LARGEST:
            self.close_connection = True
            self._fail(413, "request_too_large", "Request exceeds the maximum size")
            return None
        return self.rfile.read(int(length))

    def _stream(self, whole: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("request-id", self._request_id)
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        self.send_header("cache-control", "no-cache")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for name, data, prose in messages.events(whole):
            piece = f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()
            pause = prose / self.server.pace if self.server.pace > 0 else 0.0
            if pause and self.server.stopping.wait(pause):
                self.close_connection = True
                return
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("request-id", self._request_id)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)
        self.wfile.flush()

    def _fail(self, status: int, kind: str, text: str) -> None:
        self._answer(status, {"type": "error", "error": {"type": kind, "message": text},
                              "request_id": self._request_id})

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Errors of http.server itself (a bad request line, another method), in the API's format."""
        self._request_id = f"req_{secrets.token_hex(12)}"
        self.close_connection = True
        if code == 501:
            self._fail(405, "invalid_request_error", "Method Not Allowed")
        else:
            self._fail(code, "invalid_request_error", message or "Bad request")

    def log_message(self, format: str, *args: Any) -> None:
        """Prints nothing on the terminal."""
