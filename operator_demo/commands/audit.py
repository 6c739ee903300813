"""`audit list`, `audit show` and `audit picture`."""

from pathlib import Path

import click

from operator_demo import audit as records
from operator_demo import chapters
from operator_demo.commands import completion, output
from operator_demo.home import file_errors, store_path
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


@audit.command()
@click.argument("run", shell_complete=completion.recorded("run"))
@click.argument("file", type=click.Path(dir_okay=False, writable=True, path_type=Path))
@click.option("--chapter", type=click.Choice(chapters.NAMES), default="verified", show_default=True,
              help="Draw the end of this chapter.")
@click.option("--columns", type=click.IntRange(40, 300), default=120, show_default=True, help="Width of the screen.")
@click.option("--lines", type=click.IntRange(10, 120), default=36, show_default=True, help="Height of the screen.")
def picture(run: str, file: Path, chapter: str, columns: int, lines: int) -> None:
    """Draw the screen of a recorded run into FILE, as an SVG.

    RUN is an id, the beginning of exactly one, or `last`.
    """
    from operator_demo.screen.picture import picture as draw  # Rich is needed for this one only

    with records.open_store(store_path()) as store:
        _, name = records.find(store, run, ("run",))
        svg = draw(store.events(name), chapter, (columns, lines), "./operator-demo run")
    with file_errors(file):
        file.write_text(svg, encoding="utf-8")
