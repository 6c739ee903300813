"""`operator-demo status`: the demos on the engine."""

from typing import Any

import click

from operator_demo import labels
from operator_demo.commands import output
from operator_demo.text import one_line

_LONGEST = 100  # characters of a label


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> None:
    """Show the demos on the engine and the state of their containers."""
    from operator_demo.engine import connect, members
    from operator_demo.stage.environment import demos, operator_project

    engine = connect(ctx.obj)
    try:
        states: dict[str, dict[str, Any]] = {}
        for project in demos(engine):
            containers = members(engine, project) + members(engine, operator_project(project))
            states[project] = {
                "run": next((c.labels[labels.RUN] for c in containers if c.labels.get(labels.RUN)), None),
                "containers": {c.service: c.state for c in containers},
            }
    finally:
        engine.close()
    if as_json:
        output.as_json(states)
        return
    if not states:
        output.line("No demo is on the engine.")
    for project, what in states.items():
        output.line(f"{one_line(project, _LONGEST)}  {one_line(what['run'] or 'not by a run', _LONGEST)}")
        for service, state in sorted(what["containers"].items()):
            output.line(f"  {one_line(service, _LONGEST):<10} {state}")
