"""A stand-in for an engine, which remembers what reached it and answers as a test says."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import http_socket


@dataclass
class Received:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class FakeEngine:
    path: Path
    received: list[Received] = field(default_factory=list)
    answer: Callable[[http_socket.Handler, Received], None] = lambda handler, request: handler.answer({"a": 1})

    def __post_init__(self) -> None:
        fake = self

        class Handler(http_socket.Handler):
            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = _chunks(self.rfile) if "Transfer-Encoding" in self.headers else self.rfile.read(length)
                fake.received.append(Received(self.command, self.path, dict(self.headers), body))
                fake.answer(self, fake.received[-1])

            do_POST = do_PUT = do_DELETE = do_HEAD = do_GET

        self._server = http_socket.Server(self.path, Handler)

    def close(self) -> None:
        self._server.close()

    def says(self, value: Any, status: int = 200) -> None:
        self.answer = lambda handler, request: handler.answer(value, status)

    def bodies(self) -> list[Any]:
        return [json.loads(request.body) for request in self.received]


def _chunks(file: Any) -> bytes:
    body = b""
    while size := int(file.readline() or b"cut off", 16):
        body += file.read(size)
        file.readline()
    return body
