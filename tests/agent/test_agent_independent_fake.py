"""The same loop against a fake of the Messages API that others wrote."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from agent_bench import Bench
from independent_fake import IndependentFake

from operator_demo.agent.budget import Limits

Fake = Callable[..., IndependentFake]


@pytest.fixture
def independent(tmp_path: Path) -> Iterator[Fake]:
    made: list[IndependentFake] = []

    def make(*fixtures: dict[str, Any]) -> IndependentFake:
        made.append(IndependentFake(tmp_path, list(fixtures)))
        return made[-1]

    yield make
    for server in made:
        server.close()


def turn(number: int, response: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The answer to the request that follows `number` answers."""
    return {"match": {"turnIndex": number}, "response": response, **more}


def nth(number: int, response: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The answer to the request of this number, whatever it holds."""
    return {"match": {"sequenceIndex": number}, "response": response, **more}


def calls(tool: str, **arguments: Any) -> dict[str, Any]:
    return {"toolCalls": [{"name": tool, "arguments": arguments}]}


ESCALATE = calls("escalate", reason="enough")


def test_text_thinking_and_tools_over_several_turns(bench: Bench, independent: Fake) -> None:
    server = independent(
        turn(0, {"content": "I look first.", "reasoning": "What does the monitor see?", **calls("observe"),
                 "usage": {"input_tokens": 11, "output_tokens": 7}}),
        turn(1, calls("shell", reasoning="say it", command="echo hello from bash")),
        turn(2, {"toolCalls": [
            {"name": "finding", "arguments": {"member": "etcd2", "cause": "process_killed", "text": "gone"}},
            {"name": "resolve", "arguments": {"summary": "it runs", "actions": ["docker start etcd2"]}}]}),
    )
    bench.oracle(True)
    session = bench.run_session(server.base_url)
    assert bench.session_row(session)["status"] == "verified"
    assert {(d["kind"], d["text"]) for d in bench.data("reasoning")} == {
        ("thinking", "What does the monitor see?"), ("text", "I look first.")}
    assert [d["tool"] for d in bench.data("tool_call")] == ["observe", "shell", "finding", "resolve"]
    assert "hello from bash" in bench.data("tool_result")[1]["output"]
    assert (bench.session_row(session)["input_tokens"], bench.session_row(session)["output_tokens"]) == (11, 7)


def test_a_turn_without_a_tool_is_reminded_of_the_ticket(bench: Bench, independent: Fake) -> None:
    session = bench.run_session(independent(turn(0, {"content": "All is well."}), turn(1, ESCALATE)).base_url)
    assert bench.session_row(session)["status"] == "escalated"
    assert bench.ticket_row()["reason"] == "enough"


def test_429_with_retry_after(bench: Bench, independent: Fake) -> None:
    limited = {"error": {"message": "Rate limited", "type": "rate_limit_error"}, "status": 429, "retryAfter": 1}
    bench.run_session(independent(nth(0, limited), nth(1, ESCALATE)).base_url)
    retry, = bench.data("retry")
    assert "status 429 (rate_limit_error: Rate limited)" in retry["reason"]
    assert 1.0 <= retry["delay"] < 1.5
    assert bench.ticket_row()["reason"] == "enough"


@pytest.mark.usefixtures("short_delays")
def test_529(bench: Bench, independent: Fake) -> None:
    overloaded = {"error": {"message": "Overloaded", "type": "overloaded_error"}, "status": 529}
    bench.run_session(independent(nth(0, overloaded), nth(1, ESCALATE)).base_url)
    assert "status 529 (overloaded_error: Overloaded)" in bench.data("retry")[0]["reason"]
    assert bench.ticket_row()["reason"] == "enough"


@pytest.mark.usefixtures("short_delays")
def test_a_connection_that_is_cut_in_the_middle(bench: Bench, independent: Fake) -> None:
    cut = nth(0, {"content": "I wanted to say a great many things about this cluster."}, truncateAfterChunks=4)
    bench.run_session(independent(cut, nth(1, ESCALATE)).base_url)
    assert len(bench.data("retry")) == 1
    assert bench.ticket_row()["reason"] == "enough"


def test_a_key_that_is_refused(bench: Bench, independent: Fake) -> None:
    refused = {"error": {"message": "invalid x-api-key", "type": "authentication_error"}, "status": 401}
    session = bench.run_session(independent({"match": {}, "response": refused}).base_url)
    assert bench.session_row(session)["status"] == "error"
    assert bench.ticket_row()["reason"].startswith("The API key was refused")


def test_an_endless_loop_of_tools_ends_with_the_budget(make_bench: Callable[..., Bench], independent: Fake) -> None:
    bench = make_bench(limits=Limits(steps=7))
    session = bench.run_session(independent({"match": {}, "response": calls("observe")}).base_url)
    assert bench.session_row(session)["status"] == "budget"
    assert bench.session_row(session)["steps"] == 7
    assert bench.ticket_row()["state"] == "escalated"
