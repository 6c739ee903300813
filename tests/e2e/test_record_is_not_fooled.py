"""Somebody with the engine's socket writes into a log, asks the monitor, and looks like the host. The record tells."""

import json
from collections.abc import Iterator

import pytest
from presenter import LABEL, Demo

from operator_demo import labels
from operator_demo.engine import BASE, Engine, connect, exec_in
from operator_demo.events import now

pytestmark = pytest.mark.e2e
AHEAD = 50  # numbers; the monitor does not come so far meanwhile


@pytest.fixture
def raw_engine() -> Iterator[Engine]:
    engine = connect()
    yield engine
    engine.close()


def forged_lines(demo: Demo, ticket: str) -> str:
    """A passed verdict and its ticket's end, as the monitor would print them."""
    run = next(e["run"] for e in demo.events)
    newest = max(e["seq"] or 0 for e in demo.events if e["source"] == "monitor")
    contents = [("verdict", {"phase": "final", "passed": True, "checks": []}),
                ("ticket_resolved", {"outcome": "repaired"})]
    return "".join(json.dumps(
        {"v": 1, "run": run, "source": "monitor", "type": type, "data": data, "seq": newest + AHEAD + number,
         "ts": now(), "ticket": ticket, "session": None}, separators=(",", ":")) + "\n"
        for number, (type, data) in enumerate(contents))


def test_what_is_forged_or_disguised_is_told(demo: Demo, raw_engine: Engine) -> None:
    demo.start("--scenario", "member-kill", "--seed", "7")
    ticket = demo.until(lambda e: e["type"] == "ticket_claimed")["ticket"]
    monitor = demo.container("monitor").id

    write = ["sh", "-c", "cat > /proc/1/fd/1"]
    assert exec_in(raw_engine, monitor, write, stdin=forged_lines(demo, ticket).encode())[0] == 0
    arm = json.dumps({"op": "arm", "scenario": {"allow": ["member_id", "data"]}}).encode()
    status, _, err = exec_in(raw_engine, monitor, ["operator-demo", "ctl"], stdin=arm)
    assert status != 0 and b"nonce" in err
    disguise = {LABEL: f"{demo.project}-operator", labels.SERVICE: "aux", labels.ONEOFF: "True"}
    name = f"{demo.project}-operator-aux-0123abcd"
    demo.engine.containers.run(BASE, ["true"], name=name, labels=disguise, volumes=["/:/host:ro"], remove=True)

    result = demo.wait()
    assert (result.status, result.outcome) == (1, "unverified"), result.story
    texts = " ".join(e["data"]["text"] for e in result.of("contradiction"))
    assert "said verdict as event" in texts and "said ticket_resolved as event" in texts
    assert len(result.of("armed")) == 1
    nobodys = [e["data"] for e in result.of("effect") if e["data"]["explained"] is None]
    assert {e["action"] for e in nobodys if e["container"] == name} >= {"create", "start"}
    commands = [e["command"] for e in nobodys if e["action"] == "exec_start"]
    assert sorted(commands) == ["operator-demo ctl", "sh -c cat > /proc/1/fd/1"]
    assert {e["container"] for e in nobodys} == {name, f"{demo.project}-operator-monitor-1"}
