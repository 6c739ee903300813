"""What the policy decides: a table of requests, each with the rule that must decide it."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from guarded_engine import ETCD, NETWORK, OTHER_IMAGE, PROJECT, RUN, FakeEngine, id_of, request

from operator_demo import labels
from operator_demo.guard import bodies, rules
from operator_demo.guard.decision import Decision, Forward, Ruling, Shape
from operator_demo.guard.endpoints import ENDPOINTS, NAME
from operator_demo.guard.host_access import ways_around
from operator_demo.guard.memory import Memory
from operator_demo.guard.policy import Policy
from operator_demo.guard.refused import (
    HIDDEN,
    HOST_ACCESS,
    NOT_FOUND,
    NOT_OFFERED,
    OLD_API,
    PRIVILEGED,
    UNKNOWN_KEY,
    WRONG_OBJECT,
    WRONG_VALUE,
    Refused,
)
from operator_demo.guard.request import AGENT, MONITOR
from operator_demo.guard.world import World

M = f"{PROJECT}-etcd1-1"
ID = id_of(M)
EXEC = "e" * 64
PROBE = ["etcdctl", "endpoint", "health"]


def make_policy() -> Policy:
    """Each caller has made one exec: the agent EXEC, the monitor the one named by sixty-four a's."""
    policy = Policy(World(FakeEngine(), PROJECT, RUN), [PROBE], session=lambda: "session-2")
    for caller, id_ in ((AGENT, EXEC), (MONITOR, "a" * 64)):
        made = request(f"POST /containers/{M}/exec", {"Cmd": PROBE})
        policy.answered(made, asyncio.run(policy.decide(caller, made)), {"Id": id_})
    return policy


def decide(line: str, body: Any = None, caller: str = AGENT, **more: Any) -> Decision:
    return asyncio.run(make_policy().decide(caller, request(line, body, **more)))


def forward(line: str, body: Any = None, caller: str = AGENT, **more: Any) -> Forward:
    decision = decide(line, body, caller, **more)
    assert decision.forward is not None, decision.reason
    return decision.forward


def filtered(**filters: Any) -> str:
    return json.dumps(filters, separators=(",", ":")).replace("+", "%2B")


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
    "POST /containers/one-shot/stop?t=0", "GET /containers/one-shot/logs?stdout=1", "GET /containers/one-shot/top",
    "GET /containers/json?limit=-1&all=1&size=0&trunc_cmd=0",
    'GET /containers/json?all=1&filters={{"label":{{"com.docker.compose.project=demo-etcd":true}}}}',
    'GET /containers/json?filters={{"name":["etcd"],"status":["exited"],"health":["healthy"]}}',
    'GET /containers/json?filters={{"network":["demo-etcd_default"],"volume":["demo-etcd_etcd0-data"]}}',
    'GET /containers/json?filters={{"ancestor":["operator-demo/etcd:3.5"],"before":["{m}"]}}',
    "GET /containers/json?before={m}", "GET /containers/json?since={m}",
    'GET /networks?filters={{"label":["com.docker.compose.project=demo-etcd"]}}',
    'GET /volumes?filters={{"name":["etcd"]}}', 'GET /images/json?filters={{"reference":["operator-demo/*"]}}',
    'GET /events?filters={{"type":["container"],"event":["die"],"container":["{m}"]}}&until=1',
    'GET /events?filters={{"network":["demo-etcd_default"],"volume":["demo-etcd_etcd0-data"],"label":["a=b"]}}',
    "GET /networks/demo-etcd_old", "GET /networks/demo-etcd_default?verbose=true&scope=local",
    "GET /exec/{e}/json", "POST /exec/{e}/resize?h=24&w=80",
    "POST /containers/demo-etcd-bare-1/restart", "POST /containers/demo-etcd-bound-1/stop",
    "GET /containers/demo-etcd-bound-1/logs?stdout=1", "GET /containers/{id}/json", "POST /containers/{id}/start",
]


@pytest.mark.parametrize("line", ALLOWED)
def test_an_agent_may(line: str) -> None:
    decision = decide(line.format(m=M, e=EXEC, id=ID))

    assert decision.ruling is Ruling.ALLOW, decision.reason
    assert decision.forward is not None


