"""`operator-demo audit`: the record of the runs, read, checked, taken out and in, and deleted."""

import re
from pathlib import Path
from typing import Any

import click

from operator_demo import audit as records
from operator_demo import chapters
from operator_demo.commands import completion, output
from operator_demo.errors import Exit, UsageError
from operator_demo.home import file_errors, store_path
from operator_demo.screen import record as view
from operator_demo.verify import Verification, verify_run


@click.group()
def audit() -> None:
    """Read and keep what the agent thought, ran and saw. Needs no engine."""


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


@audit.command()
@click.argument("run", required=False, shell_complete=completion.recorded("run"))
@click.option("--head", metavar="HEX", default="", help="Also look for this head, as it was shown; 16 digits or more.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: an array of objects.")
@click.pass_context
def verify(ctx: click.Context, run: str | None, head: str, as_json: bool) -> None:
    """Say what was changed, removed or added in the record of RUN since it was recorded; exit with 1 if anything was.

    RUN is an id, the beginning of exactly one, or `last`. Without it, all runs are checked.
    """
    _check_head(head, run)
    with records.open_store(store_path()) as store:
        runs = [records.find(store, run, ("run",))[1]] if run is not None else records.runs(store)
        found = [verify_run(store, name, head) for name in runs]
    if as_json:
        output.as_json([as_object(verification) for verification in found])
    else:
        for verification in found:
            output.lines(view.verification(verification))
    if not all(verification.whole for verification in found):
        ctx.exit(Exit.NOT_REACHED)


def _check_head(head: str, run: str | None) -> None:
    if head and run is None:
        raise UsageError("--head needs the run whose head it is.", "Name the run: `operator-demo audit verify RUN`.")
    if head and not re.fullmatch("[0-9a-fA-F]{16,64}", head):
        raise UsageError(f"{head!r} is no head.", "A head is 64 hexadecimal digits; 16 or more of them are enough.")


def as_object(verification: Verification) -> dict[str, Any]:
    chain = verification.chain
    return {"run": chain.run, "entries": chain.entries, "head": chain.head.hex(), "unchained": chain.unchained,
            "alterations": [{"what": a.what, "first": a.first, "last": a.last, "text": a.text}
                            for a in verification.alterations]}
