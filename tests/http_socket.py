"""An HTTP server on a Unix socket, for stand-ins of an engine."""

import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer


class Handler(BaseHTTPRequestHandler):
    """Prints nothing. With HTTP/1.0, as here, no connection and no thread outlives its answer."""

    def address_string(self) -> str:
        return "test"

    def log_message(self, format: str, *args: object) -> None:
        return

    def answer(self, value: object, status: int = 200, more: Mapping[str, str] | None = None) -> None:
        """As JSON; `more` are headers."""
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, text in (more or {}).items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingMixIn, UnixStreamServer):
    """Serves from the beginning, in its own thread, until `close`."""

    daemon_threads = True

    def __init__(self, path: Path, handler: type[Handler]) -> None:
        super().__init__(str(path), handler)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()
