"""Sessions and tickets that nobody is left to close: the stage closes them in its own record, with the reason."""

from operator_demo import events
from operator_demo.events import Event, SessionFinished, TicketEscalated
from operator_demo.store import Store


def close_open(store: Store, run: str, reason: str) -> list[Event]:
    """What the stage has to say so that no session of the run is `running` and no ticket open in `store`."""
    closing = []
    for session in store.rows("SELECT session, ticket FROM agent_sessions WHERE run=? AND status='running'", run):
        closing.append(events.event(
            run, events.STAGE, SessionFinished(status="interrupted", summary=reason), ticket=session["ticket"],
            session=session["session"]))
    for ticket in store.rows("SELECT ticket, holder FROM tickets WHERE run=? AND closed IS NULL", run):
        closing.append(events.event(
            run, events.STAGE, TicketEscalated(reason=reason), ticket=ticket["ticket"], session=ticket["holder"]))
    return closing
