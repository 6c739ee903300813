"""`tickets list` and `tickets show`."""

import click

from operator_demo import audit as records
from operator_demo.commands import completion, output
from operator_demo.home import store_path
from operator_demo.screen import record as view


@click.group()
def tickets() -> None:
    """Read the tickets that the monitor opened. Needs no engine."""


@tickets.command("list")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Maximum number of rows.")
@click.option("--state", type=click.Choice(records.TICKET_STATES), help="Only tickets in this state.")
@click.option("--subject", shell_complete=completion.subject, help="Only tickets of this subject.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: an array of objects.")
def list_(limit: int, state: str | None, subject: str | None, as_json: bool) -> None:
    """List tickets, newest first."""
    with records.open_store(store_path()) as store:
        rows = records.tickets(store, limit=limit, state=state, subject=subject)
    if as_json:
        output.as_json(rows)
    elif rows:
        output.lines(view.ticket_table(rows))
    else:
        output.aside("No ticket matches." if state or subject else "No ticket was opened yet.")


@tickets.command()
@click.argument("id", shell_complete=completion.recorded("ticket"))
@click.option("--json", "as_json", is_flag=True, help="Print JSON: one object.")
def show(id: str, as_json: bool) -> None:
    """Show a ticket: its violations, holders, state changes, and the work on it.

    ID is an id, the beginning of exactly one, or `last`.
    """
    with records.open_store(store_path()) as store:
        record = records.record(store, *records.find(store, id, ("ticket",)))
        if as_json:
            output.as_json(record)
        else:
            output.paged(lambda symbols: view.show(record, symbols))
