"""Command lines as the real programs take them: what they do not know, they refuse."""

import sys
from collections.abc import Collection


def parse(known: Collection[str], arguments: list[str], aliases: dict[str, str] | None = None) -> dict[str, str]:
    """`--name=value` or `--name value` for each name in `known`; ends the program with status 1 for anything else."""
    found: dict[str, str] = {}
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.removeprefix("--").partition("=")
        name = (aliases or {}).get(name, name)
        if not word.startswith("--") or name not in known:
            sys.exit(f"error: found argument {word!r} which wasn't expected")
        if not equals:
            if not rest:
                sys.exit(f"error: the argument --{name} requires a value")
            value = rest.pop(0)
        found[name] = value
    return found
