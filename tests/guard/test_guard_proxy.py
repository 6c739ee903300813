"""What the proxy forwards, records and answers, in front of a stand-in for the engine."""

import contextlib
import json
import os
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import http_socket
import pytest
from fake_engine import FakeEngine, Received
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from running_guard import RUN, Guard, allow, read_answer

from operator_demo import events
from operator_demo.guard import client as client_module
from operator_demo.guard.decision import Decision, Ruling, Target
from operator_demo.guard.http import MAX_BODY, MAX_HEAD, target
from operator_demo.guard.pace import Pace
from operator_demo.guard.proxy import BURST, MAX_CLIENTS
from operator_demo.guard.request import Request
from operator_demo.guard.upstream import MAX_ANSWER

PING = b"GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n"
RESTART = b"POST /v1.41/containers/etcd1/restart?t=1 HTTP/1.1\r\nHost: docker\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[FakeEngine]:
    made = FakeEngine(tmp_path / "engine.sock")
    yield made
    made.close()


@pytest.fixture
def guard(make_guard: Callable[[Path], Guard], engine: FakeEngine) -> Guard:
    return make_guard(engine.path)


def post(path: str, body: bytes, content_type: str = "application/json", more: bytes = b"") -> bytes:
    return (f"POST {path} HTTP/1.1\r\nHost: docker\r\nContent-Type: {content_type}\r\n"
            f"Content-Length: {len(body)}\r\n").encode() + more + b"\r\n" + body


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def message(answer: bytes) -> str:
    return str(json.loads(answer.partition(b"\r\n\r\n")[2])["message"])


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


# -- decide, record, forward ------------------------------------------------------------------------------------------


def test_what_is_allowed_is_forwarded_as_it_was_understood(guard: Guard, engine: FakeEngine) -> None:
    headers = b"X-Registry-Auth: abc\r\nAccept-Encoding: gzip\r\nX-Forwarded-For: me\r\n"
    answer = guard.send(post("/v1.41/containers/a/exec?x=a%2Bb", b'{ "Cmd" : ["ls"] }', more=headers))
    assert (status(answer), answer.endswith(b'{"a": 1}')) == (200, True)
    [received] = engine.received
    assert (received.method, received.target) == ("POST", "/v1.41/containers/a/exec?x=a%2Bb")
    assert json.loads(received.body) == {"Cmd": ["ls"]}
    assert set(received.headers) == {"Host", "Content-Type", "Content-Length"}


def test_what_is_known_already_is_not_asked_for_again(guard: Guard, engine: FakeEngine) -> None:
    guard.policy.rule = lambda request: allow(request, known={"a": 1, "secret": 2}, keep=lambda answer: {"a": 1})
    assert guard.send(b"GET /containers/a/json HTTP/1.1\r\nHost: docker\r\n\r\n").endswith(b'{"a": 1}')
    assert engine.received == []
    older = guard.send(b"GET /v1.30/containers/a/json HTTP/1.1\r\nHost: docker\r\n\r\n")
    assert (status(older), [received.target for received in engine.received]) == (200, ["/v1.30/containers/a/json"])


def test_what_is_refused_reaches_no_engine_and_is_recorded(guard: Guard, engine: FakeEngine) -> None:
    refusal = Decision(Ruling.DENY, "outside the subject", "Not yours. Yours are etcd1 to etcd3.",
                       Target("container", "f00", "other", None), status=404, destructive=True)
    guard.policy.rule = lambda request: refusal
    answer = guard.send(RESTART)
    assert (status(answer), message(answer)) == (404, "Not yours. Yours are etcd1 to etcd3.")
    assert engine.received == []
    [entry] = guard.entries()
    assert (entry.caller, entry.ruling, entry.rule, entry.method) == ("agent", "deny", "outside the subject", "POST")
    assert (entry.path, entry.object, entry.object_id) == ("/containers/etcd1/restart?t=1", "other", "f00")
    assert entry.destructive and entry.digest == guard.policy.asked[0][1].digest


