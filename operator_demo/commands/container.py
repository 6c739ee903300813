"""The commands that run inside our containers, started by the Compose template."""

import os
import sys
from pathlib import Path

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


@click.command("guard-answer", hidden=True)
def guard_answer() -> None:
    """For the host, which calls it through the engine."""
    from operator_demo.guard.answering import pass_on

    pass_on()


@click.command(hidden=True)
def network() -> None:
    """Hold the agent's network."""
    from operator_demo.guard.network import run

    sys.exit(run(open_network=bool(os.environ.get("OPERATOR_OPEN_NETWORK"))))


@click.command(hidden=True)
def relay() -> None:
    """Connect the agent to the model's service."""
    from operator_demo.guard.relay import run

    socket = Path(settings.required(os.environ, "OPERATOR_RELAY"))
    sys.exit(run(socket, os.environ.get("ANTHROPIC_BASE_URL") or settings.ANTHROPIC_API))
