"""`operator-demo audit`: the record of the runs, read, checked, taken out and in, and deleted."""

import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from operator_demo import audit as records
from operator_demo.chain import entries_in_words
from operator_demo.commands import completion, output
from operator_demo.errors import Exit, UsageError
from operator_demo.home import file_errors, private_opener, store_path
from operator_demo.screen import record as view
from operator_demo.store import Row, Store

if TYPE_CHECKING:
    from operator_demo.verify import Verification

_BEAT = 0.5  # seconds between two looks at the store


@click.group()
def audit() -> None:
    """Read and keep what the agent thought, ran and saw. Needs no engine."""


@audit.command("list")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Maximum number of rows.")
@click.option("--status", type=click.Choice(records.STATUSES), help="Only sessions with this status.")
@click.option("--subject", shell_complete=completion.subject, help="Only sessions on this subject.")
@click.option("--model", help="Only sessions of this model; rehearsal is the offline brain.")
@click.option("--scenario", help="Only sessions in this scenario.")
@click.option("--mode", help="Only sessions in this mode, for instance observe.")
@click.option("--since", metavar="TIME", help="Only sessions begun since: 12h, 7d, 2w ago, or a date.")
@click.option("--sort", type=click.Choice(list(records.SORTS)), default="started", show_default=True,
              help="By what to sort, the greatest first.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: an array of objects.")
def list_(as_json: bool, since: str | None, **wanted: Any) -> None:
    """List the sessions of the agent, newest first."""
    chosen = records.Wanted(**wanted, since=records.since(since) if since else None)
    with records.open_store(store_path()) as store:
        rows = records.sessions(store, chosen)
    if as_json:
        output.as_json(rows)
    elif rows:
        output.lines(view.session_table(rows))
    else:
        whatever = records.Wanted(limit=chosen.limit, sort=chosen.sort)
        output.aside("No session was recorded yet." if chosen == whatever else "No session matches.")


@audit.command()
@click.argument("id", shell_complete=completion.recorded("session", "run", "ticket"))
@click.option("--full", is_flag=True, help="Show the full output of tools and each request to the model.")
@click.option("--only", type=click.Choice(list(records.ONLY)), help="Show only entries of this kind.")
@click.option("--follow", is_flag=True, help="Go on while the run goes on.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: one object.")
def show(id: str, full: bool, only: str | None, follow: bool, as_json: bool) -> None:
    """Show the full record of a session, a run or a ticket.

    ID is an id, the beginning of exactly one, or `last`.
    """
    if follow and as_json:
        raise UsageError("--follow does not go with --json.", "Leave one of them out.")
    with records.open_store(store_path()) as store:
        kind, name = records.find(store, id)

        def read() -> Row:
            record = records.record(store, kind, name)
            return records.only(record, only) if only else record

        if as_json:
            output.as_json(read())
        elif follow:
            _follow(read, full)
        else:
            record = read()
            output.paged(lambda symbols: view.show(record, symbols, full=full, width=output.width()))


def _follow(read: Callable[[], Row], full: bool) -> None:
    """Prints what is recorded, and what comes, until the end. A call is shown once its result is there."""
    told: set[tuple[str, int]] = set()

    def tell(record: Row) -> None:
        output.with_symbols(lambda symbols: view.entries(record, symbols, full=full, width=output.width(), told=told))

    def summarize(record: Row) -> None:
        output.with_symbols(lambda symbols: view.head(record, symbols))

    record = read()
    summarize(record)
    tell(record)
    if records.is_over(record):
        return
    while not records.is_over(record):
        time.sleep(_BEAT)
        record = read()
        tell(record)
    output.line("")
    summarize(record)  # as it is now


