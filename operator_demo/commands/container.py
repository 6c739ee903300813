"""The commands that run inside our containers, started by the Compose template."""

import sys

import click

from operator_demo import settings


@click.command(hidden=True)
def monitor() -> None:
    """Watch the subject, open tickets, judge repairs."""
    from operator_demo.monitor.main import run

    sys.exit(run(settings.from_environment()))


@click.command(hidden=True)
def workload() -> None:
    """Put load on the subject."""
    from operator_demo.workload.main import run

    sys.exit(run(settings.from_environment()))


@click.command(hidden=True)
def agent() -> None:
    """Take tickets and repair."""
    from operator_demo.agent.main import run

    sys.exit(run(settings.from_environment()))


@click.command(hidden=True)
def guard() -> None:
    """Stand between the engine and those who use it."""
    from operator_demo.guard.main import run

    sys.exit(run(settings.from_environment()))
