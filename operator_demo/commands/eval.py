"""`eval`: a campaign of runs, and the table of their results."""

import csv
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from operator_demo.commands import completion, output
from operator_demo.commands.signals import end_by_exception
from operator_demo.commands.trusting import agreement, trust_option
from operator_demo.errors import Exit
from operator_demo.home import file_errors, make_private_folder, private_opener
from operator_demo.text import clean

if TYPE_CHECKING:
    from operator_demo.evaluation.campaign import Campaign


@click.command("eval")
@click.argument("campaign", type=click.Path(path_type=Path), metavar="CAMPAIGN.yaml",
                shell_complete=completion.file)
@click.option("--out", type=click.Path(path_type=Path), metavar="FOLDER", shell_complete=completion.folder,
              help="Folder for results and records.  [default: beside the campaign]")
@click.option("--json", "as_json", is_flag=True, help="An array of objects.")
@click.option("--csv", "as_csv", is_flag=True, help="Comma-separated values.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", shell_complete=completion.file,
              help="Also write the campaign as an HTML page, and its runs into a folder beside it.")
@click.option("--report", is_flag=True, help="Only print the table of the results so far.")
@trust_option
@click.pass_context
def evaluate(ctx: click.Context, campaign: Path, out: Path | None, as_json: bool, as_csv: bool, html: Path | None,
             report: bool, trust: bool) -> None:
    """Run subjects, scenarios and models many times and print the results.

    An interrupted campaign continues where it was when it is started again. Each run has its own project, and its own
    record under FOLDER/homes (OPERATOR_HOME=... operator-demo audit show last).
    """
    from operator_demo.evaluation import campaign as campaigns
    from operator_demo.evaluation import runner, table
    from operator_demo.stage.images import own_file

    plan = replace(campaigns.load(campaign, agreement(trust)), host=ctx.obj)
    folder = (out or campaign.with_suffix(".results")).absolute()
    if not report:
        end_by_exception(signal.SIGTERM, signal.SIGHUP)  # the runs under way are ended
        with progress(len(plan.trials), len(runner.finished(folder))) as (began, ended):
            runner.play(plan, folder, own_file(), began, ended)
    wanted = {trial.name for trial in plan.trials}
    results = [r for name, r in runner.finished(folder).items() if name in wanted]
    rows = table.rows(results)
    if as_json:
        output.as_json(rows)
    elif as_csv:
        writer = csv.DictWriter(sys.stdout, table.COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    else:
        from operator_demo.screen.record import table as as_table

        output.lines(as_table(table.HEADS, [table.cells(row) for row in rows], [""] * len(rows)))
    if html is not None:
        _write_page(html, plan, folder, results)
    missing = len(wanted) - len(results)
    if missing:
        output.aside(f"{missing} of {len(wanted)} runs are not done yet.")
    ctx.exit(Exit.NOT_REACHED if missing else Exit.OK)


@contextmanager
def progress(total: int, done: int) -> Iterator[tuple[Callable[..., None], Callable[..., None]]]:
    """A bar with the time left on a terminal, else a line for each run; on stderr, so that the table can be piped."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from operator_demo.evaluation.campaign import NO_AGENT

    console = Console(stderr=True)
    bar = Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
                   console=console, disable=not console.is_terminal,
                   speed_estimate_period=float("inf"))  # (a run takes longer than Rich looks back)

    def began(trial: Any) -> None:
        bar.update(task, description=trial.name)

    def ended(trial: Any, result: dict[str, Any]) -> None:
        as_expected = result["reached"] or trial.model == NO_AGENT  # of which nothing is expected
        line = f"{trial.name}: {result['outcome']}{'' if as_expected else ' (not as expected)'}"
        console.print(clean(line), markup=False, highlight=False)
        bar.advance(task)

    with bar:
        task = bar.add_task("", total=total, completed=done)
        bar.advance(task, 0)  # the estimate of the time left starts here
        yield began, ended


def _write_page(file: Path, plan: "Campaign", folder: Path, results: list[dict[str, Any]]) -> None:
    """The page of the campaign, and in a folder beside it one for each run of which there is a record."""
    from operator_demo.evaluation import runner
    from operator_demo.redaction import secrets_of
    from operator_demo.report import campaign

    pages = file.with_suffix(".runs")
    homes = {trial.name: runner.home_of(folder, trial) for trial in plan.trials}
    text, runs = campaign.pages(file.stem, results, homes, pages.name, secrets_of(os.environ))
    _write(file, text)
    if runs:
        make_private_folder(pages)
    for name, page in runs.items():
        _write(pages / name, page)
    output.aside(f"The campaign was written to {file}, {len(runs)} of its runs to {pages}.")


def _write(file: Path, text: str) -> None:
    with file_errors(file), open(file, "w", encoding="utf-8", opener=private_opener) as written:
        written.write(text)
