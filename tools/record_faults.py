"""What is wrong with the record of a run that is over and taken down."""

from pathlib import Path

from operator_demo.store import Store


def record_faults(home: Path, run: str, heard: set[tuple[str, int]]) -> list[str]:
    """In words, empty for a good record. `heard` holds (source, seq) of what the containers are known to have said."""
    with Store(home / "tickets.db", read_only=True) as store:
        recorded = [(event.source, event.seq) for event in store.events(run)]
        faults = [f"lost: event {seq} of {source}" for source, seq in sorted(heard - set(recorded))]
        for source in sorted({source for source, _ in recorded}):
            faults += [f"lost: events {first} to {last} of {source}" for first, last in store.missing(run, source)]
        ends = len(list(store.events(run, types=["run_finished"])))
        if ends != 1:
            faults.append(f"run_finished stands {ends} times in the record")
        for session in store.rows("SELECT session FROM agent_sessions WHERE run=? AND status='running'", run):
            faults.append(f"session {session['session']} is running for ever")
        for ticket in store.rows("SELECT ticket, state FROM tickets WHERE run=? AND closed IS NULL", run):
            faults.append(f"ticket {ticket['ticket']} is {ticket['state']} for ever")
    return faults
