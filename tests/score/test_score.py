"""The score: each measure from events made for it."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operator_demo.events import (
    TYPES,
    Calls,
    Clocks,
    Effect,
    Event,
    Marks,
    OracleWords,
    Score,
    Service,
    Work,
    event,
    timestamp,
)
from operator_demo.score import Expected, grade
from operator_demo.score import calls as commands
from operator_demo.score.incident import Incident

START = 1_800_000_000.0
RIGHT = Expected("repaired", ("member_down",), "process_killed", ("etcd1",))
MINE = {"ticket": "tkt-1", "session": "ses-1"}
VIOLATION = {"key": "member_down:etcd1", "invariant": "member_down", "member": "etcd1"}


def at(second: float, source: str, kind: str, /, ticket: str | None = None, session: str | None = None,
       **data: Any) -> Event:
    made = event("run-1", source, TYPES[kind].of(data), ticket=ticket, session=session)
    return replace(made, ts=timestamp(datetime.fromtimestamp(START + second, UTC)))


def look(second: float, *violated: str) -> Event:
    return at(second, "monitor", "observation", members={}, cluster={}, violations=list(violated), duration=0.01)


def load(second: float, ops: int = 200, errors: int = 0) -> Event:
    return at(second, "workload", "load", ops=ops, p50=0.01, p99=0.02, errors={"timeout": errors} if errors else {})


def effect(second: float, action: str, member: str | None = "etcd1", explained: str | None = "tool_call",
           **more: Any) -> Event:
    return at(second, "monitor", "effect", container=f"demo-{member}-1", member=member, action=action,
              explained=explained, **more)


def command(second: float, call: str, text: str) -> Event:
    return at(second, "agent", "tool_call", **MINE, call=call, tool="shell", input={"command": text})


def finding(second: float, member: str = "etcd1", cause: str = "process_killed") -> Event:
    return at(second, "agent", "finding", **MINE, member=member, cause=cause, text="seen")


def usage(second: float, cost: float | None = 0.01) -> Event:
    return at(second, "agent", "usage", **MINE, input_tokens=100, output_tokens=10, cache_read_tokens=5,
              cache_write_tokens=0, cost_usd=cost, duration=1.0, request_id="r", stop_reason="tool_use")


def started(second: float, ticket: str = "tkt-1", session: str = "ses-1") -> Event:
    return at(second, "agent", "session_started", ticket=ticket, session=session, model="m", brain="rehearsal",
              mode="execute")


def incident() -> list[Event]:
    """Ten good seconds, a kill at 10, a ticket at 11, a start at 20, verified at 35."""
    since = timestamp(datetime.fromtimestamp(START + 10.5, UTC))
    return [
        *(load(s) for s in range(10)), look(9),
        at(9.9, "stage", "fault", phase="injecting", kind="kill", targets=["etcd1"]),
        effect(10, "die", explained="fault", time=START + 10), load(10, 50, 150), look(10.6, "member_down:etcd1"),
        at(11, "monitor", "ticket_opened", ticket="tkt-1", subject="etcd", severity="critical", title="t",
           violations=[VIOLATION | {"since": since}]),
        started(12), load(11, 190, 10), usage(14), command(15, "c1", "docker ps -a"), finding(18), usage(19),
        command(20, "c2", "docker start demo-etcd1-1"), effect(20.5, "start", call="c2"), load(12), look(22), load(22),
        at(34, "workload", "write_check", kept=900, lost=0, unknown=0),
        at(35, "monitor", "verdict", ticket="tkt-1", phase="final", passed=True, checks=[]),
        at(35.1, "monitor", "ticket_resolved", ticket="tkt-1"), look(36),
    ]


def test_a_repair_is_measured() -> None:
    score = grade(incident(), "repaired", RIGHT, True)
    assert score.clocks == Clocks(symptom=0.5, ticket=1.0, diagnosis=8.0, repairing_call=10.0, recovered=12.0,
                                  verified=25.0)
    assert (score.ttd, score.ttm) == (1.0, 25.0)
    assert score.marks == Marks(detected=True, localised=True, cause=True, repaired=True)
    assert score.work == Work(steps=2, tokens=230, cost_usd=0.02, calls=Calls(reading=1, repairing=1),
                              changes_before_finding=0, most_repeated=1)
    assert score.service == Service(client_errors=160, lost_seconds=1, writes_lost=0)
    assert score.oracle == OracleWords(passed=True)
    assert score.collateral == ()


def test_the_time_that_the_agent_waited_for_the_presenter_is_told_beside_the_whole() -> None:
    held = [at(5, "monitor", "agent_order", order="hold"), at(15, "monitor", "agent_order", order="go")]
    score = grade(sorted([*held, *incident()], key=lambda e: e.ts), "repaired", RIGHT, True)
    assert (score.ttm, score.waited) == (25.0, 4.0)
    assert grade(incident(), "repaired", RIGHT, True).waited is None


def without(kind: str) -> Callable[[list[Event]], list[Event]]:
    return lambda events: [e for e in events if e.type != kind]


@pytest.mark.parametrize(("change", "mark"), [
    (without("ticket_opened"), "detected"),
    (without("finding"), "localised"),
    (lambda events: [finding(18, "etcd2") if e.type == "finding" else e for e in events], "localised"),
    (lambda events: [finding(18, cause="overload") if e.type == "finding" else e for e in events], "cause"),
])
def test_each_mark_can_be_missed_alone(change: Callable[[list[Event]], list[Event]], mark: str) -> None:
    marks = grade(change(incident()), "repaired", RIGHT, True).marks
    assert getattr(marks, mark) is False


def test_a_finding_that_was_corrected_counts_as_corrected() -> None:
    events = [*incident(), finding(24, "etcd1", "process_stopped")]
    marks = grade(events, "repaired", Expected("repaired", (), "process_stopped", ("etcd1",)), True).marks
    assert marks.cause and marks.localised


def test_findings_about_different_members_stand_beside_each_other() -> None:
    events = [*incident(), finding(24, "etcd2", "overload")]
    marks = grade(events, "repaired", RIGHT, True).marks
    assert marks.cause and marks.localised


@pytest.mark.parametrize("member", ["etcd1", None])
def test_what_a_later_finding_takes_back_does_not_count(member: str | None) -> None:
    taken_back = at(24, "agent", "finding", **MINE, member=member, cause="overload", text="seen")
    assert grade([*incident(), taken_back], "repaired", RIGHT, True).marks.cause is False


def test_a_cause_that_is_named_of_every_member_is_not_localised() -> None:
    events = [*incident(), finding(24, "etcd0"), finding(25, "etcd2")]
    marks = grade(events, "repaired", RIGHT, True).marks
    assert (marks.cause, marks.localised) == (True, False)


def test_without_a_truth_the_diagnosis_is_not_judged() -> None:
    marks = grade(incident(), "repaired", Expected("repaired"), True).marks
    assert marks.localised is None and marks.cause is None


def test_a_change_before_the_finding_is_counted() -> None:
    events = [finding(30) if e.type == "finding" else e for e in incident()]
    assert grade(sorted(events, key=lambda e: e.ts), "repaired", RIGHT, True).work.changes_before_finding == 1


def test_an_unknown_price_leaves_the_cost_unknown() -> None:
    assert grade([*incident(), usage(21, None)], "repaired", RIGHT, True).work.cost_usd is None


def test_what_never_recovered_has_no_time() -> None:
    events = [look(s, "member_down:etcd1") if e.type == "observation" and (s := 30) else e for e in incident()]
    assert grade(events, "unverified", RIGHT, False).clocks.recovered is None


def test_the_oracles_reasons_are_kept() -> None:
    refused = at(35, "monitor", "verdict", ticket="tkt-1", phase="final", passed=False,
                 checks=[{"name": "load", "status": "failed", "saw": "no answer."},
                         {"name": "writes", "status": "passed", "saw": "all"}])
    events = [refused if e.type == "verdict" else e for e in incident()]
    assert grade(events, "unverified", RIGHT, False).oracle == OracleWords(False, "load failed: no answer.")


def test_a_run_in_which_nothing_breaks_counts_from_its_ticket() -> None:
    quiet = [e for e in incident() if e.type != "observation" and e.raw.get("explained") != "fault"]
    events = [at(0, "monitor", "armed", fingerprint={}, checks=[]), *(e for e in quiet if e.type != "fault")]
    score = grade(events, "no_action", Expected("no_action", (), "no_fault", ()), True)
    assert score.clocks.ticket == 0.0 and score.clocks.verified == 24.0


@pytest.mark.parametrize(("text", "effects", "kind"), [
    ("docker ps -a", [], "reading"), ("curl -s http://10.0.0.2:2379/health", [], "reading"),
    ("docker start x", ["start"], "repairing"), ("docker restart x", ["kill", "die", "stop", "start"], "repairing"),
    ("docker network connect n x", ["network connect"], "repairing"),
    ("docker update --cpus 2 x", ["update"], "repairing"),
    ("docker stop x", ["kill", "die", "stop"], "destructive"),
    ("docker rm -f x", ["kill", "die", "destroy"], "destructive"),
    ("docker rm x && docker run x", ["destroy", "create", "start"], "destructive"),
    ("docker exec x cat /etc/hosts", ["exec_start"], "reading"),
    ("docker exec x sh -c 'echo 1 > /data/f'", ["exec_start"], "unknown"),
    ("curl -X POST http://10.0.0.2:2379/v3/maintenance/alarm -d '{}'", [], "unknown"),
    ("curl --data @f http://x", [], "unknown"), ("curl -X GET http://x", [], "reading"),
])
def test_commands_are_judged_by_what_the_engine_saw(text: str, effects: list[str], kind: str) -> None:
    seen = [Effect(container="x", member="etcd1", action=action, explained="tool_call") for action in effects]
    assert commands.Call(text, 0.0, seen).kind == kind


def test_what_had_nothing_to_do_with_it_is_named() -> None:
    events = [*incident(), command(21, "c3", "docker restart everything"), effect(21.1, "start", "etcd2", call="c3"),
              effect(21.2, "volume destroy", None, call="c3", volume="demo-etcd_etcd1-data"),
              effect(21.3, "volume destroy", None, call="c3", volume="demo-etcd_etcd10-data"),
              effect(21.4, "exec_start", "etcd0", call="c3")]
    assert grade(events, "repaired", RIGHT, True).collateral == ("demo-etcd_etcd10-data", "etcd2")


def test_containers_of_others_that_the_agent_touched_are_named() -> None:
    def other(second: float, action: str, name: str, **more: Any) -> Event:
        return at(second, "monitor", "effect", container=name, member=None, action=action, **more)

    agents: dict[str, Any] = {"explained": "tool_call", "call": "c3"}
    events = [*incident(), command(21, "c3", "docker stop $(docker ps -q)"),
              other(21.1, "stop", "shop-db-1", **agents), other(21.2, "exec_start", "shop-web-1", **agents),
              other(21.3, "destroy", "backup-etcd1-1", **agents),  # (its name alone makes it no part of the target)
              other(21.4, "create", "probe", **agents), other(21.5, "stop", "mail-1", explained=None),
              effect(21.6, "exec_start", "etcd2", call="c3")]
    score = grade(events, "repaired", RIGHT, True)
    assert score.collateral == ("backup-etcd1-1", "shop-db-1", "shop-web-1")
    assert score.work.calls.destructive == 1


@given(st.permutations(incident()), st.integers(0, 40))
def test_any_part_of_a_record_in_any_order_has_a_score(events: list[Event], count: int) -> None:
    score = grade(events[:count], "interrupted", RIGHT, False)
    assert Score.of(json.loads(json.dumps(score.to_raw()))) == score


def test_nothing_recorded_is_no_incident() -> None:
    assert Incident.of([]).began is None
    assert grade([], "failed", RIGHT, False).ttd is None


def false_alarm() -> list[Event]:
    """During the warm-up a ticket opens; the agent works at it for nothing, and it clears."""
    mine = {"ticket": "tkt-0", "session": "ses-0"}
    slow = {"key": "high_latency", "invariant": "high_latency"}
    return [
        at(2, "monitor", "ticket_opened", ticket="tkt-0", subject="etcd", severity="warning", title="t",
           violations=[slow]), started(3, **mine), replace(usage(4), **mine), replace(finding(5, "etcd3"), **mine),
        replace(command(6, "c0", "docker restart demo-etcd3-1"), **mine), effect(6.1, "start", "etcd3", call="c0"),
        at(7, "monitor", "ticket_cleared", ticket="tkt-0")]


def test_a_false_ticket_before_the_fault_counts_for_nothing() -> None:
    record = sorted([*false_alarm(), *incident()], key=lambda e: e.ts)
    assert grade(record, "repaired", RIGHT, True) == grade(incident(), "repaired", RIGHT, True)


def test_without_an_agent_a_false_ticket_does_not_take_the_clocks_away() -> None:
    nobody = [e for e in false_alarm() + incident() if e.source != "agent" and e.type != "verdict"]
    record = sorted((e for e in nobody if e.type != "ticket_resolved"), key=lambda e: e.ts)
    score = grade(record, "unverified", RIGHT, False)
    assert (score.clocks.symptom, score.clocks.ticket, score.clocks.recovered) == (0.5, 1.0, 12.0)
    assert score.service == Service(client_errors=160, lost_seconds=1, writes_lost=0)
    assert score.marks.detected
