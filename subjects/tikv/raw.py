"""A client for raw keys (API version 1), routed by regions: puts and gets at leaders, reads at any replica.

Paths and field numbers: kvrpcpb.proto, metapb.proto and errorpb.proto of pingcap/kvproto, tikvpb.proto for the service.

What became of a request is said exactly. It certainly did not happen (`Refused`) where no connection was made, and
where the store answered with an error of the region. It may have happened where no answer came. Errors of the region
that tell where to ask instead are followed, as every client of TiKV does; nothing else is tried a second time.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from operator_demo.subject import Deadline, MembersNow, Refused
from operator_demo.subject_kit import NoAnswer, NoConnection, Timeout
from subjects.tikv.grpc import CallFailed, Channel
from subjects.tikv.http import Refusal
from subjects.tikv.members import KINDS, PD
from subjects.tikv.pd import ODD, Pd, by_host
from subjects.tikv.protobuf import Fields, Malformed, Message, encode
from subjects.tikv.regions import Region, Regions

PORT = 20160
_SERVICE = "/tikvpb.Tikv/"
_FOLLOWED = 4  # errors of the region in one call
_PAUSE = 0.05  # seconds before the next one is followed
_ASK_AGAIN = 0.5  # seconds between two questions to PD about the regions
_ASK_PD = 0.3  # seconds that one PD member may take

# Field numbers. In every request the context is 1, and the key is 2; in every answer the error of the region is 1.
_CONTEXT = {"region_id": 1, "region_epoch": 2, "peer": 3, "replica_read": 12}
_KEY, _PUT_VALUE = 2, 3
_REGION_ERROR, _ERROR, _GET_VALUE, _NOT_FOUND = 1, 2, 3, 4
_MESSAGE, _NOT_LEADER, _EPOCH_NOT_MATCH, _STALE_COMMAND, _UNDETERMINED = 1, 2, 5, 7, 22
_BUSY = (6, 9, 15)  # server_is_busy, raft_entry_too_large, disk_full: the region is right, and PD knows no better


class RegionError(Exception):
    """The store did not carry out the request, and says why."""

    def __init__(self, error: Message) -> None:
        super().__init__(error.bytes(_MESSAGE).decode("utf-8", "replace") or "an error of the region")
        self.error = error


def to_key(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def from_key(key: bytes) -> str:
    """Any bytes as a key in the sense of `KeyValue`, and back by `to_key`."""
    return key.decode("utf-8", "surrogateescape")


def request(region: Region, store: int, key: bytes, more: Fields, replica_read: bool = False) -> bytes:
    """A request to the store's replica of the region."""
    peer = region.peers.get(store, 0)
    context: Fields = {
        _CONTEXT["region_id"]: region.id,
        _CONTEXT["region_epoch"]: {1: region.conf_ver, 2: region.version},
        _CONTEXT["peer"]: {1: peer, 2: store},
        _CONTEXT["replica_read"]: int(replica_read),
    }
    return encode({1: context, _KEY: key, **more})


def answer_of(raw: bytes) -> Message:
    """The answer to a request. Raises `RegionError`, `ConnectionError` (another error: what it did is not known) and
    `Malformed`."""
    answer = Message(raw)
    if answer.has(_REGION_ERROR):
        raise RegionError(answer.message(_REGION_ERROR))
    if answer.has(_ERROR):
        raise ConnectionError(answer.bytes(_ERROR).decode("utf-8", "replace"))
    return answer


def value_of(answer: Message) -> str | None:
    """Of a get."""
    return None if answer.number(_NOT_FOUND) else answer.bytes(_GET_VALUE).decode("utf-8", "replace")


def regions_of(error: Message) -> list[Region]:
    """The regions that epoch_not_match brings; it does not say who leads them."""
    return [Region(r.number(1), r.bytes(2), r.bytes(3), r.message(4).number(1), r.message(4).number(2),
                   {p.number(2): p.number(1) for p in r.messages(5)}, 0)
            for r in error.message(_EPOCH_NOT_MATCH).messages(1)]


@dataclass(frozen=True)
class _Call:
    method: str
    key: bytes
    more: Fields


