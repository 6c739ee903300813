"""The life of a ticket: who may move it from which state to which.

    open -> acknowledged -> verifying -> resolved | acknowledged again (once) | escalated
    open -> cleared (it healed with nobody holding it)

What the holder claims when it hands the ticket to the oracle is `repaired`, or `no_action`: nothing was wrong, and it
left all as it was.

Every move reads the state and says the event in one transaction, so of two movers one wins. A claim is a lease: it is
renewed by the session that holds it, and a ticket whose lease ran out may be claimed by the next. Nobody claims one
while the presenter lets the agent wait.
"""

import json
import time
from collections.abc import Sequence

from operator_demo import events
from operator_demo.errors import OperatorError
from operator_demo.events import MONITOR, new_id
from operator_demo.orders import GO
from operator_demo.outcomes import REPAIRED
from operator_demo.store import Recorder, Row, Store
from operator_demo.ticket_state import OPEN_STATES

LEASE = 30.0  # seconds
MAX_RETURNS = 1


class TicketStateError(OperatorError):
    """The ticket is not in a state that allows this move, or another session holds it."""


def get(store: Store, ticket: str) -> Row:
    row = store.row("SELECT * FROM tickets WHERE ticket=?", ticket)
    if row is None:
        raise TicketStateError(f"There is no ticket {ticket}.")
    return row | {"violations": json.loads(row["violations"])}


def current(store: Store, run: str) -> Row | None:
    """The one ticket of the run that is not closed, if any."""
    row = store.row("SELECT ticket FROM tickets WHERE run=? AND closed IS NULL ORDER BY opened LIMIT 1", run)
    return get(store, row["ticket"]) if row else None


def open_(recorder: Recorder, *, subject: str, severity: str, title: str,
          violations: Sequence[events.Violation], reported: bool = False) -> str:
    """Opens the run's ticket and returns its id. There must be none that is open. `reported`: somebody says so, and
    nobody saw it."""
    with recorder.transaction():
        if current(recorder.store, recorder.run) is not None:
            raise TicketStateError("A ticket is open already; violations attach to it.")
        ticket = new_id("tkt")
        opened = events.TicketOpened(subject=subject, severity=severity, title=title, violations=tuple(violations),
                                     reported=reported)
        recorder.say(opened, ticket=ticket)
        return ticket


def order(store: Store, run: str) -> str:
    """What the presenter wants of the agent now (one of `orders.ORDERS`); `go` where nothing was ordered."""
    row = store.row("SELECT json_extract(data, '$.order') AS name FROM events WHERE run=? AND source=? AND "
                    "type='agent_order' ORDER BY seq DESC LIMIT 1", run, MONITOR)
    return str(row["name"]) if row is not None else GO


def free(store: Store, run: str) -> Row | None:
    """The run's ticket, if it may be claimed."""
    ticket = current(store, run)
    if ticket is None or order(store, run) != GO:
        return None
    expired = ticket["state"] == "acknowledged" and ticket["lease_until"] < time.time()
    return ticket if ticket["state"] == "open" or expired else None


def claim(recorder: Recorder, session: str) -> Row | None:
    """Takes the run's ticket for `session` if nobody holds it; None when there is nothing to take."""
    with recorder.transaction():
        ticket = free(recorder.store, recorder.run)
        if ticket is None:
            return None
        recorder.say(events.TicketClaimed(holder=session), ticket=ticket["ticket"], session=session)
        _lease(recorder.store, ticket["ticket"])
        return get(recorder.store, ticket["ticket"])


def renew(store: Store, ticket: str, session: str) -> None:
    """Raises `TicketStateError` when the session does not hold the ticket any more."""
    with store.transaction():
        _held(get(store, ticket), session, ("acknowledged", "verifying"))
        _lease(store, ticket)


def release(recorder: Recorder, ticket: str, session: str, reason: str) -> None:
    with recorder.transaction():
        _held(get(recorder.store, ticket), session, ("acknowledged",))
        recorder.say(events.TicketReleased(reason=reason), ticket=ticket, session=session)


def verify(recorder: Recorder, ticket: str, session: str, summary: str, actions: list[str],
           claim: str = REPAIRED) -> None:
    """The holder says that it is repaired, or that nothing was to do; from here on the oracle has the word."""
    with recorder.transaction():
        _held(get(recorder.store, ticket), session, ("acknowledged",))
        recorder.say(events.TicketVerifying(summary=summary, actions=tuple(actions), claim=claim), ticket=ticket,
                     session=session)
        _lease(recorder.store, ticket)


def claim_of(store: Store, run: str, ticket: str) -> str:
    """What was claimed when the ticket was last handed to the oracle."""
    row = store.row("SELECT json_extract(data, '$.claim') AS claim FROM events WHERE run=? AND ticket=? AND "
                    "type='ticket_verifying' ORDER BY seq DESC LIMIT 1", run, ticket)
    return str(row["claim"] or REPAIRED) if row else REPAIRED


def judge(recorder: Recorder, ticket: str, passed: bool, words: str) -> str:
    """The oracle's verdict on a ticket that is being verified; returns the new state.

    Not passed: back to its holder once, with the oracle's words; the second time it is escalated.
    """
    with recorder.transaction():
        row = get(recorder.store, ticket)
        _in_state(row, ("verifying",))
        if passed:
            claimed = claim_of(recorder.store, recorder.run, ticket)
            recorder.say(events.TicketResolved(outcome=claimed), ticket=ticket, session=row["holder"])
        elif row["returns"] < MAX_RETURNS:
            recorder.say(events.TicketReturned(words=words), ticket=ticket, session=row["holder"])
            _lease(recorder.store, ticket)
        else:
            recorder.say(events.TicketEscalated(reason=words), ticket=ticket, session=row["holder"])
        return str(get(recorder.store, ticket)["state"])


def clear(recorder: Recorder, ticket: str) -> None:
    """It healed with nobody holding it. A held ticket is never cleared."""
    with recorder.transaction():
        row = get(recorder.store, ticket)
        free = row["state"] == "acknowledged" and row["lease_until"] < time.time()
        if not free:
            _in_state(row, ("open",))
        recorder.say(events.TicketCleared(), ticket=ticket)


def escalate(recorder: Recorder, ticket: str, reason: str, session: str | None = None, by: str = "") -> None:
    """Hands the ticket to a human; `by` as in the event. A session may do so only with a ticket that it holds."""
    with recorder.transaction():
        row = get(recorder.store, ticket)
        if session is not None:
            _held(row, session, ("acknowledged",))
        else:
            _in_state(row, OPEN_STATES)
        recorder.say(events.TicketEscalated(reason=reason, by=by), ticket=ticket, session=session)


def _lease(store: Store, ticket: str) -> None:
    store.execute("UPDATE tickets SET lease_until=? WHERE ticket=?", time.time() + LEASE, ticket)


def _held(row: Row, session: str, states: tuple[str, ...]) -> None:
    _in_state(row, states)
    if row["holder"] != session:
        raise TicketStateError(f"Ticket {row['ticket']} is held by {row['holder']}, not by {session}.")


def _in_state(row: Row, states: tuple[str, ...]) -> None:
    if row["state"] not in states:
        raise TicketStateError(f"Ticket {row['ticket']} is {row['state']}.")
