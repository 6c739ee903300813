"""`operator-demo run`."""

import os
import random
import sys
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from operator_demo import own_variables, settings
from operator_demo.commands import completion, output
from operator_demo.commands.subject_choice import agree_to_pull, choose_subject
from operator_demo.commands.trusting import agreement, trust_option
from operator_demo.errors import OperatorError, UsageError
from operator_demo.evaluation import lifeline

if TYPE_CHECKING:
    from operator_demo.commands.fallback import FromRecording
    from operator_demo.engine import Engine
    from operator_demo.stage.environment import Environment
    from operator_demo.stage.host_lock import HostLock
    from operator_demo.stage.leftovers import Removal
    from operator_demo.stage.options import Options
    from operator_demo.subject import Found

PASSED_ON = ("ANTHROPIC_BASE_URL", "OPERATOR_LOG_DRIVER", "OPERATOR_LOG_SIZE")  # from the presenter's environment
LEFTOVERS = "Use --attach to go on with it, --restart to take it down first, or --project NAME to run beside it."


@click.command()
@click.argument("subject", required=False, shell_complete=completion.subject)
@click.option("--scenario", metavar="NAME|FILE", shell_complete=completion.scenario,
              help="Scenario to run; see `operator-demo scenarios`.")
@click.option("--auto/--manual", "auto", default=None,
              help="Advance automatically or on a key press; default: on a key press on a terminal.")
@click.option("--model", default="auto", show_default=True, metavar="auto|rehearsal|ID",
              help=f"auto: {settings.DEFAULT_MODEL} where ANTHROPIC_API_KEY is set, else the offline rehearsal.")
@click.option("--mode", type=click.Choice([settings.EXECUTE, settings.APPROVE, settings.OBSERVE]),
              default=settings.EXECUTE, show_default=True,
              help="approve: you are asked before the agent changes anything. observe: it has no shell and no Docker; "
                   "it only diagnoses.")
@click.option("--no-agent", is_flag=True, help="Run without an agent.")
@click.option("--keep", is_flag=True, help="Leave everything running at the end.")
@click.option("--keep-data", is_flag=True, help="Begin on the data that an earlier run left in the volumes.")
@click.option("--project", metavar="NAME", help="Compose project of the subject.  [default: demo-SUBJECT]")
@click.option("--display", type=click.Choice(["auto", "tui", "plain", "json", "quiet"]), default="auto",
              show_default=True, help="auto: tui on a terminal, else plain.")
@click.option("--big", is_flag=True, help="Show one panel at a time, for a terminal with a big font.")
@click.option("--seed", type=int, help="Seed for the choice of the target.")
@click.option("--pace", type=click.FloatRange(0, 600), default=4.0, show_default=True,
              help="Minimum seconds per chapter with --auto.")
@click.option("--talk", metavar="20m", callback=lambda _ctx, _option, text: _duration(text),
              help="The time that you have planned; `operator-demo notes` shows what is left.")
@click.option("--rate", type=click.IntRange(1, 5000), default=200, show_default=True,
              help="Operations per second of the workload.")
@click.option("--load", metavar="NAME", help="Also start this load maker of the subject's own; tikv has ycsb.")
@click.option("--max-time", type=click.FloatRange(10, 86400), default=7200.0, show_default=True,
              help="Stop the run and all its containers after this many seconds.")
@click.option("--budget-steps", type=click.IntRange(1), help="Maximum model requests per run.")
@click.option("--budget-seconds", type=click.FloatRange(1), help="Maximum seconds of agent work per run.")
@click.option("--budget-tokens", type=click.IntRange(1), help="Maximum tokens per run.")
@click.option("--budget-usd", type=click.FloatRange(0.001),
              help="Maximum US dollars per run; needs a model with a known price.")
@click.option("--publish", is_flag=True,
              help="Publish the dashboards on free ports of the engine's machine.")
@click.option("--open-network", is_flag=True,
              help="Let the agent's shell reach more than the subject's network.")
@click.option("--engine-socket", metavar="PATH", help="Path of the Docker socket on the engine's machine.")
@click.option("--attach", is_flag=True, help="Continue a run whose host process has ended.")
@click.option("--restart", is_flag=True, help="Take down what is left of this project first.")
@click.option("--fallback", is_flag=True,
              help="Where the run cannot go on, show the recording of its scenario from the same chapter, marked; the "
                   "exit status is then not 0.")