REFUSED = [
    ("GET /containers/stranger/json", HIDDEN), ("GET /containers/nobody/json", NOT_FOUND),
    ("GET /containers/demo-etcd-operator-monitor-1/json", HIDDEN), ("GET /containers/helper-1/logs", HIDDEN),
    ("POST /containers/stranger/stop", HIDDEN), ("POST /containers/visitor/stop", WRONG_OBJECT),
    ("POST /containers/demo-etcd-backup-1/start", WRONG_OBJECT), ("POST /containers/nobody/stop", NOT_FOUND),
    ("POST /containers/demo-etcd-operator-monitor-1/kill", HIDDEN), ("DELETE /containers/{m}", WRONG_OBJECT),
    ("DELETE /containers/{m}?force=1", WRONG_OBJECT), ("POST /containers/{m}/attach?stream=1", WRONG_OBJECT),
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
    ("GET /exec/ffff/json", NOT_FOUND), ("POST /exec/ffff/start", NOT_FOUND),
    ("GET /v1.23/containers/{m}/json", OLD_API), ("GET /containers/{m}/json?sizes=1", UNKNOWN_KEY),
    ("POST /containers/{m}/start?checkpoint=x", UNKNOWN_KEY), ("POST /containers/{m}/kill?signal=/etc", WRONG_VALUE),
    ("GET /containers/{m}/top?ps_args=-U+root", WRONG_VALUE), ("GET /containers/{m}/logs?tail=a", WRONG_VALUE),
    ("GET /containers/visitor/archive?path=/etc/passwd", WRONG_OBJECT),
    ("GET /containers/bare/json", NOT_FOUND), ("GET /containers/demo-etcd-bare-1/archive?path=/", HOST_ACCESS),
    ("GET /containers/demo-etcd-bound-1/archive?path=/host/etc/shadow", HOST_ACCESS),
    ("POST /containers/one-shot/pause", WRONG_OBJECT), ("GET /containers/../json", NOT_FOUND),
    ("GET /containers/a%20b/json", NOT_FOUND), ("GET /containers/{m}/json?size=many", WRONG_VALUE),
    ("GET /exec/{other}/json", NOT_FOUND), ("POST /exec/{other}/start", NOT_FOUND),
    ("POST /exec/{other}/resize?h=1&w=1", NOT_FOUND), ("POST /containers/one-shot/exec", WRONG_OBJECT),
    ("POST /containers/one-shot/update", WRONG_OBJECT), ("GET /containers/one-shot/archive?path=/", WRONG_OBJECT),
    ("POST /containers/{m}/wait?condition=ever", WRONG_VALUE), ("POST /containers/visitor/wait", WRONG_OBJECT),
    ("POST /containers/visitor/exec", WRONG_OBJECT), ("POST /containers/stranger/exec", HIDDEN),
    ("POST /containers/demo-etcd-backup-1/kill", WRONG_OBJECT), ("POST /containers/visitor/update", WRONG_OBJECT),
    ("DELETE /containers/visitor", WRONG_OBJECT), ("DELETE /containers/stranger", HIDDEN),
    ("DELETE /containers/demo-etcd-operator-monitor-1", HIDDEN), ("DELETE /containers/one-shot?link=1", UNKNOWN_KEY),
    ("GET /containers/json?filters=[]", WRONG_VALUE), ("GET /containers/json?filters={{", WRONG_VALUE),
    ('GET /containers/json?filters={{"name":1}}', WRONG_VALUE),
    ('GET /containers/json?filters={{"name":{{"x":false}}}}', WRONG_VALUE),
    ('GET /containers/json?filters={{"publish":["80"]}}', UNKNOWN_KEY),
    ('GET /containers/json?filters={{"network":["elsewhere"]}}', HIDDEN),
    ('GET /containers/json?filters={{"network":["nothing"]}}', NOT_FOUND),
    ('GET /containers/json?filters={{"volume":["elsewhere_db"]}}', HIDDEN),
    ('GET /containers/json?filters={{"ancestor":["postgres:17"]}}', HIDDEN),
    ('GET /containers/json?filters={{"since":["stranger"]}}', HIDDEN),
    ("GET /containers/json?before=stranger", HIDDEN), ("GET /containers/json?since=nobody", NOT_FOUND),
    ('GET /events?filters={{"container":["stranger"]}}', HIDDEN),
    ('GET /events?filters={{"image":["x"]}}', UNKNOWN_KEY),
    ('GET /events?filters={{"daemon":["x"]}}', UNKNOWN_KEY), ("GET /events?since=yesterday", WRONG_VALUE),
    ('GET /networks?filters={{"driver":["bridge"],"service":["x"]}}', UNKNOWN_KEY),
    ("POST /networks/bridge/connect", HIDDEN), ("POST /networks/elsewhere/disconnect", HIDDEN),
    ("POST /networks/demo-etcd_old/connect", WRONG_OBJECT), ("POST /networks/nothing/connect", NOT_FOUND),
    ("PUT /containers/{m}/archive?path=/var/lib/etcd", WRONG_VALUE),
    ("PUT /volumes/demo-etcd_etcd0-data", NOT_OFFERED),
    ("DELETE /exec/{e}", NOT_OFFERED), ("PATCH /containers/{m}", NOT_OFFERED),
    ("HEAD /containers/{m}/json", NOT_OFFERED),
    ("POST /containers/{m}/checkpoints", NOT_OFFERED), ("POST /services/create", NOT_OFFERED),
    ("GET /nodes", NOT_OFFERED), ("POST /plugins/pull", NOT_OFFERED), ("POST /configs/create", NOT_OFFERED),
    ("GET /v2.0/containers/json", OLD_API), ("GET /v1.41/v1.20/containers/json", NOT_OFFERED),
    ("GET /containers/{m}/top?ps_args=-C+sh", WRONG_VALUE), ("GET /images/search?term=x", NOT_OFFERED),
    ("GET /containers/{m}/top?ps_args=--pid=1", WRONG_VALUE), ("POST /containers/{m}/copy", NOT_OFFERED),
]


