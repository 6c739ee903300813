"""The trajectory keeps to ATIF 1.7: the fields, where they may stand, and what they refer to."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from story import RUN, SESSION, story

from operator_demo import events
from operator_demo.commands.audit import audit
from operator_demo.events import Event
from operator_demo.home import store_path
from operator_demo.store import Store
from operator_demo.trajectory import trajectory

STORY = [e for e in story() if e.seq is not None]
RUN_ROW = {"run": RUN, "version": "0.1.0", "model": "rehearsal"}

FIELDS = {
    "trajectory": {"schema_version", "session_id", "trajectory_id", "agent", "steps", "notes", "final_metrics",
                   "continued_trajectory_ref", "extra", "subagent_trajectories"},
    "agent": {"name", "version", "model_name", "tool_definitions", "extra"},
    "step": {"step_id", "timestamp", "source", "model_name", "reasoning_effort", "message", "reasoning_content",
             "tool_calls", "observation", "metrics", "is_copied_context", "llm_call_count", "extra"},
    "tool_call": {"tool_call_id", "function_name", "arguments", "extra"},
    "result": {"source_call_id", "content", "subagent_trajectory_ref", "extra"},
    "metrics": {"prompt_tokens", "completion_tokens", "cached_tokens", "cost_usd", "prompt_token_ids",
                "completion_token_ids", "logprobs", "extra"},
    "final_metrics": {"total_prompt_tokens", "total_completion_tokens", "total_cached_tokens", "total_cost_usd",
                      "total_steps", "extra"},
}
AGENT_ONLY = {"model_name", "reasoning_effort", "reasoning_content", "tool_calls", "metrics"}


def check(whole: dict[str, Any]) -> None:
    """The rules of the format's own validator."""
    assert whole["schema_version"] == "ATIF-v1.7"
    assert whole.keys() <= FIELDS["trajectory"] and whole["agent"].keys() <= FIELDS["agent"]
    assert isinstance(whole["agent"]["name"], str) and isinstance(whole["agent"]["version"], str)
    assert whole["final_metrics"].keys() <= FIELDS["final_metrics"]
    assert whole["steps"]
    for n, step in enumerate(whole["steps"], start=1):
        assert step.keys() <= FIELDS["step"] and step["step_id"] == n
        assert isinstance(step["message"], str) and step["source"] in ("system", "user", "agent")
        assert step["source"] == "agent" or not step.keys() & AGENT_ONLY
        datetime.fromisoformat(step["timestamp"].replace("Z", "+00:00"))
        assert step.get("metrics", {}).keys() <= FIELDS["metrics"]
        calls = [call["tool_call_id"] for call in step.get("tool_calls", [])]
        assert len(calls) == len(set(calls))
        for call in step.get("tool_calls", []):
            assert call.keys() <= FIELDS["tool_call"] and isinstance(call["arguments"], dict)
        for result in step.get("observation", {"results": []})["results"]:
            assert result.keys() <= FIELDS["result"]
            assert result["source_call_id"] in calls and isinstance(result["content"], str)


def of(many: list[Event]) -> dict[str, Any]:
    return trajectory(RUN_ROW, many, "ab" * 32, ())


def said(n: int, payload: events.Payload) -> Event:
    return events.event(RUN, events.AGENT, payload, ticket="tkt-1", session="ses-1").numbered(
        n, f"2026-03-14T09:00:{n:02d}.000000Z")


def usage(**changes: Any) -> events.Usage:
    return events.Usage(**{"input_tokens": 10, "output_tokens": 5, "cache_read_tokens": 3, "cache_write_tokens": 2,
                           "cost_usd": 0.25, "duration": 1.0, "request_id": "q", "stop_reason": "tool_use", **changes})


def test_a_whole_run(home: Path, tmp_path: Path) -> None:
    with Store(store_path()) as store:
        store.import_(STORY)
        head = store.chain(RUN).head.hex()
    for name in ("one.json", "other.json"):
        result = CliRunner().invoke(audit, ["export", RUN, "--format", "atif", "-o", str(tmp_path / name)],
                                    catch_exceptions=False)
        assert result.exit_code == 0
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "other.json").read_bytes()
    whole = json.loads((tmp_path / "one.json").read_text())
    check(whole)
    assert whole["extra"]["record_head"] == head
    assert whole["steps"][0]["source"] == "user" and "etcd1 is down" in whole["steps"][0]["message"]
    commands = [call["arguments"].get("command", "") for step in whole["steps"] for call in step.get("tool_calls", [])]
    assert any("docker start" in command for command in commands)
    assert all(step["extra"]["session"] == SESSION for step in whole["steps"] if step["source"] == "agent")
    used = [e.raw for e in STORY if e.type == "usage"]
    assert whole["final_metrics"]["total_completion_tokens"] == sum(u["output_tokens"] for u in used)


def test_one_request_is_one_step() -> None:
    whole = of([
        said(1, events.Reasoning(kind="thinking", text="hm")), said(2, events.Reasoning(kind="text", text="I look.")),
        said(3, usage()),
        said(4, events.ToolCall(call="c1", tool="shell", input={"command": "docker ps"})),
        said(5, events.ToolResult(call="c1", tool="shell", status="ok", output="all", exit_code=0)),
        said(6, events.ToolCall(call="c2", tool="shell", input={"command": "date"})),
        said(7, usage(cost_usd=None)), said(8, usage()),
    ])
    check(whole)
    first, second, third = whole["steps"]
    assert (first["reasoning_content"], first["message"], first["llm_call_count"]) == ("hm", "I look.", 1)
    assert first["metrics"] == {"prompt_tokens": 15, "completion_tokens": 5, "cached_tokens": 3, "cost_usd": 0.25}
    assert [call["tool_call_id"] for call in first["tool_calls"]] == ["c1", "c2"]
    assert [result["content"] for result in first["observation"]["results"]] == ["all"]
    assert "cost_usd" not in second["metrics"] and "cost_usd" in third["metrics"]
    assert "total_cost_usd" not in whole["final_metrics"]


def test_a_result_without_its_call_is_left_out() -> None:
    check(of([said(1, usage()), said(2, events.ToolResult(call="none", tool="shell", status="ok", output="x"))]))


def test_a_run_without_an_agent_has_a_step() -> None:
    whole = of([e for e in STORY if e.type == "chapter"])
    assert [step["source"] for step in whole["steps"]] == ["system"]


@pytest.mark.parametrize("secret", ["sk-ant-abcdefgh12345678", "hunter2-known"])
def test_no_secret_leaves_with_it(secret: str) -> None:
    call = events.ToolCall(call="c1", tool="shell", input={"command": f"echo {secret}"})
    result = events.ToolResult(call="c1", tool="shell", status="ok", output=f"{secret}\x1b[31m")
    whole = json.dumps(trajectory(RUN_ROW, [said(1, call), said(2, result)], "", ["hunter2-known"]))
    assert secret not in whole and "\\u001b" not in whole


def test_of_a_command_nothing_that_runs_is_removed() -> None:
    command = "X_TOKEN=$(docker run -v /:/host x) PGPASSWORD=tr0ub4dor psql"
    call = events.ToolCall(call="toolu_x", tool="shell", input={"command": command}, sha256="ab" * 32, length=59)
    written, = of([events.event(RUN, events.AGENT, call, session=SESSION).numbered(1, STORY[-1].ts)])["steps"]
    shown, = written["tool_calls"]
    assert shown["arguments"] == {"command": "X_TOKEN=$(docker run -v /:/host x) PGPASSWORD=[redacted] psql"}
    assert shown["extra"] == {"sha256": "ab" * 32, "length": 59}
