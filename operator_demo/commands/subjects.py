"""`operator-demo subjects` and `operator-demo scenarios`: what can be shown."""

import click


@click.command()
def subjects() -> None:
    """List the systems that can be shown."""
    from operator_demo import subject

    for name in subject.names():
        found = subject.load(name).subject
        click.echo(f"{name:<10} {found.title} ({', '.join(found.members)})")


@click.command()
@click.argument("subject", default="etcd")
def scenarios(subject: str) -> None:
    """List the faults that can be shown on SUBJECT (default: etcd)."""
    from operator_demo import subject as subjects
    from operator_demo.chaos import scenario

    found = subjects.load(subject)
    for name in scenario.names(found.folder):
        play = scenario.load(found.folder, name, tuple(found.subject.members))
        default = "  (default)" if name == scenario.DEFAULT else ""
        click.echo(f"{name:<18} {play.title}; right is: {play.outcome}{default}")
