"""Reading the record stays quick however much there is: no command looks at all events of all runs."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from operator_demo import audit, events
from operator_demo.commands import score
from operator_demo.store import Row, Store

Read = Callable[[Store], object]
READS: dict[str, Read] = {
    "score --last": lambda store: score.find(store, "last"),
    "score RUN": lambda store: score.find(store, "run-2"),
    "audit list": lambda store: audit.sessions(store, audit.Wanted(limit=20)),
    "audit list --scenario": lambda store: audit.sessions(store, audit.Wanted(scenario="member-kill")),
    "audit show RUN": lambda store: audit.record(store, *audit.find(store, "run-1")),
    "audit show SESSION": lambda store: audit.record(store, *audit.find(store, "ses-1")),
    "audit show last": lambda store: audit.record(store, *audit.find(store, "last")),
    "tickets list": lambda store: audit.tickets(store),
    "tickets show": lambda store: audit.record(store, *audit.find(store, "tkt-1", ("ticket",))),
}
STARTED = events.RunStarted(project="p", subject="etcd", mode="execute", model="m", brain="rehearsal", version="0",
                            engine="1", seed=1)
OPENED = events.TicketOpened(subject="etcd", severity="critical", title="t", violations=())
SESSION = events.SessionStarted(model="m", brain="rehearsal", mode="execute")
SCORE = events.Score(
    outcome="repaired", expected="repaired", reached=True, clocks=events.Clocks(), marks=events.Marks(),
    work=events.Work(), service=events.Service(), oracle=events.OracleWords(), collateral=())
SCORED = "INSERT INTO events (run, source, seq, ts, type, data) " \
         f"VALUES (?, 'stage', 2, '2026-11-28', 'score', '{json.dumps(SCORE.to_raw())}')"


@pytest.fixture
def store(tmp_path: Path) -> Any:
    """Three runs; the last has no score."""
    with Store(tmp_path / "tickets.db") as store:
        for n in (1, 2, 3):
            run, ids = f"run-{n}", {"ticket": f"tkt-{n}", "session": f"ses-{n}"}
            store.record(events.event(run, events.STAGE, STARTED))
            store.record(events.event(run, events.MONITOR, OPENED, ticket=ids["ticket"]))
            store.record(events.event(run, events.AGENT, SESSION, **ids))
            if n < 3:
                store.execute(SCORED, run)
        yield store


@pytest.mark.parametrize("name", READS)
def test_no_command_scans_all_events(store: Store, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, tuple[Any, ...]]] = []
    rows = store.rows

    def noted(sql: str, *parameters: Any) -> list[Row]:
        asked.append((sql, parameters))
        return rows(sql, *parameters)

    monkeypatch.setattr(store, "rows", noted)
    READS[name](store)
    assert asked
    for sql, parameters in asked:
        plan = [str(step["detail"]) for step in rows(f"EXPLAIN QUERY PLAN {sql}", *parameters)]
        assert not [step for step in plan if re.match(r"SCAN (TABLE )?events\b", step)], (sql, plan)


def test_the_newest_run_with_a_score(store: Store) -> None:
    assert score.find(store, "last")[0] == "run-2"