@pytest.mark.parametrize(("line", "rule"), REFUSED)
def test_an_agent_may_not(line: str, rule: str) -> None:
    decision = decide(line.format(m=M, e=EXEC, other="a" * 64))

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


def test_what_is_forwarded_keeps_query_and_shape() -> None:
    logs = forward(f"GET /v1.41/containers/{M}/logs?follow=1&stdout=1")
    assert (logs.path, logs.query, logs.shape) == (("containers", ID, "logs"), {"follow": "1", "stdout": "1"},
                                                   Shape.STREAM)
    assert forward(f"GET /networks/{PROJECT}_default").path == ("networks", NETWORK)
    assert forward("GET /images/etcd:latest/json").path == ("images", ETCD, "json")
    assert forward("HEAD /_ping").path == ("_ping",)


def test_a_filter_that_names_an_object_is_forwarded_with_its_id() -> None:
    line = "GET /containers/json?filters=" + filtered(network=[f"{PROJECT}_default"], ancestor={"etcd:latest": True},
                                                      label=["a=b"])
    assert json.loads(forward(line).query["filters"]) == {"network": [NETWORK], "ancestor": [ETCD], "label": ["a=b"]}
    assert forward(f"GET /containers/json?before=/{M}").query == {"before": ID}


def test_put_is_for_the_volumes_of_a_member() -> None:
    put = f"PUT /containers/{M}/archive?path="
    written = forward(f"{put}/var/lib/etcd/data&noOverwriteDirNonDir=true", stream=True)
    assert written.stream and written.path == ("containers", ID, "archive")
    assert forward(f"{put}/var/lib/etcd", stream=True).query == {"path": "/var/lib/etcd"}

    for path in ("/", "/etc", "/var/lib", "/var/lib/etcd2", "/var/lib/etcd/../../../etc", "var/lib/etcd", "/certs/x",
                 "/var/lib/etcd/..", "//etc"):
        decision = decide(put + path, stream=True)
        assert decision.rule == WRONG_VALUE, path
        assert "/var/lib/etcd" in decision.reason
    nested = f"PUT /containers/{PROJECT}-nested-1/archive?path="
    assert decide(f"{nested}/data/x", stream=True).ruling is Ruling.ALLOW
    for path in ("/data/db", "/data/db/x", "/data/tmp/x", "/data/db/../tmp"):
        assert decide(nested + path, stream=True).rule == WRONG_VALUE, path
    for member in ("bound", "disguised", "bare"):
        assert decide(f"PUT /containers/{PROJECT}-{member}-1/archive?path=/data", stream=True).rule == HOST_ACCESS


WAYS_AROUND = ["bare", "bound", "capable", "device", "disguised", "guest", "hostpid", "lodger", "overlaid", "plugged"]


@pytest.mark.parametrize("member", WAYS_AROUND)
def test_nothing_goes_inside_a_member_with_access_to_the_host(member: str) -> None:
    name = f"{PROJECT}-{member}-1"
    one_shot = {"Image": "etcd:latest", "HostConfig": {"VolumesFrom": [name]}}

    assert decide(f"POST /containers/{name}/exec", {"Cmd": ["id"]}).rule == HOST_ACCESS
    assert decide(f"GET /containers/{name}/archive?path=/host").rule == HOST_ACCESS
    assert decide("POST /containers/create", one_shot).rule == HOST_ACCESS
    assert decide(f"POST /containers/{name}/restart").ruling is Ruling.ALLOW


def test_the_members_with_access_to_the_host_are_known() -> None:
    ways = asyncio.run(ways_around(World(FakeEngine(), PROJECT, RUN)))

    assert sorted(ways) == WAYS_AROUND
    assert "mounts /" in ways["bound"] and "volume" in ways["disguised"] and "privileged" in ways["bare"]


