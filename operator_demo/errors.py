"""Errors that are meant for people, and the exit statuses of the program.

Every error a user can cause or meet is an `OperatorError`: what happened, to what, and what to do next. The command
line prints it on stderr and exits with its status; a traceback is for defects of the program alone.
"""

from enum import IntEnum


class Exit(IntEnum):
    """Exit statuses of `operator-demo` (documented in README.md)."""

    OK = 0  # the expected outcome was reached and verified
    NOT_REACHED = 1  # the run ended, but not with the expected outcome
    USAGE = 2  # a mistake in the command line or in a file that the user wrote
    ENVIRONMENT = 3  # no engine, no image, no space, a damaged store
    INTERRUPTED = 130
    TERMINATED = 143


class OperatorError(Exception):
    """`message` says what happened and to what; `hint` says what to do next (may be empty)."""

    exit_status: int = Exit.ENVIRONMENT

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(OperatorError):
    """The user's own input is wrong."""

    exit_status = Exit.USAGE
