"""The gate: no scenario is shown that was not proved on real containers.

For each: inject, prove that it bites, the oracle says no, the ticket names what must show, the scenario's known repair,
the oracle says yes, and nothing is left behind. Then the same with the rehearsal in the place of the known repair.
"""

from typing import Any

import proven
import pytest
from known_repair import KnownRepair
from presenter import Demo, Result
from scripted import scripted

from operator_demo import subject
from operator_demo.chaos import scenario
from operator_demo.chaos.scenario import BY_HAND, ESCALATED, NO_ACTION, REPAIRED, Scenario

ETCD = subject.load("etcd")
PLAYS = {name: scenario.load(ETCD, name) for name in scenario.names(ETCD.folder)}
# The least that the rehearsal brings to the right end.
REPAIRS = {"member-kill", "member-stop", "leader-kill", "frozen-member", "isolated-member", "split", "quorum-loss",
           "space-alarm", "tempting-delete", "kill-twice", "quiet", "red-herring"}

pytestmark = [pytest.mark.e2e, pytest.mark.wide, pytest.mark.timeout(600)]


def cases() -> list[Any]:
    return [pytest.param(play, id=name) for name, play in PLAYS.items() if play.fault.kind != BY_HAND]


def run(demo: Demo, play: Scenario, *more: str) -> Result:
    return demo.run("--scenario", play.name, "--seed", "7", "--rate", "200", *more,  # as in a demonstration
                    timeout=180 + play.detect_limit + play.repair_limit)


def assert_it_was_broken_and_seen(play: Scenario, result: Result) -> None:
    injected = [e["data"] for e in result.of("fault") if e["data"]["phase"] == "injected"]
    assert injected, result.story
    assert all(data["saw"] for data in injected), "it was proved that the fault bites"
    opening = next(e["data"] for e in result.of("verdict") if e["data"]["phase"] == "opening")
    assert opening["passed"] is (play.outcome == NO_ACTION), result.story
    on_ticket = {v["invariant"] for e in result.of("ticket_opened", "ticket_updated") for v in e["data"]["violations"]}
    assert play.unseen(on_ticket) == [], result.story
    truth = result.last("truth_opened")["truth"]
    assert (truth["scenario"], truth["cause"]) == (play.name, play.cause)


def assert_nothing_is_left(demo: Demo) -> None:
    assert demo.leftovers() == []
    mine = [c["Names"] for c in demo.engine.api.containers(all=True) if demo.project in str(c["Names"])]
    assert mine == [], "no helper and no decoy either"
    assert list((demo.home / "journal").glob("*.json")) == [], "nothing is open in a journal"


@pytest.mark.parametrize("play", cases())
def test_the_known_repair(demo: Demo, play: Scenario) -> None:
    with scripted(KnownRepair(demo, play)) as environment:
        demo.environment = environment
        result = run(demo, play)
    proven.note(proven.ETCD, play.name, "known", result)
    assert_it_was_broken_and_seen(play, result)
    assert (result.status, result.outcome) == (0, play.outcome), result.story
    shells = [e["data"] for e in result.of("tool_result") if e["data"]["tool"] == "shell"]
    assert [s for s in shells if s.get("exit_code") != 0] == []
    if play.outcome != ESCALATED:
        assert result.verdict()["passed"]
    assert_nothing_is_left(demo)


@pytest.mark.parametrize("play", cases())
def test_the_rehearsal(demo: Demo, play: Scenario) -> None:
    result = run(demo, play, "--model", "rehearsal")
    proven.note(proven.ETCD, play.name, "rehearsal", result)
    assert_it_was_broken_and_seen(play, result)
    if play.name in REPAIRS:
        assert (result.status, result.outcome) == (0, play.outcome), result.story
    else:
        assert result.outcome in (play.outcome, ESCALATED), result.story
    if result.outcome in (REPAIRED, ESCALATED):
        assert play.cause in {e["data"]["cause"] for e in result.of("finding")}, result.story
    assert_nothing_is_left(demo)