MONITOR_MAY = [
    "GET /version", "GET /info", "HEAD /_ping", "GET /containers/json?all=1&limit=-1&size=0&trunc_cmd=0",
    "GET /containers/{m}/json", "GET /containers/demo-etcd-operator-monitor-1/json",
    "GET /containers/{m}/logs?stderr=1&stdout=1&timestamps=0&follow=0&tail=100", "GET /containers/one-shot/json",
    "GET /volumes/demo-etcd_etcd0-data", "GET /volumes", "GET /networks/demo-etcd_default",
    'GET /networks?filters={{"label":["com.docker.compose.project=demo-etcd"]}}',
    'GET /events?filters={{"type":["container","network","volume"]}}&since=1795865853.000000001',
    "GET /containers/{m}/stats?stream=false&one-shot=true", "GET /exec/{e}/json",
]
MONITOR_MAY_NOT = [
    ("POST /containers/{m}/stop", NOT_OFFERED), ("POST /containers/{m}/start", NOT_OFFERED),
    ("POST /containers/create", NOT_OFFERED), ("DELETE /containers/one-shot", NOT_OFFERED),
    ("GET /containers/{m}/archive?path=/", NOT_OFFERED), ("PUT /containers/{m}/archive?path=/", NOT_OFFERED),
    ("POST /networks/demo-etcd_default/connect", NOT_OFFERED), ("POST /containers/one-shot/attach", NOT_OFFERED),
    ("GET /containers/stranger/json", HIDDEN), ("POST /containers/demo-etcd-operator-monitor-1/exec", WRONG_OBJECT),
    ("GET /exec/" + EXEC + "/json", NOT_FOUND), ("POST /build", NOT_OFFERED),
]


@pytest.mark.parametrize("line", MONITOR_MAY)
def test_the_monitor_may(line: str) -> None:
    decision = decide(line.format(m=M, e="a" * 64), caller=MONITOR)

    assert decision.ruling is Ruling.ALLOW, decision.reason
    assert not decision.recorded


@pytest.mark.parametrize(("line", "rule"), MONITOR_MAY_NOT)
def test_the_monitor_may_not(line: str, rule: str) -> None:
    assert decide(line.format(m=M), caller=MONITOR).rule == rule


def test_the_monitor_runs_the_probes_of_the_subject_word_for_word() -> None:
    line = f"POST /containers/{M}/exec"
    assert forward(line, {"Cmd": PROBE, "AttachStdout": True}, MONITOR).body == {"Cmd": PROBE, "AttachStdout": True}

    for body in ({"Cmd": [*PROBE, "--cluster"]}, {"Cmd": ["sh", "-c", " ".join(PROBE)]}, {"Cmd": []}, {},
                 {"Cmd": PROBE, "User": "0"}, {"Cmd": PROBE, "Env": ["LD_PRELOAD=x"]},
                 {"Cmd": PROBE, "WorkingDir": "/tmp"}, {"Cmd": PROBE, "AttachStdin": True}):
        assert decide(line, body, MONITOR).rule == WRONG_VALUE
    assert decide(line, {"Cmd": PROBE, "Privileged": True}, MONITOR).rule == PRIVILEGED


def test_a_probe_takes_a_key_and_a_value_where_it_has_places_for_them() -> None:
    declared = ["sh", "-c", "put", "probe", "$KEY", "$VALUE"]
    bodies.check_probe({"Cmd": [*declared[:4], "operator-demo-1f", "a0"]}, [declared])
    fixed = declared[:4]
    for command in (declared, [*fixed, "a"], [*fixed, "a;b", "c"], [*fixed, "a", "'"], [*fixed, "a", ""],
                    ["sh", "-c", "x", "probe", "a", "b"], [*declared, "c"], "sh", None):
        with pytest.raises(Refused):
            bodies.check_probe({"Cmd": command}, [declared])


def test_what_a_lookup_has_read_is_the_answer_unless_the_query_asks_for_more() -> None:
    for path, key in ((f"containers/{M}/json", "Config"), (f"volumes/{PROJECT}_etcd0-data", "Labels"),
                      ("images/operator-demo/etcd:3.5/json", "Id")):
        known = forward(f"GET /{path}").known
        assert known is not None and key in known, path
    assert forward(f"GET /containers/{M}/json?size=1").known is None
    assert forward(f"GET /containers/{M}/logs?stdout=1").known is None
    network = forward(f"GET /networks/{PROJECT}_default")
    assert network.keep is not None and network.known is not None
    assert forward(f"GET /networks/{PROJECT}_default?verbose=1").known is None


def test_exec_is_free_but_for_privileges() -> None:
    body = {"Cmd": ["sh", "-c", "id"], "User": "0", "Env": ["A=b"], "WorkingDir": "/tmp", "Tty": False,
            "AttachStdin": True, "Privileged": False, "DetachKeys": ""}
    exec_ = forward(f"POST /containers/{M}/exec", body)

    assert exec_.path == ("containers", ID, "exec")
    assert exec_.body == {"Cmd": ["sh", "-c", "id"], "User": "0", "Env": ["A=b"], "WorkingDir": "/tmp", "Tty": False,
                          "AttachStdin": True}
    for same in (M, ID):
        assert forward(f"POST /containers/{M}/exec", {"Cmd": ["id"], "Container": same}).body == {"Cmd": ["id"]}
    assert decide(f"POST /containers/{M}/exec", {"Cmd": ["id"], "Container": "stranger"}).rule == WRONG_VALUE
    assert decide(f"POST /containers/{M}/exec", {**body, "Privileged": True}).rule == PRIVILEGED
    assert decide(f"POST /containers/{M}/exec", {**body, "privileged": True}).rule == UNKNOWN_KEY


