"""`eval --html`: a campaign as a page, and its runs beside it."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hostile_texts import TEXTS
from page_parts import Page, addresses, source
from story import RUN, story

from operator_demo import events
from operator_demo.commands.eval import evaluate
from operator_demo.evaluation import campaign as campaigns
from operator_demo.evaluation import runner
from operator_demo.report import campaign
from operator_demo.store import Store

SCORE = events.Score(
    outcome="repaired", expected="repaired", reached=True, clocks=events.Clocks(), ttd=0.9, ttm=24.8,
    marks=events.Marks(cause=True), work=events.Work(steps=5), service=events.Service(), oracle=events.OracleWords(),
    collateral=())


def result(model: str, number: int, *, reached: bool = True, words: str = "") -> dict[str, Any]:
    return {"trial": f"etcd/member-kill/{model}/{number}", "subject": "etcd", "scenario": "member-kill", "model": model,
            "number": number, "seed": 1, "exit_status": 0 if reached else 1, "reached": reached,
            "outcome": "repaired" if reached else "unverified", "words": words,
            "score": asdict(SCORE) if reached else None}


def recorded(home: Path) -> Path:
    with Store(home / "tickets.db") as store:
        store.import_(e for e in story() if e.seq is not None)
    return home


def test_table_intervals_and_runs_are_in_it(tmp_path: Path) -> None:
    results = [result("rehearsal", 1), result("rehearsal", 2, reached=False, words="no engine"),
               result("none", 1, reached=False)]
    homes = {r["trial"]: tmp_path / str(n) for n, r in enumerate(results)}
    recorded(homes["etcd/member-kill/rehearsal/1"])
    text, runs = campaign.pages("nightly", results, homes, "nightly.runs", [])
    page = Page(text)
    assert page.title == "Campaign nightly"
    rows = {row["cells"][2]: row for row in page.data["rows"]}
    assert rows["rehearsal"]["cells"][3:6] == ["1/2", "50 % (9-91)", "+50 %"]
    assert (rows["rehearsal"]["tone"], rows["none"]["tone"]) == ("warn", "dim")
    assert 0 < rows["rehearsal"]["low"] < rows["rehearsal"]["rate"] < rows["rehearsal"]["high"] < 1
    assert [(run["trial"].split("/", 2)[2], run["page"]) for run in page.data["runs"]] == [
        ("none/1", None), ("rehearsal/1", "run-2.html"), ("rehearsal/2", None)]
    assert list(runs) == ["run-2.html"] and RUN in Page(runs["run-2.html"]).title


def test_no_request_may_leave_it(tmp_path: Path) -> None:
    text, _ = campaign.pages("nightly", [result("rehearsal", 1)], {"etcd/member-kill/rehearsal/1": tmp_path}, "r", [])
    page = Page(text)
    assert addresses(text) == set()
    assert "default-src 'none'" in page.policy
    assert " ".join(map(source, page.scripts)) in page.policy


@pytest.mark.parametrize("hostile", [text for text in TEXTS if text.kind == "markup"], ids=str)
def test_hostile_texts_stay_data(hostile: Any, tmp_path: Path) -> None:
    words = hostile.text(2000)
    trial = result("rehearsal", 1, reached=False, words=words) | {"scenario": words, "outcome": words}
    page = Page(campaign.pages(words, [trial], {trial["trial"]: tmp_path}, words, [])[0])
    assert [tag for tag, _ in page.tags].count("script") == 3
    assert len(page.data["runs"]) == 1


def test_the_command_writes_page_and_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plan = tmp_path / "nightly.yaml"
    plan.write_text("subjects:\n  etcd: [member-kill]\nmodels: [rehearsal]\ntrials: 1\nbaseline: false\n"
                    "control: false\n")
    (trial,) = campaigns.load(plan).trials
    recorded(runner.home_of(tmp_path / "nightly.results", trial))
    monkeypatch.setattr(runner, "finished", lambda folder: {trial.name: result("rehearsal", 1)})
    done = CliRunner().invoke(evaluate, [str(plan), "--report", "--html", "out.html"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "SUBJECT" in done.stdout and "1/1" in done.stdout
    data = Page((tmp_path / "out.html").read_text(encoding="utf-8")).data
    (run,) = data["runs"]
    assert (tmp_path / data["folder"] / run["page"]).is_file()
