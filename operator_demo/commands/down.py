"""`operator-demo down`: also after a crash, and with an incomplete demo."""

import os
from typing import TYPE_CHECKING

import click

from operator_demo.commands import output

if TYPE_CHECKING:
    from operator_demo.engine import Engine

HOST_PATIENCE = 15.0  # seconds that the host of a demo has to leave


@click.command()
@click.option("--project", metavar="NAME", help="Project to take down; default: the only one on the engine.")
@click.option("--all", "everything", is_flag=True, help="Take down every demo on the engine.")
@click.option("--volumes", is_flag=True, help="Also remove the volumes (the data and the agent's own record).")
@click.pass_context
def down(ctx: click.Context, project: str | None, everything: bool, volumes: bool) -> None:
    """Take a demo down.

    What the agent and the monitor recorded is taken over into the store first, so `audit` still shows it.
    """
    from operator_demo import home
    from operator_demo.chaos.journal import projects_with_faults
    from operator_demo.engine import connect
    from operator_demo.stage.environment import Environment, check_project_name, choose, demos
    from operator_demo.stage.leftovers import remove_demo

    engine = connect(ctx.obj)
    try:
        known = sorted({*demos(engine), *projects_with_faults(home.home(), engine.id)})
        projects = [check_project_name(project)] if project else known if everything else choose(known)
        if not projects:
            output.line("Nothing to take down.")
        for name in projects:
            end_host(engine, name)
            removal = remove_demo(Environment(engine, name), volumes=volumes, progress=lambda item, status: None,
                                  tell=output.aside)
            for problem in removal.problems:
                output.aside(f"{name}: {problem}")
            removed = ", ".join(removal.removed)
            output.line(f"{name}: " + (f"removed {removed}." if removed else "nothing was left."))
    finally:
        engine.close()


def end_host(engine: "Engine", project: str) -> None:
    """Asks the host of this project, if one runs, to leave."""
    from operator_demo import home
    from operator_demo.stage.host_lock import HostLock

    lock = HostLock(home.home(), engine.id, project)
    pid = lock.holder()
    if pid is None:
        return
    output.aside(f"{project}: process {pid} runs this demo; it is asked to leave.")
    if not lock.ask_to_leave(f"`operator-demo down` (process {os.getpid()}) takes this demo down.", HOST_PATIENCE):
        output.aside(f"{project}: process {pid} did not leave within {HOST_PATIENCE:.0f} seconds; the demo is taken "
                     "down nevertheless.")
