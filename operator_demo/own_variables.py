"""The program's own variables, with its secrets among them: no subject, and no file of one, is given them."""

import os
from collections.abc import Mapping

API_KEY = "ANTHROPIC_API_KEY"
SECRETS = (API_KEY, "ANTHROPIC_AUTH_TOKEN")
_OURS = ("ANTHROPIC_", "OPERATOR_")

_hidden: dict[str, str] = {}


def hide_secrets() -> None:
    """Takes the secrets out of this process's environment, where foreign code and child processes would find them."""
    for name in SECRETS:
        if name in os.environ:
            _hidden[name] = os.environ.pop(name)


def api_key() -> str:
    """The key, whether it is hidden or not; "" without one."""
    return own_environment().get(API_KEY, "").strip()


def own_environment() -> dict[str, str]:
    """The environment with the secrets, for programs of our own."""
    return _hidden | dict(os.environ)


def foreign_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Without every variable of ours: what the files of others may name."""
    return {name: value for name, value in environment.items() if not name.startswith(_OURS)}
