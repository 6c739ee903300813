"""A small HTTP server and client for the stand-ins."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, Any]  # status; bytes as they are, anything else as JSON
Route = Callable[[str, str, dict[str, str], bytes], Answer]  # method, path with query, headers, body


def serve(port: int, route: Route) -> None:
    """Serves in a thread until the process ends."""
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, content = route(self.command, self.path, dict(self.headers), body)
            raw = content if isinstance(content, bytes) else json.dumps(content, indent=2).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; version=0.0.4" if isinstance(content, bytes)
                             else "application/json; charset=UTF-8")
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

    threading.Thread(target=Server(("", port), Handler).serve_forever, daemon=True).start()


def forward(method: str, url: str, body: bytes, timeout: float) -> Answer:
    """Status and body as they came; raises `OSError` where none came."""
    request = urllib.request.Request(url, body or None, method=method)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as e:
        return e.code, e.read()


def ask(url: str, body: Any = None, timeout: float = 0.5) -> Any:
    """The decoded answer; raises `OSError` or `ValueError`."""
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data), timeout=timeout) as answer:
        return json.loads(answer.read() or b"null")
