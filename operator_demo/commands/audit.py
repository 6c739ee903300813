"""`audit list` and `audit show`: what was thought, done and caused."""

import click

from operator_demo import audit as records
from operator_demo.commands import completion, output
from operator_demo.home import store_path
from operator_demo.screen import record as view


@click.group()
def audit() -> None:
    """Read what the agent thought, ran and saw. Needs no engine."""


@audit.command("list")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Maximum number of rows.")
@click.option("--status", type=click.Choice(records.STATUSES), help="Only sessions with this status.")
@click.option("--subject", shell_complete=completion.subject, help="Only sessions on this subject.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: an array of objects.")
def list_(limit: int, status: str | None, subject: str | None, as_json: bool) -> None:
    """List the sessions of the agent, newest first."""
    with records.open_store(store_path()) as store:
        rows = records.sessions(store, limit=limit, status=status, subject=subject)
    if as_json:
        output.as_json(rows)
    elif rows:
        output.lines(view.session_table(rows))
    else:
        output.aside("No session matches." if status or subject else "No session was recorded yet.")


@audit.command()
@click.argument("id", shell_complete=completion.recorded("session", "run", "ticket"))
@click.option("--full", is_flag=True, help="Show the full output of tools and each request to the model.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: one object.")
def show(id: str, full: bool, as_json: bool) -> None:
    """Show the full record of a session, a run or a ticket.

    ID is an id, the beginning of exactly one, or `last`.
    """
    with records.open_store(store_path()) as store:
        record = records.record(store, *records.find(store, id))
        if as_json:
            output.as_json(record)
        else:
            output.paged(lambda symbols: view.show(record, symbols, full=full))