def test_an_exec_belongs_to_its_caller_and_its_stream_is_raw_unless_detached() -> None:
    start = f"POST /exec/{EXEC}/start"
    assert forward(start, {"Detach": False, "Tty": False}, upgrade=True).shape is Shape.RAW
    assert forward(start, {"Detach": True, "Tty": False}).shape is Shape.WHOLE
    assert decide(start, {"Detach": True}, upgrade=True).rule == NOT_OFFERED
    assert decide(start, {"Detach": False}, MONITOR).rule == NOT_FOUND
    decision = decide(start, {})
    assert decision.target is not None and (decision.target.id, decision.target.member) == (ID, "etcd1")


def test_the_start_of_an_exec_is_recorded_like_its_making() -> None:
    for line, body in ((f"POST /containers/{M}/exec", {"Cmd": PROBE}), (f"POST /exec/{EXEC}/start", {})):
        assert decide(line, body).recorded
    assert not decide(f"GET /exec/{EXEC}/json").recorded


def test_a_probe_of_the_monitor_is_a_look() -> None:
    for line, body in ((f"POST /containers/{M}/exec", {"Cmd": PROBE}), (f"POST /exec/{'a' * 64}/start", {})):
        decision = decide(line, body, MONITOR)
        assert (decision.ruling, decision.recorded) == (Ruling.ALLOW, False)
    assert decide(f"POST /containers/{M}/exec", {"Cmd": ["reboot"]}, MONITOR).recorded
    assert decide(f"POST /containers/{M}/stop", None, MONITOR).recorded


def test_an_exec_is_known_to_a_guard_that_was_started_again(tmp_path: Path) -> None:
    made = request(f"POST /containers/{M}/exec", {"Cmd": ["true"]})
    before = Policy(World(FakeEngine(), PROJECT, RUN), memory=Memory(tmp_path / "memory"))
    before.answered(made, asyncio.run(before.decide(AGENT, made)), {"Id": EXEC})
    after = Policy(World(FakeEngine(), PROJECT, RUN), memory=Memory(tmp_path / "memory"))
    look = request(f"GET /exec/{EXEC}/json")
    assert asyncio.run(after.decide(AGENT, look)).ruling is Ruling.ALLOW
    assert asyncio.run(after.decide(MONITOR, look)).rule == NOT_FOUND


def test_an_exec_that_the_engine_refused_is_not_known() -> None:
    policy = make_policy()
    made = request(f"POST /containers/{M}/exec", {"Cmd": ["true"]})
    policy.answered(made, asyncio.run(policy.decide(AGENT, made)), None)

    assert asyncio.run(policy.decide(AGENT, request("GET /exec/None/json"))).rule == NOT_FOUND


def test_a_limit_of_a_list_counts_what_the_caller_sees() -> None:
    listed = [{"Id": id_of(name), "Names": [f"/{name}"], "Labels": own} for name, own in
              (("stranger", {}), (M, {labels.PROJECT: PROJECT}), (f"{PROJECT}-x", {labels.PROJECT: PROJECT}))]
    newest = forward("GET /containers/json?limit=1")

    assert newest.query == {"all": "1"}
    assert newest.keep is not None
    assert [c["Names"] for c in newest.keep(listed)] == [[f"/{M}"]]


def test_refusals_say_what_is_allowed_instead() -> None:
    hidden, nobody = decide("POST /containers/stranger/stop"), decide("POST /containers/nobody/stop")
    assert (hidden.status, hidden.reason) == (404, "No such container: stranger")
    assert (nobody.status, nobody.reason) == (404, "No such container: nobody")
    assert hidden.recorded and not nobody.recorded

    readable = decide("POST /containers/visitor/stop")
    assert readable.status == 403 and readable.recorded
    assert readable.target is not None and readable.target.name == "visitor"
    assert hidden.target is not None and hidden.target.id == id_of("stranger")
    privileged = decide(f"POST /containers/{M}/exec", {"Cmd": ["id"], "Privileged": True})
    assert privileged.target is not None and privileged.target.member == "etcd1"
    for words in ("operator-demo", WRONG_OBJECT, "visitor", "docker stop", "restart", "exec"):
        assert words in readable.reason