@audit.command()
@click.argument("words", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Maximum number of entries.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: an array of objects.")
def search(words: tuple[str, ...], limit: int, as_json: bool) -> None:
    """Find entries that hold all WORDS, in all runs, newest first.

    Thoughts, commands, outputs, findings, tickets, verdicts and effects are searched. WORD* finds all that begins so.
    The first search takes in all that was recorded.
    """
    from operator_demo.search import search as find

    with records.open_store(store_path()) as store, output.counting("reading the record") as progress:
        hits = find(store, [part for word in words for part in word.split()], limit, progress)
    if as_json:
        output.as_json(hits)
    elif hits:
        output.lines(view.hits(hits))
        if len(hits) == limit:
            output.aside(f"There may be more than these {limit}; --limit shows more.")
    else:
        output.aside("No entry holds all of these words.")


@audit.command()
@click.argument("record", required=False, metavar="[RUN|FILE]", shell_complete=completion.recorded("run"))
@click.option("--head", metavar="HEX", default="", help="Also look for this head, as it was shown; 16 digits or more.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: an array of objects.")
@click.pass_context
def verify(ctx: click.Context, record: str | None, head: str, as_json: bool) -> None:
    """Say what was altered in a record since it was recorded; exit with 1 if anything was.

    RUN is an id, the beginning of exactly one, or `last`; FILE an exported one, with a / in its name or .opdemo at its
    end. Without either, all runs are checked.
    """
    _check_head(head, record)
    if record is not None and _is_file(record):
        found = [_verify_file(Path(record), head)]
    else:
        found = _verify_store(record, head)
    if as_json:
        output.as_json([_as_object(verification) for verification in found])
    else:
        for verification in found:
            output.lines(view.verification(verification))
    if not all(verification.whole for verification in found):
        ctx.exit(Exit.NOT_REACHED)


@audit.command()
@click.argument("run", shell_complete=completion.recorded("run"))
@click.option("-o", "--output", "file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Where to write it.  [default: RUN.opdemo or RUN.json, here]")
@click.option("--format", "form", type=click.Choice(["opdemo", "atif"]), default="opdemo", show_default=True,
              help="atif: what the agent did, as a trajectory that other harnesses read; it has no chain.")
def export(run: str, file: Path | None, form: str) -> None:
    """Write RUN into a file: all of its record, with its chain.

    RUN is an id, the beginning of exactly one, or `last`.
    """
    from operator_demo import record_file

    with records.open_store(store_path()) as store:
        _, name = records.find(store, run, ("run",))
        with store.snapshot():
            content = _trajectory(store, name) if form == "atif" else record_file.pack(
                store.chain(name), store.entries(name))
    target = file or Path(name + (".json" if form == "atif" else record_file.SUFFIX))
    if file is None and target.exists():
        raise UsageError(f"{target} is there already.", "Name another file with -o, or remove it.")
    with file_errors(target), open(target, "wb", opener=private_opener) as written:
        written.write(content)
    output.aside(f"{name} was written to {target}.")


@audit.command("import")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), shell_complete=completion.file)
def import_(file: Path) -> None:
    """Check FILE, which `audit export` wrote, and take its run into the store."""
    from operator_demo.record_import import take_in

    with Store(store_path()) as store:
        chain, is_new = take_in(store, file)
    output.line(f"{chain.run}: {entries_in_words(chain.unchained + chain.entries)} taken in, head {chain.head.hex()}"
                if is_new else f"{chain.run} is in the store with the same record already.")


@audit.command()
@click.argument("run", required=False, shell_complete=completion.recorded("run"))
@click.option("--older-than", metavar="AGE", help="All runs without news for so long, for instance 90d or 12w.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(run: str | None, older_than: str | None, yes: bool) -> None:
    """Delete RUN, or all old runs, from the store for good.

    RUN is an id, the beginning of exactly one, or `last`.
    """
    from operator_demo import deletion

    if (run is None) == (older_than is None):
        raise UsageError("Either a run or --older-than is needed.", _HOW_TO_DELETE)
    with records.open_store(store_path()):
        pass  # where nothing was recorded, no store is made
    with Store(store_path()) as store:
        if older_than is not None:
            names = [name for name in deletion.older_than(store, deletion.parse_age(older_than))
                     if not deletion.goes_on(store, name)]
        else:
            names = [records.find(store, run or "", ("run",))[1]]
        if names and deletion.goes_on(store, names[0]):
            raise UsageError(f"{names[0]} has no end yet, and may go on.",
                             "`operator-demo down` ends it; then it can be deleted.")
        if not names:
            output.aside("No run is that old.")
            return
        _agree(names, yes)
        deletion.delete(store, names)
    for name in names:
        output.line(f"{name} was deleted.")


_HOW_TO_DELETE = "`operator-demo audit delete RUN`, or `operator-demo audit delete --older-than 90d`."


def _agree(names: list[str], yes: bool) -> None:
    """Raises where nobody agrees."""
    if yes:
        return
    if not output.on_terminal():
        raise UsageError(f"Nobody can be asked here whether {', '.join(names)} may be deleted.", "Give --yes.")
    for name in names:
        output.line(name)
    if output.ask("Delete for good?", ["yes", "no"], default="no") == "no":
        raise click.Abort


def _is_file(record: str) -> bool:
    from operator_demo.record_file import SUFFIX

    return "/" in record or record.endswith(SUFFIX)


def _verify_file(file: Path, head: str) -> "Verification":
    from operator_demo.record_file import read
    from operator_demo.verify import Verification, altered

    chain, entries = read(file)
    return Verification(chain, altered(chain, entries, head))


def _verify_store(run: str | None, head: str) -> "list[Verification]":
    from operator_demo.verify import verify_run

    with records.open_store(store_path()) as store:
        names = records.runs(store) if run is None else [records.find(store, run, ("run",))[1]]
        return [verify_run(store, name, head) for name in names]


def _check_head(head: str, record: str | None) -> None:
    if head and record is None:
        raise UsageError("--head needs the run whose head it is.", "Name it: `operator-demo audit verify RUN --head`.")
    if head and not re.fullmatch("[0-9a-fA-F]{16,64}", head):
        raise UsageError(f"{head!r} is no head.", "A head is 64 hexadecimal digits; 16 or more of them are enough.")


def _as_object(verification: "Verification") -> dict[str, Any]:
    chain = verification.chain
    return {"run": chain.run, "entries": chain.entries, "head": chain.head.hex(), "unchained": chain.unchained,
            "alterations": [{"what": a.what, "first": a.first, "last": a.last, "text": a.text}
                            for a in verification.alterations]}


def _trajectory(store: Store, run: str) -> bytes:
    from operator_demo.redaction import secrets_of
    from operator_demo.trajectory import trajectory

    row = store.row("SELECT * FROM runs WHERE run=?", run) or {"run": run}
    whole = trajectory(row, store.events(run), store.chain(run).head.hex(), secrets_of(os.environ))
    return (json.dumps(whole, indent=1) + "\n").encode()