@trust_option
@click.option(lifeline.OPTION, is_flag=True, hidden=True, help="End, as on SIGTERM, when standard input ends.")
@click.pass_context
def run(ctx: click.Context, /, **_: object) -> None:
    """Run the demo on SUBJECT.

    The chapters: a healthy cluster under load, a fault, the monitor's ticket, the agent's repair, the oracle's
    verdict. SUBJECT is a name (see `operator-demo subjects`), or the folder or Compose file of your own system
    (./my-system, ./docker-compose.yml).
    Default: tikv if its images are on the engine; else you are asked, or, without a terminal, it is etcd.
    """
    given = Given(**ctx.params)
    if given.attach and given.restart:
        raise UsageError("--attach and --restart exclude each other.")
    for option, chosen in (("--keep-data", given.keep_data), ("--load", given.load)):
        if given.attach and chosen:
            raise UsageError("--attach goes on with a run as it is.", f"Leave out {option}.")
    if given.end_with_input:
        lifeline.end_with_input()
    resolved = resolve(given)

    from operator_demo import home
    from operator_demo import subject as subjects
    from operator_demo.engine import connect
    from operator_demo.stage.host_lock import HostLock

    # Before an engine is asked: it may be mistyped.
    found = subjects.load(given.subject, agreement(given.trust)) if given.subject else None
    fallback = make_fallback(given, resolved, found)
    try:
        with closing(connect(ctx.obj)) as engine:
            environment = make_environment(engine, found, given)
            with HostLock(home.home(), engine.id, environment.project) as host:
                status = perform(given, replace(resolved, fallback=fallback), environment, host)
    except OperatorError as e:
        if fallback is not None and not fallback.played and not isinstance(e, UsageError):
            fallback("", e.message)
        raise
    ctx.exit(status)


def make_fallback(given: "Given", resolved: "Resolved", found: "Found | None") -> "FromRecording | None":
    """Raises `UsageError` where it is asked for and there is none."""
    if not given.fallback:
        return None
    from operator_demo.chaos import scenario as scenarios
    from operator_demo.commands.fallback import from_recording

    if found is None:
        raise UsageError("--fallback needs to know which system is shown.", "Name it: `operator-demo run etcd`.")
    scenario = given.scenario or scenarios.default(found)
    return from_recording(found.subject.name, scenario, resolved.display, resolved.manual)


def perform(given: "Given", resolved: "Resolved", environment: "Environment", host: "HostLock") -> int:
    """Plays a new run, or goes on with the one that is on the engine; returns the exit status."""
    from operator_demo import events, home
    from operator_demo.chaos import scenario as scenarios
    from operator_demo.chaos.journal import FaultJournal
    from operator_demo.screen.display import make_display
    from operator_demo.stage.attaching import as_it_was, check_can_attach
    from operator_demo.stage.closing import end_run
    from operator_demo.stage.journal import Journal
    from operator_demo.stage.remote import socket_path
    from operator_demo.stage.run import Stage
    from operator_demo.store import Store

    engine, project, found = environment.engine, environment.project, environment.found
    journal, faults = Journal(home.home(), engine.id, project), FaultJournal(home.home(), engine.id, project)
    leftover = environment.leftover_run()
    attach, restart = settle_leftovers(leftover, project, given.attach, given.restart)
    run_id = leftover if attach and leftover else events.new_id("run")
    entry = journal.read() if attach else None
    name = given.scenario or (entry.scenario if entry and entry.run == run_id else scenarios.default(found))
    scenario = scenarios.load(found, name)
    if scenarios.is_file(name):
        name = os.path.abspath(name)  # to be found again by --attach, from wherever
    options = make_options(given, resolved, environment, run_id, name)
    with Store(home.store_path()) as store:
        if attach:
            check_can_attach(environment, run_id)
            options = as_it_was(options, store, entry)
        else:
            if given.subject:  # one that was chosen just now is agreed to
                agree_to_pull(environment)
            if restart:
                remove_leftovers(environment, volumes=not given.keep_data)
            elif not given.keep_data and environment.old_volumes():
                output.aside("An earlier run left its data; it is removed (--keep-data keeps it).")
                remove_old(environment)
            end_run(store, journal.run(), "Its host ended, and nothing was left of it.")
        answers = options.mode == settings.APPROVE and not given.end_with_input
        display = make_display(resolved.display, manual=resolved.manual, answers=answers, big=given.big)
        keys = None if given.end_with_input else socket_path(home.home(), run_id)
        stage = Stage(environment, scenario, store, journal, faults, display, options, host.asked_to_leave, keys)
        return stage.perform(attach=attach)


@dataclass(frozen=True)
class Given:
    """What the command line says, under the names of its options."""

    subject: str | None
    scenario: str | None
    auto: bool | None
    model: str
    mode: str
    no_agent: bool
    keep: bool
    keep_data: bool
    project: str | None
    display: str
    big: bool
    seed: int | None
    pace: float
    talk: float | None
    rate: int
    load: str | None
    max_time: float
    budget_steps: int | None
    budget_seconds: float | None
    budget_tokens: int | None
    budget_usd: float | None
    engine_socket: str | None
    publish: bool
    open_network: bool
    attach: bool
    restart: bool
    fallback: bool
    trust: bool
    end_with_input: bool

    def variables(self) -> dict[str, str]:
        """What goes on to our containers."""
        passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        return passed_on | {
            "OPERATOR_SAFETY_MODE": self.mode,
            "OPERATOR_RATE": str(self.rate), "OPERATOR_MAX_TIME": str(self.max_time),
            "OPERATOR_PACE": "90" if self.pace > 0 else "0",
            "OPERATOR_OPEN_NETWORK": "1" if self.open_network else "",
            "OPERATOR_DNS": "" if self.open_network else "127.0.0.1",
            "OPERATOR_BUDGET_STEPS": _text(self.budget_steps), "OPERATOR_BUDGET_SECONDS": _text(self.budget_seconds),
            "OPERATOR_BUDGET_TOKENS": _text(self.budget_tokens), "OPERATOR_BUDGET_USD": _text(self.budget_usd),
        }

    def chosen_seed(self) -> int:
        return random.SystemRandom().randrange(2**31) if self.seed is None else self.seed


