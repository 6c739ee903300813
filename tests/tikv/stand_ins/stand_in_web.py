"""A small HTTP server and client for the stand-ins."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Text:
    """A body that is sent as it is; an empty one without a type."""

    body: str
    type: str = "text/plain; charset=utf-8"


@dataclass(frozen=True)
class Compact:
    """What PD answers as JSON without naming it so."""

    value: Any


Answer = tuple[int, Any]  # status; `Text`, `Compact`, or what is sent as JSON
Route = Callable[[str, str, dict[str, str], bytes], Answer]  # method, path with query, headers, body


def encoded(content: Any) -> tuple[bytes, str]:
    """Body and content type."""
    if isinstance(content, Text):
        return content.body.encode(), content.type if content.body else ""
    if isinstance(content, Compact):
        return json.dumps(content.value, separators=(",", ":")).encode(), "application/octet-stream"
    return json.dumps(content, indent=2).encode() + b"\n", "application/json; charset=UTF-8"


def serve(port: int, route: Route, host: str = "") -> None:
    """Serves in a thread until the process ends."""
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet
        disable_nagle_algorithm = True

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, content = route(self.command, self.path, dict(self.headers), body)
            raw, type_ = encoded(content)
            self.send_response(status)
            if type_:
                self.send_header("Content-Type", type_)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = do_DELETE = answer

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, *_: object) -> None:
            """A client that hung up is no matter."""

    threading.Thread(target=Server((host, port), Handler).serve_forever, daemon=True).start()


def forward(method: str, url: str, body: bytes, timeout: float) -> Answer:
    """Status and body as they came; raises `OSError` where none came."""
    request = urllib.request.Request(url, body or None, method=method)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.status, Text(answer.read().decode(), answer.headers.get("Content-Type") or "")
    except urllib.error.HTTPError as e:
        return e.code, Text(e.read().decode(), e.headers.get("Content-Type") or "")


def ask(url: str, body: Any = None, timeout: float = 0.5) -> Any:
    """The decoded answer; raises `OSError` or `ValueError`."""
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data), timeout=timeout) as answer:
        return json.loads(answer.read() or b"null")
