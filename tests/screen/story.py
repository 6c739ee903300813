"""The events of one whole run, as the real parts say them: for tests, snapshots and looking at the screen."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from operator_demo import events
from operator_demo.events import Event

START = events.parse_ts("2026-03-14T09:00:00.000000Z")
RUN, TICKET, SESSION = "run-7k3mq2px", "tkt-c4vn8wra", "ses-h2xk9dtm"
NAMES = ("etcd1", "etcd2", "etcd3")
NOTES = {"fault": "The countdown gives you three seconds to turn to the screen.",
         "repair": "Point at the order. It looks, it names the cause, and only then it acts."}
"""What the speaker reads in a chapter, and the audience does not."""


class Author:
    """Writes events with rising `seq` per source at chosen times (seconds since the start)."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._seq = dict.fromkeys(events.SOURCES, 0)

    def say(self, at: float, source: str, type: str, /, *, ticket: str | None = None, session: str | None = None,
            **data: Any) -> None:
        e = events.event(RUN, source, events.TYPES[type].of(data), ticket=ticket, session=session)
        seq = None
        if not events.TYPES[type].ephemeral:
            self._seq[source] += 1
            seq = self._seq[source]
        self.events.append(replace(e, seq=seq, ts=events.timestamp(datetime.fromtimestamp(START + at, UTC))))


def members(down: str | None = None, leader: str = "etcd1", lag: int = 0) -> dict[str, dict[str, Any]]:
    seen: dict[str, dict[str, Any]] = {}
    for n, name in enumerate(NAMES):
        if name == down:
            seen[name] = {"container": f"c0ffee{n}", "state": "exited", "address": None, "reachable": False,
                          "healthy": False, "leader": False, "error": "no address: the container is exited"}
        else:
            seen[name] = {"container": f"c0ffee{n}", "state": "running", "address": f"172.20.0.{n + 2}",
                          "reachable": True, "healthy": True, "leader": name == leader, "error": None, "term": 3,
                          "index": 48_213 + lag * n, "db_size": 24_600_000 + n * 4096, "alarms": [],
                          "read_latency": 0.0021 + n * 0.0004}
    return seen


