"""A guard in a thread of the test, with a policy that the test writes."""

import asyncio
import contextlib
import io
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from operator_demo.approvals import LIMIT
from operator_demo.events import GUARD
from operator_demo.guard.approvals import Approvals
from operator_demo.guard.decision import Decision, Forward, Ruling, Shape
from operator_demo.guard.memory import Memory
from operator_demo.guard.proxy import Proxy
from operator_demo.guard.record import Record
from operator_demo.guard.request import AGENT, Request
from operator_demo.guard.upstream import Upstream
from operator_demo.store import Recorder, Store

RUN = "run-guard000"
STREAMS = {"logs", "wait", "stats"}


class Policy:
    """Allows everything, in the shape that fits, but for what a test says otherwise; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Request]] = []
        self.results: list[Any] = []
        self.rule: Callable[[Request], Decision | None] = lambda request: None

    async def decide(self, caller: str, request: Request) -> Decision:
        self.asked.append((caller, request))
        return self.rule(request) or allow(request)

    def answered(self, request: Request, decision: Decision, body: Any) -> None:
        self.results.append(body)


def allow(request: Request, **more: Any) -> Decision:
    return Decision(Ruling.ALLOW, "test", changes=request.method not in ("GET", "HEAD"),
                    forward=Forward(request.path, request.query, request.body,
                                    **{"shape": shape(request), "stream": request.stream, **more}))


def shape(request: Request) -> Shape:
    last = request.path[-1]
    if (request.path[0], last) == ("exec", "start") and not (request.body or {}).get("Detach"):
        return Shape.RAW
    if last == "attach":
        return Shape.RAW
    if last == "events":
        return Shape.EVENTS
    streams = last in STREAMS or (last == "archive" and request.method == "GET")
    return Shape.STREAM if streams else Shape.WHOLE


class Guard:
    """`stop` is idempotent."""

    def __init__(self, folder: Path, engine: Path, policy: Any = None, rate: float = 1e6,
                 limit: float = LIMIT, memory: Memory | None = None) -> None:
        """`policy` is used in the place of the test's own; `limit`: seconds in which a human may answer."""
        self.policy = Policy()
        self.path = folder / "agent" / "docker.sock"
        self.store = Store(folder / "tickets.db", durable=True)
        self.record = Record(Recorder(self.store, RUN, GUARD, io.StringIO()))
        self.approvals = Approvals(self.record, limit, memory)
        self.proxy = Proxy(policy or self.policy, self.record, Upstream(engine), rate, approvals=self.approvals)
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()
        self.do(self.proxy.serve(AGENT, self.path))

    def do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def stop(self) -> None:
        if self._thread.is_alive():
            self.do(self.proxy.stop())
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join()
            self.loop.close()
            self.store.close()

    def entries(self) -> list[Any]:
        return [event.data for event in self.store.events(RUN, source=GUARD)]

    def connections(self) -> int:
        return sum(len(clients) for clients in self.proxy._clients.values())

    def connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(20)
        connection.connect(str(self.path))
        return connection

    def send(self, raw: bytes) -> bytes:
        """Everything that comes back until the guard closes, or falls silent with a whole answer."""
        with self.connect() as connection:
            with contextlib.suppress(BrokenPipeError):  # it may refuse before it has read
                connection.sendall(raw)
                connection.shutdown(socket.SHUT_WR) if raw.endswith(b"EOF") else None
            return read_answer(connection)


def read_answer(connection: socket.socket) -> bytes:
    """One answer, as far as its head tells where it ends; otherwise all until the connection's end."""
    answer = b""
    while piece := connection.recv(65536):
        answer += piece
        head, found, body = answer.partition(b"\r\n\r\n")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        if found and lengths and len(body) >= int(lengths[0].split(b":")[1]):
            break
        if b"chunked" in head and body.endswith(b"0\r\n\r\n"):
            break
    return answer
