"""A real engine for the tests that need one, and a proxy in front of it whose connections can be cut."""

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

import http_socket
import pytest

from operator_demo.engine import Engine, connect


class Proxy:
    """A Unix socket before the engine's; `cut` breaks what goes through it now, `closed` what would come."""

    def __init__(self, path: Path) -> None:
        self.url = f"unix://{path}"
        self.closed = threading.Event()
        self.connections = 0
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        with self._lock:
            sockets, self._open = self._open, set()
        for s in sockets:
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.closed.is_set():
                client.close()
                continue
            server = socket.socket(socket.AF_UNIX)
            server.connect("/var/run/docker.sock")
            self.connections += 1
            with self._lock:
                self._open |= {client, server}
            for a, b in ((client, server), (server, client)):
                threading.Thread(target=self._copy, args=(a, b), daemon=True).start()

    def _copy(self, a: socket.socket, b: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := a.recv(65536):
                b.sendall(data)
        with contextlib.suppress(OSError):
            b.shutdown(socket.SHUT_WR)


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    made = Proxy(tmp_path / "proxy.sock")
    yield made
    made.close()


@pytest.fixture
def proxied(proxy: Proxy) -> Iterator[Engine]:
    """The engine, reached through `proxy`."""
    made = connect(proxy.url)
    yield made
    made.close()


class FakeEngine:
    """Speaks as much of the engine's API as pulling an image needs, for what no real registry does on demand."""

    version: ClassVar[dict[str, str]] = {"ApiVersion": "1.41", "Version": "0", "Arch": "amd64"}

    def __init__(self, path: Path) -> None:
        self.url = f"unix://{path}"
        self.images: set[str] = set()
        self.pull: list[dict[str, object]] = []  # what a pull says; afterwards the image is there
        self.hang = threading.Event()  # while unset, a pull is silent after that
        self.hang.set()
        self.headers: dict[str, str] = {}
        fake = self

        class Handler(http_socket.Handler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                if self.path.endswith("/version"):
                    self.answer(fake.version)
                elif self.path.endswith("/info"):
                    self.answer({"ID": "fake"})
                elif (name := unquote(self.path).split("/images/")[1].removesuffix("/json")) in fake.images:
                    self.answer({"Id": "sha256:" + name, "Config": {}})
                else:
                    self.answer({"message": f"No such image: {name}"}, 404)

            def do_POST(self) -> None:
                fake.headers = dict(self.headers)
                self.send_response(200)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for said in fake.pull:
                    line = json.dumps(said).encode() + b"\r\n"
                    self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
                    self.wfile.flush()
                fake.hang.wait()
                fake.images.add(parse_qs(urlsplit(self.path).query)["fromImage"][0])
                with contextlib.suppress(OSError):
                    self.wfile.write(b"0\r\n\r\n")

        self._server = http_socket.Server(path, Handler)

    def close(self) -> None:
        self.hang.set()
        self._server.close()


@pytest.fixture
def fake_engine(tmp_path: Path) -> Iterator[FakeEngine]:
    made = FakeEngine(tmp_path / "fake.sock")
    yield made
    made.close()
