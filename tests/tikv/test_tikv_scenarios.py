"""Every scenario of TiKV on stand-ins, as tests/gate does with etcd: known repair, no agent, and rehearsal.

What is proved here is the program, the scenario and the subject; not TiKV: `scenarios list` does not count it as proof.
"""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "gate"))

import proven
from known_repair import KnownRepair
from presenter import Demo, Result
from scripted import scripted
from test_gate import assert_it_was_broken_and_seen, assert_nothing_is_left

from operator_demo import subject
from operator_demo.chaos import scenario
from operator_demo.chaos.scenario import Scenario
from operator_demo.outcomes import ESCALATED, REPAIRED, UNVERIFIED

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
TIKV = subject.load("tikv")
PLAYS = {name: scenario.load(TIKV, name) for name in scenario.names(TIKV.folder)}
NEEDS_NETEM = "latency"
HANDED_OVER = {"disk-pressure", "crash-loop", "lost-disk"}  # by the rehearsal: removing is a human's decision


def cases(brain: str) -> list[Any]:
    return [pytest.param(play, id=name, marks=pytest.mark.wide)
            for name, play in PLAYS.items() if name != NEEDS_NETEM]


def run(demo: Demo, play: Scenario, *more: str) -> Result:
    return demo.run("--scenario", play.name, "--seed", "7", "--rate", "60", *more,
                    timeout=180 + play.detect_limit + play.repair_limit)


@pytest.mark.parametrize("play", cases("known"))
def test_the_known_repair(demo: Demo, play: Scenario) -> None:
    with scripted(KnownRepair(demo, play)) as environment:
        demo.environment |= environment
        result = run(demo, play)
    proven.note(proven.TIKV_ON_STAND_INS, play.name, "known", result)
    assert_it_was_broken_and_seen(play, result)
    assert (result.status, result.outcome) == (0, REPAIRED), result.story
    shells = [e["data"] for e in result.of("tool_result") if e["data"]["tool"] == "shell"]
    assert [s for s in shells if s.get("exit_code") != 0] == []
    assert result.verdict()["passed"]
    assert_nothing_is_left(demo)


@pytest.mark.parametrize("play", cases("no agent"))
def test_no_agent(demo: Demo, play: Scenario) -> None:
    result = run(demo, play, "--no-agent")
    proven.note(proven.TIKV_ON_STAND_INS, play.name, "no agent", result)
    assert_it_was_broken_and_seen(play, result)
    assert result.outcome == UNVERIFIED, result.story
    assert_nothing_is_left(demo)


@pytest.mark.parametrize("play", cases("rehearsal"))
def test_the_rehearsal(demo: Demo, play: Scenario) -> None:
    result = run(demo, play, "--model", "rehearsal")
    proven.note(proven.TIKV_ON_STAND_INS, play.name, "rehearsal", result)
    assert_it_was_broken_and_seen(play, result)
    assert result.outcome == (ESCALATED if play.name in HANDED_OVER else REPAIRED), result.story
    assert play.cause in {e["data"]["cause"] for e in result.of("finding")}, result.story
    assert_nothing_is_left(demo)


@pytest.mark.wide
def test_without_netem_the_slow_network_is_refused_and_says_why(demo: Demo) -> None:
    told = {fault["kind"]: fault for fault in json.loads(demo.command("chaos", "list", "tikv", "--json").stdout)}
    reason = told["latency"]["reason"]
    if reason is None:
        pytest.skip("this kernel has sch_netem")
    result = run(demo, PLAYS[NEEDS_NETEM], "--no-agent")
    assert result.status == 3, result.story
    assert "The fault latency is not possible here: the engine's kernel has no sch_netem." in result.stderr
    assert "chaos list" in result.stderr
    assert not result.of("fault")
    assert demo.leftovers() == []
