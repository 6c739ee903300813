"""The built file runs `tikv`: on stand-ins for PD and TiKV, which the real Prometheus scrapes.

What is proved here is the program, the Compose file and the subject; not TiKV.
"""

import pytest
from presenter import Demo, Result

pytestmark = pytest.mark.e2e
RATE = ("--rate", "60")


def play(demo: Demo, scenario: str, *more: str) -> Result:
    result = demo.run("--scenario", scenario, "--seed", "7", *RATE, *more)
    assert result.status == 0, result.story
    assert result.outcome == "repaired"
    truth = result.last("truth_opened")["truth"]
    (target,) = truth["targets"]
    finding = result.last("finding")
    assert (finding["member"], finding["cause"]) == (target, truth["cause"])
    assert result.last("run_finished")["ttd"] < 10
    checks = {c["name"]: c["status"] for c in result.verdict()["checks"]}
    assert "not_checked" not in checks.values(), checks
    assert all(status == "passed" for name, status in checks.items() if name != "load"), checks
    assert demo.leftovers() == []
    return result


def says_that_these_are_stand_ins(demo: Demo, result: Result) -> None:
    notes = [e["data"] for e in result.of("note") if e["data"].get("stand_ins")]
    assert len(notes) == 1
    assert {"pd0", "tikv0"} <= set(notes[0]["stand_ins"])
    assert "prometheus" not in notes[0]["stand_ins"]
    assert "stand-ins" in demo.command("audit", "show", "last").stdout


def test_a_killed_store_is_started_again(demo: Demo) -> None:
    result = play(demo, "store-kill")
    says_that_these_are_stand_ins(demo, result)
    seen = [e["data"] for e in result.of("observation") if not e["data"]["violations"]][-1]
    for store in ("tikv0", "tikv1", "tikv2"):
        assert seen["members"][store]["capacity"] == 8 * 1024 ** 3
        assert seen["members"][store]["qps"] > 0
        assert seen["members"][store]["p99"] is not None
    assert seen["members"]["pd0"]["kind"] == "pd"
    loads = [e["data"] for e in result.of("load")]
    assert max(x.get("reads", 0) for x in loads) > 20  # of 60 operations a second
    assert max(x.get("writes", 0) for x in loads) > 20


@pytest.mark.wide
@pytest.mark.parametrize("scenario", ["pd-leader-kill", "frozen-store", "isolated-store"])
def test_the_rehearsal_brain_repairs_it(demo: Demo, scenario: str) -> None:
    play(demo, scenario)


@pytest.mark.wide
def test_a_silent_prometheus_is_a_ticket_and_not_zeros(demo: Demo) -> None:
    demo.start("--scenario", "store-kill", "--pace", "20", "--no-agent", *RATE)
    demo.until_chapter("load")
    demo.container("prometheus").kill()
    ticket = demo.until(lambda e: e["type"] == "ticket_opened")
    assert [v["key"] for v in ticket["data"]["violations"]] == ["metrics_silent:prometheus"]


def test_images_that_cannot_be_had_are_one_clear_message_with_three_ways_out(demo: Demo) -> None:
    demo.environment |= {"PD_IMAGE": "tikv-stand-in/nobody-has-this:1", "TIKV_IMAGE": "tikv-stand-in/nor-this:1"}
    result = demo.run("--no-agent")
    assert result.status == 3, result.story
    assert "nobody-has-this" in result.stderr
    assert "nor-this" in result.stderr
    for way in ("registry", "--load", "run etcd"):
        assert way in result.stderr, result.stderr
    assert "Traceback" not in result.stderr
