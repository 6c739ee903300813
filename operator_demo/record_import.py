"""Takes a run that was exported elsewhere into the store."""

from pathlib import Path

from operator_demo.chain import Chain, Entry
from operator_demo.errors import UsageError
from operator_demo.record_file import read
from operator_demo.store import Store
from operator_demo.verify import altered


def take_in(store: Store, path: Path) -> tuple[Chain, bool]:
    """The run and its chain; False where the store has the same record already. All of it is taken in, or nothing.

    Raises `UsageError` where the file is no record, was altered, or contradicts what the store holds.
    """
    chain, entries = read(path)
    if alterations := altered(chain, entries):
        raise UsageError(f"{path} was altered ({alterations[0].what}: {alterations[0].text}); nothing was taken in.",
                         f"`operator-demo audit verify {path}` says all of it.")
    with store.transaction():
        if store.holds(chain.run):
            if store.chain(chain.run) == chain:
                return chain, False
            raise UsageError(f"{chain.run} is in the store already, with another record.",
                             f"`operator-demo audit delete {chain.run}` removes that one.")
        _check_names(store, chain.run, entries)
        store.import_unchained(chain.run, [e.event for e in entries if e.position is None])
        store.import_(e.event for e in entries if e.position is not None)
        if store.chain(chain.run) != chain:
            raise UsageError(f"{path} was not taken in: its record gets another head here, because two of its entries "
                             "have the same source and number.")
    return chain, True


def _check_names(store: Store, run: str, entries: list[Entry]) -> None:
    """A ticket or a session of another run must not be changed by what this one tells of it."""
    for kind, table in (("ticket", "tickets"), ("session", "agent_sessions")):
        for name in sorted({str(value) for e in entries if (value := getattr(e.event, kind)) is not None}):
            if store.row(f"SELECT 1 FROM {table} WHERE {kind}=? AND run<>?", name, run):
                raise UsageError(f"The {kind} {name} is another run's in this store; nothing was taken in.")
