"""The agent's panel: each step by its reason, each statement once, every cut marked."""

import io
from typing import Any

import pytest
from drawn import drawn
from rich.console import Console
from story import SESSION, START, TICKET, Author, until

from operator_demo import events
from operator_demo.events import Event
from operator_demo.screen.layout import arrange
from operator_demo.screen.markdown import folded
from operator_demo.screen.panels.agent import agent as agent_panel
from operator_demo.screen.panels.steps import folded_step
from operator_demo.screen.panels.view import View
from operator_demo.screen.screen_state import ScreenState
from operator_demo.screen.terminal_text import ASCII, UNICODE, Symbols

MINE = {"ticket": TICKET, "session": SESSION}


class Agent(Author):
    """Says what an agent says, one second after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.calls = 0
        self._say("session_started", model="claude-opus-5-5", brain="claude", mode="execute")

    def _say(self, type: str, **data: Any) -> None:
        self.now += 1
        self.say(self.now, events.AGENT, type, **MINE, **data)

    def prose(self, text: str, kind: str = "text") -> None:
        self._say("reasoning", kind=kind, text=text)

    def call(self, tool: str, **given: Any) -> str:
        self.calls += 1
        self._say("tool_call", call=f"toolu_{self.calls}", tool=tool, input=given)
        return f"toolu_{self.calls}"

    def result(self, call: str, tool: str = "shell", output: str = "", status: str = "ok", exit_code: int | None = 0,
               ) -> None:
        self._say("tool_result", call=call, tool=tool, status=status, output=output, exit_code=exit_code, duration=0.2)

    def shell(self, command: str, reasoning: str, output: str = "") -> str:
        call = self.call("shell", command=command, reasoning=reasoning)
        self.result(call, output=f"exit status 0 (0.2 s)\n{output}")
        return call

    def finding(self, **given: Any) -> None:
        call = self.call("finding", **given)
        self._say("finding", **{"member": None, **given})
        self.result(call, "finding", "noted", exit_code=None)

    def over(self, status: str, summary: str) -> None:
        self._say("session_finished", status=status, summary=summary)

    def guard(self, rule: str, ruling: str = "allow", call: str | None = None) -> None:
        self.now += 0.1
        self.say(self.now, events.GUARD, "guard", caller="agent", ruling=ruling, rule=rule, method="POST",
                 path="/containers/x", member="etcd1", reason="No." if ruling == "deny" else "",
                 **({"call": call} if call else {}))


def draw(many: list[Event], size: tuple[int, int] = (120, 40), symbols: Symbols = UNICODE) -> str:
    return "\n".join(drawn(many, size, many[-1].at - START, symbols, True, arrange))


def test_a_step_is_its_reason_and_a_line_of_result() -> None:
    agent = Agent()
    agent.shell("docker ps", "Which members run?", "demo-etcd-etcd1-1\tExited (137) 4 seconds ago\nx\tUp 3 seconds")
    agent.shell("cat /etc/hosts", "Just to look.", "127.0.0.1 localhost")
    text = draw(agent.events)
    assert " 1 ✔ Which members run?" in text
    assert "demo-etcd-etcd1-1 exited (137) 4 s ago · x up 3 s" in text
    assert "docker ps" not in text  # folded
    assert "$ cat /etc/hosts" in text
    assert "✔ 127.0.0.1 localhost  0.2 s" in text


def test_without_a_reasoning_the_last_sentence_before_it_is_the_reason() -> None:
    agent = Agent()
    agent.prose("It has **exited**. Let me see what the `monitor` sees:")
    agent.call("observe")
    assert "1 ▶ Let me see what the monitor sees" in draw(agent.events)
    listing = Agent()
    listing.prose("First the plan.\n\nI look at three things:\n\n1. this,\n2. that.")
    listing.call("observe")
    assert "1 ▶ I look at three things" in draw(listing.events)
    silent = Agent()
    silent.call("logs", member="etcd1")
    assert "1 ▶ reads the log of etcd1" in draw(silent.events)


def test_a_finding_stands_there_once_and_never_as_key_and_value() -> None:
    agent = Agent()
    agent.prose("etcd1 was ended by SIGKILL; its data is intact.")
    agent.finding(member="etcd1", cause="process_killed", text="etcd1 was ended by SIGKILL; its data is intact.")
    text = draw(agent.events)
    assert text.count("SIGKILL") == 1
    assert "◆ FINDING  etcd1: process killed" in text
    assert "cause=" not in text and "noted" not in text


def test_what_the_agent_states_at_the_end_has_a_form_of_its_own() -> None:
    agent = Agent()
    call = agent.call("resolve", summary="etcd1 runs again.", actions=["docker start etcd1"])
    assert "the oracle looks from outside" in draw(agent.events)
    agent.result(call, "resolve", "not verified: p99 is high", exit_code=None)
    text = draw(agent.events)
    assert "◆ SAYS IT IS REPAIRED" in text and "✖ not verified: p99 is high" in text
    call = agent.call("escalate", reason="I do not know more.")
    agent.result(call, "escalate", "The ticket is with a human now.", exit_code=None)
    agent.over("escalated", "I do not know more.")
    text = draw(agent.events)
    assert "▲ HANDS IT TO A HUMAN" in text
    assert text.count("I do not know more.") == 1


@pytest.mark.parametrize("guard_first", [True, False])
def test_what_changes_the_cluster_is_marked_by_the_guards_word(guard_first: bool) -> None:
    agent = Agent()
    if guard_first:
        agent.guard("docker start", call="toolu_1")
    call = agent.call("shell", command="true # docker start", reasoning="Bring it back.")
    assert ("changes the cluster" in draw(agent.events)) == guard_first
    agent.guard("docker start", call=call)
    agent.guard("docker exec: without privileges", call=call)
    assert "changes the cluster" in draw(agent.events)
    agent.result(call)
    agent.shell("true", "Next.")
    assert "changes the cluster" in draw(agent.events)  # folded, too


def test_what_runs_inside_a_member_is_marked_as_that() -> None:
    agent = Agent()
    call = agent.call("shell", command="docker exec etcd1 etcdctl get x", reasoning="Ask it.")
    agent.guard("docker exec: without privileges", call=call)
    assert "runs inside a member" in draw(agent.events)


def test_refusals_say_so_once() -> None:
    agent = Agent()
    call = agent.call("shell", command="docker volume rm data", reasoning="Away with it.")
    agent.guard("docker volume rm", "deny", call)
    agent.say(agent.now, events.AGENT, "refusal", **MINE, reason="Only to look.", call=call)
    agent.result(call, status="refused", output="Only to look.", exit_code=None)
    text = draw(agent.events)
    assert "⛨ THE GUARD REFUSED" in text
    assert text.count("Only to look.") == 1
    assert "⊘ Only to look." in text


def test_what_the_guard_refused_is_not_told_again_by_the_command() -> None:
    agent = Agent()
    call = agent.call("shell", command="docker rm x", reasoning="Away with it.")
    agent.guard("docker rm", "deny", call)
    agent.result(call, output="exit status 1 (0.1 s)\n--- stderr\nError response from daemon: No.", exit_code=1)
    text = draw(agent.events)
    assert text.count("No.") == 1
    assert "✖ the guard refused it" in text


def test_an_answer_stands_with_what_was_asked() -> None:
    agent = Agent()
    agent.say(1, events.GUARD, "approval_requested", id="a", rule="docker stop", method="POST", path="/x", digest="d",
              limit=90.0, member="etcd1", destructive=True)
    agent.say(2, events.GUARD, "approval_answered", id="a", answer="no", by="anna")
    assert "asks a human  docker stop on etcd1, which is destructive" in draw(agent.events)
    assert "⊘ a human said no (anna)" in draw(agent.events)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
def test_a_cut_is_marked(size: tuple[int, int]) -> None:
    agent = Agent()
    heredoc = "cat > /tmp/x <<'EOF'\n" + "\n".join(f"line {n}" for n in range(30)) + "\nEOF"
    for n in range(40):
        agent.shell("true", f"Step {n}.")
    agent.shell(heredoc, "Writes a note.", "x\n" * 400)
    text = draw(agent.events, size)
    assert "more lines  o" in text
    assert "400 lines, last: x" in text
    assert "earlier steps" in text
    assert "line 29" not in text


def test_prose_is_markdown() -> None:
    agent = Agent()
    agent.prose("## Plan\n\n- **look** at `etcd1`\n1. then act\n\n```sh\ndocker ps\n```\n[bold]not markup[/]")
    text = draw(agent.events)
    for part in ("│ Plan", "· look at etcd1", "1. then act", "  docker ps", "[bold]not markup[/]"):
        assert part in text, part
    assert "**" not in text and "```" not in text


def test_in_ascii_there_is_nothing_else() -> None:
    agent = Agent()
    agent.prose("- a point")
    agent.shell("docker ps", "Look.", "a\tExited (1) 4 seconds ago\nb\tUp 3 seconds")
    agent.finding(cause="unknown", text="- another point")
    text = draw(agent.events, symbols=ASCII)
    assert text.isascii()
    assert "?" not in text.replace(" ?  help ", "")


def test_parallel_calls_stay_open_until_each_is_over() -> None:
    agent = Agent()
    first = agent.call("shell", command="sleep 1", reasoning="One.")
    second = agent.call("shell", command="sleep 2", reasoning="Two.")
    assert draw(agent.events).count("running") == 2
    agent.result(second, output="exit status 0 (0.1 s)\nb")
    agent.result(first, output="exit status 3 (0.1 s)\na", exit_code=3)
    text = draw(agent.events)
    assert " 1 ✖ One." in text and "exit 3: a" in text
    assert " 2 ✔ Two." in text


def test_what_has_not_changed_is_not_wrapped_again() -> None:
    """Frames are drawn ten times a second."""
    state = ScreenState()
    for e in until(22):
        state.apply(e)
    view = View(Console(file=io.StringIO(), width=80), UNICODE, START + 22, False, 60, 30)
    first = [line.plain for line in agent_panel(state, view)]
    misses = folded.cache_info().misses, folded_step.cache_info().misses
    assert [line.plain for line in agent_panel(state, view)] == first
    assert (folded.cache_info().misses, folded_step.cache_info().misses) == misses