def test_looking_is_not_recorded(guard: Guard, engine: FakeEngine) -> None:
    assert status(guard.send(PING)) == 200
    assert guard.entries() == []


def test_the_entry_is_on_disk_before_the_engine_hears_of_it(guard: Guard, engine: FakeEngine) -> None:
    seen: list[int] = []

    def count(handler: http_socket.Handler, request: Received) -> None:
        with sqlite3.connect(guard.store.path) as db:
            seen.append(db.execute("SELECT count(*) FROM events WHERE source='guard'").fetchone()[0])
        handler.answer({})

    engine.answer = count
    guard.send(RESTART)
    assert seen == [1]


def test_what_cannot_be_recorded_is_not_done(guard: Guard, engine: FakeEngine) -> None:
    guard.store.wait_for_lock(0.1)
    with sqlite3.connect(guard.store.path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        answer = guard.send(RESTART)
        assert status(answer) == 503 and "recorded" in message(answer)
        assert status(guard.send(PING)) == 200
    assert [request.method for request in engine.received] == ["GET"]


def test_a_policy_that_fails_lets_nothing_through(guard: Guard, engine: FakeEngine) -> None:
    def fail(request: Request) -> Decision:
        raise KeyError("a defect")

    guard.policy.rule = fail
    assert status(guard.send(RESTART)) == 500
    assert engine.received == []
    guard.policy.rule = lambda request: None
    assert status(guard.send(PING)) == 200


def test_the_tool_call_that_runs_is_named(guard: Guard) -> None:
    def agent_says(payload: events.Payload) -> None:
        guard.store.record(events.event(RUN, events.AGENT, payload, ticket="tic-1", session="ses-1"))

    def newest() -> tuple[Any, ...]:
        guard.send(RESTART)
        *_, event = guard.store.events(RUN, source=events.GUARD)
        assert isinstance(event.data, events.Guard)
        return event.ticket, event.session, event.data.call

    assert newest() == (None, None, None)
    agent_says(events.SessionStarted(model="m", brain="b", mode="execute"))
    assert newest() == ("tic-1", "ses-1", None)
    agent_says(events.ToolCall(call="call-1", tool="shell", input={"command": "docker restart etcd1"}))
    assert newest() == ("tic-1", "ses-1", "call-1")
    agent_says(events.ToolResult(call="call-1", tool="shell", status="ok", output=""))
    assert newest() == ("tic-1", "ses-1", None)
    agent_says(events.SessionFinished(status="verified", summary=""))
    assert newest() == (None, None, None)


def test_the_policy_learns_what_was_made_before_its_caller_does(guard: Guard, engine: FakeEngine) -> None:
    engine.says({"Id": "e1"}, 201)
    guard.send(post("/containers/a/exec", b'{"Cmd": ["ls"]}'))
    engine.says({"message": "no such container"}, 404)
    guard.send(post("/containers/b/exec", b'{"Cmd": ["ls"]}'))
    assert guard.policy.results == [{"Id": "e1"}]


# -- answers ----------------------------------------------------------------------------------------------------------


def test_a_whole_answer_is_filtered(guard: Guard, engine: FakeEngine) -> None:
    engine.says([{"Id": 1}, {"Id": 2}])
    guard.policy.rule = lambda request: allow(request, keep=lambda listed: [c for c in listed if c["Id"] == 2])
    assert guard.send(PING).endswith(b'\r\n\r\n[{"Id": 2}]')
    guard.policy.rule = lambda request: allow(request, keep=lambda listed: None)
    assert status(guard.send(PING)) == 404


def test_a_filter_that_fails_shows_nothing(guard: Guard, engine: FakeEngine) -> None:
    engine.says({"secret": 1})
    guard.policy.rule = lambda request: allow(request, keep=lambda value: value["other"])
    answer = guard.send(PING)
    assert status(answer) == 500 and b"secret" not in answer
    guard.policy.rule = lambda request: allow(request, keep=lambda value: value)
    engine.answer = lambda handler, request: say(handler, b"no JSON")
    assert status(guard.send(PING)) == 502


def say(handler: http_socket.Handler, body: bytes) -> None:
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(body)


def test_events_are_filtered_one_by_one(guard: Guard, engine: FakeEngine) -> None:
    engine.answer = lambda handler, request: say(handler, b'{"a":1}\n{"a":2}\nno JSON\n\n{"a":3}\n{"a":')
    guard.policy.rule = lambda request: allow(request, keep=lambda e: None if e["a"] == 2 else e)
    answer = guard.send(b"GET /events HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n")
    assert b'{"a": 1}' in answer and b'{"a": 3}' in answer
    assert b'"a": 2' not in answer and b"no JSON" not in answer and answer.count(b'"a"') == 2


def test_an_error_of_the_engine_is_told_as_it_is(guard: Guard, engine: FakeEngine) -> None:
    engine.says({"message": "cannot kill"}, 409)
    guard.policy.rule = lambda request: allow(request, keep=lambda value: None)
    answer = guard.send(RESTART)
    assert (status(answer), message(answer)) == (409, "cannot kill")


def test_an_engine_that_is_gone(guard: Guard, engine: FakeEngine) -> None:
    engine.close()
    engine.path.unlink()
    assert status(guard.send(PING)) == 502


def test_an_engine_that_breaks_off(guard: Guard, engine: FakeEngine) -> None:
    engine.answer = lambda handler, request: handler.connection.shutdown(socket.SHUT_RDWR)
    assert status(guard.send(PING)) == 502

    def cut_off(handler: http_socket.Handler, request: Received) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b"some")

    engine.answer = cut_off
    answer = guard.send(PING)
    assert answer.endswith(b"some\r\n")  # without the last chunk, the client can tell that something is missing
    guard.policy.rule = lambda request: allow(request, keep=lambda value: value)
    assert status(guard.send(PING)) == 502


