"""A session that looks like Claude's: Markdown, parallel calls, a long script, a log of 400 lines, a refusal, a table.

Told as the real parts tell it, over the same fault as in `story`.
"""

import json
from typing import Any

from story import SESSION, START, TICKET, Author, story

from operator_demo import events
from operator_demo.events import Event

MODEL = "claude-opus-5-5"
_MINE = {"ticket": TICKET, "session": SESSION}
_BEGINS, _ENDS = 17.2, 29.1  # the seconds in which the rule-based operator works in `story`

_THOUGHT = ("The ticket says etcd1 is down, but the client errors could have another cause. I should look at the whole "
            "cluster before I believe it: which members answer, who leads, and what does the engine say about the "
            "container? Exit status 137 would mean SIGKILL, and that can be the kernel's OOM killer or a person.")
_PLAN = """\
I'll start with the **whole picture** before touching anything:

1. what the monitor sees,
2. what the engine says about each container,
3. how `etcd1` ended."""
_CONCLUSION = """\
### What I know

- `etcd1` exited with **137** (SIGKILL), `OOMKilled` is *false*
- its log stops in the middle of normal work: no panic, no complaint about the disk
- `etcd2` and `etcd3` have a quorum and elected a leader

So nothing in etcd went wrong. The smallest repair is to start the same container again, with its own data."""
_SCRIPT = "cat > /tmp/check.sh <<'EOF'\n#!/usr/bin/env bash\nset -euo pipefail\n" + "\n".join(
    f'curl -fsS -m 2 "http://etcd{n % 3 + 1}:2379/health" | jq -r .health   # look {n}' for n in range(27)
) + "\nEOF\nbash /tmp/check.sh"
_LOG = "\n".join(json.dumps({"level": "info" if n % 50 else "warn", "ts": f"2026-03-14T09:00:{n % 60:02d}.5Z",
                             "caller": "rafthttp/stream.go:249", "msg": f"established TCP streaming connection {n}"})
                 for n in range(400))
_PS = ("NAMES               STATUS                       PORTS\n"
       "demo-etcd-etcd1-1   Exited (137) 3 seconds ago   \n"
       "demo-etcd-etcd2-1   Up 18 seconds (healthy)      2379-2380/tcp\n"
       "demo-etcd-etcd3-1   Up 18 seconds (healthy)      2379-2380/tcp\n")
_STATUS = """\
+------------------+------------------+---------+---------+-----------+--------+
|     ENDPOINT     |        ID        | VERSION | DB SIZE | IS LEADER | ERRORS |
+------------------+------------------+---------+---------+-----------+--------+
| 172.20.0.2:2379  | 8a87c0b231a067c4 |  3.5.16 |   25 MB |     false |        |
| 172.20.0.3:2379  | b4e0d428e1b27587 |  3.5.16 |   25 MB |      true |        |
| 172.20.0.4:2379  | e6f1d5a0edf0ccf0 |  3.5.16 |   25 MB |     false |        |
+------------------+------------------+---------+---------+-----------+--------+"""
_LOOK = {"members": {"etcd1": {"state": "exited", "exit_code": 137, "healthy": False},
                     "etcd2": {"state": "running", "healthy": True, "leader": True},
                     "etcd3": {"state": "running", "healthy": True}},
         "cluster": {"leader": "etcd2", "quorum": True},
         "violations": [{"member": None, "text": "9.5 % of the clients' requests fail (limit 5 %)."}]}


