"""`operator-demo status`: what runs on the engine."""

import json
from typing import Any

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> None:
    """Say which demos are on the engine and how their containers are."""
    from operator_demo.engine import connect, members
    from operator_demo.stage.environment import RUN_LABEL, demos, operator_project

    engine = connect(ctx.obj)
    try:
        found: dict[str, dict[str, Any]] = {}
        for project in demos(engine):
            containers = members(engine, project) + members(engine, operator_project(project))
            found[project] = {
                "run": next((c.labels[RUN_LABEL] for c in containers if c.labels.get(RUN_LABEL)), None),
                "containers": {c.service: c.state for c in containers},
            }
    finally:
        engine.close()
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    if not found:
        click.echo("No demo is on the engine.")
    for project, what in found.items():
        click.echo(f"{project}  {what['run'] or 'not by a run'}")
        for service, state in sorted(what["containers"].items()):
            click.echo(f"  {service:<10} {state}")