def test_an_answer_that_is_too_large_to_filter(guard: Guard, engine: FakeEngine) -> None:
    engine.says("x" * MAX_ANSWER)
    with guard.connect() as connection:
        connection.sendall(PING.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert len(read_answer(connection)) > MAX_ANSWER  # nobody has to look at this one
    guard.policy.rule = lambda request: allow(request, keep=lambda value: value)
    assert status(guard.send(PING)) == 502


def test_a_client_that_hangs_up_ends_its_request(guard: Guard, engine: FakeEngine) -> None:
    ended = threading.Event()

    def write_on(handler: http_socket.Handler, request: Received) -> None:
        try:
            say(handler, b"")
            while True:
                handler.wfile.write(b"line\n")
                time.sleep(0.01)
        except OSError:
            ended.set()

    engine.answer = write_on
    with guard.connect() as connection:
        connection.sendall(b"GET /containers/a/logs HTTP/1.1\r\nHost: docker\r\n\r\n")
        assert b"200" in connection.recv(1000)
    assert ended.wait(20)
    wait_until(lambda: guard.connections() == 0)


def test_a_client_that_hangs_up_while_the_engine_is_silent(guard: Guard, engine: FakeEngine) -> None:
    asked, ended = threading.Event(), threading.Event()

    def wait(handler: http_socket.Handler, request: Received) -> None:
        asked.set()
        assert handler.connection.recv(1) == b""
        ended.set()

    engine.answer = wait
    with guard.connect() as connection:
        connection.sendall(RESTART)
        assert asked.wait(20)
    assert ended.wait(20)
    wait_until(lambda: guard.connections() == 0)


def test_a_client_that_does_not_read_holds_the_engine_back(guard: Guard, engine: FakeEngine) -> None:
    written = [0]

    def write_on(handler: http_socket.Handler, request: Received) -> None:
        with contextlib.suppress(OSError):
            say(handler, b"")
            while True:
                handler.wfile.write(b"x" * 65536)
                written[0] += 65536

    def stands_still() -> bool:
        before = written[0]
        time.sleep(0.5)
        return 0 < before == written[0]

    engine.answer = write_on
    with guard.connect() as connection:
        connection.sendall(b"GET /containers/a/logs HTTP/1.1\r\nHost: docker\r\n\r\n")
        wait_until(stands_still)
        assert written[0] < 8 * 1024 * 1024
    wait_until(lambda: guard.connections() == 0)


def test_a_connection_serves_one_request_after_the_other(guard: Guard, engine: FakeEngine) -> None:
    with guard.connect() as connection:
        for _ in range(3):
            connection.sendall(PING)
            assert status(read_answer(connection)) == 200
            connection.sendall(post("/containers/a/exec", b"{}"))
            assert status(read_answer(connection)) == 200
    assert len(engine.received) == 6


# -- malformed, too large, too slow, too many -------------------------------------------------------------------------


def test_a_malformed_request_is_recorded(guard: Guard, engine: FakeEngine) -> None:
    answer = guard.send(b"GET /containers//\x1b[2Jjson HTTP/1.1\r\nHost: docker\r\n\r\n")
    assert status(answer) == 400 and "Refused by the guard" in message(answer)
    [entry] = guard.entries()
    assert (entry.ruling, entry.rule, entry.method) == ("deny", "malformed request", "GET")
    assert "\x1b" not in entry.path
    assert guard.policy.asked == [] and engine.received == []


@pytest.mark.parametrize("raw", [
    pytest.param(post("/containers/create", b'{"a": 1, "A": 2}'), id="JSON keys that differ in case"),
    pytest.param(post("/containers/create", b" " * MAX_BODY + b"{}"), id="large body"),
    pytest.param(b"GET /" + b"a" * MAX_HEAD + b" HTTP/1.1\r\n\r\n", id="large head"),
    pytest.param(b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
                 b"zz\r\n", id="bad chunk"),
])
def test_what_is_malformed_or_too_large_is_refused(guard: Guard, engine: FakeEngine, raw: bytes) -> None:
    assert status(guard.send(raw)) == 400
    assert guard.policy.asked == [] and engine.received == [] and len(guard.entries()) == 1


def test_a_body_of_another_kind_goes_only_where_the_policy_says_so(guard: Guard, engine: FakeEngine) -> None:
    archive = os.urandom(300_000)
    assert status(guard.send(post("/containers/a/archive", archive, "application/x-tar"))) == 200
    assert engine.received[0].body == archive
    guard.policy.rule = lambda request: allow(Request(request.method, request.path))
    assert status(guard.send(post("/build", archive, "application/x-tar"))) == 400
    assert len(engine.received) == 1


def test_an_archive_that_is_cut_off_is_not_ended_for_the_engine(guard: Guard, engine: FakeEngine) -> None:
    raw = b"PUT /containers/a/archive HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"
    with guard.connect() as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1000)
    wait_until(lambda: guard.connections() == 0)
    assert engine.received == []  # it remembers what came whole


