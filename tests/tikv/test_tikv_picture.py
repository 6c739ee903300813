"""What the picture tells of TiKV."""

from operator_demo.subject import Figure, Observation
from subjects.tikv.subject import SUBJECT

GIB = 2**30
SEEN = {
    "pd0": {"kind": "pd", "reachable": True, "read_latency": 0.0008},
    "tikv0": {"kind": "store", "reachable": True, "leaders": 6, "capacity": 8 * GIB, "available": 6 * GIB,
              "p99": 0.046},
    "tikv1": {"kind": "store", "reachable": False, "leaders": 0, "capacity": 8 * GIB},
}


def test_a_store_tells_what_it_leads_and_what_space_it_uses() -> None:
    shown = SUBJECT.show(Observation(0.0, SEEN, {"regions": {"count": 14, "missing": []}, "operators": 0}))
    assert shown.figures == {
        "pd0": [Figure("ping", "0.8 ms")],
        "tikv0": [Figure("leads", "6 of 14", 6 / 14), Figure("", "2.0 of 8 GiB", 0.25), Figure("p99", "46 ms")]}
    assert shown.lines == ["14 regions, none lacks a replica; PD moves nothing"]


def test_what_is_missing_and_what_pd_moves() -> None:
    shown = SUBJECT.show(Observation(0.0, SEEN, {"regions": {"count": 14, "missing": [3, 4]}, "operators": 5}))
    assert shown.lines == ["14 regions, 2 lack a replica; PD moves 5"]


def test_without_an_answer_of_pd_nothing_is_told_of_regions() -> None:
    shown = SUBJECT.show(Observation(0.0, SEEN, {"leader": None, "quorum": False}))
    assert shown.lines == []
    assert [figure.name for figure in shown.figures["tikv0"]] == ["", "p99"]


def test_every_member_has_its_place() -> None:
    assert [name for group in SUBJECT.groups for name in group.members] == list(SUBJECT.members)
    assert [group.quorum for group in SUBJECT.groups] == [2, 2, None]
