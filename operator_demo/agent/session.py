"""One session: from the claimed ticket to `session_finished`, whatever happens in between."""

import asyncio
import sys
import traceback
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import anthropic

from operator_demo import rpc, settings, tickets
from operator_demo.agent import catalogue, prompts, tools
from operator_demo.agent.dispatch import Dispatch
from operator_demo.agent.loop import Loop
from operator_demo.agent.recovery import finish
from operator_demo.agent.request import Model
from operator_demo.agent.stop import Stop
from operator_demo.agent.work import End, LeaseLost, Work
from operator_demo.events import Interrupt
from operator_demo.store import Row, StoreError


async def run(work: Work, ticket: Row, client: anthropic.AsyncAnthropic, stop: Stop) -> None:
    """Works until the ticket is handed over, the lease is lost, or `stop` is set; then cleans up.

    Raises `StoreError` when nothing can be recorded any more.
    """
    talk = asyncio.create_task(_talk(work, ticket, client))
    lease = asyncio.create_task(work.keep_lease())
    stopping = asyncio.create_task(stop.wait())
    tasks = (talk, lease, stopping)
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()  # a tool that runs ends what it started, and writes down how far it got
    await asyncio.wait(tasks)
    error = _error(talk)
    lost = next((e for e in (error, _error(lease)) if isinstance(e, LeaseLost)), None)
    if isinstance(error, StoreError):
        raise error
    if not talk.cancelled() and error is None:  # also when the lease, or the time, ended at the same moment
        end: End = talk.result()
        finish(work.recorder, work.session, work.ticket, end.status, end.summary)
    elif lost:
        work.say(Interrupt(reason=f"lease lost: {lost}"))
        finish(work.recorder, work.session, work.ticket, "interrupted", "The lease of the ticket was lost.")
    elif error:
        _failed(work, error)
    else:
        await _interrupted(work, stop.reason)


def _error(task: "asyncio.Task[Any]") -> BaseException | None:
    return None if task.cancelled() else task.exception()


async def _talk(work: Work, ticket: Row, client: anthropic.AsyncAnthropic) -> End:
    mode, project = work.agent.mode, work.settings.project
    model = Model(client, work, prompts.system(mode, project), catalogue.definitions(mode))
    described = work.recorder.scrub.deep(await _describe(work, ticket))
    first = prompts.first_message(described, prompts.history(list(_earlier_calls(work))))
    return await Loop(work, model, Dispatch(work)).run(work.recorder.scrub(first))


async def _describe(work: Work, ticket: Row) -> dict[str, Any]:
    """The ticket as the model gets it. Members and network come from the monitor, if it answers."""
    observation: dict[str, Any] = {}
    with suppress(rpc.RpcError):
        observation = await asyncio.to_thread(rpc.call, work.settings.monitor_socket, "observe", 3.0)
    violated = {v["member"] for v in ticket["violations"] if v.get("member")}
    return {"ticket": ticket["ticket"], "subject": ticket["subject"], "project": work.settings.project,
            "network": observation.get("network"), "title": ticket["title"], "severity": ticket["severity"],
            "violations": ticket["violations"], "mode": work.agent.mode,
            "members": sorted(observation.get("members") or violated)}


def _earlier_calls(work: Work) -> Iterator[dict[str, Any]]:
    """The tool calls of earlier sessions at this ticket, with their results."""
    earlier = [e for e in work.recorder.store.events(work.settings.run, types=("tool_call", "tool_result"))
               if e.ticket == work.ticket and e.session != work.session]
    results = {(e.session, e.raw["call"]): e.raw for e in earlier if e.type == "tool_result"}
    for e in earlier:
        if e.type == "tool_call":
            result = results.get((e.session, e.raw["call"]), {})
            yield {"tool": e.raw["tool"], "input": e.raw["input"], "status": result.get("status", "unknown"),
                   "output": result.get("output", "")}


async def _interrupted(work: Work, reason: str) -> None:
    ended = await tools.leftovers(work, work.began) if work.agent.mode != settings.OBSERVE else ""
    work.say(Interrupt(reason=reason, ended=tuple(ended.splitlines())))
    with suppress(tickets.TicketStateError):  # while the oracle judges, it holds the ticket
        tickets.release(work.recorder, work.ticket, work.session, reason)
    finish(work.recorder, work.session, work.ticket, "interrupted", reason)


def _failed(work: Work, error: BaseException) -> None:
    """A defect in the agent. The ticket goes to a human: the next session would fail in the same way."""
    print(work.recorder.scrub("".join(traceback.format_exception(error))), file=sys.stderr)
    reason = f"The agent failed ({type(error).__name__}: {error})."
    work.say(Interrupt(reason=reason))
    with suppress(tickets.TicketStateError):
        tickets.escalate(work.recorder, work.ticket, reason, work.session)
    finish(work.recorder, work.session, work.ticket, "error", reason)
