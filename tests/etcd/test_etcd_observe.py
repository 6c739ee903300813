"""What a look makes of the members' answers. The answers are those of etcd 3.5.16."""

from collections.abc import Callable
from typing import Any

import pytest

from operator_demo.subject import Member, Observation
from operator_demo.subject_kit import Timeout
from subjects.etcd import subject as subject_module
from subjects.etcd.gateway import Answer
from subjects.etcd.subject import SUBJECT

IDS = {"etcd0": 0xa0, "etcd1": 0xa1, "etcd2": 0xa2}
LISTED = [{"ID": str(id_), "name": name, "peerURLs": [f"http://{name}:2380"]} for name, id_ in IDS.items()]


class FakeGateway:
    """Members that are well, but for what a test sets. The address is the member's name."""

    errors: tuple[str, ...] = ()
    status_fails: Exception | None = None
    read_fails: Exception | None = None
    listed: tuple[dict[str, Any], ...] = tuple(LISTED)

    def __init__(self, address: str) -> None:
        self._name = address

    def status(self, timeout: float) -> dict[str, Any]:
        if self.status_fails:
            raise self.status_fails
        return {"header": {"member_id": str(IDS[self._name])}, "leader": str(IDS["etcd0"]), "raftTerm": "2",
                "raftAppliedIndex": "14", "dbSize": "20480", "errors": list(self.errors)}

    def get(self, key: str, timeout: float) -> str | None:
        if self.read_fails:
            raise self.read_fails
        return None

    def members(self, timeout: float) -> list[dict[str, Any]]:
        return list(self.listed)

    def close(self) -> None:
        pass


Answering = Callable[..., Observation]


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch) -> Answering:
    monkeypatch.setattr(subject_module, "Gateway", FakeGateway)

    def look_at(gone: tuple[str, ...] = (), **answers: Any) -> Observation:
        for name, value in answers.items():
            monkeypatch.setattr(FakeGateway, name, value)
        members = [Member(name, f"p-{name}-1", "exited" if name in gone else "running", name) for name in IDS]
        return SUBJECT.observe(members, 2.0)

    return look_at


def violated(o: Observation) -> dict[str, str]:
    return {v.key: v.text for v in SUBJECT.violations(o)}


def test_a_whole_cluster(look: Answering) -> None:
    o = look()
    assert (o.cluster["alarms"], o.cluster["unstarted"], o.cluster["leader"]) == ([], [], "etcd0")
    assert violated(o) == {}


@pytest.mark.parametrize(("error", "member", "owner"), [
    ("memberID:161 alarm:CORRUPT ", "etcd1", "etcd1"), ("alarm:CORRUPT ", None, "no member"),
    ("memberID:12345 alarm:CORRUPT ", None, "the member 3039, which is gone")])
def test_an_alarm_has_an_owner_also_where_no_member_of_ours_raised_it(look: Answering, error: str, member: str | None,
                                                                      owner: str) -> None:
    o = look(errors=(error,))
    assert o.cluster["alarms"] == [{"alarm": "CORRUPT", "member": member, "owner": owner}]
    assert o.members["etcd1"]["alarms"] == (["CORRUPT"] if member else [])
    ((key, text),) = violated(o).items()
    assert key == "corruption_alarm" + (f":{member}" if member else "")
    assert owner in text


def test_an_alarm_of_a_member_that_is_down_is_told_by_the_others(look: Answering) -> None:
    o = look(gone=("etcd1",), errors=("memberID:161 alarm:NOSPACE ",))
    assert {"db_space_alarm:etcd1", "member_down:etcd1"} == set(violated(o))


def test_an_owner_that_nobody_can_look_up_is_told_by_its_id(look: Answering) -> None:
    o = look(errors=("memberID:12345 alarm:NOSPACE ",), read_fails=Timeout("no answer"))
    assert o.cluster["alarms"][0]["owner"] == "the member 3039"


def test_a_refused_read_is_told_in_the_members_words_and_is_no_loss_of_the_quorum(look: Answering) -> None:
    o = look(read_fails=Answer(3, "etcdserver: user name is empty"))
    assert set(violated(o)) == {f"member_unhealthy:{name}" for name in IDS}
    assert all("etcdserver: user name is empty" in text for text in violated(o).values())
    assert o.cluster["voters"] == list(IDS)


@pytest.mark.parametrize("error", [Answer(14, "etcdserver: request timed out"), Timeout("no answer within 1.5 s")])
def test_a_read_that_is_not_served_is_one(look: Answering, error: Exception) -> None:
    o = look(read_fails=error)
    assert str(error) in violated(o)["quorum_lost"]


def test_a_status_that_is_refused_is_told_in_the_members_words(look: Answering) -> None:
    o = look(status_fails=Answer(7, "etcdserver: permission denied"))
    assert "etcd1: etcdserver: permission denied" in violated(o)["quorum_lost"]


@pytest.mark.parametrize(("learner", "words"), [(True, "learner 1a8a (http://etcd9:2380)"), (False, "voter 1a8a")])
def test_a_member_that_was_added_and_never_started(look: Answering, learner: bool, words: str) -> None:
    o = look(listed=(*LISTED, {"ID": "6794", "peerURLs": ["http://etcd9:2380"], "isLearner": learner}))
    assert set(violated(o)) == {"member_unstarted"}
    assert words in violated(o)["member_unstarted"]
    assert words in SUBJECT.redundancy(look(listed=tuple(LISTED)), o).saw


def test_redundancy_names_every_alarm(look: Answering) -> None:
    before, now = look(), look(errors=("alarm:CORRUPT ", "memberID:161 alarm:NOSPACE "))
    check = SUBJECT.redundancy(before, now)
    assert check.status == "failed"
    assert "alarm CORRUPT of no member" in check.saw
    assert "alarm NOSPACE of etcd1" in check.saw
