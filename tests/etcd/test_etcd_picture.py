"""What the picture tells of etcd."""

from operator_demo.subject import Figure, Observation
from subjects.etcd.subject import SUBJECT


def test_how_fast_how_far_behind_and_how_much() -> None:
    seen = {"etcd0": {"reachable": True, "read_latency": 0.003, "index": 1000, "db_size": 24_600_000},
            "etcd1": {"reachable": True, "read_latency": None, "index": 988, "db_size": 24_600_000},
            "etcd2": {"reachable": False, "index": 900}}
    assert SUBJECT.show(Observation(0.0, seen, {})).figures == {
        "etcd0": [Figure("read", "3.0 ms"), Figure("behind", "0"), Figure("data", "25 MB")],
        "etcd1": [Figure("behind", "12"), Figure("data", "25 MB")]}
