"""Closes at the start what an earlier process of this container left unfinished."""

import asyncio

from operator_demo import settings, tickets
from operator_demo.agent import tools, verdict
from operator_demo.agent.budget import Budget
from operator_demo.agent.config import AgentSettings
from operator_demo.agent.dispatch import unfinished_calls
from operator_demo.agent.record import AgentRecorder
from operator_demo.agent.stop import Stop
from operator_demo.agent.work import End, Work
from operator_demo.events import Event, Interrupt, SessionFinished, ToolResult, parse_ts
from operator_demo.settings import Settings
from operator_demo.store import Row

ENDED = "The agent's process ended."


def finish(recorder: AgentRecorder, session: str, ticket: str | None, status: str, summary: str) -> None:
    """Says `session_finished`, once for each session."""
    with recorder.transaction():
        row = recorder.store.row("SELECT status FROM agent_sessions WHERE session=?", session)
        if row is None or row["status"] == "running":
            recorder.say(SessionFinished(status=status, summary=summary), ticket=ticket, session=session)


async def close_own_sessions(recorder: AgentRecorder, all_: Settings, agent: AgentSettings, budget: Budget,
                             stop: Stop) -> None:
    """Sessions of another container are left alone: it may be alive, and its lease decides."""
    for row in _running(recorder, all_.run):
        started = _started(recorder, all_.run, row["session"])
        if started is None or started.raw.get("container") != agent.container or started.ticket is None:
            continue
        work = Work(all_, agent, recorder, budget, started.ticket, row["session"], parse_ts(started.ts))
        await _close(work, stop)


def close_predecessor(recorder: AgentRecorder, run: str, session: str, ticket: str) -> None:
    """Closes the earlier sessions at a ticket that `session` took over after their lease ran out."""
    for row in _running(recorder, run):
        if row["ticket"] == ticket and row["session"] != session:
            _write_unknown_results(recorder, run, row["session"], ticket)
            recorder.say(Interrupt(reason="Its lease ran out."), ticket=ticket, session=row["session"])
            finish(recorder, row["session"], ticket, "interrupted", "Its lease ran out.")


async def _close(work: Work, stop: Stop) -> None:
    recorder, session = work.recorder, work.session
    _write_unknown_results(recorder, work.settings.run, session, work.ticket)
    ended = await tools.leftovers(work, work.began) if work.agent.mode != settings.OBSERVE else ""
    work.say(Interrupt(reason=ENDED, ended=tuple(ended.splitlines())))
    end = await _verdict(work, stop) or End("interrupted", ENDED)
    row = tickets.get(recorder.store, work.ticket)
    if row["state"] == "escalated" and row["holder"] == session and end.status == "interrupted":
        end = End("escalated", row["reason"])
    if row["state"] == "acknowledged" and row["holder"] == session:
        tickets.release(recorder, work.ticket, session, ENDED)
    finish(recorder, session, work.ticket, end.status, end.summary)


async def _verdict(work: Work, stop: Stop) -> End | None:
    """How the session ended, if it had handed its repair to the oracle: by the verdict."""
    claims = list(work.recorder.store.events(work.settings.run, session=work.session, types=("ticket_verifying",)))
    row = tickets.get(work.recorder.store, work.ticket)
    if not claims or row["holder"] != work.session or row["state"] not in ("verifying", "resolved"):
        return None
    waiting = asyncio.create_task(verdict.wait(work, claims[-1].raw["summary"]))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((waiting, stopping), return_when=asyncio.FIRST_COMPLETED)
    for task in (waiting, stopping):
        task.cancel()
    await asyncio.wait((waiting, stopping))
    return None if waiting.cancelled() else waiting.result().ends


def _write_unknown_results(recorder: AgentRecorder, run: str, session: str, ticket: str) -> None:
    for call, tool in unfinished_calls(recorder.store, run, session):
        output = "The process ended while this ran: whether it took effect is not known."
        recorder.say(ToolResult(call=call, tool=tool, status="unknown", output=output), ticket=ticket, session=session)


def _running(recorder: AgentRecorder, run: str) -> list[Row]:
    return recorder.store.rows("SELECT session, ticket FROM agent_sessions WHERE run=? AND status='running'", run)


def _started(recorder: AgentRecorder, run: str, session: str) -> Event | None:
    return next(recorder.store.events(run, session=session, types=("session_started",)), None)
