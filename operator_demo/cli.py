"""The command line. Commands are imported when they are called, so that `--help` and `audit list` start at once."""

import importlib
import os
import re
import sys
import threading
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
    "prepare": ("prepare", "prepare", "Pull and build all images in advance.", True),
    "notes": ("notes", "notes", "Show the speaker notes of a run, in a second terminal.", True),
    "replay": ("replay", "replay", "Draw a recorded run again; needs no engine.", True),
    "record": ("record", "record", "Write a recorded run as an asciicast or as pictures.", True),
    "approve": ("approve", "approve", "Answer what the agent asks for in `run --mode approve`.", True),
    "status": ("status", "status", "Show the demos on the engine.", True),
    "down": ("down", "down", "Take a demo down.", True),
    "audit": ("audit", "audit", "Read every step of the agent.", True),
    "tickets": ("tickets", "tickets", "Read the tickets that the monitor opened.", True),
    "report": ("report", "report", "Write a run as one HTML page to send, or as a post-mortem.", True),
    "score": ("score", "score", "Show the score of a run, or compare two.", True),
    "eval": ("eval", "evaluate", "Run a campaign of scenarios and models and compare them.", True),
    "subjects": ("subjects", "subjects", "List the available systems.", True),
    "scenarios": ("subjects", "scenarios", "List, show, check and prove the scenarios of a subject.", True),
    "chaos": ("chaos", "chaos", "Inject faults into a running demo by hand, and revert them.", True),
    "doctor": ("doctor", "doctor", "Check this machine before a talk.", True),
    "completion": ("completion", "completion", "Print the completion script of a shell.", True),
    "ctl": ("ctl", "ctl", "", False),
    "monitor": ("container", "monitor", "", False),
    "workload": ("container", "workload", "", False),
    "agent": ("container", "agent", "", False),
    "guard": ("container", "guard", "", False),
    "guard-answer": ("container", "guard_answer", "", False),
    "network": ("container", "network", "", False),
    "relay": ("container", "relay", "", False),
}


class LazyGroup(click.Group):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuses empty arguments of every command: `down --project "$UNSET"` must not take down another demo."""
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
        """Does not import the commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text, shown) in _COMMANDS.items() if shown])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem[str]]":
        """Does not import the commands."""
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
              help="Address of the Docker engine, as in DOCKER_HOST; default: the one that the docker CLI uses.")
@click.option("-v", "--verbose", is_flag=True,
              help="Write a debug log (debug.log beside the store); same as OPERATOR_LOG=debug.")
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
    sys.excepthook, threading.excepthook = _report_defect, _report_defect_of_thread
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


def _report(error: OperatorError | click.ClickException) -> int:
    """Prints an error for people and returns the exit status."""
    from operator_demo.commands import output

    _log(error)
    if isinstance(error, OperatorError):
        output.complain(error.message, error.hint)
        return error.exit_status
    output.complain_of_usage(error)
    return Exit.USAGE if isinstance(error, click.UsageError) else Exit.ENVIRONMENT


def _report_defect(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Replaces Python's own traceback output, which may contain unclean text from outside."""
    import traceback

    from operator_demo.commands import output

    _log(error)
    output.aside("".join(traceback.format_exception(kind, error, trace)).rstrip("\n"))


def _report_defect_of_thread(failure: threading.ExceptHookArgs) -> None:
    if failure.exc_value is not None and failure.exc_type is not SystemExit:
        _report_defect(failure.exc_type, failure.exc_value, failure.exc_traceback)


def _log(error: BaseException) -> None:
    """Writes to the debug log if it is on: only then is its module loaded."""
    if "operator_demo.debug_log" in sys.modules:
        from operator_demo import debug_log

        debug_log.error(error)
