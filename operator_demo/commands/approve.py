"""`operator-demo approve`: answer, from a second terminal, what the agent asks for."""

from typing import TYPE_CHECKING, Any

import click

from operator_demo.approvals import ALWAYS, NO, YES
from operator_demo.commands import output
from operator_demo.errors import OperatorError, UsageError

if TYPE_CHECKING:
    from operator_demo.stage.environment import Environment

_LETTERS = {"y": YES, "n": NO, "a": ALWAYS}


@click.command()
@click.option("--project", metavar="NAME", help="Project of the demo; default: the only one on the engine.")
@click.option("--yes", metavar="ID", help="Approve this request; nothing is asked.")
@click.option("--no", metavar="ID", help="Refuse this request; nothing is asked.")
@click.option("--always", metavar="ID", help="Approve it, and all of its kind on the same member in this run.")
@click.pass_context
def approve(ctx: click.Context, /, project: str | None, **given: str | None) -> None:
    """Answer what the agent asks for in `run --mode approve`.

    Lists what waits, and on a terminal asks about each request. What nobody answers is refused after 90 seconds.
    """
    from operator_demo.engine import connect
    from operator_demo.stage.environment import Environment, check_project_name, choose, demos

    answers = [(id, answer) for answer, id in given.items() if id]
    if len(answers) > 1:
        raise UsageError("--yes, --no and --always exclude each other.", "Answer one request after the other.")
    engine = connect(ctx.obj)
    try:
        names = [check_project_name(project)] if project else choose(demos(engine))
        if not names:
            raise OperatorError("No demo is on the engine.", "`operator-demo run --mode approve` starts one.")
        environment = Environment(engine, names[0])
        waiting = environment.ask_guard("waiting")["waiting"]
        if answers:
            id, answer = answers[0]
            _send(environment, _find(waiting, id), answer)
        elif not waiting:
            output.line("Nothing waits.")
        else:
            _ask_about_all(environment, waiting)
    finally:
        engine.close()


def _ask_about_all(environment: "Environment", waiting: list[dict[str, Any]]) -> None:
    for asked in waiting:
        output.line(f"{asked['id']}  {asked['text']}", "strong")
        output.line(f"  {asked['request']}")
        for line in asked["why"].splitlines():
            output.line(f"  {line}", "dim")
        output.line(f"  refused in {asked['left']:.0f} s", "dim")
        if output.on_terminal():
            letter = output.ask("Approve? yes, no, or always for this kind on this member", list(_LETTERS), default="n")
            _send(environment, asked, _LETTERS[letter])
    if not output.on_terminal():
        output.aside("Answer with --yes ID, --no ID or --always ID.")


def _find(waiting: list[dict[str, Any]], id: str) -> dict[str, Any]:
    for asked in waiting:
        if asked["id"] == id:
            return asked
    raise OperatorError(f"{id} does not wait for an answer (any more).", "`operator-demo approve` lists what does.")


def _send(environment: "Environment", asked: dict[str, Any], answer: str) -> None:
    from operator_demo.stage.approving import who

    environment.ask_guard("answer", id=asked["id"], digest=asked["digest"], answer=answer,
                          by=who("with operator-demo approve"))
    output.line(f"{asked['id']}: {answer}.")
