"""A group with a default command: `score RUN` is `score show RUN`."""

from typing import Any

import click


class DefaultGroup(click.Group):
    """`default` is the command without a name; with `alone`, also without any argument."""

    def __init__(self, *args: Any, default: str, alone: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.default, self.alone = default, alone

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        named = args[0] in (*self.commands, *ctx.help_option_names) if args else not self.alone
        if not named:
            args = [self.default, *args]
        return super().parse_args(ctx, args)
