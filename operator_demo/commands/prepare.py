"""`operator-demo prepare`: everything a talk needs, while there still is a network."""

import threading

import click


@click.command()
@click.argument("subject", required=False)
@click.pass_context
def prepare(ctx: click.Context, subject: str | None) -> None:
    """Pull and build all images that SUBJECT needs.

    Afterwards `run` needs no network, but for Claude itself.
    """
    from operator_demo import engine as room
    from operator_demo import subject as subjects
    from operator_demo.commands.run import choose_subject
    from operator_demo.stage.environment import Environment

    name = subject or choose_subject(subjects.names())[0]
    found = subjects.load(name)
    engine = room.connect(ctx.obj)
    try:
        environment = Environment(engine, f"demo-{name}", found)
        agent = environment.prepare(lambda item, status: click.echo(f"{item}: {status}"), threading.Event())
        wanted = sorted({service.image for service in environment.subject_project().services.values()} | {agent})
        for image in wanted:
            click.echo(f"{image:<40} {room.image_size(engine, image) / 1e6:8.0f} MB")
    finally:
        engine.close()
    click.echo(f"{name} is ready; `operator-demo run {name}` needs no registry now.")
