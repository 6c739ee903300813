"""A group of commands, one of which is meant where none is named: `score RUN` is `score show RUN`."""

from typing import Any

import click


class DefaultGroup(click.Group):
    """`default` names that command; with `alone` it is meant also where no word follows at all."""

    def __init__(self, *args: Any, default: str, alone: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.default, self.alone = default, alone

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        named = args[0] in (*self.commands, *ctx.help_option_names) if args else not self.alone
        if not named:
            args = [self.default, *args]
        return super().parse_args(ctx, args)
