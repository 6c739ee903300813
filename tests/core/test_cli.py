"""The command line finds all its commands: also those that run in our containers and that no `--help` shows."""

import click
import pytest

from operator_demo import cli


@pytest.mark.parametrize("name", cli._COMMANDS)
def test_every_command_is_where_it_is_looked_for(name: str) -> None:
    assert cli.cli.get_command(click.Context(cli.cli), name) is not None
