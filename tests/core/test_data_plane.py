"""The check of the data plane, through members that are whole, idle, gone, or behind."""

import pytest

from operator_demo.subject import Deadline, Member, MembersNow, Refused, Through
from operator_demo.subject_kit import data_plane

MEMBERS = [Member(name, "", "running", name) for name in "abc"]


class Keys:
    """Every member has the same data, unless a test says otherwise."""

    def __init__(self) -> None:
        self.data: dict[str, dict[str, str]] = {name: {} for name in "abc"}
        self.idle: set[str] = set()
        self.aside: set[str] = set()  # they serve no keys
        self.gone: set[str] = set()
        self.behind: set[str] = set()
        self.closed = 0

    def client(self, members: MembersNow, timeout: float) -> "Client":
        raise NotImplementedError

    def through(self, members: MembersNow, member: str, prefix: str, timeout: float) -> Through | None:
        if member in self.aside:
            return None
        return Through(None if member in self.idle else prefix + member, Client(self, member))


class Client:
    def __init__(self, keys: Keys, member: str) -> None:
        self._keys, self._member = keys, member

    def put(self, key: str, value: str) -> None:
        if self._member in self._keys.gone:
            raise Refused("gone")
        for name in self._keys.data.keys() - self._keys.behind:
            self._keys.data[name][key] = value

    def get(self, key: str) -> str | None:
        return self._keys.data[self._member].get(key)

    def close(self) -> None:
        self._keys.closed += 1


@pytest.mark.parametrize(("what", "status", "words"), [
    ({}, "passed", "each of 3 members"),
    ({"aside": {"c"}}, "passed", "each of 2 members"),
    ({"idle": {"b"}}, "passed", "not checked: a write through b, which leads nothing"),
    ({"idle": {"a", "b", "c"}}, "unknown", "no member takes writes"),
    ({"gone": {"b"}}, "failed", "write through b: gone"),
    ({"behind": {"c"}}, "failed", "c does not return what was written through a"),
    ({"idle": {"c"}, "behind": {"c"}}, "failed", "c does not return what was written through b")])
def test_what_is_told(what: dict[str, set[str]], status: str, words: str) -> None:
    keys = Keys()
    vars(keys).update(what)
    check = data_plane(keys, MEMBERS, MEMBERS, "check/", Deadline(5.0))
    assert (check.status, words in check.saw) == (status, True), check
    assert keys.closed == 3 - len(keys.aside)


def test_a_member_without_an_address_cannot_be_reached() -> None:
    check = data_plane(Keys(), MEMBERS, [*MEMBERS, Member("d", "", "exited")], "check/", Deadline(5.0))
    assert (check.status, check.saw) == ("failed", "d cannot be reached")
