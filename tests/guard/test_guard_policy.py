"""What the policy decides: a table of requests, each with the rule that must decide it."""

import asyncio
from typing import Any

import pytest
from guarded_engine import PROJECT, RUN, FakeEngine, id_of, request

from operator_demo.guard.decision import Decision, Ruling
from operator_demo.guard.policy import Policy
from operator_demo.guard.refused import (
    HIDDEN,
    HOST_ACCESS,
    NOT_FOUND,
    NOT_OFFERED,
    OLD_API,
    READ_ONLY,
    UNKNOWN_KEY,
    WRONG_VALUE,
)
from operator_demo.guard.request import AGENT
from operator_demo.guard.world import World

M = f"{PROJECT}-etcd1-1"
ID = id_of(M)


def decide(line: str, body: Any = None, caller: str = AGENT, **more: Any) -> Decision:
    policy = Policy(World(FakeEngine(), PROJECT, RUN), probes=[["etcdctl", "health"]])
    return asyncio.run(policy.decide(caller, request(line, body, **more)))


ALLOWED = [
    "GET /_ping", "HEAD /_ping", "GET /version", "GET /v1.41/version", "GET /v1.41/info",
    "GET /v1.41/containers/json", "GET /containers/json?all=1&limit=3&size=1",
    "GET /v1.41/containers/{m}/json", "GET /v1.45/containers/{m}/json?size=1",
    "GET /containers/{m}/logs?stdout=1&stderr=1&tail=60&follow=1&timestamps=1&since=1795865853.5&until=0",
    "GET /containers/{m}/stats?stream=0&one-shot=1", "GET /containers/{m}/top", "GET /containers/{m}/top?ps_args=aux",
    "GET /containers/{m}/top?ps_args=-eo+pid,args", "GET /containers/{m}/changes",
    "POST /containers/{m}/wait?condition=not-running",
    "POST /containers/{m}/start", "POST /containers/{m}/stop?t=1", "POST /containers/{m}/restart?t=1",
    "POST /containers/{m}/kill?signal=SIGTERM", "POST /containers/{m}/pause", "POST /containers/{m}/unpause",
    "GET /containers/{m}/archive?path=/etc/hostname", "HEAD /containers/{m}/archive?path=/etc/hostname",
    "GET /networks", "GET /networks/demo-etcd_default", "GET /volumes", "GET /volumes/demo-etcd_etcd0-data",
    "GET /images/json", "GET /images/operator-demo/etcd:3.5/json", "GET /images/operator-demo/etcd:3.5/history",
    "GET /events?since=1795865853.123456789", "GET /containers/demo-etcd-backup-1/json",
    "GET /containers/visitor/logs?stdout=1", "GET /containers/one-shot/json", "POST /containers/one-shot/start",
    "POST /containers/one-shot/attach?stdin=1&stdout=1&stderr=1&stream=1",
    "POST /containers/one-shot/wait?condition=removed", "POST /containers/one-shot/kill",
    "POST /containers/one-shot/resize?h=24&w=80", "DELETE /containers/one-shot?force=1&v=1",
]


@pytest.mark.parametrize("line", ALLOWED)
def test_an_agent_may(line: str) -> None:
    decision = decide(line.format(m=M))

    assert decision.ruling is Ruling.ALLOW, decision.reason
    assert decision.forward is not None