@dataclass(frozen=True)
class Resolved:
    """What the options mean here: with or without a key, on a terminal or not."""

    brain: str
    model: str
    display: str
    manual: bool
    fallback: "FromRecording | None" = None


def resolve(given: Given) -> Resolved:
    from operator_demo.screen.color import choose_display

    brain, model = choose_brain(given.model, given.no_agent)
    display = choose_display(given.display, sys.stdin, sys.stdout, os.environ)
    manual = display == "tui" if given.auto is None else not given.auto
    if manual and not sys.stdin.isatty():
        raise UsageError("--manual needs a terminal to read keys from.", "Use --auto.")
    return Resolved(brain, model, display, manual)


def make_environment(engine: "Engine", found: "Found | None", given: Given) -> "Environment":
    """That of the chosen subject, or of the default one; nothing is brought up yet."""
    from operator_demo.stage.environment import Environment, check_project_name

    if found is None:
        found, why = choose_subject(engine, may_ask=not given.attach)
        output.aside(f"Subject: {found.subject.name} ({why}).")
    environment = Environment(engine, check_project_name(given.project or f"demo-{found.subject.name}"), found)
    if given.publish:
        environment.publish()
    if given.load:
        environment.add_load(given.load)
    return environment


def make_options(given: Given, resolved: Resolved, environment: "Environment", run_id: str,
                 scenario: str) -> "Options":
    from operator_demo.stage.options import Options
    from operator_demo.version import describe

    variables = given.variables() | {"OPERATOR_SUBJECT": environment.subject_inside,
                                     "OPERATOR_BRAIN": resolved.brain, "OPERATOR_MODEL": resolved.model}
    return Options(
        run=run_id, scenario=scenario, mode=given.mode, brain=resolved.brain, model=resolved.model,
        variables=variables, engine_socket=given.engine_socket, key=own_variables.api_key(),
        manual=resolved.manual, keep=given.keep, pace=given.pace, seed=given.chosen_seed(), version=describe(),
        talk=given.talk, fallback=resolved.fallback)


def remove_leftovers(environment: "Environment", volumes: bool) -> None:
    """Takes over what the containers recorded, then removes them; what could not be done is printed."""
    from operator_demo.stage.leftovers import remove_demo

    tell(remove_demo(environment, volumes=volumes, progress=progress, tell=output.aside))


def remove_old(environment: "Environment") -> None:
    """The same for volumes without containers."""
    from operator_demo.stage.leftovers import remove_old_data

    tell(remove_old_data(environment, progress, output.aside))


def progress(item: str, status: str) -> None:
    output.aside(f"{status} {item}")


def tell(removal: "Removal") -> None:
    for problem in removal.problems:
        output.aside(problem)


def choose_brain(model: str, no_agent: bool) -> tuple[str, str]:
    """(brain, model). Raises where a model of Claude's is asked for and there is no key."""
    key = own_variables.api_key()
    if no_agent:
        return "none", "none"
    if model == settings.REHEARSAL or (model == "auto" and not key):
        if model == "auto":
            output.aside("No ANTHROPIC_API_KEY: the brain is the offline rehearsal (rules, not Claude).")
        return settings.REHEARSAL, settings.REHEARSAL
    if not key:
        raise OperatorError(f"Model {model} needs a key, and ANTHROPIC_API_KEY is not set or empty.",
                            "Set it, or use --model rehearsal.")
    return settings.CLAUDE, settings.DEFAULT_MODEL if model == "auto" else model


def settle_leftovers(leftover: str | None, project: str, attach: bool, restart: bool) -> tuple[bool, bool]:
    """(attach, restart), asked of the presenter where there is one."""
    if leftover is None:
        if attach:
            raise OperatorError(f"There is no run of project {project} to attach to.",
                                "`operator-demo status` shows what runs.")
        return False, False
    if attach or restart:
        if attach and not leftover:
            raise OperatorError(f"Project {project} was not started by a run; there is nothing to attach to.",
                                "Use --restart, or --project NAME to run beside it.")
        return attach, restart
    if not output.on_terminal():
        raise OperatorError(f"Project {project} is on the engine already ({leftover or 'not by a run'}).", LEFTOVERS)
    choice = output.ask(f"Project {project} is on the engine already ({leftover or 'not by a run'}).\n"
                        "Attach to it, restart, or quit?", ["attach", "restart", "quit"],
                        default="attach" if leftover else "restart")
    if choice == "quit":
        raise click.Abort
    return choice == "attach", choice == "restart"


def _duration(text: str | None) -> float | None:
    from operator_demo import talk

    try:
        return talk.parse(text) if text is not None else None
    except ValueError as e:
        raise click.BadParameter(str(e)) from e


def _text(value: float | None) -> str:
    return "" if value is None else str(value)
