"""The records that are written before the load."""

import io
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from operator_demo import rpc
from operator_demo import subject as subjects
from operator_demo.events import WORKLOAD
from operator_demo.settings import Settings
from operator_demo.store import Recorder, Store
from operator_demo.subject import Found, MembersNow, Refused
from operator_demo.workload import main as main_module
from operator_demo.workload.main import KEYS, Workload
from operator_demo.workload.records import RECORD, fill


class Data:
    """What clients write; each key is refused at first."""

    def __init__(self) -> None:
        self.data: dict[str, str] = {}
        self.refused: set[str] = set()
        self.closed = 0

    def connect(self, *_: object) -> "Data":
        return self

    def put(self, key: str, value: str) -> None:
        if key not in self.refused:
            self.refused.add(key)
            raise Refused("not yet")
        self.data[key] = value

    def get(self, key: str) -> str | None:
        return self.data.get(key)

    def close(self) -> None:
        self.closed += 1


def test_every_record_is_written_though_it_is_refused_at_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("operator_demo.workload.records._PAUSE", 0.001)
    data, keys = Data(), [f"k{n}" for n in range(50)]
    fill(keys, data.connect, threading.Event())
    assert data.data == dict.fromkeys(keys, RECORD)
    assert data.closed == 8


def test_it_ends_at_once_when_it_is_stopped() -> None:
    stop = threading.Event()
    threading.Timer(0.1, stop.set).start()

    def never(_: int) -> Data:
        raise ConnectionError

    began = time.monotonic()
    fill(["a", "b"], never, stop)
    assert time.monotonic() - began < 3


class Subject:
    name, title, invariants, members, quorum, records = "fake", "A fake", (), ("a",), 1, 200

    def __init__(self) -> None:
        self.data, self.asked, self.wanting = Data(), 0, 2

    def client(self, members: MembersNow, timeout: float) -> Data:
        assert [m.name for m in members()] == ["a"]
        return self.data

    def filled(self, members: MembersNow, timeout: float) -> str:
        self.asked += 1
        return "" if self.asked > self.wanting else f"{self.asked} of 3 regions are there"


@pytest.fixture
def subject(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Subject:
    made = Subject()
    monkeypatch.setattr("operator_demo.workload.records._PAUSE", 0.01)
    monkeypatch.setattr(subjects, "load", lambda *_: Found(made, tmp_path))  # type: ignore[arg-type]
    return made


def play(subject: Subject, folder: Path, enough: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
    """What the load says, until that is enough."""
    settings, out, stop = Settings("run-1", "x", "p", data=folder), io.StringIO(), threading.Event()
    member = {"name": "a", "container": "c", "state": "running", "address": "10.0.0.1", "exit_code": None}
    monitor = threading.Thread(target=rpc.serve, args=(settings.monitor_socket,
                                                       {"members": lambda: {"members": [member]}}, stop))
    with Store(folder / "t.db") as store:
        workload = Workload(settings, Recorder(store, "run-1", WORKLOAD, out), stop, 100.0)
        threads = [monitor, threading.Thread(target=workload.run)]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 30
        while not enough(said := [e.raw | {"type": e.type} for e in store.events("run-1")]):
            assert time.monotonic() < deadline, said
            time.sleep(0.05)
        stop.set()
        for thread in threads:
            thread.join()
        return said


def times(said: list[dict[str, Any]], type_: str) -> int:
    return [e["type"] for e in said].count(type_)


def test_the_load_begins_after_its_records_with_keys_spread_over_them(subject: Subject, tmp_path: Path) -> None:
    said = play(subject, tmp_path, lambda said: times(said, "load") > 0 and len(subject.data.data) == 200)
    assert [e["type"] for e in said[:2]] == ["note", "workload_started"]
    assert said[0]["text"] == "The load begins with 200 records."
    assert subject.asked == 3
    keys = sorted(subject.data.data)
    counters = [n for n, key in enumerate(keys) if subject.data.data[key] != RECORD]
    assert len(counters) == KEYS
    assert max(b - a for a, b in pairwise(counters)) <= 4
    before = dict(subject.data.data)
    said = play(subject, tmp_path, lambda said: times(said, "workload_started") == 2)
    assert "note" not in [e["type"] for e in said[len(said) // 2:]], "a load that is started again has its records"
    assert before.keys() == subject.data.data.keys()


def test_it_begins_in_the_end_and_says_what_is_missing(subject: Subject, tmp_path: Path,
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main_module, "FILL_LIMIT", 0.3)
    subject.wanting = 1000
    said = play(subject, tmp_path, lambda said: times(said, "workload_started") == 1)
    assert [e["type"] for e in said[:3]] == ["note", "note", "workload_started"]
    assert "of 3 regions are there" in said[1]["text"]
