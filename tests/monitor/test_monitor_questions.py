import json
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from monitor_bench import Bench

from operator_demo.engine import EngineEvent
from operator_demo.errors import UsageError
from operator_demo.monitor.agent_orders import AgentOrders
from operator_demo.monitor.effects import Effects
from operator_demo.monitor.health_checks import HealthChecks
from operator_demo.monitor.oracle import Oracle
from operator_demo.monitor.questions import Questions
from operator_demo.settings import Settings
from operator_demo.subject import Violation

INSPECTED: dict[str, Any] = {
    "Name": "/p-m1-1", "State": {"Status": "running", "Health": {"Status": "healthy", "Log": [1, 2, 3, 4]}},
    "Config": {"Image": "i", "Cmd": ["x"], "Entrypoint": None, "Env": ["API_KEY=sk-ant-abcdefgh12345678", "A=1"]},
    "HostConfig": {"RestartPolicy": {"Name": "no"}, "Memory": 5, "NanoCpus": 0, "Binds": ["/secret:/x"]},
    "NetworkSettings": {"Networks": {"p_default": {"IPAddress": "10.0.0.1", "Aliases": ["m1"], "MacAddress": "x"}}},
    "Mounts": [{"Type": "volume", "Name": "v", "Destination": "/d", "RW": True, "Source": "/var/lib/docker/x"}],
}


@pytest.fixture
def questions(bench: Bench, tmp_path: Path) -> Questions:
    oracle = Oracle(bench.observer, bench.monitor, dict, tmp_path / "w.sock", tmp_path, threading.Event())
    return Questions(bench.observer, oracle, bench.announced, AgentOrders(bench.monitor), bench.monitor,
                     lambda: "p_default", lambda _: INSPECTED,
                     lambda _, lines: [b"one\x1b[31m\r\ntwo \xff PASSWORD=hunter22\n"] * min(lines, 5000),
                     lambda nonce: nonce == "right")


def test_observe_tells_members_network_and_violations(bench: Bench, questions: Questions) -> None:
    bench.subject.found = [Violation("slow", "m0", "warning", "m0 is slow.")]
    seen = questions.observe()
    assert set(seen["members"]) == {"m0", "m1", "m2"}
    assert seen["network"] == "p_default"
    assert [(v["invariant"], v["member"], v["firing"]) for v in seen["violations"]] == [("slow", "m0", False)]
    json.dumps(seen)


def test_observe_looks_anew_only_when_the_last_look_is_old(bench: Bench, questions: Questions) -> None:
    questions.observe()
    asked = bench.members.asked
    questions.observe()
    assert bench.members.asked == asked


def test_inspect_is_reduced_and_redacted(questions: Questions) -> None:
    told = questions.inspect("m1")
    text = json.dumps(told)
    assert told["environment"] == ["API_KEY=[redacted]", "A=1"]
    assert told["limits"] == {"Memory": 5}
    assert told["networks"] == {"p_default": {"IPAddress": "10.0.0.1", "Aliases": ["m1"]}}
    assert told["state"]["Health"]["Log"] == [3, 4]
    assert "/secret" not in text
    assert "/var/lib/docker" not in text
    assert INSPECTED["State"]["Health"]["Log"] == [1, 2, 3, 4], "what was given is left as it was"


def test_logs_are_clean_redacted_and_bounded(questions: Questions) -> None:
    assert questions.logs("m1", 1)["text"] == "one\ntwo \ufffd PASSWORD=[redacted]\n"
    long = questions.logs("m1", 10**9)
    assert len(long["text"].encode()) < 40_000
    assert questions.logs("m1", -5)["text"]


def test_inspect_of_an_environment_with_quotes_is_redacted_value_by_value(
        questions: Questions, monkeypatch: pytest.MonkeyPatch) -> None:
    config = INSPECTED["Config"] | {"Env": ['DB_PASSWORD=tr0"ub\\', 'A={"token": "tr0ub"}'],
                                    "Cmd": ["x", "--token", 'tr0ub"']}
    monkeypatch.setitem(INSPECTED, "Config", config)
    told = questions.inspect("m1")
    assert told["environment"] == ["DB_PASSWORD=[redacted]", 'A={"token": "[redacted]"}']
    assert told["command"] == ["x", "--token", "[redacted]"]


