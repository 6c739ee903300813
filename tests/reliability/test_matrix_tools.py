"""What the crash matrix relies on: its table of cases, its judge of records, its page of results."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import matrix_results
import pytest
from crash_matrix import CASES, MATRIX
from record_faults import record_faults

from operator_demo import events
from operator_demo.chapters import NAMES
from operator_demo.store import Store

RUN = "run-aaaaaaaa"


def test_every_cause_and_every_chapter_is_met_twice() -> None:
    assert all(len(chapters) >= 2 for chapters in MATRIX.values())
    met = [chapter for _, chapter in CASES]
    assert [name for name in NAMES if met.count(name) < 2] == []
    assert set(met) <= set(NAMES)


def record(home: Path, *said: events.Event) -> None:
    with Store(home / "tickets.db") as store:
        for number, event in enumerate(said, 1):
            store.import_([replace(event, seq=number)])


def stage(name: str, **data: object) -> events.Event:
    return events.event(RUN, "stage", events.TYPES[name].of(data))


def finished() -> events.Event:
    return stage("run_finished", outcome="repaired", exit_status=0, ttd=None, ttm=None)


def test_a_good_record(tmp_path: Path) -> None:
    record(tmp_path, stage("note", level="info", text="x"), finished())
    assert record_faults(tmp_path, RUN, {("stage", 1), ("stage", 2)}) == []


def test_what_was_heard_and_is_not_in_the_record(tmp_path: Path) -> None:
    record(tmp_path, finished())
    assert record_faults(tmp_path, RUN, {("agent", 7)}) == ["lost: event 7 of agent"]


@pytest.mark.parametrize("ends", [0, 2])
def test_a_run_ends_once(tmp_path: Path, ends: int) -> None:
    record(tmp_path, stage("note", level="info", text="x"), *[finished()] * ends)
    assert record_faults(tmp_path, RUN, set()) == [f"run_finished stands {ends} times in the record"]


@pytest.mark.parametrize("origin", ["abc1234", "abc1234, modified"])
def test_the_build_that_was_tested_is_named(tmp_path: Path, origin: str) -> None:
    file = tmp_path / "operator-demo"
    file.write_text(f"#!/bin/sh\necho 'operator-demo 0.1.0 (commit {origin})'\n")
    file.chmod(0o755)
    assert matrix_results.build(file).commit == origin


def test_only_what_passed_with_the_same_file_is_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPERATOR_RESUME", "1")
    tested, other = matrix_results.Build("0011", "abc1234, modified"), matrix_results.Build("2233", "abc1234, modified")
    results = tmp_path / "reliability.json"
    results.write_text(json.dumps({"a": {"outcome": "passed", **asdict(tested)},
                                   "b": {"outcome": "failed", **asdict(tested)}}))
    assert matrix_results.has_passed("a", tested, results)
    assert not matrix_results.has_passed("b", tested, results)
    assert not matrix_results.has_passed("c", tested, results)
    assert not matrix_results.has_passed("a", other, results)


def test_results_are_kept_case_by_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPERATOR_WRITE_PROVEN", "1")
    results, page = tmp_path / "build" / "reliability.json", tmp_path / "page.md"
    page.write_text(f"above\n{matrix_results.BEGIN}\nold\n{matrix_results.END}\nbelow\n")
    for name in ("b", "a"):
        result = {"cause": name, "chapter": "load", "promise": "ends", "outcome": "passed", "seconds": 3,
                  "commit": "1234567", "date": "2026-01-31"}
        matrix_results.note(name, result, results, page)
    assert list(json.loads(results.read_text())) == ["b", "a"]
    shown = page.read_text()
    assert "old" not in shown
    assert shown.startswith("above\n") and shown.endswith("below\n")
    assert shown.index("| a | load | ends | passed | 3 | 1234567, 2026-01-31 |") < shown.index("| b | load |")
