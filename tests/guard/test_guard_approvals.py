"""A request that waits for a human: what is told, what counts as an answer, and how it ends without one."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_engine import FakeEngine
from running_guard import Guard, allow, read_answer

from operator_demo import rpc
from operator_demo.approvals import LIMIT
from operator_demo.errors import OperatorError
from operator_demo.events import ApprovalAnswered, ApprovalRequested, ToolCall
from operator_demo.events import Guard as Entry
from operator_demo.guard import answering
from operator_demo.guard.client import MAX_HELD
from operator_demo.guard.decision import Decision, Ruling, Target
from operator_demo.guard.memory import Memory
from operator_demo.guard.request import Request
from operator_demo.store import Recorder

STOP = b"POST /v1.41/containers/%s/stop HTTP/1.1\r\nHost: docker\r\nContent-Length: 0\r\n\r\n"


def ask(request: Request) -> Decision:
    about = Target("container", f"id-{request.path[1]}", f"demo-{request.path[1]}-1", request.path[1])
    return replace(allow(request), ruling=Ruling.ASK, rule=f"docker {request.path[-1]}", target=about, destructive=True)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[FakeEngine]:
    made = FakeEngine(tmp_path / "engine.sock")
    yield made
    made.close()


@pytest.fixture
def guard(make_guard: Callable[..., Guard], engine: FakeEngine) -> Guard:
    guard = make_guard(engine.path)
    guard.policy.rule = ask
    return guard


class Caller:
    """Sends a request that waits; `answer` is what came back in the end."""

    def __init__(self, guard: Guard, member: bytes = b"etcd1") -> None:
        self.connection = guard.connect()
        self.connection.sendall(STOP % member)
        self._answers: list[bytes] = []
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        with self.connection:
            self._answers.append(read_answer(self.connection))

    def answer(self) -> bytes:
        self._thread.join(20)
        return self._answers[0]


def told(guard: Guard, kind: type[Any], count: int = 1) -> list[Any]:
    end = time.monotonic() + 20
    while len(found := [entry for entry in guard.entries() if isinstance(entry, kind)]) < count:
        assert time.monotonic() < end
        time.sleep(0.02)
    return found


def say(guard: Guard, id: str, digest: str, answer: str) -> None:
    async def answering() -> None:
        guard.approvals.answer(id, digest, answer, "anna")
    guard.do(answering())


def test_it_waits_until_a_human_says_yes(guard: Guard, engine: FakeEngine) -> None:
    caller = Caller(guard)
    [asked] = told(guard, ApprovalRequested)
    assert engine.received == []
    assert (asked.method, asked.member, asked.destructive, asked.limit) == ("POST", "etcd1", True, LIMIT)
    assert asked.digest == guard.policy.asked[0][1].digest
    say(guard, asked.id, asked.digest, "yes")
    assert caller.answer().startswith(b"HTTP/1.1 200")
    assert len(engine.received) == 1
    [answered] = told(guard, ApprovalAnswered)
    assert (answered.id, answered.answer, answered.by) == (asked.id, "yes", "anna")
    [entry] = told(guard, Entry)
    assert (entry.ruling, entry.reason) == ("allow", "approved (yes) by anna")


def test_no_is_an_error_of_docker_that_says_why(guard: Guard, engine: FakeEngine) -> None:
    caller = Caller(guard)
    [asked] = told(guard, ApprovalRequested)
    say(guard, asked.id, asked.digest, "no")
    answer = caller.answer()
    assert answer.startswith(b"HTTP/1.1 403")
    assert b"anna said no" in answer
    assert engine.received == []
    [entry] = told(guard, Entry)
    assert (entry.ruling, entry.rule) == ("deny", "not approved")


def test_an_answer_counts_once_and_for_this_request_alone(guard: Guard, engine: FakeEngine) -> None:
    first, second = Caller(guard), Caller(guard, b"etcd2")
    asked = {entry.member: entry for entry in told(guard, ApprovalRequested, 2)}
    with pytest.raises(OperatorError, match="another request"):
        say(guard, asked["etcd1"].id, asked["etcd2"].digest, "yes")
    with pytest.raises(OperatorError, match="An answer is"):
        say(guard, asked["etcd1"].id, asked["etcd1"].digest, "maybe")
    with pytest.raises(OperatorError, match="does not wait"):
        say(guard, "ask-unknown", asked["etcd1"].digest, "yes")
    assert engine.received == []
    say(guard, asked["etcd1"].id, asked["etcd1"].digest, "yes")
    first.answer()
    with pytest.raises(OperatorError, match="does not wait"):
        say(guard, asked["etcd1"].id, asked["etcd1"].digest, "yes")
    third = Caller(guard)  # the same request again is asked about again
    [*_, again] = told(guard, ApprovalRequested, 3)
    assert (again.digest, again.id == asked["etcd1"].id) == (asked["etcd1"].digest, False)
    for entry in (again, asked["etcd2"]):
        say(guard, entry.id, entry.digest, "no")
    assert second.answer().startswith(b"HTTP/1.1 403")
    assert third.answer().startswith(b"HTTP/1.1 403")
    assert len(engine.received) == 1


def test_always_is_for_this_kind_on_this_member(guard: Guard, engine: FakeEngine) -> None:
    caller = Caller(guard)
    [asked] = told(guard, ApprovalRequested)
    say(guard, asked.id, asked.digest, "always")
    caller.answer()
    assert Caller(guard).answer().startswith(b"HTTP/1.1 200")
    assert len(told(guard, ApprovalRequested)) == 1
    assert told(guard, Entry, 2)[1].reason == "always approved by anna"
    other = Caller(guard, b"etcd2")
    asked = told(guard, ApprovalRequested, 2)[1]
    say(guard, asked.id, asked.digest, "no")
    other.answer()
    restart = guard.connect()
    restart.sendall((STOP % b"etcd1").replace(b"/stop", b"/restart"))
    assert told(guard, ApprovalRequested, 3)[2].rule == "docker restart"
    restart.close()


def test_always_holds_for_a_guard_that_was_started_again(make_guard: Callable[..., Guard], engine: FakeEngine,
                                                          tmp_path: Path) -> None:
    path = tmp_path / "memory" / "run.jsonl"
    first = make_guard(engine.path, memory=Memory(path))
    first.policy.rule = ask
    caller = Caller(first)
    [asked] = told(first, ApprovalRequested)
    say(first, asked.id, asked.digest, "always")
    caller.answer()
    first.stop()
    second = make_guard(engine.path, memory=Memory(path))
    second.policy.rule = ask
    assert Caller(second).answer().startswith(b"HTTP/1.1 200")
    assert len(told(second, ApprovalRequested)) == 1


def put(content: bytes) -> bytes:
    head = (f"PUT /v1.41/containers/etcd1/archive?path=/data HTTP/1.1\r\nHost: docker\r\n"
            f"Content-Type: application/x-tar\r\nContent-Length: {len(content)}\r\n\r\n")
    return head.encode() + content


def test_an_archive_is_approved_with_its_content(guard: Guard, engine: FakeEngine) -> None:
    def send(content: bytes, number: int) -> Any:
        connection = guard.connect()
        connection.sendall(put(content))
        return connection, told(guard, ApprovalRequested, number)[-1]

    first, asked = send(b"a" * 100_000, 1)
    second, other = send(b"a" * 99_999 + b"b", 2)
    with pytest.raises(OperatorError, match="another request"):
        say(guard, other.id, asked.digest, "yes")
    say(guard, asked.id, asked.digest, "yes")
    assert read_answer(first).startswith(b"HTTP/1.1 200")
    assert [received.body for received in engine.received] == [b"a" * 100_000]
    assert told(guard, Entry)[0].digest == asked.digest
    for connection in (first, second):
        connection.close()


def test_an_archive_that_is_too_large_to_be_asked_about_is_refused(guard: Guard, engine: FakeEngine) -> None:
    answer = guard.send(put(bytes(MAX_HELD + 1)))
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"a human is asked about has at most 4194304 bytes" in answer
    [entry] = told(guard, Entry)
    assert (entry.ruling, engine.received) == ("deny", [])


def test_without_an_answer_it_is_a_no(make_guard: Callable[..., Guard], engine: FakeEngine) -> None:
    guard = make_guard(engine.path, limit=0.2)
    guard.policy.rule = ask
    answer = Caller(guard).answer()
    assert answer.startswith(b"HTTP/1.1 403")
    assert b"nobody answered in time" in answer
    assert [entry.answer for entry in told(guard, ApprovalAnswered)] == ["timeout"]
    assert engine.received == []


def test_a_client_that_hangs_up_withdraws_its_request(guard: Guard, engine: FakeEngine) -> None:
    connection = guard.connect()
    connection.sendall(STOP % b"etcd1")
    [asked] = told(guard, ApprovalRequested)
    connection.shutdown(socket.SHUT_RDWR)
    connection.close()
    assert [entry.answer for entry in told(guard, ApprovalAnswered)] == ["withdrawn"]
    with pytest.raises(OperatorError, match="does not wait"):
        say(guard, asked.id, asked.digest, "yes")
    assert engine.received == []


def test_what_waited_for_a_dead_guard_is_withdrawn(guard: Guard) -> None:
    request = Request("POST", ("containers", "etcd1", "stop"), digest="d")
    guard.record.requested("ask-left", request, ask(request), LIMIT)
    guard.record.withdraw_open()
    guard.record.withdraw_open()
    assert [(e.id, e.answer) for e in told(guard, ApprovalAnswered)] == [("ask-left", "withdrawn")]


def test_answers_come_in_by_a_socket(guard: Guard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPERATOR_ANSWERS", str(tmp_path / "answers" / "answers.sock"))

    async def open_() -> Any:
        made = answering.served(guard.approvals)
        made.__enter__()
        return made

    served = guard.do(open_())
    caller = Caller(guard)
    [asked] = told(guard, ApprovalRequested)
    [waiting] = rpc.call(answering.socket_path(), "waiting")["waiting"]
    assert (waiting["id"], waiting["digest"]) == (asked.id, asked.digest)
    assert waiting["text"] == "docker stop on etcd1, which is destructive"
    assert 0 < waiting["left"] <= LIMIT
    assert answering.socket_path().stat().st_mode & 0o77 == 0
    rpc.call(answering.socket_path(), "answer", id=asked.id, digest=asked.digest, answer="yes", by="anna")
    assert caller.answer().startswith(b"HTTP/1.1 200")
    served.__exit__(None, None, None)


def test_the_reasoning_of_the_call_is_told(guard: Guard) -> None:
    Recorder(guard.store, guard.record._recorder.run, "agent", open("/dev/null", "w")).say(  # noqa: SIM115
        ToolCall(call="call-1", tool="shell", input={"command": "docker stop etcd1", "reasoning": "it hangs"}))
    assert guard.record.why("call-1") == "$ docker stop etcd1\nit hangs"
    assert guard.record.why(None) == ""
