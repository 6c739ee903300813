"""`operator-demo chaos`: inject faults into a running demo by hand, and revert them."""

import re
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

import click

from operator_demo.commands import completion, output
from operator_demo.commands.completion import DEFAULT_SUBJECT
from operator_demo.commands.trusting import agreement, trust_option
from operator_demo.errors import Exit, OperatorError, UsageError
from operator_demo.events import Fault

if TYPE_CHECKING:
    from operator_demo.chaos.journal import Record
    from operator_demo.subject import Found

_PROJECT = click.option("--project", metavar="NAME", help="Project of the demo; default: the only one on the engine.")


def seconds(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Seconds of a duration such as 30, 30s, 2m or 1h."""
    if value is None:
        return None
    duration = re.fullmatch(r"(\d{1,6}(?:\.\d+)?)([smh]?)", value.strip(), re.ASCII)
    if not duration or float(duration[1]) == 0:
        raise click.BadParameter(f"{value!r} is not a duration; write 30s, 2m or 1h.", ctx, param)
    return float(duration[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[duration[2]]


@click.group()
def chaos() -> None:
    """Inject faults by hand: list, inject, revert, status.

    Each fault is recorded before it is injected, so that it can be reverted after any crash.
    """


@chaos.command("list")
@click.argument("subject", default=DEFAULT_SUBJECT, shell_complete=completion.subject)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@trust_option
@click.pass_context
def list_(ctx: click.Context, subject: str, as_json: bool, trust: bool) -> None:
    """List all faults with their parameters, and why a fault is not possible on this engine or SUBJECT."""
    from operator_demo import subject as subjects
    from operator_demo.chaos.faults import FAULTS
    from operator_demo.chaos.primitive import plain

    found = subjects.load(subject, agreement(trust))
    reasons = _reasons(ctx.obj, found)
    if as_json:
        output.as_json([{
            "kind": fault.kind, "what": fault.what, "proof": fault.proof, "targets": fault.targeted,
            "possible": None if reasons is None else reasons[fault.kind] is None,
            "reason": reasons[fault.kind] if reasons else None,
            "parameters": {name: {"what": p.what, "unit": p.unit, "least": p.least, "most": p.most,
                                  "default": p.default} for name, p in fault.parameters.items()},
        } for fault in FAULTS.values()])
        return
    for fault in FAULTS.values():
        reason = reasons[fault.kind] if reasons else None
        line = f"{fault.kind:<13} {fault.what}" if reason is None else f"{fault.kind:<13} not here: {reason}"
        output.line(line, "" if reason is None else "dim")
        for name, p in fault.parameters.items() if reason is None else ():
            output.line(f"{'':<13}   --set {name}={plain(p.default)}   {p.what}, {p.range}")


def _reasons(host: str | None, found: "Found") -> dict[str, str | None] | None:
    """Why each fault is not possible here; None if no engine answers."""
    from operator_demo.engine import connect
    from operator_demo.stage import by_hand

    try:
        engine = connect(host)
    except OperatorError as e:
        output.aside(f"No engine answers, so it is not known which faults are possible: {e.message.splitlines()[0]}")
        return None
    try:
        return by_hand.obstacles(engine, found)
    finally:
        engine.close()


@chaos.command()
@click.argument("name")
@click.option("--target", default="random", show_default=True, metavar="MEMBER|ROLE|KIND",
              help="random, leader, follower, a kind of member, a member, or several members with commas.")
@click.option("--count", type=click.IntRange(1), default=1, show_default=True,
              help="Number of members of a role or kind.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A parameter; see `chaos list`.")
@click.option("--for", "duration", callback=seconds, metavar="TIME",
              help="Revert the fault after this time (30s, 2m).")
@click.option("--subject", metavar="NAME|FOLDER",
              help="Folder of the subject; needed only for your own subjects.")
@_PROJECT
@trust_option
@click.pass_context
def inject(ctx: click.Context, name: str, target: str, count: int, settings: tuple[str, ...], duration: float | None,
           subject: str | None, project: str | None, trust: bool) -> None:
    """Inject fault NAME into a running demo and verify that it took effect."""
    from operator_demo.chaos import targets
    from operator_demo.chaos.faults import FAULTS
    from operator_demo.chaos.injection import Injection
    from operator_demo.chaos.spec import FaultSpec, parse_parameters
    from operator_demo.stage import by_hand

    raw = dict(_pair(text) for text in settings)
    try:
        values = parse_parameters(name, raw)
    except ValueError as e:
        raise UsageError(f"{str(e)[0].upper()}{str(e)[1:]}.", "`operator-demo chaos list` shows all.") from e
    with by_hand.demo(ctx.obj, project, subject, agreement(trust)) as (environment, journal):
        named: str | list[str] = target.split(",") if "," in target else target
        try:
            targets.check(named, count, environment.found.subject,
                          FAULTS[name].aims_at(environment.found.subject))
        except ValueError as e:
            raise UsageError(f"{str(e)[0].upper()}{str(e)[1:]}.") from e
        host = by_hand.Host(environment, _print)
        injection = Injection(host, journal, FaultSpec(name, named, count, values))
        image = environment.image() or by_hand.own_image()
        try:
            record = injection.plan(host.roles(), secrets.randbelow(2**31), image)
            with _interruptible() as interrupted:
                injection.inject()
                injection.stop()
                if duration is None:
                    output.line("The fault stays until it is repaired, or until `operator-demo chaos revert`.")
                    return
                end = time.monotonic() + duration
                while time.monotonic() < end and not interrupted():
                    time.sleep(0.1)
                injection.take_back(record)
                if number := interrupted():
                    ctx.exit(128 + number)
        finally:
            injection.stop()


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--set takes NAME=VALUE, not {text!r}.")
    return name.strip(), value.strip()


@chaos.command()
@_PROJECT
@click.pass_context
def revert(ctx: click.Context, project: str | None) -> None:
    """Revert every fault that is still in effect, also after a crash."""
    from operator_demo.chaos.injector import revert_all
    from operator_demo.stage import by_hand
    from operator_demo.stage.environment import Environment

    with by_hand.journals(ctx.obj, project) as (engine, journals):
        failed = False
        for name, journal in journals.items():
            environment = Environment(engine, name)
            left = journal.open()
            by_hand.announce(environment, left, 120.0)
            done, problems = revert_all(engine, name, journal, by_hand.own_image(),
                                        ask=by_hand.monitor_of(environment))
            by_hand.announce(environment, left, 0.3)
            for record in done:
                output.line(f"{name}: reverted {_words(record)}")
                by_hand.record(record.run, Fault(phase="reverted", kind=record.kind, targets=tuple(record.targets),
                                                 id=record.id))
            for problem in problems:
                output.aside(f"{name}: not reverted: {problem}")
            failed = failed or bool(problems)
            if not done and not problems:
                output.line(f"{name}: nothing to revert.")
            if not problems:
                journal.clear()
        if not journals:
            output.line("Nothing to revert.")
        ctx.exit(Exit.ENVIRONMENT if failed else Exit.OK)


@chaos.command()
@_PROJECT
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_context
def status(ctx: click.Context, project: str | None, as_json: bool) -> None:
    """Show the injected faults and whether they are still in effect."""
    from operator_demo.stage import by_hand

    rows = []
    with by_hand.journals(ctx.obj, project) as (engine, journals):
        for name, journal in journals.items():
            for r in journal.records():
                holds, saw = by_hand.in_effect(engine, name, r)
                rows.append({"project": name, "id": r.id, "kind": r.kind, "targets": r.targets,
                             "parameters": r.parameters, "phase": r.phase, "run": r.run, "holds": holds, "saw": saw})
                if not as_json:
                    output.line(f"{name}  {_words(r)}: {r.phase}" + (f"; {saw}" if saw else ""))
    if as_json:
        output.as_json(rows)
    elif not rows:
        output.line("No fault is on record.")


def _print(fault: Fault) -> None:
    output.line(f"{fault.phase:<10} {_words(fault)}" + (f": {fault.saw}" if fault.saw else ""))


def _words(fault: "Record | Fault") -> str:
    return f"{fault.kind} of {', '.join(fault.targets)}" if fault.targets else fault.kind


@contextmanager
def _interruptible() -> Iterator[Callable[[], int]]:
    """Signals are only noted, so that the fault is reverted. Yields a function for the number of the first, else 0."""
    got: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        got.append(number)

    before = {s: signal.signal(s, note) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield lambda: got[0] if got else 0
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