def test_a_long_line_of_a_log_takes_little_time_and_space(bench: Bench, questions: Questions) -> None:
    """50 MB in pieces, as hostile as they come."""
    piece = b"-----BEGIN PRIVATE KEY-----" * 2500
    questions._logs = lambda _, lines: (piece for _ in range(750))
    began = time.process_time()
    told = questions.logs("m1")
    assert time.process_time() - began < 5.0
    assert len(told["text"]) < 40_000
    assert told["omitted_bytes"] > 50_000_000


def test_logs_count_what_they_lost_of_terminal_sequences(questions: Questions) -> None:
    questions._logs = lambda _, lines: [b"one \x1b]0;hidden\ntwo"]
    assert questions.logs("m1") == {"text": "one \ntwo", "omitted_bytes": 0, "removed": 10}


@pytest.mark.parametrize("op", ["inspect", "logs"])
def test_an_unknown_member_is_an_error_with_the_known_ones(questions: Questions, op: str) -> None:
    with pytest.raises(UsageError, match="m0, m1, m2"):
        questions.handlers()[op](member="m9")


def test_members_have_addresses(bench: Bench, questions: Questions) -> None:
    bench.observer.look()
    bench.members.set("m1", state="exited", address=None, exit_code=137)
    bench.observer.look()
    told = {m["name"]: m for m in questions.members()["members"]}
    assert told["m0"] == {"name": "m0", "container": "p-m0-1", "state": "running", "address": "10.0.0.0",
                          "exit_code": None, "health": None, "reachable": True}
    assert (told["m1"]["state"], told["m1"]["reachable"], told["m1"]["exit_code"]) == ("exited", False, 137)


def test_status(bench: Bench, questions: Questions) -> None:
    bench.observer.look()
    assert questions.status() == {"armed": False, "healthy": False, "ready": True, "ticket": None, "violations": []}
    bench.members.set("m1", state="exited", address=None)
    bench.observer.look()
    assert questions.status()["ticket"]["state"] == "open"


def test_an_announced_fault_explains_effects(bench: Bench, questions: Questions) -> None:
    questions.fault(["id-m1"], 5)
    effects = Effects(bench.monitor, bench.members, "p", bench.announced,  # type: ignore[arg-type]
                      HealthChecks(lambda _: {"Config": {}}), lambda _: False)
    effects.record(EngineEvent("container", "die", "p-m1-1", "id-m1", time.time(), "p", "m1", {}))
    assert bench.of("effect")[0]["explained"] == "fault"


@pytest.mark.parametrize("nonce", [{}, {"nonce": ""}, {"nonce": "wrong"}, {"nonce": None}])
@pytest.mark.parametrize(("op", "arguments"), [
    ("arm", {"scenario": {"allow": ["member_id", "data"]}}), ("fault", {"containers": ["id-m1"], "seconds": 60}),
    ("report", {"invariant": "slow", "text": "it is slow"}), ("announce", {"ids": ["id-aux"]}), ("status", {}),
    ("order", {"order": "hold"})])
def test_what_only_the_host_may_ask_needs_the_runs_nonce(bench: Bench, questions: Questions, op: str,
                                                         arguments: dict[str, Any], nonce: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="Only the host"):
        questions.handlers()[op](**arguments, **nonce)
    assert not questions.status()["armed"]
    assert not bench.announced.is_fault("id-m1", time.time()) and not bench.announced.is_own("id-aux")
    assert bench.of("ticket_opened") == []


def test_the_host_asks_with_the_runs_nonce(bench: Bench, questions: Questions) -> None:
    questions.handlers()["announce"](nonce="right", ids=["id-aux"])
    assert bench.announced.is_own("id-aux")
    assert set(questions.handlers()["observe"](nonce="right")["members"]) == {"m0", "m1", "m2"}


def test_a_container_without_a_nonce_takes_nobody_for_the_host(tmp_path: Path) -> None:
    settings = Settings("run-1", "fake", "p", tmp_path)
    assert not settings.is_host("")
    assert not settings.is_host("x")
    assert replace(settings, nonce="x").is_host("x")
