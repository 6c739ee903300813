"""What a guard that was started again still knows."""

from pathlib import Path

import pytest

from operator_demo.guard import memory
from operator_demo.guard.decision import Target
from operator_demo.guard.memory import EXEC, ONE_SHOT, Begun, Memory

MEMBER = Target("container", "id-1", "demo-etcd1-1", "etcd1")
KIND = ("docker stop", "container", "id-1")


def begun(id: str, what: str = EXEC, caller: str = "agent", at: float = 5.0) -> Begun:
    return Begun(what, id, caller, at, MEMBER)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "memory" / "run-1.jsonl"


def test_it_knows_after_a_restart_what_it_knew_before(path: Path) -> None:
    before = Memory(path)
    assert not before.is_of_before
    assert Memory(path).is_of_before
    before.began(begun("e1"))
    before.began(begun("c1", ONE_SHOT))
    before.allow_always(KIND, "anna")
    for known in (before, Memory(path), Memory(path)):
        assert known.find(EXEC, "e1") == begun("e1")
        assert known.find(ONE_SHOT, "e1") is None
        assert known.since(ONE_SHOT, "agent", 0.0) == [begun("c1", ONE_SHOT)]
        assert known.always_allowed_by(KIND) == "anna"
        assert known.always_allowed_by(("docker kill", "container", "id-1")) is None


def test_since_tells_apart_callers_and_times() -> None:
    known = Memory()
    for one in (begun("old", at=4.0), begun("new"), begun("other", caller="monitor")):
        known.began(one)
    assert known.since(EXEC, "agent", 5.0) == [begun("new")]


def test_a_line_that_was_cut_off_is_passed_over(path: Path) -> None:
    before = Memory(path)
    before.began(begun("e1"))
    with open(path, "a") as file:
        file.write('{"what": "exec", "id": "e')
    after = Memory(path)
    after.began(begun("e2"))
    again = Memory(path)
    assert [one.id for one in again.since(EXEC, "agent", 0.0)] == ["e1", "e2"]


@pytest.mark.parametrize("line", ["[]", "5", "null", '{"what": "pod"}', '{"always": []}', '{"always": [1, 2, 3]}'])
def test_what_it_cannot_read_is_passed_over(path: Path, line: str) -> None:
    path.parent.mkdir()
    path.write_text(line + "\n")
    assert Memory(path).since(EXEC, "agent", 0.0) == []


def test_it_forgets_the_oldest_and_its_file_stays_small(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_MOST", 3)
    monkeypatch.setattr(memory, "_LINES", 6)
    known = Memory(path)
    known.allow_always(KIND, "anna")
    for number in range(20):
        known.began(begun(f"e{number}"))
    assert len(path.read_text().splitlines()) <= 7
    assert [one.id for one in Memory(path).since(EXEC, "agent", 0.0)] == ["e17", "e18", "e19"]
    assert Memory(path).always_allowed_by(KIND) == "anna"


def test_what_cannot_be_written_is_known_until_the_end(tmp_path: Path) -> None:
    (tmp_path / "memory").write_text("no folder")
    known = Memory(tmp_path / "memory" / "run-1.jsonl")
    known.began(begun("e1"))
    assert known.find(EXEC, "e1") == begun("e1")