def test_changes_are_marked_and_the_destructive_ones_twice() -> None:
    def marks(line: str, **more: Any) -> tuple[bool, bool]:
        decision = decide(line, **more)
        assert decision.ruling is Ruling.ALLOW, decision.reason
        return decision.changes, decision.destructive

    assert marks(f"GET /containers/{M}/json") == marks(f"GET /containers/{M}/archive?path=/etc") == (False, False)
    assert marks(f"POST /containers/{M}/start") == marks(f"POST /containers/{M}/restart") == (True, False)
    assert marks(f"POST /containers/{M}/exec", body={"Cmd": ["id"]}) == (True, False)
    assert marks(f"POST /containers/{M}/stop") == marks(f"POST /containers/{M}/kill") == (True, True)
    assert marks(f"PUT /containers/{M}/archive?path=/var/lib/etcd", stream=True) == (True, True)
    assert marks("POST /containers/create", body={
        "Image": ETCD, "HostConfig": {"VolumesFrom": [M]}}) == (True, True)


def test_in_mode_approve_a_human_is_asked_before_a_change_and_not_before_a_look() -> None:
    policy = Policy(World(FakeEngine(), PROJECT, RUN), [PROBE], approve=True)
    made = request(f"POST /containers/{M}/exec", {"Cmd": ["true"]})
    policy.answered(made, asyncio.run(policy.decide(AGENT, made)), {"Id": EXEC})

    def ruling(line: str, body: Any = None, caller: str = AGENT, **more: Any) -> Ruling:
        return asyncio.run(policy.decide(caller, request(line, body, **more))).ruling

    for line in ("GET /containers/json", f"GET /containers/{M}/logs?stdout=1", f"GET /containers/{M}/archive?path=/etc",
                 f"POST /containers/{M}/wait", f"POST /exec/{EXEC}/start"):  # (asked about when it was made)
        assert ruling(line) is Ruling.ALLOW, line
    for line in (f"POST /containers/{M}/{does}" for does in ("start", "stop", "restart", "kill", "pause", "unpause")):
        assert ruling(line) is Ruling.ASK, line
    assert ruling(f"POST /containers/{M}/exec", {"Cmd": ["true"]}) is Ruling.ASK
    assert ruling(f"PUT /containers/{M}/archive?path=/var/lib/etcd", stream=True) is Ruling.ASK
    assert ruling("POST /containers/create", {"Image": ETCD, "HostConfig": {"VolumesFrom": [M]}}) is Ruling.ASK
    assert ruling(f"POST /containers/{M}/exec", {"Cmd": PROBE}, MONITOR) is Ruling.ALLOW
    assert ruling(f"DELETE /containers/{M}") is Ruling.DENY


def test_the_words_for_the_policy_name_every_command_of_the_table() -> None:
    for endpoint in ENDPOINTS:
        command = endpoint.does.partition(":")[0].split()
        if endpoint.agent and command[0] == "docker" and NAME in endpoint.path and endpoint.path[0] == "containers":
            assert re.search(rf"\b{command[1]}\b", rules.ALL), endpoint.does


def test_all_requests_of_the_docker_command_are_allowed() -> None:
    """As recorded from docker-cli 26.1 at an engine of version 20.10."""
    policy = make_policy()
    for recorded in json.loads(Path(__file__).with_name("docker_cli_26.json").read_text()):
        for method, target, body in recorded["requests"]:
            decision = asyncio.run(policy.decide(AGENT, request(f"{method} {target}", body, stream=method == "PUT")))
            missing = "nonesuch" in target or decision.rule == NOT_FOUND
            assert missing or decision.ruling is Ruling.ALLOW, (recorded["command"], target, decision.reason)


# -- bodies -----------------------------------------------------------------------------------------------------------

ONE_SHOT = {"Image": "operator-demo/etcd:3.5", "Cmd": ["-c", "ls"], "Entrypoint": ["sh"],
            "HostConfig": {"VolumesFrom": [M], "AutoRemove": True, "NetworkMode": "none"}}


def one_shot(**host: Any) -> dict[str, Any]:
    return {**ONE_SHOT, "HostConfig": {**ONE_SHOT["HostConfig"], **host}}  # type: ignore[dict-item]


def test_a_one_shot_gets_what_it_needs_from_the_guard() -> None:
    made = forward("POST /containers/create?name=rebuild", {**ONE_SHOT, "Labels": {}})

    assert made.query == {"name": "rebuild"}
    assert made.body == {
        "Image": ETCD, "Cmd": ["-c", "ls"], "Entrypoint": ["sh"], "Healthcheck": {"Test": ["NONE"]},
        "Labels": {labels.RUN: RUN, labels.SESSION: "session-2"},
        "HostConfig": {"VolumesFrom": [ID], "AutoRemove": True, "NetworkMode": "none", "CapAdd": [],
                       "CapDrop": ["ALL"], "SecurityOpt": ["no-new-privileges"], "Privileged": False,
                       "PidsLimit": 256}}
    read_only = forward("POST /containers/create", one_shot(VolumesFrom=[f"{M}:ro"])).body
    assert read_only is not None and read_only["HostConfig"]["VolumesFrom"] == [f"{ID}:ro"]


