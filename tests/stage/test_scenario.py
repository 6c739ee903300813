import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operator_demo import subject
from operator_demo.chaos import scenario
from operator_demo.errors import UsageError

GOOD = "title: T\nfault: {kind: kill, target: random}\ncause: process_killed\ninvariants: [member_down]\n"
MEMBERS = ("etcd0", "etcd1", "etcd2")


def parse(text: str) -> scenario.Scenario:
    return scenario.parse("mine", text, MEMBERS, where="mine.yaml")


def test_every_scenario_of_every_subject_is_valid() -> None:
    for name in subject.names():
        found = subject.load(name)
        known = {invariant.name for invariant in found.subject.invariants}
        for play in scenario.names(found.folder):
            loaded = scenario.load(found.folder, play, tuple(found.subject.members))
            assert set(loaded.invariants) <= known


@pytest.mark.parametrize(("text", "words"), [
    ("- a", "must be a mapping"),
    ("a: [", "not valid YAML"),
    (GOOD + "typo: 1", "unknown key 'typo'"),
    (GOOD.replace("kill,", "melt,"), "fault.kind must be one of"),
    (GOOD.replace("random", "etcd9"), "target must be one of"),
    (GOOD + "limits: {detect: -1}", "number of seconds"),
    (GOOD + "invariants: member_down", "list of texts"),
    (GOOD.replace("title: T\n", ""), "title must be text"),
])
def test_mistakes_are_named_with_file_and_key(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as e:
        parse(text)
    assert "mine.yaml" in e.value.message


@given(st.text(max_size=200))
def test_any_text_is_a_scenario_or_a_clear_error(text: str) -> None:
    try:
        parse(text)
    except UsageError:
        pass


def test_the_same_seed_chooses_the_same_member() -> None:
    play, roles = parse(GOOD), {"etcd0": "leader", "etcd1": "follower", "etcd2": "follower"}
    assert len({play.choose(roles, random.Random(7)) for _ in range(20)}) == 1
    assert {play.choose(roles, random.Random(n)) for n in range(50)} == set(MEMBERS)


def test_roles_are_kept() -> None:
    roles = {"etcd0": "leader", "etcd1": "follower", "etcd2": "follower"}
    chance = random.Random(1)
    assert parse(GOOD.replace("random", "leader")).choose(roles, chance) == "etcd0"
    assert {parse(GOOD.replace("random", "follower")).choose(roles, chance) for _ in range(30)} == {"etcd1", "etcd2"}
    with pytest.raises(UsageError, match="no member is a leader"):
        parse(GOOD.replace("random", "leader")).choose({"etcd1": "follower"}, chance)
