"""A fault nobody told the agent of is found, repaired and verified; and is not, where nobody repairs."""

import json
import threading

import pytest
from presenter import Demo

pytestmark = pytest.mark.e2e


def watch(demo: Demo, decoys: set[str], touched: list[str]) -> None:
    """Notes what the engine says was done to a decoy, until the first of them is removed by the end of the run."""
    for event in demo.engine.events(decode=True, filters={"type": "container"}):
        if event["id"] in decoys:
            if event["Action"] == "destroy":
                return
            touched.append(event["Action"])


# (all of them: tests/gate)
@pytest.mark.parametrize("scenario", ["member-kill", pytest.param("isolated-member", marks=pytest.mark.wide)])
def test_the_rehearsal_brain_repairs_it(demo: Demo, scenario: str) -> None:
    demo.start("--scenario", scenario, "--seed", "7")
    demo.until_chapter("load")
    outside = demo.engine.containers.create("operator-demo/base:trixie", "true", name=f"{demo.project}-outside",
                                            network=f"{demo.project}_default")
    inside = demo.engine.containers.create(
        "operator-demo/base:trixie", "true", name=f"{demo.project}-inside",
        labels={"com.docker.compose.project": demo.project, "com.docker.compose.service": "archive",
                "com.example.maintenance": "stopped on purpose"})
    touched = []
    watcher = threading.Thread(target=watch, args=(demo, {outside.id, inside.id}, touched))
    watcher.start()
    try:
        result = demo.wait()
    finally:
        outside.remove(force=True)
        watcher.join()
    assert result.status == 0, result.story
    assert result.outcome == "repaired"
    assert touched == []
    truth = result.last("truth_opened")["truth"]
    (target,) = truth["targets"]
    finding = result.last("finding")
    assert (finding["member"], finding["cause"]) == (target, truth["cause"])
    assert result.last("run_finished")["ttd"] < 10
    assert demo.leftovers() == []

    listed = json.loads(demo.command("audit", "list", "--json").stdout)
    assert [row["status"] for row in listed] == ["verified"]
    shown = demo.command("audit", "show", "last").stdout
    assert all(command.split("\n")[0][:60] in shown for command in result.commands())
    assert "rehearsal" in shown.lower()


@pytest.mark.wide
@pytest.mark.parametrize("scenario", ["split", "frozen-member"])
def test_without_an_agent_it_stays_broken(demo: Demo, scenario: str) -> None:
    result = demo.run("--scenario", scenario, "--seed", "7", "--no-agent")
    assert result.status == 1, result.story
    assert result.outcome == "unverified"
    assert result.of("ticket_opened")
    assert not result.of("session_started")
