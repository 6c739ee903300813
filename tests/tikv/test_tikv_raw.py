"""The client for raw keys, against a server that answers with what real stores answered, or not at all."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import stand_in_grpc
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from operator_demo.subject import Member, Refused
from operator_demo.subject_kit import NoAnswer, NoConnection, Timeout
from subjects.tikv import raw as raw_module
from subjects.tikv.grpc import CallFailed, Channel
from subjects.tikv.pd import Pd
from subjects.tikv.pd import Store as PdStore
from subjects.tikv.protobuf import Message, encode
from subjects.tikv.raw import RawClient, RegionError, answer_of, from_key, regions_of, request, to_key, value_of
from subjects.tikv.regions import Region, Regions

RECORDED_FOLDER = Path(__file__).parent / "recorded"
RECORDED: dict[str, dict[str, Any]] = {
    c["what"]: c for c in reversed(json.loads((RECORDED_FOLDER / "wire.json").read_text()))}
"""The first of each name."""
PD = json.loads((RECORDED_FOLDER / "pd.json").read_text())
LAST = Region(2, bytes.fromhex("7800000100000000FB"), b"", 5, 5, {1: 3, 4: 20, 5: 22}, 4)
"""The region of the recorded calls, whose leader was on store 4."""


def answered(what: str) -> bytes:
    return bytes.fromhex(RECORDED[what]["response"])


# -- messages, as they were recorded ---------------------------------------------------------------------------------

@pytest.mark.parametrize(("what", "store", "replica_read", "key", "more"), [
    ("put", 4, False, b"zz-rec", {3: b"value-1"}), ("get", 4, False, b"zz-rec", {}),
    ("get at a follower with replica_read", 1, True, b"zz-rec", {}),
    ("put of an empty value", 4, False, b"zz-empty", {3: b""})])
def test_requests_are_those_that_were_recorded(what: str, store: int, replica_read: bool, key: bytes,
                                               more: dict[int, Any]) -> None:
    assert request(LAST, store, key, more, replica_read).hex() == RECORDED[what]["request"]


def test_answers_as_they_were_recorded() -> None:
    assert value_of(answer_of(answered("get"))) == "value-1"
    assert value_of(answer_of(answered("get at a follower with replica_read"))) == "value-1"
    assert value_of(answer_of(answered("get of a key that is not there"))) is None
    assert value_of(answer_of(answered("get of an empty value"))) == ""
    answer_of(answered("put"))
    with pytest.raises(ConnectionError, match="is out of"):
        answer_of(answered("get of a key of another region"))


@pytest.mark.parametrize(("what", "field", "words"), [
    ("get at a follower without replica_read", 2, "peer is not leader for region 2"),
    ("get with an old epoch", 5, "EpochNotMatch"), ("get at the wrong store", 8, "to store id 4"),
    ("get in a region that is not there", 3, "region 999999 is missing"),
    ("put of an empty key", 4, "key  is not in region key range")])
def test_errors_of_a_region_as_they_were_recorded(what: str, field: int, words: str) -> None:
    with pytest.raises(RegionError, match=words) as caught:
        answer_of(answered(what))
    assert caught.value.error.has(field)


def test_an_old_epoch_brings_the_regions() -> None:
    regions = regions_of(Message(answered("get with an old epoch")).message(1))
    assert len(regions) == 11
    assert regions[0] == Region(2, LAST.start, b"", 5, 5, LAST.peers, 0)
    assert all(r.peers.keys() == {1, 4, 5} for r in regions)


def test_regions_as_pd_told_them(monkeypatch: pytest.MonkeyPatch) -> None:
    pd = Pd("nowhere")
    monkeypatch.setattr(pd._http, "get", lambda path, *_: PD["regions"]["body"].encode())
    regions = Regions(pd.regions(1.0))
    assert len(regions.all) == 14
    assert regions.find(b"zz-rec") == LAST
    assert regions.find(b"") == next(r for r in regions.all if not r.start)
    for before, after in pairwise(regions.all):
        assert before.end == after.start


# -- the cache -------------------------------------------------------------------------------------------------------

def cut(cuts: list[bytes], version: int = 1, first_id: int = 1) -> list[Region]:
    ends = [*cuts, b""]
    return [Region(first_id + n, start, end, 1, version, {1: 1}, 1)
            for n, (start, end) in enumerate(zip([b"", *cuts], ends, strict=True))]


keys = st.binary(min_size=1, max_size=3)
cuts = st.lists(keys, unique=True, max_size=6).map(sorted)


@given(cuts, keys)
def test_every_key_is_in_the_region_that_holds_it(at: list[bytes], key: bytes) -> None:
    regions = cut(at)
    assert Regions(regions).find(key) == next(r for r in regions if r.holds(key))


@given(cuts, cuts, keys)
def test_new_regions_replace_those_that_they_overlap(old: list[bytes], new: list[bytes], key: bytes) -> None:
    cache, newer = Regions(cut(old)), cut(new, version=2, first_id=100)
    for region in newer:
        cache.put(region)
    assert list(cache.all) == newer
    assert cache.find(key) in newer


@given(st.binary(max_size=20))
def test_any_bytes_can_be_a_key(key: bytes) -> None:
    assert to_key(from_key(key)) == key


# -- calls -----------------------------------------------------------------------------------------------------------

Behave = Callable[[str, bytes], stand_in_grpc.Answer]


class Server:
    """Answers as `behave` says, and keeps what it was asked."""

    def __init__(self) -> None:
        self.behave: Behave = lambda path, message: message
        self.asked: list[tuple[str, bytes]] = []
        self.listening = stand_in_grpc.serve(0, self.route, host="127.0.0.1")
        self.port: int = self.listening.getsockname()[1]

    def route(self, path: str, message: bytes) -> stand_in_grpc.Answer:
        self.asked.append((path, message))
        return self.behave(path, message)

    def close(self) -> None:
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture
def channel(server: Server) -> Iterator[Channel]:
    server.behave = lambda path, message: message
    made = Channel("127.0.0.1", server.port)
    yield made
    made.close()


def test_calls_one_after_the_other_use_one_connection(channel: Channel, server: Server) -> None:
    server.asked.clear()
    for n in range(50):
        message = b"%d" % n * 100
        assert channel.call("/a/b", message, 5.0) == message
    assert [path for path, _ in server.asked] == ["/a/b"] * 50


def test_messages_larger_than_a_window(channel: Channel, server: Server) -> None:
    server.behave = lambda path, message: str(len(message)).encode()
    assert channel.call("/a/b", b"x" * 300_000, 5.0) == b"300000"


def test_what_becomes_of_a_call(channel: Channel, server: Server) -> None:
    server.behave = lambda path, message: stand_in_grpc.UNIMPLEMENTED
    with pytest.raises(CallFailed) as caught:
        channel.call("/a/b", b"x", 5.0)
    assert caught.value.code == 12
    server.behave = lambda path, message: None
    with pytest.raises(NoAnswer, match="closed") as closed:
        channel.call("/a/b", b"x", 5.0)
    assert not isinstance(closed.value, NoConnection), "the request had been sent"
    over = threading.Event()
    server.behave = lambda path, message: b"late" if over.wait(5) else b""
    began = time.monotonic()
    with pytest.raises(Timeout):
        channel.call("/a/b", b"x", 0.2)
    assert time.monotonic() - began < 3
    over.set()
    server.behave = lambda path, message: b"next"
    assert channel.call("/a/b", b"x", 5.0) == b"next", "a late answer does not meet the next call"


def test_where_nobody_listens_nothing_was_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(NoConnection, match="refused"):
        Channel("127.0.0.1", port).call("/a/b", b"x", 1.0)


def test_a_connection_that_the_server_closed_meanwhile_is_made_anew() -> None:
    made = []

    def once(connected: socket.socket) -> None:
        try:
            stand_in_grpc.Connection(connected, lambda path, message: message).run()
        except OSError:
            pass

    with socket.create_server(("127.0.0.1", 0)) as listening:
        def accept() -> None:
            while len(made) < 2:
                connected, _ = listening.accept()
                made.append(connected)
                threading.Thread(target=once, args=(connected,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        channel = Channel("127.0.0.1", listening.getsockname()[1])
        assert channel.call("/a/b", b"1", 5.0) == b"1"
        made[0].shutdown(socket.SHUT_RDWR)
        time.sleep(0.1)
        assert channel.call("/a/b", b"2", 5.0) == b"2"
        channel.close()


class Dribble:
    """A socket whose bytes come in the pieces that a test says."""

    def __init__(self, real: socket.socket, sizes: list[int]) -> None:
        self._real, self._sizes = real, sizes

    def recv(self, size: int) -> bytes:
        return self._real.recv(min(size, self._sizes.pop(0) if self._sizes else size))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.integers(1, 60), max_size=80), st.binary(max_size=400))
def test_any_split_of_the_frames(server: Server, sizes: list[int], message: bytes) -> None:
    server.behave = lambda path, message: message
    channel = Channel("127.0.0.1", server.port)
    connect = channel._connect
    channel._connect = lambda limit: Dribble(connect(limit), sizes)  # type: ignore[assignment, method-assign, return-value]
    try:
        assert channel.call("/a/b", message, 5.0) == message
        assert channel.call("/a/b", message, 5.0) == message
    finally:
        channel.close()


@pytest.mark.parametrize("raw", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0" * 9, b"\xff" * 64])
def test_a_server_of_another_kind(raw: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        def talk() -> None:
            connected, _ = listening.accept()
            with connected:
                connected.sendall(raw)
                connected.recv(1024)

        threading.Thread(target=talk, daemon=True).start()
        with pytest.raises(NoAnswer):
            Channel("127.0.0.1", listening.getsockname()[1]).call("/a/b", b"x", 1.0)


# -- the client ------------------------------------------------------------------------------------------------------

HOSTS = {1: "tikv1", 4: "tikv2", 5: "tikv0"}
MEMBERS = [Member("pd0", "", "running", "pd"), *(Member(h, "", "running", "127.0.0.1") for h in HOSTS.values())]
MEMBERS_WITHOUT_TIKV2 = [m for m in MEMBERS if m.name != "tikv2"]


class Told:
    """What PD tells; a test may change it."""

    def __init__(self) -> None:
        self.regions, self.asked, self.silent = [LAST], 0, False

    def stores(self, *_: Any) -> tuple[PdStore, ...]:
        self.asked += 1
        if self.silent:
            raise NoAnswer("PD has no leader")
        return tuple(PdStore(id_, host, "Up", 0, 0, 0, 0) for id_, host in HOSTS.items())


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    made = Told()
    monkeypatch.setattr(Pd, "stores", made.stores)
    monkeypatch.setattr(Pd, "regions", lambda *_: made.regions)
    monkeypatch.setattr(raw_module, "_ASK_AGAIN", 0.0)
    return made


@pytest.fixture
def client(told: Told, server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[RawClient]:
    monkeypatch.setattr(raw_module, "PORT", server.port)
    server.asked.clear()
    made = RawClient(lambda: MEMBERS, 1.0)
    yield made
    made.close()


def store_of(message: bytes) -> int:
    return Message(message).message(1).message(3).number(2)


def test_a_put_and_a_get(client: RawClient, server: Server) -> None:
    server.behave = lambda path, message: answered("put" if path.endswith("RawPut") else "get")
    client.put("zz-rec", "value-1")
    assert client.get("zz-rec") == "value-1"
    assert [(path, message.hex()) for path, message in server.asked] == [
        ("/tikvpb.Tikv/RawPut", RECORDED["put"]["request"]), ("/tikvpb.Tikv/RawGet", RECORDED["get"]["request"])]


def test_who_does_not_lead_says_who_does(client: RawClient, server: Server, told: Told) -> None:
    told.regions = [Region(2, LAST.start, b"", 5, 5, LAST.peers, 1)]
    not_leader = "get at a follower without replica_read"
    server.behave = lambda path, message: answered(not_leader if store_of(message) == 1 else "get")
    assert client.get("zz-rec") == "value-1"
    assert client.get("zz-rec") == "value-1"
    assert [store_of(message) for _, message in server.asked] == [1, 4, 4]
    assert told.asked == 1


def test_an_old_epoch_is_corrected_by_the_store(client: RawClient, server: Server, told: Told) -> None:
    told.regions = [Region(2, b"", b"", 1, 1, LAST.peers, 4)]

    def behave(path: str, message: bytes) -> bytes:
        old = Message(message).message(1).message(2).number(2) == 1
        return answered("get with an old epoch" if old else "get")

    server.behave = behave
    assert client.get("zz-rec") == "value-1"
    assert client.get("usertable:user6290") == "value-1", "the other regions came with it"
    assert told.asked == 1
    assert len(server.asked) == 3


def test_a_store_that_names_itself_is_not_believed(client: RawClient, server: Server, told: Told) -> None:
    not_leader = answered("get at a follower without replica_read")  # names store 4
    answers = [not_leader, answered("get")]
    server.behave = lambda path, message: answers.pop(0)
    assert client.get("zz-rec") == "value-1"
    assert told.asked == 2


@pytest.mark.parametrize("what", ["get in a region that is not there", "get at the wrong store"])
def test_otherwise_pd_is_asked_anew(client: RawClient, server: Server, told: Told, what: str) -> None:
    answers = [answered(what), answered("get")]
    server.behave = lambda path, message: answers.pop(0)
    assert client.get("zz-rec") == "value-1"
    assert told.asked == 2


def test_what_certainly_did_not_happen_is_refused(client: RawClient, server: Server, told: Told) -> None:
    server.behave = lambda path, message: answered("get in a region that is not there")
    with pytest.raises(Refused, match="missing"):
        client.put("zz-rec", "x")
    told.regions = [Region(2, LAST.start, b"", 5, 5, LAST.peers, 0)]
    with pytest.raises(Refused, match="no leader"):
        client.put("zz-rec", "x")
    told.regions = []
    with pytest.raises(Refused, match="PD"):
        client.put("zz-rec", "x")


def test_a_store_that_is_not_there_refuses_and_the_next_one_that_leads_is_used(told: Told, server: Server,
                                                                              monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_module, "PORT", server.port)
    server.behave = lambda path, message: answered("put")
    client = RawClient(lambda: MEMBERS_WITHOUT_TIKV2, 1.0)
    with pytest.raises(Refused, match="tikv2: not on the network"):
        client.put("zz-rec", "x")
    told.regions = [Region(2, LAST.start, b"", 5, 5, LAST.peers, 5)]
    client.put("zz-rec", "x")
    client.close()


@pytest.mark.parametrize(("answer", "error"), [
    (None, ConnectionError), (12, ConnectionError), (b"\x0f", ConnectionError),
    (encode({1: {1: b"undetermined", 22: {}}}), ConnectionError),
    (encode({1: {1: b"stale command", 7: {}}}), ConnectionError),
    (encode({2: b"some error"}), ConnectionError)])
def test_otherwise_a_put_is_unknown_and_not_tried_again(client: RawClient, server: Server,
                                                        answer: stand_in_grpc.Answer, error: type) -> None:
    server.behave = lambda path, message: answer
    with pytest.raises(error) as caught:
        client.put("zz-rec", "x")
    assert not isinstance(caught.value, Refused)
    assert len(server.asked) == 1


def test_a_store_that_is_silent_is_a_timeout(told: Told, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_module, "PORT", server.port)
    over = threading.Event()
    server.behave = lambda path, message: b"late" if over.wait(5) else b""
    client = RawClient(lambda: MEMBERS, 0.3)
    with pytest.raises(TimeoutError):
        client.put("zz-rec", "x")
    over.set()
    client.close()


def test_while_pd_has_no_leader_the_known_regions_serve(client: RawClient, server: Server, told: Told) -> None:
    server.behave = lambda path, message: answered("put")
    client.put("zz-rec", "x")
    told.silent = True
    client.put("zz-rec", "x")
    client._stale = True
    client.put("zz-rec", "x")
    new = RawClient(lambda: MEMBERS, 1.0)
    with pytest.raises(Refused, match="PD does not tell"):
        new.put("zz-rec", "x")


def test_reads_at_one_store(client: RawClient, server: Server) -> None:
    server.behave = lambda path, message: answered("get at a follower with replica_read")
    assert client.get_at(1, "zz-rec") == "value-1"
    assert [message.hex() for _, message in server.asked] == [
        RECORDED["get at a follower with replica_read"]["request"]]
    server.behave = lambda path, message: answered("get at a follower without replica_read")
    with pytest.raises(Refused, match="not leader"):
        client.put_at(1, "zz-rec", "x")
