"""What nobody is left to close: the stage closes it in its own record, with the reason."""

from operator_demo import events
from operator_demo.errors import Exit
from operator_demo.events import Event, RunFinished, SessionFinished, TicketEscalated
from operator_demo.outcomes import INTERRUPTED
from operator_demo.run_state import RunState
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


def sessions_of(store: Store, run: str) -> list[str]:
    """The ids of the agent's sessions in the run, and the run's own: the guard marks with it what is made between two
    sessions."""
    return [run, *(str(row["session"]) for row in store.rows("SELECT session FROM agent_sessions WHERE run=?", run))]


def end_run(store: Store, run: str, reason: str) -> None:
    """Closes the record of a run whose host is gone: its sessions, its tickets, and the run itself, as `interrupted`.
    Records nothing where that is done already, and no end where the store does not have the run's beginning."""
    for event in close_open(store, run, reason):
        store.record(event)
    row = store.row("SELECT finished FROM runs WHERE run=?", run)
    if row is None or row["finished"]:
        return
    state = RunState()
    for event in store.events(run):
        state.apply(event)
    end = RunFinished(outcome=INTERRUPTED, exit_status=int(Exit.TERMINATED), ttd=state.ttd, ttm=state.ttm)
    store.record(events.event(run, events.STAGE, end))
