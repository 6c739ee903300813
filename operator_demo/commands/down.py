"""`operator-demo down`: also after a crash, also when half is gone."""

import click


@click.command()
@click.option("--project", metavar="NAME", help="Only this project; default: the only one there is.")
@click.option("--all", "everything", is_flag=True, help="Every demo on the engine.")
@click.option("--volumes", is_flag=True, help="Remove the volumes too (the data, and the agent's own record).")
@click.pass_context
def down(ctx: click.Context, project: str | None, everything: bool, volumes: bool) -> None:
    """Take a demo down.

    What the agent and the monitor recorded is taken over into the store first, so `audit` still shows it.
    """
    from operator_demo import home
    from operator_demo.chaos.journal import FaultJournal, projects_with_faults
    from operator_demo.engine import connect
    from operator_demo.stage.environment import Environment, check_project_name, demos
    from operator_demo.stage.injection import undo_before_down
    from operator_demo.stage.journal import Journal
    from operator_demo.store import Store

    engine = connect(ctx.obj)
    try:
        known = sorted({*demos(engine), *projects_with_faults(home.home(), engine.id)})
        projects = [check_project_name(project)] if project else choose(known, everything)
        if not projects:
            click.echo("Nothing to take down.")
        for name in projects:
            environment = Environment(engine, name)
            run = environment.leftover_run()
            environment.stop_operators()
            if run:
                with Store(home.store_path()) as store:
                    environment.drain(store, run)
            faults = FaultJournal(home.home(), engine.id, name)
            problems = undo_before_down(engine, name, faults, volumes)
            removed = environment.down(volumes=volumes, progress=lambda item, status: None)
            Journal(home.home(), engine.id, name).clear()
            faults.clear() if problems else faults.forget()
            for problem in problems:
                click.echo(f"{name}: a fault could not be taken back: {problem}", err=True)
            click.echo(f"{name}: " + (f"removed {', '.join(removed)}." if removed else "nothing was left."))
    finally:
        engine.close()


def choose(projects: list[str], everything: bool) -> list[str]:
    from operator_demo.errors import UsageError

    if everything or len(projects) <= 1:
        return projects
    raise UsageError(f"There are several demos: {', '.join(projects)}.", "Name one with --project, or use --all.")
