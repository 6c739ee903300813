"""An option or an argument that is there but empty is a mistake of the command line, for every command."""

import sys
from collections.abc import Callable, Iterator
from typing import Any

import click
import pytest

from operator_demo import cli


def commands(command: click.Command = cli.cli, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that there is, with the words that name it."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from commands(found, (*path, name))


ALL = dict(commands())
OPTIONS = [(path, option.opts[-1]) for path, command in ALL.items() for option in command.params
           if isinstance(option, click.Option) and not option.is_flag]
WITH_ARGUMENTS = [path for path, command in ALL.items() if any(isinstance(p, click.Argument) for p in command.params)]


def test_all_commands_are_walked() -> None:
    assert ("down",) in ALL and ("chaos", "inject") in ALL and ("audit", "show") in ALL
    assert ((), "--host") in OPTIONS and (("run",), "--scenario") in OPTIONS
    assert ("run",) in WITH_ARGUMENTS and ("scenarios", "show") in WITH_ARGUMENTS


@pytest.mark.parametrize(("path", "option"), OPTIONS, ids=lambda value: value if isinstance(value, str) else None)
@pytest.mark.parametrize("empty", [["OPTION", ""], ["OPTION="], ["OPTION", "  "]], ids=["word", "equals", "blanks"])
def test_an_empty_option_is_a_usage_error(path: tuple[str, ...], option: str, empty: list[str],
                                          operator_demo: Callable[..., Any]) -> None:
    done = operator_demo(*path, *(word.replace("OPTION", option) for word in empty))
    assert (done.status, done.out) == (2, "")
    assert option in done.err and "empty" in done.err


@pytest.mark.parametrize("path", WITH_ARGUMENTS, ids=" ".join)
def test_an_empty_argument_is_a_usage_error(path: tuple[str, ...], operator_demo: Callable[..., Any]) -> None:
    done = operator_demo(*path, "")
    assert (done.status, done.out) == (2, "")
    assert "empty" in done.err


def test_an_empty_variable_is_one_that_is_not_set(operator_demo: Callable[..., Any], fake_engine: Any,
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPERATOR_HOST", "OPERATOR_HOME", "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG"):
        monkeypatch.setenv(name, "")
    monkeypatch.setattr(sys.modules["operator_demo.engine.connect"], "DEFAULT_SOCKET", fake_engine.url)
    assert operator_demo("status").out == "No demo is on the engine.\n"
    assert "/home/.operator/tickets.db" in operator_demo("audit", "list").err


def test_a_value_may_end_in_an_equals_sign(operator_demo: Callable[..., Any]) -> None:
    assert "empty" not in operator_demo("chaos", "inject", "no-such-fault", "--set", "x=").err
    assert "empty" not in operator_demo("chaos", "inject", "no-such-fault", "--set=x=").err
