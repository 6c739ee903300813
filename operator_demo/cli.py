"""The command line. Commands are imported when they are called, so that `--help` and `audit list` start at once."""

import importlib
import os
import re
import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any

import click

from operator_demo.errors import Exit, OperatorError
from operator_demo.outlet import Outlet, through

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMPLETE = "_OPERATOR_DEMO_COMPLETE"
"""Set by the scripts of `operator-demo completion`: the program then prints completions and does nothing else."""

_OPTION_WITHOUT_VALUE = re.compile(r"--?[\w-]+=\s*")
_COMMANDS = {
    # name: (module, attribute, one line for --help, shown)
    "run": ("run", "run", "Run the demo: a system under load, a fault, an agent that repairs it.", True),
    "prepare": ("prepare", "prepare", "Pull and build beforehand all that a talk needs.", True),
    "notes": ("notes", "notes", "Show the speaker notes of a run, in a second terminal.", True),
    "status": ("status", "status", "Say what runs on the engine.", True),
    "down": ("down", "down", "Take a demo down and leave nothing behind.", True),
    "audit": ("audit", "audit", "Read every step of what the agent did.", True),
    "tickets": ("tickets", "tickets", "Read the tickets that the monitor opened.", True),
    "score": ("score", "score", "Say how good a run was, or compare two.", True),
    "eval": ("eval", "evaluate", "Run a campaign of scenarios and models, and compare.", True),
    "subjects": ("subjects", "subjects", "List the systems that can be shown.", True),
    "scenarios": ("subjects", "scenarios", "List the faults that can be shown on a subject.", True),
    "chaos": ("chaos", "chaos", "Break a running demo by hand, and take it back.", True),
    "doctor": ("doctor", "doctor", "Check this machine before a talk.", True),
    "completion": ("completion", "completion", "Print what a shell needs to complete this program's words.", True),
    "ctl": ("ctl", "ctl", "", False),
    "monitor": ("container", "monitor", "", False),
    "workload": ("container", "workload", "", False),
    "agent": ("container", "agent", "", False),
}


class LazyGroup(click.Group):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuses an empty argument of any command: `down --project "$UNSET"` must not take down somebody else's."""
        for number, argument in enumerate(args):
            if _OPTION_WITHOUT_VALUE.fullmatch(argument) and not ctx.resilient_parsing:
                raise click.UsageError(f"{argument.partition('=')[0]} is given, but empty.", ctx)
            if not argument.strip() and not ctx.resilient_parsing:
                place = f" after {args[number - 1]}" if number else ""
                raise click.UsageError(f"The argument{place} is empty.", ctx)
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name, (_, _, _, shown) in _COMMANDS.items() if shown]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, attribute, _, _ = _COMMANDS[cmd_name]
        command = getattr(importlib.import_module(f"operator_demo.commands.{module}"), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Without importing the commands themselves."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text, shown) in _COMMANDS.items() if shown])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem[str]]":
        """Without importing the commands themselves."""
        from click.shell_completion import CompletionItem

        own = [CompletionItem(name, help=text) for name, (_, _, text, shown) in _COMMANDS.items()
               if shown and name.startswith(incomplete)]
        return own + click.Command.shell_complete(self, ctx, incomplete)


def _version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from operator_demo.version import describe

        click.echo(describe())
        ctx.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--host", metavar="URL", envvar="OPERATOR_HOST",
              help="The Docker engine, as DOCKER_HOST; default: as the docker CLI would choose.")
@click.option("-v", "--verbose", is_flag=True,
              help="Write what the program does to debug.log beside the store; OPERATOR_LOG=debug does the same.")
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version,
              help="Show version and commit.")
@click.pass_context
def cli(ctx: click.Context, host: str | None, verbose: bool) -> None:
    """Show, live, how an AI operator keeps a real distributed system alive.

    \b
    Exit status: 0 as expected and verified, 1 not, 2 usage, 3 environment,
    129 hung up, 130 interrupted, 143 terminated.
    """
    ctx.obj = host
    level = os.environ.get("OPERATOR_LOG", "")
    if level not in ("", "debug"):
        raise click.UsageError(f"OPERATOR_LOG may be debug or empty, not {level!r}.", ctx)
    if verbose or level:
        from operator_demo import debug_log

        debug_log.start()


def main() -> Any:
    sys.excepthook = _report_defect
    out = Outlet(1)
    sys.stdout, sys.stderr = through(out, sys.stdout), through(Outlet(2), sys.stderr)
    try:
        status = cli(standalone_mode=False, complete_var=COMPLETE)
    except (OperatorError, click.ClickException) as e:
        status = _report(e)
    except (click.Abort, KeyboardInterrupt):
        status = Exit.INTERRUPTED
    sys.stdout.flush()
    if out.failure and not status:
        status = _report(OperatorError(f"The output could not be written: {out.failure}."))
    sys.exit(status if isinstance(status, int) else 0)


def _report(error: OperatorError | click.ClickException) -> Exit:
    """Prints an error that is meant for people; the exit status that goes with it."""
    from operator_demo.commands import output

    _log(error)
    if isinstance(error, OperatorError):
        output.complain(error.message, error.hint)
        return error.exit_status
    output.complain_of_usage(error)
    return Exit.USAGE if isinstance(error, click.UsageError) else Exit.ENVIRONMENT


def _report_defect(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """In the place of Python's own words, which may hold text from outside."""
    import traceback

    from operator_demo.commands import output

    _log(error)
    output.aside("".join(traceback.format_exception(kind, error, trace)).rstrip("\n"))


def _log(error: BaseException) -> None:
    """Into the log where it is on: only then the module is loaded."""
    if "operator_demo.debug_log" in sys.modules:
        from operator_demo import debug_log

        debug_log.error(error)
