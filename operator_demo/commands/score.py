"""`score` and `score compare`: how good a run was."""

from dataclasses import asdict
from typing import Any

import click

from operator_demo import audit as records
from operator_demo.commands import completion, output
from operator_demo.commands.default_group import DefaultGroup
from operator_demo.errors import UsageError
from operator_demo.events import STAGE, Score
from operator_demo.home import store_path
from operator_demo.store import Store

_NEWEST = """
    SELECT run FROM runs
    WHERE EXISTS (SELECT 1 FROM events WHERE events.run = runs.run AND source = 'stage' AND type = 'score')
    ORDER BY started DESC LIMIT 1
"""


@click.group(cls=DefaultGroup, default="show")
def score() -> None:
    """Show how good a run was: times, marks, work, and the effect on clients.

    `score RUN` and `score --last` show one run, `score compare A B` two side by side. Needs no engine.
    """


@score.command()
@click.argument("run", required=False, shell_complete=completion.recorded("run"))
@click.option("--last", is_flag=True, help="Use the newest run that has a score.")
@click.option("--json", "as_json", is_flag=True, help="One object.")
def show(run: str | None, last: bool, as_json: bool) -> None:
    """Show the score of a run. RUN is an id, the beginning of exactly one, or `last`."""
    from operator_demo.screen import scorecard

    if bool(run) == last:
        raise UsageError("Give a run, or --last.", "`operator-demo audit list` shows what there is.")
    with records.open_store(store_path()) as store:
        name, found = find(store, run or "last")
    if as_json:
        output.as_json({"run": name, **asdict(found)})
        return
    headline, tone = scorecard.headline(found)
    output.lines([(f"{name}: {headline}", tone)])
    output.with_symbols(lambda symbols: ((f"  {title:<10}{text}", tone)
                                         for title, text, tone in scorecard.scorecard(found, symbols)))


@score.command()
@click.argument("one", metavar="A", shell_complete=completion.recorded("run"))
@click.argument("other", metavar="B", shell_complete=completion.recorded("run"))
@click.option("--json", "as_json", is_flag=True, help="One object: {A: ..., B: ...}.")
def compare(one: str, other: str, as_json: bool) -> None:
    """Compare the scores of two runs side by side; differences are marked."""
    from operator_demo.screen import scorecard
    from operator_demo.screen.record import table

    with records.open_store(store_path()) as store:
        (a, of_a), (b, of_b) = find(store, one), find(store, other)
    if as_json:
        output.as_json({a: asdict(of_a), b: asdict(of_b)})
        return

    def rows(symbols: Any) -> Any:
        measures = scorecard.comparison(of_a, of_b, symbols)
        return table(("", a, b), measures, ["" if x == y else "accent" for _, x, y in measures])
    output.with_symbols(rows)


def find(store: Store, name: str) -> tuple[str, Score]:
    """The run that `name` means, with its score. Raises `UsageError` where it has none."""
    if name == "last":
        row = store.row(_NEWEST)
        if row is None:
            raise UsageError("No run has a score yet.", "A run gets one when it ends.")
        run = row["run"]
    else:
        run = records.find(store, name, ("run",))[1]
    for event in store.events(run, source=STAGE, types=["score"]):
        if isinstance(event.data, Score):
            return run, event.data
    raise UsageError(f"{run} has no score: it was cut off before its end.", "`operator-demo audit show` tells how far "
                     "it came.")
