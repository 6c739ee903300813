"""`operator-demo subjects` and `operator-demo scenarios`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from operator_demo.commands import completion, output
from operator_demo.commands.completion import DEFAULT_SUBJECT
from operator_demo.commands.default_group import DefaultGroup
from operator_demo.commands.prove import prove
from operator_demo.commands.trusting import agreement, trust_option
from operator_demo.errors import UsageError

if TYPE_CHECKING:
    from operator_demo.chaos.scenario import Scenario
    from operator_demo.proven import Entry

NOT_RUN = "not tested yet"


@click.command()
def subjects() -> None:
    """List the available systems."""
    from operator_demo import subject

    for name in subject.names():
        found = subject.load(name).subject
        output.line(f"{name:<10} {found.title} ({', '.join(found.members)})")


@click.group(cls=DefaultGroup, default="list", alone=True)
def scenarios() -> None:
    """List, show, check and prove the scenarios of a subject.

    Without a command: list.
    """


scenarios.add_command(prove)


@scenarios.command("list")
@click.argument("subject", default=DEFAULT_SUBJECT, shell_complete=completion.subject)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@trust_option
def list_(subject: str, as_json: bool, trust: bool) -> None:
    """List the scenarios of SUBJECT (default: etcd).

    The column `rehearsal` shows how the offline rehearsal ended when it was last proved, here or in the tests.
    """
    from operator_demo import proven
    from operator_demo import subject as subjects
    from operator_demo.chaos import scenario

    found = subjects.load(subject, agreement(trust))
    rehearsal, alone = proven.read(found), proven.read(found, proven.WITHOUT_AGENT)
    plays = [scenario.load(found, name) for name in scenario.known(found)]
    default = scenario.default(found)
    if as_json:
        output.as_json([{"name": play.name, "title": play.title, "difficulty": play.difficulty,
                         "outcome": play.outcome, "default": play.name == default,
                         "rehearsal": rehearsal.get(play.name), "without_agent": alone.get(play.name)}
                        for play in plays])
        return
    width = max(len(play.name) for play in plays) + 2
    output.line(f"{'':{width}}{'difficulty':<12}{'right is':<11}{'rehearsal':<16}")
    for play in plays:
        mark = " (default)" if play.name == default else ""
        output.line(f"{play.name:<{width}}{play.difficulty:<12}{play.outcome:<11}{_short(rehearsal.get(play.name)):<16}"
                   f"{play.title}{mark}")


@scenarios.command()
@click.argument("name", metavar="NAME|FILE", shell_complete=completion.scenario)
@click.option("--subject", default=DEFAULT_SUBJECT, show_default=True, shell_complete=completion.subject,
              help="Whose scenario it is.")
@trust_option
def show(name: str, subject: str, trust: bool) -> None:
    """Show one scenario with its speaker notes and known repair."""
    from operator_demo import proven
    from operator_demo import subject as subjects
    from operator_demo.chaos import scenario

    found = subjects.load(subject, agreement(trust))
    rehearsal, alone = proven.read(found), proven.read(found, proven.WITHOUT_AGENT)
    for line in _described(scenario.load(found, name), rehearsal.get(name), alone.get(name)):
        output.line(line)


@scenarios.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--subject", default=DEFAULT_SUBJECT, show_default=True, shell_complete=completion.subject,
              help="Whose members and invariants they name.")
@trust_option
@click.pass_context
def check(ctx: click.Context, files: tuple[str, ...], subject: str, trust: bool) -> None:
    """Check scenario files and report each mistake with file, line and key."""
    from operator_demo import subject as subjects
    from operator_demo.chaos import scenario

    found, failed = subjects.load(subject, agreement(trust)), False
    for file in files:
        if not scenario.is_file(file):
            raise UsageError(f"{file} is not a scenario file: its name does not end in .yaml or .yml.")
        try:
            play = scenario.load(found, file)
            output.line(f"{file}: ok: {play.title}")
        except UsageError as e:
            failed = True
            output.aside(e.message)
    ctx.exit(UsageError.exit_status if failed else 0)


def _short(entry: "Entry | None") -> str:
    return str(entry["outcome"]) if entry else NOT_RUN


def _long(entry: "Entry | None") -> str:
    return f"{entry['outcome']} ({entry['date']}, {entry['version']})" if entry else NOT_RUN


def _described(play: "Scenario", rehearsal: "Entry | None", alone: "Entry | None") -> Iterator[str]:
    fault = play.fault
    who = fault.target if isinstance(fault.target, str) else ", ".join(fault.target)
    many = f" x {fault.count}" if fault.count > 1 and isinstance(fault.target, str) else ""
    values = "".join(f" {name}={value:g}" for name, value in fault.parameters.items())
    again = f", again {fault.again:g} s after the cluster is healthy" if fault.again else ""
    yield f"{play.name}: {play.title}"
    yield f"  difficulty  {play.difficulty}"
    yield f"  fault       {fault.kind} of {who}{many}{values}{again}"
    yield f"  cause       {play.cause}"
    yield f"  must show   {', '.join(play.invariants) or 'nothing'}"
    yield f"  right is    {play.outcome}"
    if play.ticket:
        yield f"  false       {play.ticket.invariant} of {play.ticket.member or 'the cluster'}: {play.ticket.text}"
    if play.allow:
        yield f"  may change  {', '.join(play.allow)}"
    yield f"  limits      {play.detect_limit:g} s to the ticket, {play.repair_limit:g} s to the repair"
    yield f"  no agent    {_long(alone)}"
    yield f"  rehearsal   {_long(rehearsal)}"
    for chapter, texts in play.story.items():
        yield from _block(chapter, texts.narration)
        yield from _block(f"{chapter}, for the speaker", texts.notes)
    yield from _block("known repair", "\n".join(play.repair))


def _block(title: str, text: str) -> Iterator[str]:
    if text:
        yield f"  {title}:"
        yield from (f"    {line}" for line in text.splitlines())