class _Session(Author):
    """Claude at work; each thing takes a moment."""

    def __init__(self) -> None:
        super().__init__()
        self.now = _BEGINS
        self._calls = 0

    def _say(self, type: str, **data: Any) -> None:
        self.say(self.now, events.AGENT, type, **_MINE, **data)

    def prose(self, text: str, kind: str = "text") -> None:
        for at in range(0, len(text), 24):
            self.say(self.now, events.AGENT, "delta", session=SESSION, kind=kind, text=text[at:at + 24])
            self.now += 0.01
        self._say("reasoning", kind=kind, text=text)
        self.now += 0.2

    def begin(self, tool: str, **given: Any) -> str:
        self._calls += 1
        call = f"toolu_{self._calls}"
        self._say("tool_call", call=call, tool=tool, input=given)
        return call

    def end(self, call: str, tool: str, output: str, exit_code: int | None = None, took: float = 0.3) -> None:
        self.now += took
        self._say("tool_result", call=call, tool=tool, status="ok", output=output, exit_code=exit_code, duration=took)

    def shell(self, reasoning: str, command: str, output: str, exit_code: int = 0, took: float = 0.3,
              rule: str = "") -> None:
        call = self.begin("shell", command=command, reasoning=reasoning)
        if rule:
            self.say(self.now + 0.05, events.GUARD, "guard", caller="agent", ruling="allow", rule=rule, method="POST",
                     path="/containers/etcd1/start", member="etcd1", call=call)
        self.end(call, "shell", f"exit status {exit_code} ({took} s)\n{output}", exit_code, took)

    def tool(self, tool: str, output: str, **given: Any) -> None:
        self.end(self.begin(tool, **given), tool, output)


def claude_story() -> list[Event]:
    """The whole run of `story`, with this session in the place of the rule-based one."""
    claude = _Session()
    claude.prose(_THOUGHT, "thinking")
    claude.prose(_PLAN)
    claude.tool("observe", json.dumps(_LOOK))
    claude.shell("What does Docker say about each container of the project?",
                 "docker ps -a --filter label=com.docker.compose.project=demo-etcd "
                 "--format 'table {{.Names}}\t{{.Status}}\t{{.Ports}}'", _PS)
    claude.shell("Was it the OOM killer or somebody else? `OOMKilled` and the exit code tell the two apart.",
                 "docker inspect demo-etcd-etcd1-1 --format '{{json .State}}' | jq .",
                 json.dumps({"Status": "exited", "ExitCode": 137, "OOMKilled": False, "Error": ""}, indent=2))
    claude.shell("Its last words: a panic or a full disk would be in the log.",
                 "docker logs --tail 400 demo-etcd-etcd1-1 2>&1", _LOG, took=0.5)
    claude.shell("A script that asks all three for their health, to see the same from outside.", _SCRIPT,
                 "--- stderr\ncurl: (6) Could not resolve host: etcd1", 6, 0.8)
    claude.prose(_CONCLUSION)
    finding = {"member": "etcd1", "cause": "process_killed",
               "text": "`etcd1` was ended by **SIGKILL** (137, not out of memory); its data is intact. "
                       "Starting the same container is enough."}
    call = claude.begin("finding", **finding)
    claude._say("finding", **finding)
    claude.end(call, "finding", "noted")
    refused = claude.begin("shell", command="docker rm -f demo-etcd-etcd1-1 && docker run etcd",
                           reasoning="A fresh container would be the cleanest.")
    claude.say(claude.now + 0.1, events.GUARD, "guard", caller="agent", ruling="deny", rule="not offered",
               method="DELETE", path="/containers/demo-etcd-etcd1-1", call=refused, reason="The agent removes nothing.")
    claude.end(refused, "shell", "exit status 1 (0.2 s)\n--- stderr\nError response from daemon: The agent removes "
                                 "nothing.", 1)
    claude.shell("Bring the member back with its own data.", "docker start demo-etcd-etcd1-1", "demo-etcd-etcd1-1",
                 took=0.6, rule="docker start")
    claude.shell("Do all three agree again?", "etcdctl endpoint status --cluster -w table", _STATUS)
    claude.prose("All three members answer, `etcd2` leads, and nothing is violated any more.")
    others = [e for e in story("claude", MODEL) if not _replaced(e)]
    return sorted([*others, *claude.events], key=lambda e: e.ts)


def _replaced(e: Event) -> bool:
    at = e.at - START
    ours = e.source == events.AGENT and e.type not in ("session_started", "ticket_claimed")
    return ours and _BEGINS <= at < _ENDS + 0.3


def claude_until(at: float) -> list[Event]:
    """The story up to this moment (seconds since the start)."""
    return [e for e in claude_story() if e.at <= START + at]
