"""The agent: how soon it looks for a ticket, and what it adds to each answer of the model."""

import asyncio
import contextlib
import io
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from queue import Empty
from statistics import median
from typing import Any

import httpx2
from anthropic import AsyncAnthropic

from benchmarks.cluster import prepared_image
from benchmarks.measure import ROOT, Benchmark, Row, say
from operator_demo import events, tickets
from operator_demo.agent import session
from operator_demo.agent.rehearsal.operator import Call, Turn
from operator_demo.agent.rehearsal.server import RehearsalServer
from operator_demo.agent.stop import Stop
from operator_demo.engine import Container, Engine, connect, put_files
from operator_demo.events import Event
from operator_demo.stage.feed import Feed
from operator_demo.stage.inbox import Inbox
from operator_demo.store import Recorder, Store
from tests.agent.agent_bench import KEY, VIOLATIONS, Bench

STARTS = 10
PATIENCE = 30.0  # seconds
SESSIONS, STEPS = 5, 25
DISK = "/var/tmp"  # (where /tmp is memory, a commit costs nothing)


# -- the start -------------------------------------------------------------------------------------------------------


def start() -> list[Row]:
    engine = connect()
    try:
        image = prepared_image(engine)
        looks, claims = zip(*(_start(engine, image, number) for number in range(STARTS)), strict=True)
    finally:
        engine.close()
    return [Row("start of the agent's container to first look for a ticket", "", "s", looks, [], 1.5,
                against_theirs=False, remark="from the call that starts it to `agent_started`, said right before the "
                f"look; a ticket that waits is claimed after {median(claims):.2f} s, when the SDK is imported")]


def _start(engine: Engine, image: str, number: int) -> tuple[float, float]:
    """Seconds from the call that starts a fresh container, beside a store with an open ticket, until it looks, and
    until it has claimed the ticket."""
    say(f"agent: start {number + 1} of {STARTS}")
    name, run = f"bench-{secrets.token_hex(4)}", events.new_id("run")
    environment = {"OPERATOR_RUN": run, "OPERATOR_SUBJECT": "etcd", "OPERATOR_PROJECT": name,
                   "OPERATOR_SAFETY_MODE": "execute", "OPERATOR_BRAIN": "rehearsal", "OPERATOR_MODEL": "rehearsal",
                   "PYTHONUNBUFFERED": "1"}
    api, feed = engine.api, Feed(engine, run, {}, Inbox())
    made = api.create_container(
        image, ["operator-demo", "agent"], name=name, environment=environment, volumes=["/data"],
        host_config=api.create_host_config(binds=[f"{name}:/data"], network_mode="none", cap_drop=["ALL"],
                                           cap_add=["SETUID", "SETGID", "KILL"],
                                           security_opt=["no-new-privileges:true"]))["Id"]
    try:
        put_files(engine, made, "/data", {"tickets.db": _store_with_a_ticket(run)})
        called = engine.now()
        api.start(made)
        feed.follow([Container(made, name, "agent", "running", None, None, None, {}, image)])
        looks, claims = (events.parse_ts(_await(feed, type_).ts) for type_ in ("agent_started", "ticket_claimed"))
    finally:
        feed.stop()
        api.remove_container(made, force=True, v=True)
        api.remove_volume(name)
    return looks - called, claims - called


def _store_with_a_ticket(run: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tickets.db"
        with Store(path) as store:
            tickets.open_(Recorder(store, run, events.MONITOR, io.StringIO()), subject="etcd", severity="critical",
                          title="etcd2 is down", violations=VIOLATIONS)
        return path.read_bytes()


def _await(feed: Feed, type_: str) -> Event:
    end = time.monotonic() + PATIENCE
    while (left := end - time.monotonic()) > 0:
        try:
            item = feed.items.get(timeout=left)
        except Empty:
            break
        if isinstance(item, Event) and item.type == type_:
            return item
    raise RuntimeError(f"the agent did not say {type_}")


# -- the steps -------------------------------------------------------------------------------------------------------


def step() -> list[Row]:
    """The session, and then the very same requests through the SDK alone, to the same server in another process."""
    own: list[float] = []
    bare: list[float] = []
    with _server() as url:
        for number in range(-1, SESSIONS):  # the first one warms up
            say(f"agent: session {max(number + 1, 0)} of {SESSIONS}")
            whole, requests = _session(url)
            alone = asyncio.run(_bare(url, requests))
            if number >= 0:
                bare.append(1000 * alone / len(requests))
                own.append(1000 * (whole - alone) / len(requests))
    return [Row("agent's own time per step, model excluded", "bare SDK stream", "ms", own, bare, 20,
                against_theirs=False, remark="a step of thinking, prose and a finding: six events, each synced to the "
                "disk; theirs is the stream itself, which is taken off")]


def _session(url: str) -> tuple[float, list[Mapping[str, Any]]]:
    """Seconds of a whole session, and the requests that it made."""
    asked: list[Mapping[str, Any]] = []
    with tempfile.TemporaryDirectory(dir=DISK) as folder, contextlib.closing(Bench(Path(folder))) as bench:
        bench.open_ticket()
        work = bench.claimed()

        async def go() -> float:
            async with _client(url) as client:
                begin = time.perf_counter()
                await session.run(work, tickets.get(bench.store, work.ticket), _Noting(client, asked),  # type: ignore[arg-type]
                                  Stop())
                return time.perf_counter() - begin

        return asyncio.run(go()), asked


class _Noting:
    """A client that keeps what it is asked."""

    def __init__(self, client: AsyncAnthropic, asked: list[Mapping[str, Any]]) -> None:
        self._client, self._asked = client, asked
        self.messages = self

    def stream(self, **request: Any) -> Any:
        self._asked.append({**request, "messages": list(request["messages"])})
        return self._client.messages.stream(**request)


async def _bare(url: str, requests: list[Mapping[str, Any]]) -> float:
    async with _client(url) as client:
        begin = time.perf_counter()
        for request in requests:
            async with client.messages.stream(**request) as stream:
                async for _ in stream:
                    pass
        return time.perf_counter() - begin


def _client(url: str) -> AsyncAnthropic:
    return AsyncAnthropic(api_key=KEY, base_url=url, max_retries=0, timeout=10.0,
                          http_client=httpx2.AsyncClient(trust_env=False, timeout=10.0))


@contextmanager
def _server() -> Iterator[str]:
    """The address of a server that speaks the Messages API, in a process of its own."""
    with subprocess.Popen([sys.executable, "-m", "benchmarks.agent"], cwd=ROOT, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()
            process.wait(10)


def _answer(request: dict[str, Any]) -> Turn:
    number = sum(message["role"] == "assistant" for message in request["messages"])
    if number < STEPS - 1:
        call = Call("finding", {"member": "etcd2", "cause": "process_killed", "text": "It was ended by SIGKILL."})
    else:
        call = Call("escalate", {"reason": "That was the last step."})
    return Turn("Which member is it, and why? I look before I act. " * 4, "This is what I found so far. " * 3, (call,))


def _serve() -> None:
    with RehearsalServer(_answer, pace=0) as server:
        print(server.base_url, flush=True)
        sys.stdin.read()


BENCHMARKS: dict[str, Benchmark] = {"agent-start": start, "agent-step": step}

if __name__ == "__main__":
    _serve()
