"""`scenarios prove`: which runs it makes, what is written down of them, and who reads it."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
import stand_in_program
from hypothesis import given
from hypothesis import strategies as st

from operator_demo import events, proven, subject
from operator_demo.errors import UsageError
from operator_demo.evaluation import proof, runner
from operator_demo.evaluation.campaign import NO_AGENT
from operator_demo.settings import REHEARSAL
from operator_demo.store import Store
from operator_demo.subject import Found

ETCD = subject.load("etcd")
ENTRY = {"outcome": "repaired", "reached": True, "cause": None, "ttd": 1.0, "ttm": 2.0, "version": "v", "date": "d"}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OPERATOR_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def own(tmp_path: Path) -> Found:
    """A subject of the user's own, in a folder."""
    folder = tmp_path / "my-etcd"
    (folder / "scenarios").mkdir(parents=True)
    shutil.copy(str(ETCD.folder.joinpath("scenarios", "member-kill.yaml")), folder / "scenarios")
    return Found(ETCD.subject, folder, outside=True)


def test_each_scenario_runs_without_an_agent_where_a_repair_is_expected_and_with_the_rehearsal() -> None:
    plays = proof.plays(ETCD, ())
    plan = proof.campaign(ETCD, plays, None)
    assert plan.parallel == 1
    runs = {(t.scenario, t.model) for t in plan.trials}
    assert {("member-kill", NO_AGENT), ("member-kill", REHEARSAL), ("quiet", REHEARSAL)} <= runs
    assert ("quiet", NO_AGENT) not in runs, "without an agent nothing can be claimed"
    assert "by-hand" not in {scenario for scenario, _ in runs}


def test_only_the_chosen_scenarios_run() -> None:
    assert [play.name for play in proof.plays(ETCD, ("quiet", "leader-kill", "quiet"))] == ["leader-kill", "quiet"]


@pytest.mark.parametrize("name", ["by-hand", "no-such", "./mine.yaml"])
def test_what_cannot_be_proved_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=name) as refused:
        proof.plays(ETCD, ("quiet", name))
    assert "member-kill" in refused.value.hint


def prove(found: Found, folder: Path, program: Path, *names: str, host: str | None = None) -> dict[str, str]:
    plan = proof.campaign(found, proof.plays(found, names), host)
    runner.play(plan, folder, program, lambda trial: None, lambda trial, result: None)
    return proof.note_finished(found, plan, folder)


def test_what_each_run_did_is_written_down(tmp_path: Path, home: Path) -> None:
    assert prove(ETCD, tmp_path / "out", stand_in_program.make(tmp_path), "member-kill") == {}
    written = json.loads((home / "proven" / "etcd.json").read_text())
    alone, rehearsal = (written[section]["member-kill"] for section in ("without_agent", "scenarios"))
    assert (alone["outcome"], alone["reached"], alone["cause"], alone["ttm"]) == ("unverified", False, None, None)
    assert (rehearsal["outcome"], rehearsal["reached"]) == ("repaired", True)
    assert (rehearsal["cause"], rehearsal["ttd"], rehearsal["ttm"]) == ("process_killed", 1.0, 20.0)
    assert rehearsal["version"] == "v"
    assert proven.read(ETCD)["member-kill"] == rehearsal
    assert proven.read(ETCD, proven.WITHOUT_AGENT)["member-kill"] == alone


def test_of_a_subject_of_ones_own_it_is_written_beside_the_scenarios(tmp_path: Path, home: Path, own: Found) -> None:
    prove(own, tmp_path / "out", stand_in_program.make(tmp_path))
    assert set(json.loads((tmp_path / "my-etcd" / "proven.json").read_text())["scenarios"]) == {"member-kill"}
    assert not (home / "proven").exists()
    assert proven.read(own)["member-kill"]["outcome"] == "repaired"


def test_the_engine_that_was_named_is_that_of_the_runs(tmp_path: Path) -> None:
    program = stand_in_program.make(tmp_path)
    prove(ETCD, tmp_path / "out", program, "quiet", host="tcp://there:2375")
    (home_of_run,) = (tmp_path / "out" / "homes").iterdir()
    assert (home_of_run / "arguments").read_text().startswith("--host tcp://there:2375 run etcd --scenario quiet ")


def test_a_run_that_failed_proves_nothing(tmp_path: Path, home: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho 'no engine answers'; exit 3\n")
    broken.chmod(0o755)
    reasons = prove(ETCD, tmp_path / "out", broken, "quiet")
    assert reasons == {"etcd/quiet/rehearsal/1": "failed. no engine answers"}
    assert not (home / "proven").exists()


def test_a_run_on_stand_ins_proves_nothing(tmp_path: Path, home: Path) -> None:
    program, out = stand_in_program.make(tmp_path), tmp_path / "out"
    plan = proof.campaign(ETCD, proof.plays(ETCD, ("quiet",)), None)
    runner.play(plan, out, program, lambda trial: None, lambda trial, result: None)
    with Store(runner.home_of(out, plan.trials[0]) / "tickets.db") as store:
        note = events.Note(level="warning", text="not the real one", stand_ins=("etcd0",))
        store.record(events.event("run-x", events.STAGE, note))
    (reason,) = proof.note_finished(ETCD, plan, out).values()
    assert "stand-ins" in reason
    assert not (home / "proven").exists()


def test_the_next_call_runs_all_again(tmp_path: Path) -> None:
    out, program = tmp_path / "out", stand_in_program.make(tmp_path)
    prove(ETCD, out, program, "quiet")
    assert runner.finished(out)
    proof.begin_anew(out)
    assert runner.finished(out) == {}
    assert prove(ETCD, out, program, "quiet") == {}


def test_what_was_seen_here_counts_more_than_what_the_program_brings_along(home: Path) -> None:
    shipped = proven.read(ETCD)
    proven.note(ETCD, proven.REHEARSAL, "quiet", ENTRY | {"outcome": "escalated"})
    seen = proven.read(ETCD)
    assert seen["quiet"]["outcome"] == "escalated"
    assert {name: entry for name, entry in seen.items() if name != "quiet"} == {
        name: entry for name, entry in shipped.items() if name != "quiet"}


def test_without_a_home_the_list_of_the_program_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPERATOR_HOME", "")
    monkeypatch.setenv("HOME", "/nonexistent")
    assert "quiet" in proven.read(ETCD)


@pytest.mark.parametrize("text", ["{", "[]", '{"scenarios": 5}'])
def test_a_damaged_file_is_named(text: str, home: Path) -> None:
    (home / "proven").mkdir(parents=True)
    (home / "proven" / "etcd.json").write_text(text)
    with pytest.raises(UsageError, match=r"etcd\.json cannot be read"):
        proven.read(ETCD)


_NAMES = st.sampled_from(["quiet", "member-kill", "split"])
_NOTED = st.lists(st.tuples(st.sampled_from([proven.REHEARSAL, proven.WITHOUT_AGENT]), _NAMES, st.integers(0, 9)))


@given(_NOTED)
def test_what_was_noted_last_is_read_and_nothing_else_is_lost(noted: list[tuple[str, str, int]]) -> None:
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setenv("OPERATOR_HOME", folder)
        last: dict[tuple[str, str], Any] = {}
        for section, name, seconds in noted:
            last[section, name] = ENTRY | {"ttd": seconds}
            proven.note(ETCD, section, name, last[section, name])
        for (section, name), entry in last.items():
            assert proven.read(ETCD, section)[name] == entry