def test_a_slow_client_loses_its_connection(guard: Guard, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "_IDLE", 0.2)
    monkeypatch.setattr(client_module, "_BODY", 0.2)
    with guard.connect() as connection:
        connection.sendall(b"GET /_ping HTT")
        assert connection.recv(1000) == b""
    with guard.connect() as connection:
        connection.sendall(post("/containers/a/exec", b"{}")[:-1])
        assert status(read_answer(connection)) == 400
    assert engine.received == []


def test_connections_are_bounded(guard: Guard, engine: FakeEngine) -> None:
    held = [guard.connect() for _ in range(MAX_CLIENTS)]
    try:
        wait_until(lambda: guard.connections() == MAX_CLIENTS)
        assert status(guard.send(PING)) == 503
    finally:
        for connection in held:
            connection.close()
    wait_until(lambda: guard.connections() == 0)
    assert status(guard.send(PING)) == 200


def test_the_socket_of_a_guard_that_died_is_replaced(tmp_path: Path, engine: FakeEngine,
                                                      make_guard: Callable[[Path], Guard]) -> None:
    folder = tmp_path / "agent"
    folder.mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(folder / "docker.sock"))
    guard = make_guard(engine.path)
    assert status(guard.send(PING)) == 200
    assert guard.path.stat().st_mode & 0o777 == 0o666


