"""A run as a trajectory in the Agent Trajectory Interchange Format (ATIF) 1.7, which other agent harnesses read.

One step of the agent is one request to the model: its reasoning, its words, the tool calls that it asked for, their
results, and the tokens used. What the agent was asked stands as steps of the `user`, what the oracle said and what
the guard refused as steps of the `system`. What the format has no field for stands in `extra`.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from operator_demo import events
from operator_demo.events import Event
from operator_demo.redaction import Scrubber

SCHEMA = "ATIF-v1.7"
Json = dict[str, Any]


def trajectory(run: Json, many: Iterable[Event], head: str, secrets: Sequence[str]) -> Json:
    """`run` is the row of the run, `many` its events in the order of their times.

    Every text is harmless, and freed of `secrets` and of what looks like a secret.
    """
    steps = _Steps()
    for event in many:
        steps.take(event)
    written = [{"step_id": n, **step} for n, step in enumerate(steps.closed(), start=1)]
    whole = {
        "schema_version": SCHEMA, "session_id": run["run"], "trajectory_id": run["run"],
        "agent": {"name": "operator-demo", "version": run.get("version") or "unknown",
                  "model_name": run.get("model") or "unknown",
                  "extra": {"brain": run.get("brain"), "mode": run.get("mode")}},
        "steps": written or [{"step_id": 1, "source": "system", "message": "No agent took this run up."}],
        "final_metrics": _totals(written),
        "extra": {"subject": run.get("subject"), "project": run.get("project"), "outcome": run.get("outcome"),
                  "ttd": run.get("ttd"), "ttm": run.get("ttm"), "record_head": head},
    }
    redacted: Json = _redacted(whole, Scrubber(secrets))
    return redacted


class _Steps:
    """Collects steps. The open one is the agent's newest; a request to the model that follows its usage begins anew."""

    def __init__(self) -> None:
        self._closed: list[Json] = []
        self._open: Json | None = None

    def closed(self) -> list[Json]:
        self._close()
        return self._closed

    def take(self, e: Event) -> None:
        match e.data:
            case events.TicketOpened() as ticket:
                self._add("user", e, f"{ticket.title}\n" + "\n".join(v.text for v in ticket.violations))
            case events.TicketReturned(words=words):
                self._add("user", e, words)
            case events.Verdict(phase="final") as verdict:
                checks = [f"{c.name}: {c.status} {c.saw}".rstrip() for c in verdict.checks]
                self._add("system", e, "\n".join([f"oracle: {'passed' if verdict.passed else 'not passed'}", *checks]))
            case events.Guard(ruling="deny") as refused:
                self._add("system", e, f"guard: refused {refused.method} {refused.path} ({refused.rule})")
            case events.SessionFinished() as session:
                self._add("system", e, f"session {session.status}: {session.summary}")
            case events.Refusal(reason=reason) | events.Interrupt(reason=reason):
                self._add("system", e, reason)
            case events.Reasoning() as prose:
                step = self._asking(e)
                field = "reasoning_content" if prose.kind == "thinking" else "message"
                step[field] = f"{step.get(field, '')}\n{prose.text}".strip("\n")
            case events.Usage() as usage:
                step = self._asking(e)
                step["metrics"], step["llm_call_count"] = _metrics(usage), 1
            case events.ToolCall() as call:
                step = self._agent_step(e)
                ran = {"extra": {"sha256": call.sha256, "length": call.length}} if call.sha256 else {}
                step.setdefault("tool_calls", []).append(
                    {"tool_call_id": call.call, "function_name": call.tool, "arguments": call.input, **ran})
            case events.ToolResult() as result:
                self._observe(result)

    def _add(self, source: str, e: Event, message: str) -> None:
        self._close()
        self._closed.append({"timestamp": e.ts, "source": source, "message": message.strip(), **_belongs(e)})

    def _asking(self, e: Event) -> Json:
        """The step of the request that the model answers with this."""
        if self._open is not None and "metrics" in self._open:
            self._close()
        return self._agent_step(e)

    def _agent_step(self, e: Event) -> Json:
        if self._open is None:
            self._open = {"timestamp": e.ts, "source": "agent", "message": "", **_belongs(e)}
        return self._open

    def _observe(self, result: events.ToolResult) -> None:
        """Under its call, also where another step came between."""
        details = {"status": result.status, "exit_code": result.exit_code, "duration": result.duration,
                   "omitted_bytes": result.omitted_bytes, "removed": result.removed}
        for step in reversed([*self._closed, *([self._open] if self._open else [])]):
            if any(call["tool_call_id"] == result.call for call in step.get("tool_calls", [])):
                step.setdefault("observation", {"results": []})["results"].append(
                    {"source_call_id": result.call, "content": result.output, "extra": details})
                return

    def _close(self) -> None:
        if self._open is not None:
            self._closed.append(self._open)
        self._open = None


def _belongs(e: Event) -> Json:
    return {"extra": {"session": e.session, "ticket": e.ticket}}


def _metrics(usage: events.Usage) -> Json:
    """The format's prompt tokens include those that were read from or written to the cache."""
    metrics = {"prompt_tokens": usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens,
               "completion_tokens": usage.output_tokens, "cached_tokens": usage.cache_read_tokens}
    return metrics if usage.cost_usd is None else {**metrics, "cost_usd": usage.cost_usd}


def _totals(steps: list[Json]) -> Json:
    metrics = [step["metrics"] for step in steps if "metrics" in step]
    totals: Json = {"total_steps": len(steps)}
    for total, part in (("total_prompt_tokens", "prompt_tokens"), ("total_completion_tokens", "completion_tokens"),
                        ("total_cached_tokens", "cached_tokens")):
        totals[total] = sum(m[part] for m in metrics)
    if all("cost_usd" in m for m in metrics):
        totals["total_cost_usd"] = sum(m["cost_usd"] for m in metrics)
    return totals


def _redacted(value: Any, scrub: Scrubber) -> Any:
    """Of what ran, only plain words are redacted, never what a shell expands or runs."""
    match value:
        case dict():
            return {key: scrub.shown_input(item) if key == "arguments" else _redacted(item, scrub)
                    for key, item in value.items()}
        case list():
            return [_redacted(item, scrub) for item in value]
    return scrub.deep(value)
