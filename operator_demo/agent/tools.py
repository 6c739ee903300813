"""The tools. Only `dispatch` calls them; `catalogue` describes them to the model."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from http.client import HTTPException
from typing import Any

from operator_demo import outcomes, rpc, settings, text, tickets
from operator_demo.agent import verdict
from operator_demo.agent.catalogue import DEFAULT_TIMEOUT
from operator_demo.agent.observation import shortened
from operator_demo.agent.shell import Execution
from operator_demo.agent.waiting import waited
from operator_demo.agent.work import Call, End, Result, Work
from operator_demo.events import Finding
from operator_demo.guard import callers

MODEL_LIMIT = 16 * 1024  # bytes of a result that the model sees
_STDERR_SHARE = 4 * 1024  # of these, at least so many for stderr
_LEFTOVERS_WAIT = 6.0  # seconds; a container that is stopped has 10 in all

Run = Callable[[Work, Call], Awaitable[Result]]


# -- shell ------------------------------------------------------------------------------------------------------------

async def shell(work: Work, call: Call) -> Result:
    timeout = min(float(call.input.get("timeout", DEFAULT_TIMEOUT)), max(work.budget.seconds_left(), 1.0))
    execution = Execution(work.account, work.account.environment(), call.input["command"])
    call.partial = lambda: _shell_result(work, execution, "interrupted", f"interrupted ({execution.duration:.1f} s)")
    try:
        await execution.run(timeout, call.show, lambda: _waited(work, execution.began))
    except OSError as e:
        return Result("error", f"bash could not be started: {e}")
    if not execution.timed_out:
        return _shell_result(work, execution, "ok", f"exit status {execution.exit_code} ({execution.duration:.1f} s)")
    ended = await leftovers(work, execution.began)
    return _shell_result(work, execution, "timeout", f"timed out after {timeout:g} s", ended)


def _waited(work: Work, since: float) -> float:
    """Seconds in which a human was waited for."""
    if work.agent.mode != settings.APPROVE:
        return 0.0
    return waited(work.recorder.store, work.settings.run, since)


def _shell_result(work: Work, execution: Execution, status: str, first_line: str, ended: str = "") -> Result:
    scrub = work.recorder.scrub.counted
    out, err = execution.stdout.kept(scrub), execution.stderr.kept(scrub)
    err_limit = max(_STDERR_SHARE, MODEL_LIMIT - len(out.text.encode()))
    out_limit = max(MODEL_LIMIT - len(err.text.encode()), MODEL_LIMIT - err_limit)
    told = _shell_text(first_line, text.cut(out.text, out_limit)[0], text.cut(err.text, err_limit)[0], ended)
    removed = out.removed + err.removed
    return Result(
        status,
        told + _removed_note(removed),
        _shell_text(first_line, out.text, err.text, ended),
        exit_code=execution.exit_code,
        omitted_bytes=out.omitted + err.omitted,
        removed=removed,
    )


def _removed_note(removed: int) -> str:
    return f"\n({removed} characters of terminal sequences were removed)" if removed else ""


def _shell_text(first_line: str, out: str, err: str, ended: str) -> str:
    parts = [first_line, out.rstrip("\n")]
    if err.strip():
        parts += ["--- stderr", err.rstrip("\n")]
    if ended:
        parts += ["--- ended with it", ended]
    return "\n".join(part for part in parts if part)


async def leftovers(work: Work, since: float) -> str:
    """Ends what was started on the engine since then and still runs, and names it, one a line. Takes some seconds."""
    try:
        return "\n".join(await asyncio.to_thread(callers.end_leftovers, since, _LEFTOVERS_WAIT))
    except (OSError, HTTPException, ValueError) as e:
        return f"(the guard could not end it: {e}; something may still run)"


# -- the monitor's answers ------------------------------------------------------------------------------------------

async def observe(work: Work, call: Call) -> Result:
    """Tells the model a look in short, or with `full` all of it; the record has all of it in any case."""
    def tell(answer: dict[str, Any]) -> dict[str, Any]:
        before, work.last_look = work.last_look, answer
        return answer if call.input.get("full") else shortened(answer, before)

    return await _ask_monitor(work, "observe", tell)


async def inspect(work: Work, call: Call) -> Result:
    return await _ask_monitor(work, "inspect", lambda answer: answer, member=call.input["member"])


async def logs(work: Work, call: Call) -> Result:
    lines = call.input.get("lines", 100)
    answer = await _answer(work, "logs", member=call.input["member"], lines=lines)
    if isinstance(answer, Result):
        return answer
    log = work.recorder.scrub.counted(answer["text"])
    removed = log.removed + int(answer.get("removed", 0))
    told = (text.cut(log.text, MODEL_LIMIT)[0] or "(nothing)") + _removed_note(removed)
    return Result("ok", told, log.text, omitted_bytes=int(answer.get("omitted_bytes", 0)), removed=removed)


async def _ask_monitor(work: Work, op: str, tell: Callable[[dict[str, Any]], dict[str, Any]],
                       **arguments: Any) -> Result:
    """`tell` gives what the model is told of the answer. In JSON the values are scrubbed, not its text."""
    answer = await _answer(work, op, **arguments)
    if isinstance(answer, Result):
        return answer
    deep = work.recorder.scrub.deep
    return Result("ok", text.cut(_json(deep(tell(answer))), MODEL_LIMIT)[0], _json(deep(answer)))


async def _answer(work: Work, op: str, **arguments: Any) -> dict[str, Any] | Result:
    """The monitor's answer, or the result that says that there is none."""
    try:
        return await asyncio.to_thread(rpc.call, work.settings.monitor_socket, op, 5.0, **arguments)
    except rpc.RpcError as e:
        return Result("error", f"The monitor could not tell: {e.message}")


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


# -- statements of the agent -----------------------------------------------------------------------------------------

async def finding(work: Work, call: Call) -> Result:
    given = call.input
    more = {"proposal": given["proposal"]} if "proposal" in given else {}
    work.say(Finding(member=given.get("member"), cause=given["cause"], text=given["text"], **more))
    work.diagnosed = True
    return Result("ok", "noted")


async def resolve(work: Work, call: Call) -> Result:
    return await _to_the_oracle(work, call.input["summary"], call.input["actions"], outcomes.REPAIRED)


async def no_action(work: Work, call: Call) -> Result:
    return await _to_the_oracle(work, call.input["reason"], [], outcomes.NO_ACTION)


async def _to_the_oracle(work: Work, summary: str, actions: list[str], claim: str) -> Result:
    work.verifying = True
    try:
        tickets.verify(work.recorder, work.ticket, work.session, summary, actions, claim)
        return await verdict.wait(work, summary)
    finally:
        work.verifying = False


async def escalate(work: Work, call: Call) -> Result:
    reason = call.input["reason"]
    tickets.escalate(work.recorder, work.ticket, reason, work.session)
    status = "observed" if work.agent.mode == settings.OBSERVE else "escalated"
    return Result("ok", "The ticket is with a human now.", ends=End(status, reason))


RUN: dict[str, Run] = {"shell": shell, "observe": observe, "inspect": inspect, "logs": logs, "finding": finding,
                       "resolve": resolve, "no_action": no_action, "escalate": escalate}
