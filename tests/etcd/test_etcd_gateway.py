"""The gateway against servers that refuse, hang, dribble, break off and talk nonsense."""

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from operator_demo import subject_kit
from operator_demo.subject import Member, Refused
from operator_demo.subject_kit import NoAnswer, NoConnection, Timeout
from subjects.etcd import gateway as gateway_module
from subjects.etcd.gateway import Answer, Gateway, number
from subjects.etcd.subject import SUBJECT, Client

HERE = [Member("etcd0", "", "running", "127.0.0.1")]
Serve = Callable[[Callable[[socket.socket], None]], None]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Puts a server at 127.0.0.1 in the place of etcd; the function is given each connection after its request."""
    listener = socket.create_server(("127.0.0.1", 0))
    monkeypatch.setattr(gateway_module, "PORT", listener.getsockname()[1])
    over, threads = threading.Event(), []

    def start(behave: Callable[[socket.socket], None]) -> None:
        def attend(connection: socket.socket) -> None:
            with connection:
                connection.settimeout(5)
                try:
                    if _whole_request(connection):
                        behave(connection)
                except OSError:
                    pass

        def accept() -> None:
            while not over.is_set():
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threads.append(threading.Thread(target=attend, args=(connection,)))
                threads[-1].start()

        threads.append(threading.Thread(target=accept))
        threads[-1].start()

    yield start
    over.set()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    for thread in threads:
        thread.join()


def _whole_request(connection: socket.socket) -> bool:
    received = b""
    while not received.endswith(b"}"):
        part = connection.recv(65536)
        if not part:
            return False
        received += part
    return True


def answer(body: bytes, status: str = "200 OK") -> Callable[[socket.socket], None]:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
    return lambda connection: connection.sendall(head + body)


def hang(connection: socket.socket) -> None:
    connection.recv(1)  # ends when the client gives up


def dribble(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(100):
        connection.sendall(b" ")
        time.sleep(0.05)


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    gateway = Gateway("127.0.0.1")
    gateway._connection._pool.port = port
    with pytest.raises(NoConnection, match="refused"):
        gateway.status(1.0)


def test_a_member_that_hangs_costs_the_timeout(serve: Serve) -> None:
    serve(hang)
    began = time.monotonic()
    with pytest.raises(Timeout):
        Gateway("127.0.0.1").status(0.3)
    assert 0.25 < time.monotonic() - began < 2


def test_an_answer_that_dribbles_in_is_given_up(serve: Serve) -> None:
    serve(dribble)
    began = time.monotonic()
    with pytest.raises(NoAnswer):
        Gateway("127.0.0.1").status(0.3)
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("body", [b"", b"[]", b"oops", b'{"a"', b"\xff\xfe"])
def test_nonsense_is_no_answer(serve: Serve, body: bytes) -> None:
    serve(answer(body))
    with pytest.raises(NoAnswer):
        Gateway("127.0.0.1").status(1.0)


def test_a_connection_that_breaks_off_is_no_answer(serve: Serve) -> None:
    serve(lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"))
    with pytest.raises(NoAnswer):
        Gateway("127.0.0.1").status(1.0)


def test_an_answer_without_end_is_cut_off(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject_kit, "MAX_ANSWER", 1000)
    serve(answer(b" " * 100_000))
    with pytest.raises(NoAnswer):
        Gateway("127.0.0.1").status(1.0)


def test_etcds_own_error_keeps_code_and_words(serve: Serve) -> None:
    serve(answer(b'{"code":14,"message":"etcdserver: request timed out"}', "503 Service Unavailable"))
    with pytest.raises(Answer, match="request timed out") as e:
        Gateway("127.0.0.1").status(1.0)
    assert e.value.code == 14


def test_a_write_is_refused_only_where_it_certainly_did_not_happen(serve: Serve) -> None:
    serve(answer(b'{"code":8,"message":"etcdserver: mvcc: database space exceeded"}', "429 Too Many Requests"))
    with pytest.raises(Refused):
        Client(lambda: HERE, 1.0).put("k", "1")


@pytest.mark.parametrize(("behave", "error"), [
    (answer(b'{"code":14,"message":"etcdserver: leader changed"}', "503 Service Unavailable"), ConnectionError),
    (hang, TimeoutError), (lambda connection: None, ConnectionError)])
def test_otherwise_a_write_is_unknown(serve: Serve, behave: Callable[[socket.socket], None],
                                      error: type[Exception]) -> None:
    serve(behave)
    with pytest.raises(error) as e:
        Client(lambda: HERE, 0.3).put("k", "1")
    assert not isinstance(e.value, Refused)


class FakeGateway:
    """Those in `BROKEN` refuse, the others answer with their address."""

    def __init__(self, address: str) -> None:
        self._address = address

    def get(self, key: str, timeout: float) -> str:
        if self._address in BROKEN:
            raise NoConnection("refused")
        return self._address

    def close(self) -> None:
        return


BROKEN: set[str] = set()


def test_a_client_leaves_a_member_that_fails_and_comes_back_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from subjects.etcd import subject as subject_module
    monkeypatch.setattr(subject_module, "Gateway", FakeGateway)
    monkeypatch.setattr(subject_module, "_AVOID", 0.2)
    members = [Member(name, "", "running", name) for name in "abc"]
    client = Client(lambda: members, 1.0)
    assert client.get("k") == "a"
    BROKEN.add("a")
    with pytest.raises(Refused):
        client.get("k")
    assert client.get("k") == "b"
    BROKEN.clear()
    time.sleep(0.3)
    assert client.get("k") == "a"
    members.reverse()
    assert client.get("k") == "c", "the order is the caller's"
    members.clear()
    with pytest.raises(Refused, match="no member"):
        client.get("k")


def test_a_member_that_failed_is_used_where_there_is_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    from subjects.etcd import subject as subject_module
    monkeypatch.setattr(subject_module, "Gateway", FakeGateway)
    through = SUBJECT.through(lambda: [Member(n, "", "running", n) for n in ("a", "etcd1")], "etcd1", "check/", 1.0)
    BROKEN.add("etcd1")
    for _ in range(2):
        with pytest.raises(Refused):
            through.client.get("k")
    BROKEN.clear()
    assert (through.key, through.client.get("k")) == ("check/etcd1", "etcd1")


def test_an_observation_ends_with_its_deadline_and_leaves_no_thread(serve: Serve) -> None:
    serve(dribble)
    threads = threading.active_count()
    members = [Member(name, f"c-{name}", "running", "127.0.0.1") for name in SUBJECT.members]
    began = time.monotonic()
    observation = SUBJECT.observe(members, 0.5)
    assert time.monotonic() - began < 1.5
    assert not any(m["reachable"] for m in observation.members.values())
    assert all(m["error"] for m in observation.members.values())
    end = time.monotonic() + 5
    while any(t.name.startswith("ask_") for t in threading.enumerate()):
        assert time.monotonic() < end, f"{threading.active_count()} threads, {threads} before"
        time.sleep(0.05)


@pytest.mark.parametrize(("value", "is_"), [("12", 12), (12, 12), (None, 0), ("", 0), ("x", 0), ([], 0), ({}, 0)])
def test_numbers(value: object, is_: int) -> None:
    assert number(value) == is_
