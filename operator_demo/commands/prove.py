"""`operator-demo scenarios prove`."""

import signal
import threading
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING

import click

from operator_demo.commands import completion, output
from operator_demo.commands.signals import end_by_exception
from operator_demo.commands.subject_choice import agree_to_pull
from operator_demo.commands.trusting import agreement, trust_option
from operator_demo.errors import Exit

if TYPE_CHECKING:
    from operator_demo.chaos.scenario import Scenario
    from operator_demo.proven import Entry
    from operator_demo.subject import Found


@click.command()
@click.argument("subject", shell_complete=completion.subject)
@click.option("--scenario", "chosen", multiple=True, metavar="NAME", shell_complete=completion.scenario,
              help="Prove only this one; may be given several times.")
@trust_option
@click.pass_context
def prove(ctx: click.Context, subject: str, chosen: tuple[str, ...], trust: bool) -> None:
    """Run the scenarios of SUBJECT on this machine and record what each did.

    One after the other, without an agent (where a repair is expected) and with the rehearsal; no key is needed.
    `scenarios list` then shows the results of this machine. When it was interrupted, the same command continues.
    """
    from operator_demo import subject as subjects
    from operator_demo.commands.eval import progress
    from operator_demo.evaluation import proof, runner
    from operator_demo.stage.images import own_file

    found = subjects.load(subject, agreement(trust))
    plays = proof.plays(found, chosen)
    plan, folder, program = proof.campaign(found, plays, ctx.obj), proof.folder(found), own_file()
    end_by_exception(signal.SIGTERM, signal.SIGHUP)  # the run under way is ended
    _pull(found, ctx.obj)
    done = sum(trial.name in runner.finished(folder) for trial in plan.trials)
    try:
        with progress(len(plan.trials), done) as (began, ended):
            runner.play(plan, folder, program, began, ended)
    finally:
        no_proof = proof.note_finished(found, plan, folder)
    proof.begin_anew(folder)
    _print(found, plays)
    for trial, reason in no_proof.items():
        output.aside(f"{trial} proves nothing: {reason}")
    ctx.exit(Exit.NOT_REACHED if no_proof else Exit.OK)


def _pull(found: "Found", host: str | None) -> None:
    """Before the first run, whose time is limited."""
    from operator_demo.engine import connect
    from operator_demo.stage.environment import Environment

    with closing(connect(host)) as engine:
        environment = Environment(engine, f"demo-{found.subject.name}", found)
        if agree_to_pull(environment):
            environment.prepare(lambda item, status: output.aside(f"{item}: {status}"), threading.Event())


def _print(found: "Found", plays: Sequence["Scenario"]) -> None:
    from operator_demo import proven
    from operator_demo.screen.record import table

    rehearsal, alone = proven.read(found), proven.read(found, proven.WITHOUT_AGENT)
    cells = [(play.name, play.outcome, _outcome(alone.get(play.name)), _outcome(rehearsal.get(play.name)))
             for play in plays]
    output.lines(table(("SCENARIO", "RIGHT IS", "NO AGENT", "REHEARSAL"), cells, [""] * len(cells)))
    output.line(f"In {proven.path_to_write(found)}")


def _outcome(entry: "Entry | None") -> str:
    return str(entry["outcome"]) if entry else "—"