def story(brain: str = "rehearsal", model: str = "rehearsal") -> list[Event]:
    """A kill of the leader, found, repaired and verified."""
    a = Author()
    stage, monitor, agent, load = events.STAGE, events.MONITOR, events.AGENT, events.WORKLOAD
    mine = {"ticket": TICKET, "session": SESSION}

    def chapter(at: float, name: str, title: str, narration: str) -> None:
        a.say(at, stage, "chapter", name=name, title=title, narration=narration, notes=NOTES.get(name, ""))

    chapter(0, "welcome", "Welcome", "A real three-member etcd cluster comes up in containers. In a minute, one member "
            "will be killed under load, and an agent will be on its own with it.")
    a.say(0, stage, "run_started", project="demo-etcd", subject="etcd", mode="execute", model=model, brain=brain,
          version="0.1.0 (1a2b3c4)", engine="20.10.24", seed=7, manual=True)
    for n, name in enumerate(NAMES):
        a.say(0.5 + n / 10, stage, "progress", task="up", item=name, status="starting")
    for n, name in enumerate(NAMES):
        a.say(2.5 + n / 10, stage, "progress", task="up", item=name, status="healthy")
    a.say(3.0, monitor, "monitor_started", subject="etcd", members=list(NAMES))
    a.say(3.2, agent, "agent_started", mode="execute", model=model, brain=brain)
    a.say(3.3, load, "workload_started", rate=200, read_share=0.5, keys=64)
    chapter(4.0, "healthy", "All is well", "Three members, one leader. Every write is agreed on by a majority.")
    for second in range(4, 15):
        a.say(second, monitor, "observation", members=members(lag=second), violations=[], duration=0.02,
              cluster={"leader": "etcd1", "quorum": True})
        a.say(second + 0.2, load, "load", ops=198 + second % 5, p50=0.0021, p99=0.0063, errors={})
    chapter(8.0, "load", "Load", "Two hundred operations a second, half of them writes. Each acknowledged write is "
            "remembered, to look for it at the end.")
    a.say(9.0, monitor, "armed", fingerprint={"etcd1": {}}, checks=["invariants", "data plane", "agreement"])
    a.say(11.0, stage, "truth_sealed", sha256="9f2c" * 16)
    chapter(12.0, "fault", "The fault", "One of the three is about to be killed. Nobody tells the agent which.")
    for left in (3, 2, 1):
        a.say(15 - left, stage, "progress", task="fault", item="fault", status=f"in {left}")
    a.say(15.05, stage, "fault", phase="injecting", kind="kill", targets=["etcd1"])
    a.say(15.1, monitor, "effect", container="demo-etcd-etcd1-1", member="etcd1", action="die", explained="fault",
          exit_code=137, time=START + 15.1)
    a.say(15.2, stage, "fault", phase="injected", kind="kill", targets=["etcd1"])
    down = [{"key": "member_down:etcd1", "invariant": "member_down", "member": "etcd1", "severity": "critical",
             "text": "etcd1 is exited (status 137)", "since": "2026-03-14T09:00:15.300000Z"},
            {"key": "client_errors", "invariant": "client_errors", "member": None, "severity": "warning",
             "text": "9.5 % of the operations fail", "since": "2026-03-14T09:00:16.300000Z"}]
    a.say(15.3, monitor, "observation", members=members("etcd1", leader=""), violations=["member_down:etcd1"],
          duration=0.4, cluster={"leader": None, "quorum": True})
    a.say(15.8, load, "load", ops=121, p50=0.004, p99=0.310, errors={"connection refused": 31, "timeout": 4})
    a.say(16.0, monitor, "ticket_opened", ticket=TICKET, subject="etcd", severity="critical",
          title="etcd1 is down (exited, status 137)", violations=down[:1])
    a.say(16.1, monitor, "verdict", ticket=TICKET, phase="opening", passed=False, checks=[
        {"name": "invariants", "status": "failed", "saw": "member_down:etcd1"},
        {"name": "data plane", "status": "failed", "saw": "no write through etcd1"},
        {"name": "agreement", "status": "unknown", "saw": "etcd1 did not answer"}])
    chapter(16.2, "detection", "Detected", "The monitor saw an invariant violated and opened a ticket. "
            "The agent takes it from here.")
    a.say(16.4, agent, "ticket_claimed", **mine, holder=SESSION)
    a.say(16.4, agent, "session_started", **mine, model=model, brain=brain, mode="execute")
    for second in range(16, 29):
        a.say(second + 0.5, monitor, "observation", members=members("etcd1", leader="etcd2", lag=second),
              violations=["member_down:etcd1", "client_errors"], duration=0.05,
              cluster={"leader": "etcd2", "quorum": True})
        a.say(second + 0.8, load, "load", ops=181 - second % 4, p50=0.0024, p99=0.0121,
              errors={"connection refused": 18 + second % 3})
    a.say(17.0, monitor, "ticket_updated", ticket=TICKET, violations=down)
    chapter(17.1, "repair", "The agent at work", "It looks before it acts: which member is missing, and why?")

    def think(at: float, kind: str, text: str) -> None:
        for n in range(0, len(text), 24):
            a.say(at + n / 400, agent, "delta", session=SESSION, kind=kind, text=text[n:n + 24])
        a.say(at + len(text) / 400 + 0.05, agent, "reasoning", **mine, kind=kind, text=text)

    def use(at: float, n: int, command: str, reasoning: str, output: str, duration: float, status: str = "ok",
            exit_code: int = 0) -> None:
        a.say(at, agent, "usage", **mine, input_tokens=1800 + 300 * n, output_tokens=140, cache_read_tokens=0,
              cache_write_tokens=0, cost_usd=0.0, duration=0.6, request_id=f"req_{n}", stop_reason="tool_use")
        a.say(at, agent, "tool_call", **mine, call=f"toolu_{n}", tool="shell",
              input={"command": command, "reasoning": reasoning})
        a.say(at + duration, agent, "tool_result", **mine, call=f"toolu_{n}", tool="shell", status=status,
              output=output, exit_code=exit_code, duration=duration)

    think(17.2, "thinking", "The ticket says that etcd1 is down. First I look at the containers of the project, "
          "without changing anything: which of them run, and how did the others end?")
    use(18.0, 1, "docker ps -a --filter label=com.docker.compose.project=demo-etcd "
        "--format '{{.Names}}\\t{{.Status}}'", "See which members run and how the others ended.",
        "demo-etcd-etcd1-1\tExited (137) 2 seconds ago\ndemo-etcd-etcd2-1\tUp 15 seconds (healthy)\n"
        "demo-etcd-etcd3-1\tUp 15 seconds (healthy)\n", 0.21)
    think(18.6, "text", "etcd1 has exited with status 137: it was ended by SIGKILL. The other two still form a quorum. "
          "I check that the host did not run out of memory before I start it again.")
    use(19.5, 2, "docker inspect demo-etcd-etcd1-1 --format '{{json .State}}' | jq .",
        "Was it the memory limit, or was it killed from outside?",
        '{\n  "Status": "exited",\n  "Running": false,\n  "OOMKilled": false,\n  "ExitCode": 137,\n  "Error": "",\n'
        '  "StartedAt": "2026-03-14T09:00:01.7Z",\n  "FinishedAt": "2026-03-14T09:00:15.1Z"\n}\n', 0.18)
    use(20.2, 3, "curl -s --max-time 2 http://etcd1:2379/health", "Does it answer at all?",
        "curl: (6) Could not resolve host: etcd1\n", 0.34, "error", 6)
    a.say(20.9, agent, "finding", **mine, member="etcd1", cause="process_killed",
          text="etcd1 was ended by SIGKILL (status 137, not out of memory); its data is intact. "
               "Starting the container is enough.")
    think(21.0, "text", "Now the repair: start the container again. Its data volume is still there, so it rejoins as "
          "the same member.")
    use(21.9, 4, "docker start demo-etcd-etcd1-1", "Bring the member back with its own data.",
        "demo-etcd-etcd1-1\n", 0.62)
    a.say(22.5, monitor, "effect", container="demo-etcd-etcd1-1", member="etcd1", action="start", session=SESSION,
          explained="tool_call", call="toolu_4")
    chapter(25.0, "verified", "Is it really repaired?", "The agent says so. The oracle does not take its word: it "
            "looks for itself, from outside.")
    for second in range(29, 42):
        a.say(second, monitor, "observation", members=members(leader="etcd2", lag=second), violations=[],
              duration=0.03, cluster={"leader": "etcd2", "quorum": True})
        a.say(second + 0.2, load, "load", ops=199 + second % 3, p50=0.0022, p99=0.0071, errors={})
    a.say(29.1, monitor, "ticket_updated", ticket=TICKET, violations=[])
    think(29.2, "text", "All three members answer and agree. The ticket can be closed.")
    a.say(29.5, agent, "tool_call", **mine, call="toolu_5", tool="resolve",
          input={"summary": "etcd1 was killed; started it again.", "actions": ["docker start demo-etcd-etcd1-1"]})
    a.say(29.5, agent, "ticket_verifying", **mine, summary="etcd1 was killed; started it again.",
          actions=["docker start demo-etcd-etcd1-1"])
    a.say(39.9, load, "write_check", kept=2412, lost=0, unknown=7)
    a.say(40.0, monitor, "verdict", **mine, phase="final", passed=True, checks=[
        {"name": "invariants", "status": "passed", "saw": "none violated for 10.2 s"},
        {"name": "data plane", "status": "passed", "saw": "a write through each of 3 members, read back through all"},
        {"name": "agreement", "status": "passed", "saw": "3 members, one hash at revision 24117"},
        {"name": "redundancy", "status": "passed", "saw": "3 healthy voters, as before"},
        {"name": "writes", "status": "passed", "saw": "2412 kept, 0 lost, 7 unknown"},
        {"name": "load", "status": "passed", "saw": "p99 7 ms, 6 ms before the fault"},
        {"name": "fingerprint", "status": "passed", "saw": "unchanged"},
        {"name": "alarms", "status": "not_checked", "saw": ""}])
    a.say(40.0, monitor, "ticket_resolved", **mine)
    a.say(40.2, agent, "tool_result", **mine, call="toolu_5", tool="resolve", status="ok", duration=10.7,
          output="The oracle's verdict passed.")
    a.say(40.3, agent, "session_finished", **mine, status="verified", summary="etcd1 was killed; started it again.")
    a.say(41.0, stage, "truth_opened", nonce="ab" * 16, truth={"fault": "kill", "targets": ["etcd1"]},
          sha256="9f2c" * 16)
    a.say(41.1, stage, "run_finished", outcome="repaired", exit_status=0, ttd=0.9, ttm=24.8)
    chapter(41.2, "end", "Repaired and verified", "From the fault to the ticket 0.9 s, to the verified repair 24.8 s.")
    return sorted(a.events, key=lambda e: e.ts)


def until(at: float, brain: str = "rehearsal", model: str = "rehearsal") -> list[Event]:
    """The story up to this moment (seconds since the start)."""
    return [e for e in story(brain, model) if events.parse_ts(e.ts) <= START + at]
