"""The result of a tool call in a sentence for people."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operator_demo.results import MOST, Ran, parts, sentence
from operator_demo.text import clean

PROJECT = "demo-etcd"


def told(command: str, output: str, exit_code: int = 0, status: str = "ok") -> str:
    return sentence(Ran("shell", {"command": command}, status, output, exit_code, PROJECT))


PS_TABLE = """\
CONTAINER ID   IMAGE          COMMAND   CREATED          STATUS                        PORTS   NAMES
0a1b2c3d4e5f   operator/etcd  "etcd"    35 seconds ago   Exited (137) 4 seconds ago            demo-etcd-etcd1-1
1a1b2c3d4e5f   operator/etcd  "etcd"    35 seconds ago   Up 35 seconds (healthy)               demo-etcd-etcd0-1
2a1b2c3d4e5f   operator/etcd  "etcd"    35 seconds ago   Up 35 seconds (healthy)               demo-etcd-etcd2-1
"""
PS_JSON = "\n".join(json.dumps({"Names": f"demo-etcd-etcd{n}-1", "State": "running", "Status": status})
                    for n, status in enumerate(["Up About a minute (healthy)", "Exited (137) 4 seconds ago",
                                                "Up 2 seconds (Paused)"]))
STATE = {"Name": "/demo-etcd-etcd1-1", "RestartCount": 0, "State": {
    "Status": "exited", "ExitCode": 137, "OOMKilled": False, "Error": ""}}
MEMBERS = """\
+------------------+---------+-------+------------------------+------------------------+------------+
|        ID        | STATUS  | NAME  |       PEER ADDRS       |      CLIENT ADDRS      | IS LEARNER |
+------------------+---------+-------+------------------------+------------------------+------------+
| 8a87c0b231a067c4 | started | etcd1 | http://etcd1:2380      | http://etcd1:2379      |      false |
| b4e0d428e1b27587 | started | etcd0 | http://etcd0:2380      | http://etcd0:2379      |      false |
+------------------+---------+-------+------------------------+------------------------+------------+
"""
ENDPOINTS = """\
+----------------+------------------+---------+-----------+--------+
|    ENDPOINT    |        ID        | VERSION | IS LEADER | ERRORS |
+----------------+------------------+---------+-----------+--------+
| 10.0.0.2:2379  | 8a87c0b231a067c4 |  3.5.16 |     false |        |
| 10.0.0.3:2379  | b4e0d428e1b27587 |  3.5.16 |      true | noisy  |
+----------------+------------------+---------+-----------+--------+
"""
STORES = {"count": 3, "stores": [{"store": {"id": n, "state_name": state}, "status": {"leader_count": 4}}
                                 for n, state in enumerate(["Up", "Up", "Disconnected"])]}


@pytest.mark.parametrize(("command", "output", "expected"), [
    ("docker ps -a", PS_TABLE, "etcd1 exited (137) 4 s ago · etcd0, etcd2 up 35 s"),
    ("docker ps -a --format '{{json .}}' | jq -c .", PS_JSON,
     "etcd1 exited (137) 4 s ago · etcd2 up 2 s (paused) · etcd0 up 1 min"),
    ("docker ps -a --format '{{.Names}}\\t{{.Status}}'", "demo-etcd-etcd0-1\tUp 2 hours\ndemo-etcd-etcd1-1\tUp 2 hours",
     "all 2 up 2 h"),
    ("docker ps -q", "0a1b\n1a1b\n", "1a1b"),
    ("docker inspect demo-etcd-etcd1-1", json.dumps([STATE]), "etcd1 exited (137), not out of memory"),
    ("docker inspect demo-etcd-etcd1-1 --format '{{json .State}}'",
     json.dumps({"Status": "exited", "ExitCode": 137, "OOMKilled": True}), "exited (137), out of memory"),
    ("docker inspect x", json.dumps({"Name": "/x", "RestartCount": 6, "State": {"Status": "running"}, "Networks": {}}),
     "x running, restarted 6 times, on no network"),
    ("docker inspect x --format '{{.State.ExitCode}}'", "137\n", "137"),
    ("docker logs --tail 60 x 2>&1", '{"level":"info","msg":"hello"}\n{"level":"error","msg":"established connection"}',
     '2 lines of log, 1 of them errors, last: "established connection"'),
    ("docker logs x", '[2026/03/14 09:00:00.123 +00:00] [FATAL] [server.rs:1026] ["no room"] [err=28]',
     '1 line of log, 1 of them errors, last: "no room"'),
    ("docker logs x", "", "the log is empty"),
    ("docker start demo-etcd-etcd1-1", "demo-etcd-etcd1-1\n", "etcd1 started"),
    ("docker restart -t 5 demo-etcd-etcd1-1", "demo-etcd-etcd1-1\n", "etcd1 restarted"),
    ("docker unpause demo-etcd-etcd0-1 demo-etcd-etcd1-1", "", "etcd0, etcd1 runs on"),
    ("docker network connect --alias etcd1 demo-etcd_default demo-etcd-etcd1-1", "",
     "etcd1 connected to demo-etcd_default"),
    ("curl -s http://10.0.0.2:2379/health", '{"health":"true","reason":""}', "health true"),
    ("curl -s a && curl -s b", '{"health":"true","reason":""}{"health":"true","reason":""}', "2 times health true"),
    ("curl -s a && curl -s b", '{"health":"true"}\n{"health":"false","reason":"RAFT NO LEADER"}',
     "health true; reason RAFT NO LEADER, health false"),
    ("etcdctl member list -w table", MEMBERS, "2 rows: 2 status started"),
    ("etcdctl endpoint status -w table", ENDPOINTS, "2 endpoints: 10.0.0.3:2379 leads, noisy"),
    ("pd-ctl store", json.dumps(STORES, indent=2), "3 stores: 2 Up, 1 Disconnected"),
    ("for a in b; do c; echo $a $?; done", "etcd0 10.0.0.2 0\netcd0 10.0.0.3 28", "1 of 2 failed (28)"),
    ("sleep 2", "", "waited 2 s"),
    ("true", "", "no output"),
    ("cat notes", "one\ntwo\nthree", "3 lines, last: three"),
])
def test_a_sentence_for_people(command: str, output: str, expected: str) -> None:
    assert told(command, output) == expected
    assert told(command, f"exit status 0 (0.2 s)\n{output}") == expected


@pytest.mark.parametrize(("status", "exit_code", "output", "expected"), [
    ("ok", 6, "exit status 6 (0.3 s)\nfirst\n--- stderr\ncurl: (6) Could not resolve host: etcd1",
     "exit 6: curl: (6) Could not resolve host: etcd1"),
    ("timeout", None, "timed out after 60 s\nline 1\nline 2", "timed out; line 2"),
    ("interrupted", None, "interrupted (1.0 s)\nhalf", "interrupted; half"),
    ("refused", None, "No shell in this mode.", "No shell in this mode."),
    ("unknown", None, "", "nobody knows how it ended"),
])
def test_what_failed_says_so(status: str, exit_code: int | None, output: str, expected: str) -> None:
    assert sentence(Ran("shell", {"command": "x"}, status, output, exit_code)) == expected


def look(**changes: object) -> str:
    members = {"etcd0": {"state": "running", "healthy": True}, "etcd1": {"state": "exited", "exit_code": 137},
               "etcd2": {"state": "running", "healthy": True}}
    answer = {"members": members, "cluster": {"leader": "etcd0", "quorum": True}, "violations": [], **changes}
    return sentence(Ran("observe", {}, "ok", json.dumps(answer)))


def test_a_look_says_what_is_not_well() -> None:
    assert look() == "etcd1 exited (137) · etcd0, etcd2 healthy · etcd0 leads"
    assert look(cluster={"leader": None, "quorum": False}) == "etcd1 exited (137) · etcd0, etcd2 healthy · no quorum"
    lost = [{"member": None, "text": "6 of 14 regions have no leader."}, {"member": "etcd1", "text": "down"}]
    assert look(violations=lost).endswith("etcd0 leads · 6 of 14 regions have no leader")
    assert look(members={"a": {"state": "running", "error": "no leader"}}, cluster={}) == "a runs, not well: no leader"


def test_stdout_and_stderr_are_told_apart() -> None:
    assert parts("exit status 0 (0.2 s)\nout\n--- stderr\nerr") == ("out\n", "\nerr")
    assert parts("just text") == ("just text", "")


def test_control_characters_are_gone() -> None:
    assert told("cat x", "a\x1b[31mb\x07\u202ec") == "ab\\u202ec"


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
                        st.sampled_from(["State", "Status", "Name", "members", "cluster", "violations", "health",
                                         "errors", "x"]), inner, max_size=4), max_leaves=12)
COMMANDS = st.sampled_from(["docker ps", "docker inspect x", "docker logs x", "docker start", "docker network connect",
                            "docker rm -f", "curl x", "sleep 1", "echo $?", ""]) | st.text(max_size=30)


@given(st.sampled_from(["shell", "observe", "inspect", "logs", "other"]), COMMANDS,
       st.text(max_size=200) | JSON.map(json.dumps) | st.lists(st.text("|+ AB\n", max_size=20)).map("\n".join),
       st.sampled_from(["ok", "error", "timeout", "refused", "interrupted", "unknown", "?"]),
       st.none() | st.integers(-1, 255))
def test_no_output_is_too_strange(tool: str, command: str, output: str, status: str, exit_code: int | None) -> None:
    line = sentence(Ran(tool, {"command": command}, status, output, exit_code, PROJECT))
    assert line
    assert len(line) <= MOST
    assert line == clean(line)
    assert "\n" not in line
