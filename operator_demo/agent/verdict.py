"""Waiting for the oracle, after the agent said that the incident is repaired."""

import asyncio
import time

from operator_demo import tickets
from operator_demo.agent.work import RENEW_EVERY, End, Result, Work
from operator_demo.events import Refusal

VERDICT_WAIT = 300.0  # seconds; the oracle needs about 15
_LOOK = 0.1  # seconds between two looks at the ticket


async def wait(work: Work, summary: str) -> Result:
    """Waits until the oracle decides, and renews the lease meanwhile. The result may end the session."""
    began = renewed = time.monotonic()
    while (row := tickets.get(work.recorder.store, work.ticket))["state"] == "verifying":
        await asyncio.sleep(_LOOK)
        if time.monotonic() - renewed > RENEW_EVERY:
            with work.recorder.store.transaction():
                if tickets.get(work.recorder.store, work.ticket)["state"] == "verifying":
                    work.prove_lease()
            renewed = time.monotonic()
        late = None
        if time.monotonic() - began > VERDICT_WAIT:
            late = End("unverified", f"No verdict came within {VERDICT_WAIT:g} s.")
        elif work.budget.seconds_left() <= 0:
            late = End("budget", "The budget of seconds ended before the verdict came.")
        if late:
            work.say(Refusal(reason=late.summary))
            tickets.escalate(work.recorder, work.ticket, late.summary)
            return Result("error", f"not verified: {late.summary} The ticket went to a human.", ends=late)
    match row["state"]:
        case "resolved":
            return Result("ok", f"verified: the independent check agrees.\n{_checks(work)}".rstrip(),
                          ends=End("verified", summary))
        case "acknowledged":
            return Result("ok", f"not verified: {_words(work)}\n{_checks(work)}".rstrip())
        case _:
            reason = row["reason"] or row["state"]
            return Result("ok", f"not verified: {reason}, the ticket went to a human\n{_checks(work)}".rstrip(),
                          ends=End("unverified", str(reason)))


def _words(work: Work) -> str:
    returns = [e for e in work.recorder.store.events(work.settings.run, types=("ticket_returned",))
               if e.ticket == work.ticket]
    return str(returns[-1].raw["words"]) if returns else "the check did not agree"


def _checks(work: Work) -> str:
    verdicts = [e for e in work.recorder.store.events(work.settings.run, types=("verdict",))
                if e.ticket == work.ticket and e.raw["phase"] == "final"]
    checks = verdicts[-1].raw["checks"] if verdicts else []
    return "\n".join(f"- {c['name']}: {c['status']}: {c['saw']}" for c in checks)