def test_a_stopped_guard_ends_what_is_in_flight_and_serves_nobody(guard: Guard, engine: FakeEngine) -> None:
    asked = threading.Event()

    def wait(handler: http_socket.Handler, request: Received) -> None:
        asked.set()
        handler.connection.recv(1)

    engine.answer = wait
    with guard.connect() as connection:
        connection.sendall(RESTART)
        assert asked.wait(20)
        guard.stop()
        assert connection.recv(1000) == b""
    with pytest.raises(ConnectionRefusedError):
        guard.connect()


def test_a_flood_of_refusals_does_not_fill_the_record(tmp_path: Path, engine: FakeEngine,
                                                      make_guard: Callable[..., Guard]) -> None:
    guard = make_guard(engine.path, rate=2.0)
    guard.policy.rule = lambda request: Decision(Ruling.DENY, "no", "No.")
    began = time.monotonic()
    with guard.connect() as connection:
        for _ in range(BURST + 2):
            connection.sendall(PING)
            assert status(read_answer(connection)) == 403
    elapsed = time.monotonic() - began
    assert BURST <= len(guard.entries()) <= BURST + 1 + 2 * elapsed
    guard.policy.rule = lambda request: None
    assert status(guard.send(PING)) == 200  # what is not recorded does not wait


@given(st.lists(st.floats(0, 0.2), min_size=50, max_size=300))
def test_a_pace_is_kept_whatever_comes(pauses: list[float]) -> None:
    now = [0.0]
    pace = Pace(burst=10, rate=20.0, clock=lambda: now[0])
    turns = []
    for pause in pauses:
        now[0] += pause
        turns.append(now[0] + pace.delay())
    assert turns[:10] == sorted(turns[:10])
    for first, later in zip(turns, turns[31:], strict=False):
        assert later - first > 0.99  # never 31 turns in a second: ten at once, twenty in its course


# -- any bytes --------------------------------------------------------------------------------------------------------

PARTS = [b"GET ", b"POST ", b"/containers/a/json", b"/_ping", b"?a=1", b" HTTP/1.1", b"\r\n", b"\r\n\r\n", b"Host: a",
         b"Content-Length: 5", b"Content-Type: application/json", b"Transfer-Encoding: chunked", b"{}", b"0\r\n\r\n",
         b"Upgrade: tcp", b"Connection: Upgrade", b"Expect: 100-continue", PING, RESTART, b"\x00", b"\n"]
pieces_of_http = st.lists(st.sampled_from(PARTS) | st.binary(max_size=8), max_size=12)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 200), max_size=6))
def test_a_request_may_come_in_any_pieces(guard: Guard, engine: FakeEngine, cuts: list[int]) -> None:
    raw = post("/containers/a/exec?b=c", b'{"Cmd": ["ls"]}')
    engine.received.clear()
    with guard.connect() as connection:
        for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(raw)], strict=True):
            connection.sendall(raw[start:end])
        assert status(read_answer(connection)) == 200
    assert engine.bodies() == [{"Cmd": ["ls"]}]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces_of_http, st.lists(st.integers(0, 200), max_size=4))
def test_nothing_undecided_is_forwarded_and_nothing_hangs(guard: Guard, engine: FakeEngine, parts: list[bytes],
                                                          cuts: list[int]) -> None:
    raw = b"".join(parts)
    with guard.connect() as connection:
        try:
            for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(raw)], strict=True):
                connection.sendall(raw[start:end])
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
        except OSError:
            pass  # the guard was faster to hang up
    wait_until(lambda: guard.connections() == 0)
    # Of all examples so far, since the engine may hear of one late, when its client is gone.
    decided = [(request.method, target(request.version, request.path, request.query))
               for _, request in guard.policy.asked]
    for received in engine.received:
        assert (received.method, received.target) in decided
    assert len(engine.received) <= len(decided)
