"""Every command of the program can be loaded."""

import click
import pytest

from operator_demo.cli import _COMMANDS, LazyGroup


@pytest.mark.parametrize("name", _COMMANDS)
def test_the_command_is_there(name: str) -> None:
    command = LazyGroup().get_command(click.Context(click.Command("operator-demo")), name)
    assert isinstance(command, click.Command)