@pytest.mark.parametrize(("host", "rule"), [
    ({"Privileged": True}, PRIVILEGED), ({"CapAdd": ["SYS_ADMIN"]}, PRIVILEGED), ({"Binds": ["/:/host"]}, WRONG_VALUE),
    ({"Mounts": [{"Type": "bind", "Source": "/", "Target": "/h"}]}, WRONG_VALUE), ({"PidMode": "host"}, WRONG_VALUE),
    ({"NetworkMode": "host"}, WRONG_VALUE), ({"NetworkMode": "bridge"}, WRONG_VALUE),
    ({"NetworkMode": f"container:{M}"}, WRONG_VALUE), ({"IpcMode": "host"}, WRONG_VALUE),
    ({"IpcMode": f"container:{M}"}, WRONG_VALUE), ({"UTSMode": "host"}, WRONG_VALUE),
    ({"UsernsMode": "host"}, WRONG_VALUE), ({"CgroupnsMode": "host"}, WRONG_VALUE), ({"Cgroup": "x"}, WRONG_VALUE),
    ({"CgroupParent": "/"}, WRONG_VALUE), ({"Devices": [{"PathOnHost": "/dev/sda"}]}, WRONG_VALUE),
    ({"DeviceCgroupRules": ["a *:* rwm"]}, WRONG_VALUE), ({"DeviceRequests": [{}]}, WRONG_VALUE),
    ({"SecurityOpt": ["seccomp=unconfined"]}, PRIVILEGED), ({"SecurityOpt": ["no-new-privileges=false"]}, PRIVILEGED),
    ({"MaskedPaths": []}, WRONG_VALUE), ({"ReadonlyPaths": []}, WRONG_VALUE), ({"Runtime": "runc"}, WRONG_VALUE),
    ({"Sysctls": {"a": "b"}}, WRONG_VALUE), ({"Tmpfs": {"/x": ""}}, WRONG_VALUE), ({"Links": ["a:b"]}, WRONG_VALUE),
    ({"PortBindings": {"80/tcp": [{}]}}, WRONG_VALUE), ({"PublishAllPorts": True}, WRONG_VALUE),
    ({"RestartPolicy": {"Name": "always"}}, WRONG_VALUE), ({"RestartPolicy": {"name": "no"}}, UNKNOWN_KEY),
    ({"LogConfig": {"Type": "syslog"}}, WRONG_VALUE), ({"ContainerIDFile": "/x"}, WRONG_VALUE),
    ({"VolumesFrom": []}, NOT_OFFERED), ({"VolumesFrom": [M, f"{PROJECT}-etcd0-1"]}, NOT_OFFERED),
    ({"VolumesFrom": ["stranger"]}, HIDDEN), ({"VolumesFrom": ["visitor"]}, WRONG_OBJECT),
    ({"VolumesFrom": ["one-shot"]}, WRONG_OBJECT), ({"VolumesFrom": ["demo-etcd-operator-monitor-1"]}, HIDDEN),
    ({"VolumesFrom": [f"{M}:rw,z"]}, WRONG_VALUE), ({"VolumesFrom": ["nobody"]}, NOT_FOUND),
    ({"PidsLimit": -1}, WRONG_VALUE), ({"PidsLimit": 100_000}, WRONG_VALUE), ({"GroupAdd": ["0"]}, WRONG_VALUE),
    ({"OomScoreAdj": -1000}, WRONG_VALUE), ({"StorageOpt": {"size": "1T"}}, WRONG_VALUE),
    ({"ExtraHosts": ["a:1.2.3.4"]}, WRONG_VALUE), ({"VolumeDriver": "x"}, WRONG_VALUE), ({"binds": []}, UNKNOWN_KEY),
])
def test_a_one_shot_that_reaches_further_is_refused(host: dict[str, Any], rule: str) -> None:
    decision = decide("POST /containers/create", one_shot(**host))

    assert decision.rule == rule, decision.reason


