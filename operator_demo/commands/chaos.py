"""`operator-demo chaos`: break a running demo by hand, and take it back."""

import re
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from operator_demo import labels
from operator_demo.commands import completion, output
from operator_demo.commands.completion import DEFAULT_SUBJECT
from operator_demo.errors import Exit, OperatorError, UsageError
from operator_demo.events import Fault

if TYPE_CHECKING:
    from operator_demo.chaos.journal import FaultJournal, Record
    from operator_demo.chaos.primitive import Ground
    from operator_demo.engine import Container, Engine
    from operator_demo.stage.environment import Environment
    from operator_demo.subject import Found

_PROJECT = click.option("--project", metavar="NAME", help="Project of the demo; default: the only one on the engine.")


def seconds(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Of a duration such as 30, 30s, 2m or 1h."""
    if value is None:
        return None
    found = re.fullmatch(r"(\d{1,6}(?:\.\d+)?)([smh]?)", value.strip(), re.ASCII)
    if not found or float(found[1]) == 0:
        raise click.BadParameter(f"{value!r} is no duration; write 30s, 2m or 1h.", ctx, param)
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]]


@click.group()
def chaos() -> None:
    """Inject faults by hand: list, inject, revert, status.

    Each fault is recorded before it is injected, so that it can be reverted after any crash.
    """


@chaos.command("list")
@click.argument("subject", default=DEFAULT_SUBJECT, shell_complete=completion.subject)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_context
def list_(ctx: click.Context, subject: str, as_json: bool) -> None:
    """List all faults with their parameters, and why a fault is not possible on this engine or SUBJECT."""
    from operator_demo import subject as subjects
    from operator_demo.chaos.faults import FAULTS
    from operator_demo.chaos.primitive import plain

    found = subjects.load(subject)
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
    """Why each fault is not possible here; None where no engine answers."""
    from operator_demo.chaos import helper
    from operator_demo.chaos.faults import FAULTS
    from operator_demo.chaos.primitive import Ground
    from operator_demo.engine import connect

    try:
        engine = connect(host)
    except OperatorError as e:
        output.aside(f"No engine answers, so what it can do is not known: {e.message.splitlines()[0]}")
        return None
    try:
        ground = Ground(engine, f"chaos-{secrets.token_hex(4)}", "", found.subject,
                        helper.usable_image(engine, *_own_image()))
        return {kind: fault.problem(ground, []) for kind, fault in FAULTS.items()}
    finally:
        engine.close()


def _own_image() -> list[str]:
    from operator_demo.stage.images import agent_image

    try:
        return [agent_image()]
    except OperatorError:
        return []


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
@click.pass_context
def inject(ctx: click.Context, name: str, target: str, count: int, settings: tuple[str, ...], duration: float | None,
           subject: str | None, project: str | None) -> None:
    """Inject fault NAME into a running demo and verify that it took effect."""
    from operator_demo.chaos import targets
    from operator_demo.chaos.faults import FAULTS
    from operator_demo.chaos.injection import Injection
    from operator_demo.chaos.spec import FaultSpec, parse_parameters

    raw = dict(_pair(text) for text in settings)
    try:
        values = parse_parameters(name, raw)
    except ValueError as e:
        raise UsageError(f"{str(e)[0].upper()}{str(e)[1:]}.", "`operator-demo chaos list` shows all.") from e
    with _demo(ctx.obj, project, subject) as (environment, journal):
        named: str | list[str] = target.split(",") if "," in target else target
        try:
            targets.check(named, count, environment.found.subject,
                          FAULTS[name].aims_at(environment.found.subject))
        except ValueError as e:
            raise UsageError(f"{str(e)[0].upper()}{str(e)[1:]}.") from e
        host = _Host(environment)
        injection = Injection(host, journal, FaultSpec(name, named, count, values))
        image = next((c.image for c in environment.operators()), "") or next(iter(_own_image()), "")
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

    with _journals(ctx.obj, project) as (engine, journals):
        failed = False
        for name, journal in journals.items():
            environment = _environment(engine, name)
            left = journal.open()
            _announce(environment, left, 120.0)
            done, problems = revert_all(engine, name, journal, next(iter(_own_image()), ""),
                                        ask=_asker(environment))
            _announce(environment, left, 0.3)
            for record in done:
                output.line(f"{name}: reverted {_words(record)}")
                _store(record.run, Fault(phase="reverted", kind=record.kind, targets=tuple(record.targets),
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

    with _journals(ctx.obj, project) as (engine, journals):
        found = [{"project": name, "id": r.id, "kind": r.kind, "targets": r.targets, "parameters": r.parameters,
                  "phase": r.phase, "run": r.run, **_now(engine, name, r)}
                 for name, journal in journals.items() for r in journal.records()]
    if as_json:
        output.as_json(found)
        return
    if not found:
        output.line("No fault is on record.")
    for f in found:
        what = f"{f['kind']} of {', '.join(f['targets'])}" if f["targets"] else f["kind"]
        output.line(f"{f['project']}  {what}: {f['phase']}" + (f"; {f['saw']}" if f["saw"] else ""))


def _now(engine: "Engine", project: str, record: "Record") -> dict[str, Any]:
    """Does it hold, and what is seen of it now; nothing for one that is over."""
    from operator_demo import subject as subjects
    from operator_demo.chaos import helper
    from operator_demo.chaos.injector import Injector
    from operator_demo.chaos.journal import FaultJournal
    from operator_demo.chaos.primitive import Ground
    from operator_demo.home import home

    if not record.open:
        return {"holds": None, "saw": ""}
    try:
        ground = Ground(engine, project, record.network, subjects.load(record.subject).subject,
                        helper.usable_image(engine, record.image, *_own_image()),
                        _asker(_environment(engine, project)))
        proof = Injector(ground, FaultJournal(home(), engine.id, project)).holds(record)
    except OperatorError as e:
        return {"holds": None, "saw": f"cannot be told: {e.message}"}
    return {"holds": proof.bites, "saw": f"{'holds' if proof.bites else 'holds no more'}: {proof.saw}"}


# -- the demo that is meant ------------------------------------------------------------------------------------------

@contextmanager
def _demo(host: str | None, project: str | None, subject: str | None) -> "Iterator[tuple[Environment, FaultJournal]]":
    """A demo that runs, with its subject."""
    from operator_demo import home
    from operator_demo import subject as subjects
    from operator_demo.chaos.journal import FaultJournal
    from operator_demo.commands.down import choose
    from operator_demo.engine import connect
    from operator_demo.stage.environment import Environment, check_project_name, demos

    engine = connect(host)
    try:
        names = [check_project_name(project)] if project else choose(demos(engine), everything=False)
        if not names:
            raise OperatorError("No demo is on the engine.", "`operator-demo run --keep` leaves one running.")
        operators = Environment(engine, names[0]).operators()
        label = next((c.labels[labels.SUBJECT] for c in operators if labels.SUBJECT in c.labels), "")
        if not (subject or label):
            raise OperatorError(f"The demo {names[0]} does not run.", "`operator-demo status` shows what does.")
        environment = Environment(engine, names[0], subjects.load(subject or label))
        yield environment, FaultJournal(home.home(), engine.id, names[0])
    finally:
        engine.close()


@contextmanager
def _journals(host: str | None, project: str | None) -> "Iterator[tuple[Engine, dict[str, FaultJournal]]]":
    """The journals of faults that there are for this engine, or that of one project."""
    from operator_demo import home
    from operator_demo.chaos.journal import FaultJournal, projects_with_faults
    from operator_demo.engine import connect
    from operator_demo.stage.environment import check_project_name

    engine = connect(host)
    try:
        names = [check_project_name(project)] if project else projects_with_faults(home.home(), engine.id)
        yield engine, {name: FaultJournal(home.home(), engine.id, name) for name in names}
    finally:
        engine.close()


def _environment(engine: "Engine", project: str) -> "Environment":
    from operator_demo.stage.environment import Environment

    return Environment(engine, project)


def _asker(environment: "Environment") -> Callable[..., dict[str, Any]] | None:
    """Puts questions to the demo's own containers; None where they do not run."""
    from operator_demo.stage import feed

    monitor = environment.monitor()
    if monitor is None or monitor.state != "running":
        return None
    return lambda op, **arguments: feed.control(environment.engine, monitor.id, op, **arguments)


def _announce(environment: "Environment", records: "list[Record]", seconds: float) -> None:
    """Tells the monitor, where one runs, that what happens to the targets in the next seconds is the fault."""
    ask, names = _asker(environment), {name for record in records for name in record.targets}
    ids = [c.id for c in _members(environment) if c.service in names]
    if ask is not None and ids:
        with suppress(OperatorError):  # a monitor that just ended must not keep a fault from being taken back
            ask("fault", containers=ids, seconds=seconds)


class _Host:
    """See `chaos.injection.Host`: what happens is told by lines, and recorded where this machine has the run."""

    def __init__(self, environment: "Environment") -> None:
        self.run = environment.leftover_run() or ""
        self.subject = environment.subject_reference
        self._environment = environment
        self._ask = _asker(environment)

    def ground(self, image: str = "", *, up: bool = True) -> "Ground":
        return replace(self._environment.ground(image, up=up), ask=self._ask)

    def tell(self, fault: Fault) -> None:
        output.line(f"{fault.phase:<10} {_words(fault)}" + (f": {fault.saw}" if fault.saw else ""))
        _store(self.run, fault)

    def roles(self) -> dict[str, str]:
        """Of the members that are healthy, as the monitor sees them."""
        members = self._ask("observe")["members"] if self._ask is not None else {}
        return {name: "leader" if m.get("leader") else "follower" for name, m in members.items() if m.get("healthy")}


def _members(environment: "Environment") -> "list[Container]":
    from operator_demo.engine import members

    return members(environment.engine, environment.project)


def _store(run: str, fault: Fault) -> None:
    """Into the record of the run, where this machine has it."""
    from operator_demo import events, home
    from operator_demo.store import Store

    if not run:
        return
    with Store(home.store_path()) as store:
        if store.row("SELECT run FROM runs WHERE run=?", run) is not None:
            store.record(events.event(run, events.STAGE, fault))


def _words(fault: "Record | Fault") -> str:
    return f"{fault.kind} of {', '.join(fault.targets)}" if fault.targets else fault.kind


@contextmanager
def _interruptible() -> Iterator[Callable[[], int]]:
    """Signals are only noted, so that what was injected is taken back: the number of the first, else 0."""
    got: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        got.append(number)

    before = {s: signal.signal(s, note) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield lambda: got[0] if got else 0
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
