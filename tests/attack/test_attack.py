"""Attempts against the real guard and a real engine, as the agent's account and as a hostile member: none succeeds, and
each refusal of the guard is in the record."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attempts import FROM_A_MEMBER, FROM_THE_AGENT, GUARD, PARSER, TOOLS, Attempt

from operator_demo.events import parse_ts

sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))

from presenter import Demo

pytestmark = pytest.mark.e2e
PAGE = Path(__file__).parents[2] / "docs" / "security.md"
BEGIN, END = "<!-- attempts: written by tests/attack -->", "<!-- end of attempts -->"
STOPS = ("guard", "hidden", "parser", "account", "network")
LISTS = ("list our containers", "list strangers")  # answered, without what is looked for
SLOWEST = 25.0  # seconds that an attempt may take: nothing hangs


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    with Demo.performed(tmp_path / "home") as made:
        yield made


@pytest.fixture
def stranger(demo: Demo) -> Iterator[Any]:
    container = demo.engine.containers.run("operator-demo/base:trixie", ["sleep", "600"], detach=True,
                                           name=f"{demo.project[::-1]}-stranger", network_mode="none")
    yield container
    container.remove(force=True)


class Attacks:
    """Carries out attempts and keeps when each was, by (place, aim)."""

    def __init__(self, variables: dict[str, str]) -> None:
        self._variables = variables
        self.when: dict[tuple[str, str], tuple[float, float]] = {}
        self.failed: list[str] = []

    def attempt(self, place: str, attempt: Attempt, container: Any, user: str) -> None:
        began = time.time()
        done = container.exec_run(["bash", "-c", f"exec 2>&1\n{TOOLS}\n{attempt.command}"], user=user,
                                  environment=self._variables)
        ended = time.time()
        self.when[place, attempt.aim] = began, ended
        told = f"{place}: {attempt.aim}: {done.output.decode(errors='replace')[-300:]}"
        if done.exit_code == 0:
            self.failed.append(f"SUCCEEDED {told}")
        if ended - began > SLOWEST:
            self.failed.append(f"TOOK {ended - began:.0f} s {told}")


def variables(demo: Demo, stranger: Any) -> dict[str, str]:
    member, monitor = demo.container("etcd1"), demo.container("monitor")
    (network, endpoint), = member.attrs["NetworkSettings"]["Networks"].items()
    (mount,) = [m for m in member.attrs["Mounts"] if m["Type"] == "volume"]
    return {"MEMBER": member.name, "VOLUME": mount["Name"], "IMAGE": member.attrs["Config"]["Image"],
            "NETWORK": network, "GATEWAY": endpoint["Gateway"], "OURS": monitor.name,
            "OURS_ADDRESS": address(monitor, network), "AGENT_ADDRESS": address(demo.container("network"), network),
            "GUARD": demo.container("guard").name, "RECORD": f"{demo.project}-operator_operator-data",
            "STRANGER": stranger.name, "STRANGER_ID": stranger.id}


def address(container: Any, network: str) -> str:
    return str(container.attrs["NetworkSettings"]["Networks"][network]["IPAddress"])


def test_no_attempt_succeeds(demo: Demo, stranger: Any) -> None:
    demo.start("--scenario", "by-hand")
    demo.until_chapter("load")
    attacks = Attacks(variables(demo, stranger))
    agent, member = demo.container("agent"), demo.container("etcd2")
    for place, attempts in FROM_THE_AGENT.items():
        for attempt in attempts:
            attacks.attempt(place, attempt, agent, "10001")
    for place, attempts in FROM_A_MEMBER.items():
        for attempt in attempts:
            attacks.attempt(place, attempt, member, "0")
    alive = {c.name: c.status for c in demo.containers()}
    stranger.reload()
    demo.process.terminate() if demo.process else None
    result = demo.wait(60)

    denials = [parse_ts(e["ts"]) for e in result.of("guard") if e["data"]["ruling"] == "deny"]
    for place, attempts in FROM_THE_AGENT.items():
        for attempt in attempts:
            began, ended = attacks.when[place, attempt.aim]
            if attempt.stopped_by in (GUARD, PARSER) and attempt.aim not in LISTS \
                    and not any(began <= moment <= ended for moment in denials):
                attacks.failed.append(f"NOT IN THE RECORD {place}: {attempt.aim}")
    assert attacks.failed == []
    assert set(alive.values()) == {"running"}, "every container of the demo has outlived all attempts"
    assert stranger.status == "running"
    assert result.status == 143, result.story
    write_table()


def test_there_are_enough_and_each_is_told_once() -> None:
    aims = [(place, a.aim) for part in (FROM_THE_AGENT, FROM_A_MEMBER) for place, some in part.items() for a in some]
    assert len(aims) == len(set(aims)) >= 70


def write_table() -> None:
    """Only where OPERATOR_WRITE_PROVEN is set."""
    if not os.environ.get("OPERATOR_WRITE_PROVEN"):
        return
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{table()}{END}{rest.partition(END)[2]}")


def table() -> str:
    rows = ["| tried on | attempts | stopped by the guard | hidden | taken for no request | by the account | "
            "by the network | succeeded |", "| --- | --- | --- | --- | --- | --- | --- | --- |"]
    for part in (FROM_THE_AGENT, FROM_A_MEMBER):
        for place, attempts in part.items():
            counts = [sum(a.stopped_by == by for a in attempts) or "" for by in STOPS]
            rows.append(f"| {place} | {len(attempts)} | {' | '.join(map(str, counts))} | 0 |")
    return "\n".join(rows) + "\n"
