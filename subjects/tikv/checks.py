"""What the oracle asks of the data: through every store, and at every replica."""

import time
from collections.abc import Mapping, Sequence

from operator_demo.subject import Check, Deadline, Member, MembersNow, Refused, Through
from operator_demo.subject_kit import ask_all
from subjects.tikv.members import KINDS, STORE
from subjects.tikv.raw import RawClient, from_key, to_key
from subjects.tikv.regions import Regions

_OWN = b"\0operator-demo"  # behind the first key of a region, so that the region holds it
_LOOKS, _PAUSE = 3, 0.2  # times that a replica is read, and seconds between them, before it counts as behind


class StoreClient:
    """`KeyValue` at one store: it writes in regions that it leads, and reads any key of which it has a replica."""

    def __init__(self, client: RawClient, store: int) -> None:
        self._client, self._store = client, store

    def put(self, key: str, value: str) -> None:
        self._client.put_at(self._store, key, value)

    def get(self, key: str) -> str | None:
        return self._client.get_at(self._store, key)

    def close(self) -> None:
        self._client.close()


def through(members: MembersNow, member: str, timeout: float) -> Through | None:
    """A store, by a region that it leads. Raises `Refused` if PD does not know the store."""
    if KINDS[member] != STORE:
        return None
    client = RawClient(members, timeout)
    regions, hosts = client.layout()
    store = next((id_ for id_, host in hosts.items() if host == member), None)
    if store is None:
        raise Refused(f"PD does not tell about {member}")
    keys = [r.start + _OWN for r in regions if r.leader == store and r.holds(r.start + _OWN)]
    return Through(from_key(keys[0]) if keys else None, StoreClient(client, store))


def agreement(members: Sequence[Member], keys: Sequence[str], limit: Deadline) -> Check:
    """Each key is read at its leader, then at every replica, which must be as far. The values only grow."""
    if not keys:
        return Check("agreement", "not_checked", "no load has written keys")
    client = RawClient(lambda: members, limit.left())
    try:
        regions, hosts = client.layout()
        floors = {key: _number(client.get(key)) for key in keys}
    except Exception as e:  # whatever the client raises: the leaders do not serve
        return Check("agreement", "unknown", f"the keys cannot be read at their leaders: {e}")
    finally:
        client.close()
    layout, stores = Regions(regions), {host: id_ for id_, host in hosts.items()}

    def keys_behind(m: Member) -> list[str]:
        own = [key for key in keys if _has_replica(layout, key, stores[m.name])]
        return _behind(m, stores[m.name], members, {key: floors[key] for key in own}, limit)

    answers = ask_all([m for m in members if m.name in stores], limit, keys_behind)
    behind = {name: answer for name, answer in answers.items() if isinstance(answer, list) and answer}
    silent = {name: answer for name, answer in answers.items() if isinstance(answer, Exception)}
    if behind:
        each = ", ".join(f"{name} for {len(late)} keys (such as {late[0]})" for name, late in behind.items())
        return Check("agreement", "failed", f"replicas are behind their leaders: {each}")
    if silent:
        return Check("agreement", "unknown", "; ".join(f"{name}: {e}" for name, e in silent.items()))
    return Check("agreement", "passed", f"{len(keys)} keys are the same at each replica of their regions, on "
                                        f"{len(answers)} stores")


def _has_replica(layout: Regions, key: str, store: int) -> bool:
    region = layout.find(to_key(key))
    return region is None or store in region.peers


def _behind(m: Member, store: int, members: Sequence[Member], floors: Mapping[str, int], limit: Deadline) -> list[str]:
    """The keys whose value at this store stays below what their leader had. One look is not enough: a write that
    nobody waits for any more may take effect late, over a newer value."""
    client = RawClient(lambda: members, limit.left())
    late = list(floors)
    try:
        for look in range(_LOOKS):
            if look:
                time.sleep(_PAUSE)
            needed = {key: _number(client.get(key)) for key in late} if look else floors
            late = [key for key in late if _number(client.get_at(store, key)) < needed[key]]
            if not late:
                break
    finally:
        client.close()
    return late


def _number(value: str | None) -> int:
    return int(value) if value and value.isascii() and value.isdigit() else 0
