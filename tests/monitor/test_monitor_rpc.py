import json
import socket
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from monitor_bench import Serving

from operator_demo import rpc
from operator_demo.errors import UsageError


def add(a: int, b: int = 0) -> dict[str, Any]:
    return {"sum": a + b}


def fail() -> dict[str, Any]:
    raise UsageError("You may not.")


def break_down() -> dict[str, Any]:
    raise ZeroDivisionError("oops")


@pytest.fixture
def server(short_folder: Path) -> Iterator[Serving]:
    made = Serving(short_folder / "s.sock", {"add": add, "fail": fail, "break": break_down})
    yield made
    made.end()


def raw(path: Path, *lines: bytes) -> list[dict[str, Any]]:
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(5)
        s.connect(str(path))
        answers = []
        with s.makefile("rwb") as stream:
            for line in lines:
                stream.write(line)
                stream.flush()
                answers.append(json.loads(stream.readline()))
        return answers


def test_a_call_gets_its_answer(server: Serving) -> None:
    assert rpc.call(server.path, "add", a=2, b=3) == {"sum": 5}


@pytest.mark.parametrize(("op", "arguments", "words"), [
    ("fail", {}, "You may not."), ("break", {}, "ZeroDivisionError: oops"), ("none", {}, "add, break, fail"),
    ("add", {}, "missing 1 required"), ("add", {"c": 1}, "unexpected keyword"),
])
def test_errors_come_back_as_words(server: Serving, op: str, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(rpc.RpcError, match=words):
        rpc.call(server.path, op, **arguments)
    assert rpc.call(server.path, "add", a=1) == {"sum": 1}, "the server lives on"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(st.binary(max_size=200).map(lambda b: b.replace(b"\n", b"")))
def test_garbage_gets_an_error_and_the_connection_goes_on(server: Serving, garbage: bytes) -> None:
    first, second = raw(server.path, garbage + b"\n", b'{"op":"add","a":1}\n')
    assert first["ok"] is False
    assert second == {"ok": True, "result": {"sum": 1}}


def test_a_request_that_is_too_long_ends_the_connection(server: Serving) -> None:
    assert raw(server.path, b"x" * 200_000 + b"\n")[0]["ok"] is False
    assert rpc.call(server.path, "add", a=1) == {"sum": 1}


def test_silent_clients_hold_up_neither_others_nor_the_end(server: Serving) -> None:
    silent = [socket.socket(socket.AF_UNIX) for _ in range(8)]
    for s in silent:
        s.connect(str(server.path))
        s.sendall(b'{"op":')
    assert rpc.call(server.path, "add", a=1) == {"sum": 1}
    began = time.monotonic()
    server.end()
    assert time.monotonic() - began < 2
    for s in silent:
        s.close()


def test_the_socket_is_its_owners_alone_and_goes_at_the_end(server: Serving) -> None:
    assert stat.S_IMODE(server.path.stat().st_mode) == 0o600
    server.end()
    assert not server.path.exists()
    with pytest.raises(rpc.RpcError, match="does not answer"):
        rpc.call(server.path, "add", a=1)


def test_what_a_dead_server_left_behind_is_replaced(short_folder: Path) -> None:
    path = short_folder / "s.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    again = Serving.__new__(Serving)
    again.path, again.stop = path, threading.Event()
    again._thread = threading.Thread(target=rpc.serve, args=(path, {"add": add}, again.stop))
    again._thread.start()
    end = time.monotonic() + 5
    while True:
        try:
            assert rpc.call(path, "add", a=1) == {"sum": 1}
            break
        except rpc.RpcError:
            assert time.monotonic() < end
    again.end()


def test_a_server_that_does_not_answer_costs_the_timeout(short_folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(short_folder / "s.sock"))
        mute.listen()
        began = time.monotonic()
        with pytest.raises(rpc.RpcError, match="No answer"):
            rpc.call(short_folder / "s.sock", "add", timeout=0.2)
        assert time.monotonic() - began < 2
