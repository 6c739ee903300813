"""An engine that is gone, or that takes requests and answers none: whoever is told to stop does so within a moment."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import http_socket
import pytest

from operator_demo.engine import Container, Engine, EngineUnavailable, connect, exec_in, follow, watch
from operator_demo.stage.feed import Feed
from operator_demo.stage.inbox import Inbox

RUNNING = {"Name": "/c", "State": {"Running": True, "StartedAt": "2026-01-01T00:00:00Z"},
           "Config": {"Tty": False}, "HostConfig": {"LogConfig": {"Type": "json-file"}}}


class FadingEngine:
    """Answers until `silent` is set; then it takes requests and says nothing. `vanish` removes it."""

    def __init__(self, path: Path) -> None:
        self.path, self.url = path, f"unix://{path}"
        self.silent = threading.Event()
        self.asked = threading.Event()  # something was asked while it is silent
        self.over = threading.Event()
        self.connections: list[socket.socket] = []
        fake = self

        class Handler(http_socket.Handler):
            protocol_version = "HTTP/1.1"

            def answer(self, value: object, status: int = 200) -> None:
                if fake.silent.is_set():
                    fake.asked.set()
                    fake.over.wait()
                    return
                super().answer(value, status)

            def do_GET(self) -> None:
                if self.path.endswith("/version"):
                    self.answer({"ApiVersion": "1.41", "Version": "0", "Arch": "amd64"})
                elif self.path.endswith("/info"):
                    self.answer({"ID": "fake", "SystemTime": "2026-01-01T00:00:00Z"})
                elif self.path.endswith("/json"):
                    self.answer(RUNNING)
                else:  # logs and events: a stream that begins and is silent
                    if fake.silent.is_set():
                        fake.asked.set()
                        fake.over.wait()
                        return
                    self.send_response(200)
                    self.send_header("Transfer-Encoding", "chunked")
                    self.end_headers()
                    fake.over.wait()

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if self.path.endswith("/exec"):
                    self.answer({"Id": "e1"})
                else:
                    fake.asked.set()
                    fake.over.wait()

        class Server(http_socket.Server):
            daemon_threads = False  # `server_close` waits for them

            def process_request(self, request: Any, client_address: Any) -> None:
                fake.connections.append(request.dup())
                super().process_request(request, client_address)

        self._server = Server(path, Handler)

    def vanish(self) -> None:
        self.path.unlink(missing_ok=True)
        self.over.set()
        self._server.shutdown()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self._server.server_close()


@pytest.fixture
def fading(tmp_path: Path) -> Iterator[FadingEngine]:
    made = FadingEngine(tmp_path / "fading.sock")
    yield made
    if not made.over.is_set():
        made.vanish()


@pytest.fixture
def faded(fading: FadingEngine) -> Iterator[Engine]:
    made = connect(fading.url)
    yield made
    made.close()


Reader = Callable[[Engine, threading.Event], Iterator[object]]
READERS: dict[str, Reader] = {
    "follow": lambda engine, stop: follow(engine, "c", stop),
    "watch": lambda engine, stop: watch(engine, stop, since=0.0),
}


class Reading:
    def __init__(self, reader: Reader, engine: Engine) -> None:
        self.stop = threading.Event()
        self._thread = threading.Thread(target=lambda: list(reader(engine, self.stop)), daemon=True)
        self._thread.start()

    def stops(self) -> bool:
        self.stop.set()
        self._thread.join(5)
        return not self._thread.is_alive()


@pytest.mark.parametrize("name", READERS)
def test_a_reader_stops_although_the_engine_does_not_answer(name: str, fading: FadingEngine, faded: Engine) -> None:
    fading.silent.set()
    reading = Reading(READERS[name], faded)
    assert fading.asked.wait(10)
    assert reading.stops()


@pytest.mark.parametrize("name", READERS)
def test_a_reader_stops_although_the_engine_is_gone(name: str, fading: FadingEngine, faded: Engine) -> None:
    reading = Reading(READERS[name], faded)
    time.sleep(0.2)  # (in the middle of a silent answer)
    fading.vanish()
    time.sleep(0.5)  # (it tries again and again)
    assert reading.stops()


def test_a_command_in_a_container_gives_up(fading: FadingEngine, faded: Engine,
                                           monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("operator_demo.engine.execute._SETTLE", 0.2)
    with pytest.raises(EngineUnavailable):
        exec_in(faded, "c", ["true"], timeout=0.3)
    assert fading.asked.is_set()


def test_the_feed_stops_although_a_gap_is_being_filled(faded: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that waits for an exec is left behind, and does not keep the process alive."""
    waits = threading.Event()

    def fill(*_: object) -> Iterator[str]:
        waits.set()
        threading.Event().wait(60)
        yield ""

    monkeypatch.setattr("operator_demo.stage.feed.follow", fill)
    monkeypatch.setattr("operator_demo.stage.feed.PATIENCE", 0.2)
    feed = Feed(faded, "run-1", {}, Inbox())
    feed.follow([Container("id", "p-agent-1", "agent", "running", None, None, None, {}, "i")])
    assert waits.wait(5)
    began = time.monotonic()
    feed.stop()
    assert time.monotonic() - began < 5
    assert all(thread.daemon for thread in threading.enumerate() if thread.name == "log of agent")