REFUSED = [
    ("GET /containers/stranger/json", HIDDEN), ("GET /containers/nobody/json", NOT_FOUND),
    ("GET /containers/demo-etcd-operator-monitor-1/json", HIDDEN), ("GET /containers/helper-1/logs", HIDDEN),
    ("POST /containers/stranger/stop", HIDDEN), ("POST /containers/visitor/stop", READ_ONLY),
    ("POST /containers/demo-etcd-backup-1/start", READ_ONLY), ("POST /containers/nobody/stop", NOT_FOUND),
    ("POST /containers/demo-etcd-operator-monitor-1/kill", HIDDEN), ("DELETE /containers/{m}", READ_ONLY),
    ("DELETE /containers/{m}?force=1", READ_ONLY), ("POST /containers/{m}/attach?stream=1", READ_ONLY),
    ("POST /containers/{m}/rename?name=x", NOT_OFFERED), ("GET /containers/{m}/export", NOT_OFFERED),
    ("GET /containers/{m}/attach/ws", NOT_OFFERED), ("POST /containers/prune", NOT_OFFERED),
    ("POST /commit?container={m}", NOT_OFFERED), ("POST /build", NOT_OFFERED), ("POST /images/create", NOT_OFFERED),
    ("POST /images/load", NOT_OFFERED), ("POST /images/prune", NOT_OFFERED), ("GET /images/get", NOT_OFFERED),
    ("DELETE /images/operator-demo/etcd:3.5", NOT_OFFERED), ("POST /images/operator-demo/etcd/tag", NOT_OFFERED),
    ("POST /volumes/create", NOT_OFFERED), ("DELETE /volumes/demo-etcd_etcd0-data", NOT_OFFERED),
    ("POST /volumes/prune", NOT_OFFERED), ("POST /networks/create", NOT_OFFERED),
    ("DELETE /networks/demo-etcd_default", NOT_OFFERED), ("POST /networks/prune", NOT_OFFERED),
    ("POST /session", NOT_OFFERED), ("POST /grpc", NOT_OFFERED), ("POST /swarm/init", NOT_OFFERED),
    ("GET /secrets", NOT_OFFERED), ("GET /plugins", NOT_OFFERED), ("GET /plugins/x/json", NOT_FOUND),
    ("GET /system/df", NOT_OFFERED), ("POST /auth", NOT_OFFERED), ("GET /distribution/etcd/json", NOT_OFFERED),
    ("GET /libpod/containers/json", NOT_OFFERED), ("GET /", NOT_OFFERED),
    ("GET /networks/elsewhere", HIDDEN), ("GET /networks/bridge", HIDDEN), ("GET /volumes/elsewhere_db", HIDDEN),
    ("GET /volumes/demo-etcd-operator_operator-data", HIDDEN), ("GET /images/postgres:17/json", HIDDEN),
    ("GET /images/operator-demo/agent:1/json", HIDDEN), ("GET /images/nothing/json", NOT_FOUND),
    ("GET /exec/{e}/json", NOT_FOUND), ("POST /exec/{e}/start", NOT_FOUND),
    ("GET /v1.23/containers/{m}/json", OLD_API), ("GET /containers/{m}/json?sizes=1", UNKNOWN_KEY),
    ("POST /containers/{m}/start?checkpoint=x", UNKNOWN_KEY), ("POST /containers/{m}/kill?signal=/etc", WRONG_VALUE),
    ("GET /containers/{m}/top?ps_args=-U+root", WRONG_VALUE), ("GET /containers/{m}/logs?tail=a", WRONG_VALUE),
    ("GET /containers/visitor/archive?path=/etc/passwd", READ_ONLY),
    ("GET /containers/bare/json", NOT_FOUND), ("GET /containers/demo-etcd-bare-1/archive?path=/", HOST_ACCESS),
    ("GET /containers/demo-etcd-bound-1/archive?path=/host/etc/shadow", HOST_ACCESS),
    ("POST /containers/one-shot/pause", READ_ONLY), ("GET /containers/../json", NOT_FOUND),
    ("GET /containers/a%20b/json", NOT_FOUND),
]


@pytest.mark.parametrize(("line", "rule"), REFUSED)
def test_an_agent_may_not(line: str, rule: str) -> None:
    decision = decide(line.format(m=M, e="f" * 64))

    assert (decision.ruling, decision.rule) == (Ruling.DENY, rule), decision.reason
    assert decision.forward is None
    assert decision.status == (404 if rule in (HIDDEN, NOT_FOUND) else 403)


def test_what_is_forwarded_names_the_container_by_its_id() -> None:
    decision = decide(f"POST /containers/{M}/restart?t=1")

    assert decision.forward is not None
    assert decision.forward.path == ("containers", ID, "restart")
    assert decision.forward.query == {"t": "1"}
    assert decision.target is not None and decision.target.member == "etcd1"
    assert decision.changes and not decision.destructive