@pytest.mark.parametrize(("more", "rule"), [
    ({"Image": "postgres:17"}, NOT_OFFERED), ({"Image": OTHER_IMAGE}, NOT_OFFERED), ({"Image": ""}, NOT_OFFERED),
    ({"Image": "nothing"}, NOT_OFFERED), ({"Image": "../json"}, NOT_OFFERED),
    ({"Labels": {labels.PROJECT: PROJECT}}, WRONG_VALUE), ({"Labels": {labels.SESSION: "x"}}, WRONG_VALUE),
    ({"Labels": {"ofelia.job-local.x.command": "id"}}, WRONG_VALUE), ({"Labels": ["a"]}, WRONG_VALUE),
    ({"Volumes": {"/x": {}}}, WRONG_VALUE), ({"ExposedPorts": {"80/tcp": {}}}, WRONG_VALUE),
    ({"Healthcheck": {"Test": ["CMD", "x"]}}, WRONG_VALUE), ({"MacAddress": "0:0"}, WRONG_VALUE),
    ({"NetworkingConfig": {"EndpointsConfig": {"demo-etcd_default": {}}}}, UNKNOWN_KEY),
    ({"NetworkingConfig": {"EndpointsConfig": {"default": {"NetworkID": NETWORK}}}}, WRONG_VALUE),
    ({"HostConfig": []}, WRONG_VALUE), ({"hostconfig": {"Privileged": True}}, UNKNOWN_KEY),
    ({"Env": "A=b"}, WRONG_VALUE), ({"Cmd": [1]}, WRONG_VALUE), ({"Tty": 1}, WRONG_VALUE),
    ({"StopTimeout": 1.5}, WRONG_VALUE), ({"StopTimeout": True}, WRONG_VALUE), ({"User": "a\0b"}, WRONG_VALUE),
    ({"OnBuild": ["RUN x"]}, WRONG_VALUE), ({"Shell": ["sh"]}, WRONG_VALUE), ({"Domainname": "x"}, WRONG_VALUE),
])
def test_a_one_shot_is_of_its_members_image_and_nothing_else(more: dict[str, Any], rule: str) -> None:
    assert decide("POST /containers/create", {**ONE_SHOT, **more}).rule == rule


@pytest.mark.parametrize("body", [None, {}, {"Image": "operator-demo/etcd:3.5"}])
def test_no_other_container_is_made(body: Any) -> None:
    assert decide("POST /containers/create", body).ruling is Ruling.DENY


def test_limits_are_updated_and_nothing_else() -> None:
    line = f"POST /containers/{M}/update"
    assert forward(line, {"CpuQuota": -1, "Memory": 0, "RestartPolicy": {"Name": ""}}).body == {"CpuQuota": -1}
    assert forward(line, {"Memory": 1 << 30, "MemorySwap": 1 << 31, "CpusetCpus": "0"}).body == {
        "Memory": 1 << 30, "MemorySwap": 1 << 31, "CpusetCpus": "0"}

    for body, rule in (({"RestartPolicy": {"Name": "always"}}, WRONG_VALUE), ({"Devices": [{}]}, WRONG_VALUE),
                       ({"Privileged": True}, UNKNOWN_KEY), ({}, WRONG_VALUE), ({"Memory": 0}, WRONG_VALUE),
                       ({"CpuQuota": -2}, WRONG_VALUE), ({"CpuQuota": 1.5}, WRONG_VALUE),
                       ({"Memory": 1 << 63}, WRONG_VALUE), ({"memory": 1}, UNKNOWN_KEY)):
        assert decide(line, body).rule == rule, body


def test_members_are_connected_to_networks_of_the_subject() -> None:
    line = f"POST /networks/{PROJECT}_default/"
    joined = forward(line + "connect", {"Container": M, "EndpointConfig": {"Aliases": ["etcd1"], "IPAMConfig": {}}})
    assert joined.path == ("networks", NETWORK, "connect")
    assert joined.body == {"Container": ID, "EndpointConfig": {"Aliases": ["etcd1"]}}
    assert forward(line + "disconnect", {"Container": M, "Force": True}).body == {"Container": ID, "Force": True}
    decision = decide(line + "connect", {"Container": M})
    assert decision.target is not None and decision.target.member == "etcd1"

    for body, rule in (({"Container": "stranger"}, HIDDEN), ({"Container": "visitor"}, WRONG_OBJECT), ({}, NOT_FOUND),
                       ({"Container": "one-shot"}, WRONG_OBJECT), ({"Container": 5}, WRONG_VALUE),
                       ({"Container": M, "EndpointConfig": {"Links": ["stranger"]}}, WRONG_VALUE),
                       ({"Container": M, "EndpointConfig": {"DriverOpts": {"a": "b"}}}, WRONG_VALUE),
                       ({"Container": M, "EndpointConfig": {"MacAddress": "0:1"}}, WRONG_VALUE),
                       ({"Container": M, "container": "stranger"}, UNKNOWN_KEY)):
        assert decide(line + "connect", body).rule == rule, body


def test_a_body_where_none_belongs_is_refused() -> None:
    """Before 1.24, a body of `start` could mount the host."""
    assert decide(f"POST /containers/{M}/start", {"Binds": ["/:/host"]}).rule == UNKNOWN_KEY
    assert decide(f"POST /containers/{M}/start", stream=True).rule == WRONG_VALUE
    assert decide(f"POST /containers/{M}/start", upgrade=True).rule == NOT_OFFERED
