"""The only caller of tools: validate, policy, write the call, run, write the result, return.

A tool runs only after its call is recorded. A call without a recorded result ended in an unknown way.
"""

import asyncio
import hashlib
import json
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from operator_demo import tickets
from operator_demo.agent import catalogue, policy, tools, validate
from operator_demo.agent.work import Call, LeaseLost, Result, Work
from operator_demo.events import BadEvent, Refusal, ToolCall, ToolResult
from operator_demo.store import Store, StoreError

_UNREADABLE = 4000  # characters kept of an input that the record cannot hold as it is


class Dispatch:
    """Calls the tools of one session."""

    def __init__(self, work: Work, run: Mapping[str, tools.Run] = tools.RUN) -> None:
        self._work, self._run = work, run
        self._ids: set[str] = set()

    async def __call__(self, id: str, tool: str, given: dict[str, Any]) -> Result:
        """Raises `LeaseLost`, before anything is done, when another session holds the ticket, and `StoreError` when the
        call or its result cannot be recorded."""
        work = self._work
        work.prove_lease()
        call = Call(self._unique(id), tool, given)
        refused, wrong = self._objections(call)
        try:
            work.say(self._recorded(call, given))
        except BadEvent as e:  # nested too deep, or a number that no column holds
            wrong = [*wrong, str(e)]
            work.say(self._recorded(call, {"not_json_of_ours": json.dumps(given)[:_UNREADABLE]}))
        began = time.monotonic()
        if refused:
            work.say(Refusal(reason=refused, call=call.id))
            result = Result("refused", refused)
        elif wrong:
            result = Result("error", f"The tool was not run: {'; '.join(wrong)}.")
        else:
            result = await self._guarded(call, began)
        self._write(call, result, began)
        return replace(result, text=work.recorder.scrub(result.text))

    def _recorded(self, call: Call, given: dict[str, Any]) -> ToolCall:
        command = given.get("command") if call.tool == "shell" else None
        raw = command.encode("utf-8", "surrogatepass") if isinstance(command, str) else b""
        return ToolCall(call=call.id, tool=call.tool, input=given, diagnosed=self._work.diagnosed,
                        sha256=hashlib.sha256(raw).hexdigest() if raw else "", length=len(raw))

    def _objections(self, call: Call) -> tuple[str | None, list[str]]:
        mode = self._work.agent.mode
        refused = policy.refusal(mode, call.tool)
        return refused, [] if refused else validate.problems(call.input, catalogue.schema(call.tool, mode))

    async def _guarded(self, call: Call, began: float) -> Result:
        live = self._work.live("output", call.id)
        call.show = live.feed
        try:
            return await self._run[call.tool](self._work, call)
        except asyncio.CancelledError:
            live.close()
            result = call.partial() if call.partial else Result("interrupted", "interrupted")
            self._write(call, result, began)
            raise
        except (StoreError, LeaseLost):
            raise
        except tickets.TicketStateError as e:
            self._write(call, Result("error", e.message), began)
            raise LeaseLost(e.message) from e
        except Exception as e:
            print(self._work.recorder.scrub(traceback.format_exc()), file=sys.stderr)
            return Result("error", f"The tool failed: {type(e).__name__}: {e}")
        finally:
            live.close()

    def _write(self, call: Call, result: Result, began: float) -> None:
        output = result.text if result.output is None else result.output
        self._work.say(ToolResult(call=call.id, tool=call.tool, status=result.status, output=output,
                                  exit_code=result.exit_code, duration=round(time.monotonic() - began, 6),
                                  omitted_bytes=result.omitted_bytes, removed=result.removed))

    def _unique(self, id: str) -> str:
        name, n = id, 2
        while name in self._ids:
            name, n = f"{id}.{n}", n + 1
        self._ids.add(name)
        return name


def unfinished_calls(store: Store, run: str, session: str) -> list[tuple[str, str]]:
    """The calls (id, tool) of a session that have no result."""
    unfinished = {e.raw["call"]: e.raw["tool"] for e in store.events(run, session=session, types=("tool_call",))}
    for e in store.events(run, session=session, types=("tool_result",)):
        unfinished.pop(e.raw["call"], None)
    return list(unfinished.items())
