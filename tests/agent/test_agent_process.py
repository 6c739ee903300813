"""The agent as a process of its own: signals, crashes, a second agent, the next ticket."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from agent_bench import KEY, Bench, left_of, own_account
from fake_messages import FakeMessages, answer, call

from operator_demo import tickets

Fake = Callable[..., FakeMessages]
DRIVER = Path(__file__).with_name("agent_driver.py")
ROOT = DRIVER.parents[2]


class Agents:
    """Starts agents on a bench and ends those that a test left running."""

    def __init__(self, bench: Bench, folder: Path) -> None:
        self.bench, self.folder = bench, folder
        self.account = own_account()
        self.running: list[subprocess.Popen[str]] = []
        (folder / "key").write_text(KEY)

    def start(self, base_url: str = "", **environment: str) -> "subprocess.Popen[str]":
        settings = self.bench.settings
        given = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
                 "OPERATOR_RUN": settings.run,
                 "OPERATOR_SUBJECT": settings.subject, "OPERATOR_PROJECT": settings.project,
                 "OPERATOR_DATA": str(settings.data), "OPERATOR_SAFETY_MODE": "execute", "OPERATOR_BRAIN": "claude",
                 "OPERATOR_MODEL": "", "ANTHROPIC_BASE_URL": base_url, "OPERATOR_OPEN_NETWORK": "1",
                 **environment}
        self.running.append(subprocess.Popen(
            [sys.executable, DRIVER, self.folder / "key", str(self.account.uid)], env=given,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return self.running[-1]

    def until(self, condition: Callable[[], Any], seconds: float = 60.0) -> Any:
        end = time.monotonic() + seconds
        while not (found := condition()):
            if time.monotonic() > end:
                for process in self.running:
                    process.kill()
                raise AssertionError([process.communicate() for process in self.running])
            time.sleep(0.02)
        return found

    def stop(self, process: "subprocess.Popen[str]") -> tuple[str, str]:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        return out, err


@pytest.fixture
def agents(bench: Bench, tmp_path: Path) -> Iterator[Agents]:
    made = Agents(bench, tmp_path)
    yield made
    for process in made.running:
        if process.poll() is None:
            process.kill()
        process.communicate()


def sessions(bench: Bench) -> list[dict[str, Any]]:
    return bench.store.rows("SELECT * FROM agent_sessions ORDER BY started")


def test_takes_the_ticket_and_then_the_next(bench: Bench, agents: Agents, fake: Fake) -> None:
    server = fake(answer(call("escalate", reason="first")), answer(call("escalate", reason="second")))
    process = agents.start(server.base_url)
    agents.until(lambda: bench.events("agent_started"))
    for n in (1, 2):
        ticket = bench.open_ticket()
        agents.until(lambda ticket=ticket: tickets.get(bench.store, ticket)["state"] == "escalated")  # type: ignore[misc]
        agents.until(lambda n=n: len(bench.events("session_finished")) == n)  # type: ignore[misc]
    out, err = agents.stop(process)
    assert bench.data("agent_started") == [{"mode": "execute", "model": "claude-opus-5-5", "brain": "claude",
                                            "way_out": "--open-network was given"}]
    assert [row["status"] for row in sessions(bench)] == ["escalated", "escalated"]
    assert KEY not in out + err + bench.everything_written()


def test_looks_for_a_ticket_soon(bench: Bench, agents: Agents, fake: Fake) -> None:
    bench.open_ticket()
    agents.start(fake(answer(call("escalate", reason="x"))).base_url)
    agents.until(lambda: bench.events("agent_started"))
    begun = time.monotonic()
    agents.until(lambda: bench.events("session_started"))
    assert time.monotonic() - begun < 20


def test_sigterm_ends_the_tool_and_gives_the_ticket_back(bench: Bench, agents: Agents, fake: Fake) -> None:
    ticket = bench.open_ticket()
    server = fake(answer(call("shell", reasoning="x", command="echo begun; setsid sleep 60 & sleep 61", timeout=100)))
    process = agents.start(server.base_url)
    agents.until(lambda: bench.events("tool_call") and left_of(agents.account))
    begun = time.monotonic()
    agents.stop(process)
    assert time.monotonic() - begun < 40
    assert left_of(agents.account) == []

    assert tickets.get(bench.store, ticket)["state"] == "open"
    assert bench.data("tool_result")[0]["status"] == "interrupted"
    assert "begun" in bench.data("tool_result")[0]["output"]
    assert bench.data("interrupt")[0]["reason"] == "The agent was told to stop (SIGTERM)."
    order = [e.type for e in bench.events() if e.source == "agent"][-4:]
    assert order == ["tool_result", "interrupt", "ticket_released", "session_finished"]
    assert sessions(bench)[0]["status"] == "interrupted"


def test_sigterm_in_the_middle_of_a_request(bench: Bench, agents: Agents, fake: Fake) -> None:
    from fake_messages import drips

    bench.open_ticket()
    server = fake(drips(0.05))
    process = agents.start(server.base_url)
    agents.until(lambda: server.requests)
    begun = time.monotonic()
    agents.stop(process)
    assert time.monotonic() - begun < 40
    assert sessions(bench)[0]["status"] == "interrupted"
    assert bench.ticket_row()["state"] == "open"


def test_a_killed_process_is_taken_up_by_the_next(bench: Bench, agents: Agents, fake: Fake) -> None:
    bench.open_ticket()
    server = fake(
        answer(call("shell", reasoning="x", command="echo was here")),
        answer(call("shell", reasoning="x", command="docker start etcd2 || sleep 60", timeout=100)),
        answer(call("escalate", reason="enough")),
    )
    process = agents.start(server.base_url)
    agents.until(lambda: len(bench.events("tool_call")) == 2)
    process.kill()
    process.wait()
    assert len(bench.events("tool_result")) == 1

    begun = time.monotonic()
    process = agents.start(server.base_url)
    agents.until(lambda: len(sessions(bench)) == 2 and sessions(bench)[1]["status"] == "escalated")
    assert time.monotonic() - begun < 29  # it did not wait for the lease of 30 s
    agents.stop(process)

    assert sessions(bench)[0]["status"] == "interrupted"
    unknown = bench.events("tool_result")[1]
    assert unknown.raw["status"] == "unknown"
    assert unknown.session == sessions(bench)[0]["session"]
    assert bench.data("interrupt")[0]["reason"] == "The agent's process ended."
    told = server.requests[2]["messages"][0]["content"]
    assert "- shell: echo was here -> ok: exit status 0" in told
    assert "- shell: docker start etcd2 || sleep 60 -> unknown" in told


def test_a_verdict_that_came_after_the_crash_counts(bench: Bench, agents: Agents, fake: Fake) -> None:
    bench.open_ticket()
    server = fake(answer(call("resolve", summary="it runs", actions=["x"])))
    process = agents.start(server.base_url)
    agents.until(lambda: bench.ticket_row()["state"] == "verifying")
    process.kill()
    process.wait()
    bench.oracle(True)
    process = agents.start(server.base_url)
    agents.until(lambda: sessions(bench)[0]["status"] == "verified")
    agents.stop(process)
    assert len(sessions(bench)) == 1


def test_two_agents_never_work_the_same_ticket(bench: Bench, agents: Agents, fake: Fake) -> None:
    server = fake(answer(call("escalate", reason="x")), endless=True)
    processes = [agents.start(server.base_url), agents.start(server.base_url)]
    agents.until(lambda: len(bench.events("agent_started")) == 2)
    for _ in range(6):
        ticket = bench.open_ticket()
        agents.until(lambda ticket=ticket: tickets.get(bench.store, ticket)["state"] == "escalated")  # type: ignore[misc]
    agents.until(lambda: len(bench.events("session_finished")) == 6)
    for process in processes:
        agents.stop(process)
    assert len(sessions(bench)) == len({row["ticket"] for row in sessions(bench)}) == 6
    assert len(bench.events("ticket_claimed")) == 6


def test_ends_itself_after_its_longest_time(bench: Bench, agents: Agents, fake: Fake) -> None:
    bench.open_ticket()
    server = fake(answer(call("shell", reasoning="x", command="sleep 60", timeout=100)))
    process = agents.start(server.base_url, OPERATOR_MAX_TIME="3")
    assert process.wait(60) == 0
    assert "longest time" in bench.data("interrupt")[0]["reason"]
    assert bench.ticket_row()["state"] == "open"


def test_claude_without_a_key_says_so_once_and_plainly(bench: Bench, agents: Agents) -> None:
    (agents.folder / "key").write_text("")
    process = agents.start()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert err == "There is no API key for Claude.\n"
    assert bench.data("refusal") == [{"reason": "There is no API key for Claude."}]


def test_a_dollar_budget_without_a_price_says_so(bench: Bench, agents: Agents) -> None:
    process = agents.start(OPERATOR_MODEL="claude-next", OPERATOR_BUDGET_USD="5")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "The price of claude-next is not known" in err


def test_the_rehearsal_needs_no_key_and_says_what_it_is(bench: Bench, agents: Agents) -> None:
    (agents.folder / "key").unlink()
    bench.open_ticket()
    process = agents.start(OPERATOR_BRAIN="rehearsal", OPERATOR_MODEL="claude-opus-5-5", HTTP_PROXY="http://127.0.0.1:9",
                           HTTPS_PROXY="http://127.0.0.1:9", OPERATOR_PACE="0")
    agents.until(lambda: bench.events("session_finished"))
    agents.stop(process)
    assert sessions(bench)[0]["model"] == sessions(bench)[0]["brain"] == "rehearsal"
    assert bench.data("agent_started")[0]["brain"] == "rehearsal"
    assert bench.data("usage")[0]["cost_usd"] is None
    assert bench.data("tool_call")[0]["tool"] == "observe"
    assert bench.data("reasoning")
