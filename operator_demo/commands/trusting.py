"""Asking whether the Python of a subject's folder may run here; once for each content."""

import os
import shlex
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from operator_demo.commands import output
from operator_demo.errors import UsageError

if TYPE_CHECKING:
    from operator_demo.subject_code import SubjectCode
    from operator_demo.trust import Agree

F = TypeVar("F", bound=Callable[..., Any])
_NAMED = 8  # files that the question names


def trust_option(command: F) -> F:
    return click.option("--trust", is_flag=True,
                        help="Agree that the Python in the subject's folder runs on this machine.")(command)


def agreement(trust: bool) -> "Agree":
    """Remembers content that is agreed to, by `--trust` or by the answer on a terminal."""
    from operator_demo import trust as trusted

    def agree(code: "SubjectCode") -> None:
        if trusted.is_trusted(code):
            return
        if not trust:
            _ask(code)
        trusted.remember(code)

    return agree


def _ask(code: "SubjectCode") -> None:
    what = f"{code.folder} is a program: its Python runs on this machine, with all your rights"
    if not output.on_terminal():
        typed = [os.path.basename(sys.argv[0]), *sys.argv[1:], "--trust"]
        raise UsageError(f"{what}, and nobody has agreed to this content yet.",
                         f"Read it, then type: {shlex.join(typed)}")
    files = sorted(code.sources)
    more = f" and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
    output.aside(f"{what}.\n  {', '.join(files[:_NAMED])}{more} (SHA-256 {code.digest[:16]})\n"
                 "It is asked once; a changed file is asked for again.")
    click.confirm("Have you read it, and may it run?", default=False, abort=True)