class RawClient:
    """`KeyValue` over all stores. Not for use by two threads at once."""

    def __init__(self, members: MembersNow, timeout: float) -> None:
        """Nothing is sent before the first call. `timeout` in seconds."""
        self._members, self._timeout = members, timeout
        self._regions, self._hosts = Regions(), dict[int, str]()
        self._stale, self._asked = True, 0.0
        self._channels: dict[str, Channel] = {}

    def close(self) -> None:
        for channel in self._channels.values():
            channel.close()
        self._channels.clear()

    # -- through leaders ---------------------------------------------------------------------------------------------

    def put(self, key: str, value: str) -> None:
        self._at_leader(_Call("RawPut", to_key(key), {_PUT_VALUE: value.encode()}))

    def get(self, key: str) -> str | None:
        return value_of(self._at_leader(_Call("RawGet", to_key(key), {})))

    def _at_leader(self, call: _Call) -> Message:
        limit = Deadline(self._timeout)
        for followed in range(_FOLLOWED):
            region = self.region(call.key, limit)
            if not region.leader:
                self._stale = True
                raise Refused(f"no leader of region {region.id} is known")
            try:
                return self._ask(call, region, region.leader, limit)
            except RegionError as e:
                reason = e
                self._learn(region, e.error)
            if limit.left() <= _PAUSE:
                break
            time.sleep(_PAUSE * followed)  # an election takes longer than to be told of its end
        raise Refused(str(reason))

    def _learn(self, region: Region, error: Message) -> None:
        """Corrects the cache by what the store said. Raises `ConnectionError` where the request may have happened."""
        if error.has(_UNDETERMINED) or error.has(_STALE_COMMAND):
            raise ConnectionError(f"the store does not know what became of it: {RegionError(error)}")
        leader = error.message(_NOT_LEADER).message(2).number(2)
        newer = regions_of(error)
        if leader and leader != region.leader:
            self._regions.lead(region.id, leader)
        elif newer:
            for new in newer:
                self._put(new, region.leader)
        elif not any(error.has(field) for field in _BUSY):
            self._stale = True

    def _put(self, new: Region, leader: int) -> None:
        """After a split, the store that led the old region most likely leads its parts."""
        known = next((r.leader for r in self._regions.all if r.id == new.id), leader)
        self._regions.put(Region(new.id, new.start, new.end, new.conf_ver, new.version, new.peers,
                                 known if known in new.peers else 0))

    # -- at one store ------------------------------------------------------------------------------------------------

    def put_at(self, store: int, key: str, value: str) -> None:
        """Refused where the store does not lead the key's region."""
        self._at_store(store, _Call("RawPut", to_key(key), {_PUT_VALUE: value.encode()}), replica_read=False)

    def get_at(self, store: int, key: str) -> str | None:
        """Linearizable also at a follower: it asks the leader for a read index."""
        return value_of(self._at_store(store, _Call("RawGet", to_key(key), {}), replica_read=True))

    def _at_store(self, store: int, call: _Call, replica_read: bool) -> Message:
        limit = Deadline(self._timeout)
        region = self.region(call.key, limit)
        try:
            return self._ask(call, region, store, limit, replica_read)
        except RegionError as e:
            self._learn(region, e.error)
            raise Refused(str(e)) from e

    # -- one request -------------------------------------------------------------------------------------------------

    def _ask(self, call: _Call, region: Region, store: int, limit: Deadline, replica_read: bool = False) -> Message:
        """Raises `RegionError`, `Refused`, `TimeoutError` and `ConnectionError`; after all but the first the regions
        are asked for anew."""
        message = request(region, store, call.key, call.more, replica_read)
        try:
            channel = self._channel(store)
            return answer_of(channel.call(_SERVICE + call.method, message, limit.left()))
        except RegionError:
            raise
        except NoConnection as e:
            self._stale = True
            raise Refused(f"{self._hosts.get(store, store)}: {e}") from e
        except Timeout as e:
            self._stale = True
            raise TimeoutError(str(e)) from e
        except (NoAnswer, CallFailed, Malformed, ConnectionError) as e:
            self._stale = True
            raise ConnectionError(str(e)) from e

    def _channel(self, store: int) -> Channel:
        """Raises `NoConnection` if the store is not on the network."""
        host = self._hosts.get(store, "")
        address = next((m.address for m in self._members() if m.name == host), None)
        if address is None:
            raise NoConnection("not on the network")
        if address not in self._channels:
            self._channels[address] = Channel(address, PORT)
        return self._channels[address]

    # -- regions -----------------------------------------------------------------------------------------------------

    def region(self, key: bytes, limit: Deadline) -> Region:
        """As known, and as PD tells it where that is out of date. Without PD, what is known must do. Raises `Refused`
        if the region of the key is not known."""
        region = self._regions.find(key)
        if (self._stale or region is None) and time.monotonic() - self._asked > _ASK_AGAIN:
            self._asked = time.monotonic()
            self._refresh(Deadline(limit.left() / 2))
            region = self._regions.find(key)
        if region is None:
            raise Refused("PD does not tell in which region the key is")
        return region

    def _refresh(self, limit: Deadline) -> None:
        for member in self._members():
            if KINDS.get(member.name) != PD or not member.address:
                continue
            pd = Pd(member.address)
            try:
                stores, regions = pd.stores(min(_ASK_PD, limit.left())), pd.regions(min(_ASK_PD, limit.left()))
            except (NoAnswer, Refusal, *ODD):
                continue
            finally:
                pd.close()
            self._hosts = {store.id: host for host, store in by_host(stores).items()}
            self._regions, self._stale = Regions(regions), False
            return

    def layout(self) -> tuple[Sequence[Region], dict[int, str]]:
        """All regions as PD tells them now, and the hosts of the stores; both empty if it does not answer."""
        self._regions, self._hosts = Regions(), {}
        self._refresh(Deadline(self._timeout))
        return self._regions.all, dict(self._hosts)
