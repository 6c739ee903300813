"""The arithmetic of the benchmarks and what they print; nothing is measured here."""

import json
import os
import time
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import __main__ as program
from benchmarks import load, table
from benchmarks.measure import Row, Unavailable, quantile, spread
from benchmarks.table import BEGIN, END, Report
from operator_demo.errors import OperatorError
from operator_demo.events import Load

MACHINE = {"cpus": 2, "cpu": "a processor", "memory_gb": 8, "system": "Debian", "python": "3.11", "docker": "20.10",
           "load": "0.1", "operator_demo": "0.1.0"}


def row(**changes: object) -> Row:
    given_ = {"work": "reading", "against": "cat", "unit": "ms", "ours": [3, 1, 2], "theirs": [1, 1, 4], "target": 2.0}
    return Row(**(given_ | changes))  # type: ignore[arg-type]


@pytest.fixture
def report() -> Report:
    return Report(MACHINE, "2026-01-01 00:00 UTC", {"read": [row()]}, {"pull": "no registry answers"})


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.floats(0.01, 1))
def test_a_quantile_is_a_sample_that_so_many_do_not_exceed(samples: list[float], q: float) -> None:
    found = quantile(samples, q)
    assert found in samples
    assert sum(s <= found for s in samples) >= q * len(samples) - 1e-9
    assert sum(s < found for s in samples) < q * len(samples)


def test_the_spread_leaves_out_the_extremes() -> None:
    assert spread(range(1, 101)) == (10, 90)
    assert spread([7]) == (7, 7)


def test_the_ratio_is_that_of_the_medians() -> None:
    assert row().ratio == 2
    assert list(row().ratios) == [3, 1, 0.5]
    assert row(theirs=[1]).ratios == []  # no pairs


@pytest.mark.parametrize(("changes", "met"), [
    ({"target": 2.0}, True),
    ({"target": 1.9}, False),
    ({"target": 2.1, "at_least": True}, False),
    ({"target": 2.0, "at_least": True}, True),
    ({"target": 1.9, "against_theirs": False}, False),  # the median of ours is 2
    ({"target": 2.0, "against_theirs": False}, True),
    ({"target": 2.0, "theirs": []}, False),  # what could not be compared is not met
    ({"target": 2.0, "theirs": [], "against_theirs": False}, True),
])
def test_a_target_bounds_the_ratio_or_the_figure(changes: dict[str, object], met: bool) -> None:
    assert row(**changes).met is met


def test_the_table_tells_all_of_a_row(report: Report) -> None:
    report.rows["write"] = [row(work="writing", against="", theirs=[], target=1, against_theirs=False, remark="cold")]
    text = table.text(report)
    lines = {line.split("  ")[0]: " ".join(line.split()) for line in text.splitlines()}
    assert lines["reading"] == "reading 2 ms 1 to 3 cat 1 ms 2x ≤ 2x met"
    assert lines["writing"] == "writing 2 ms 1 to 3 ≤ 1 ms MISSED"
    assert "not measured: no registry answers" in lines["pull"]
    assert "writing: cold" in text
    assert "a processor" in text


def test_the_page_is_changed_between_its_marks_alone(report: Report, tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"# Before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    table.write_page(report, page)
    once = page.read_text(encoding="utf-8")
    assert once.startswith(f"# Before\n{BEGIN}\n")
    assert once.endswith(f"{END}\nafter\n")
    assert "old" not in once
    assert "| reading | 2 ms | 1 to 3 | cat | 1 ms | 2x | ≤ 2x | met |" in once
    table.write_page(report, page)
    assert page.read_text(encoding="utf-8") == once


def test_a_page_without_marks_is_left_alone(report: Report, tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"# Mine {BEGIN}", encoding="utf-8")
    with pytest.raises(OperatorError, match="lacks"):
        table.write_page(report, page)
    assert page.read_text(encoding="utf-8") == f"# Mine {BEGIN}"


def unavailable() -> list[Row]:
    raise Unavailable("not here")


def broken() -> list[Row]:
    raise RuntimeError("it broke")


@pytest.fixture
def _fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "BENCHMARKS", {"read": lambda: [row()], "pull": unavailable, "bad": broken})
    monkeypatch.setattr(table, "new_report", lambda: Report(MACHINE, "2026-01-01 00:00 UTC"))
    monkeypatch.setattr(program.signal, "signal", lambda *_: None)


@pytest.mark.usefixtures("_fakes")
def test_json_holds_every_sample(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["read", "pull", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["machine"] == MACHINE
    assert told["skipped"] == {"pull": "not here"}
    (only,) = told["rows"]
    assert (only["ours"], only["theirs"]) == ([3, 1, 2], [1, 1, 4])
    assert (only["ratio"], only["met"], only["target"], only["target_is"]) == (2, True, 2.0, "ratio")
    assert only["ratio_spread"] == [0.5, 3]


@pytest.mark.usefixtures("_fakes")
def test_one_that_breaks_is_told_and_the_others_are_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main([]) == 1
    out = capsys.readouterr().out
    assert "reading" in out
    assert "RuntimeError: it broke" in out


@pytest.mark.usefixtures("_fakes")
@pytest.mark.parametrize("arguments", [["nonsense"], ["read", "--markdown"], ["--json", "--markdown"]])
def test_what_makes_no_sense_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        program.main(arguments)


def test_the_load_that_was_asked_for_and_what_was_done(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = [Load(ops=530, p50=0.8, p99=1.0, errors={"timeout": 2}, late=5),
               Load(ops=540, p50=None, p99=None, errors={})]
    monkeypatch.setattr(load, "_cluster", lambda folder: nullcontext({"pd0": "127.0.0.1"}))
    monkeypatch.setattr(load, "_measure", lambda folder, hosts, rate: ([30.0, 40.0], 36.0, seconds))
    processor, memory = load._rows(1_000)
    assert (processor.median, memory.median) == (35, 36)
    assert "535 operations a second were done, p50 800.0 ms, 7 were late or failed in 2 s" in processor.remark
    assert "go-ycsb" in processor.remark


def test_the_processor_time_of_a_process_grows() -> None:
    before = load._processor_seconds(os.getpid())
    end = time.process_time() + 0.1
    while time.process_time() < end:
        pass
    assert 0.05 < load._processor_seconds(os.getpid()) - before < 10
    assert load._peak(os.getpid()) > 5


@pytest.mark.wide
def test_the_load_runs_against_stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "WARM", 1)
    monkeypatch.setattr(load, "SECONDS", 3)
    processor, memory = load._rows(200)
    assert len(processor.ours) == 3
    assert min(processor.ours) > 0
    assert memory.median > 5
