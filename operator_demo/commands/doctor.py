"""`operator-demo doctor`: checks this machine before a talk."""

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from operator_demo import own_variables
from operator_demo.commands import completion, output
from operator_demo.errors import Exit, OperatorError

if TYPE_CHECKING:
    from operator_demo.engine import Engine
    from operator_demo.subject import Subject

REPORT = "operator-demo-report.txt"
GIB = 1 << 30
NEEDED_DISK, NEEDED_MEMORY = 3 * GIB, 2 * GIB
SHARE = 0.5  # of the machine's memory that a subject may take; the rest is for the engine, the agent and others


@click.command()
@click.option("--report", type=click.Path(path_type=Path, dir_okay=False), is_flag=False, flag_value=Path(REPORT),
              metavar="[FILE]", shell_complete=completion.file,
              help="Also write all that a bug report needs into a file, without secrets.  [FILE: " + REPORT + "]")
@click.pass_context
def doctor(ctx: click.Context, report: Path | None) -> None:
    """Check this machine: Python, engine, images, disk, memory, key, terminal."""
    failed, lines = False, []
    for mark, what, words in checks(ctx.obj):
        failed = failed or mark == "FAIL"
        lines.append(f"{mark:<5} {what:<10} " + words.strip().replace("\n", "\n" + " " * 17))
        output.line(lines[-1])
    if report:
        from operator_demo import bug_report

        bug_report.write(report, lines)
        output.aside(f"{report} holds the report. Read it before you send it.")
    ctx.exit(Exit.ENVIRONMENT if failed else Exit.OK)


def checks(host: str | None) -> Iterator[tuple[str, str, str]]:
    """(ok, warn, FAIL, or - for information; what; what was found and what to do)."""
    yield "ok", "python", f"{sys.version.split()[0]} ({sys.executable})"
    yield from engine(host)
    yield from disk()
    yield ("ok", "key", "ANTHROPIC_API_KEY is set; the brain will be Claude") if own_variables.api_key() else \
        ("warn", "key", "no ANTHROPIC_API_KEY: the brain will be the offline rehearsal")
    yield from terminal()


def engine(host: str | None) -> Iterator[tuple[str, str, str]]:
    from operator_demo.engine import connect

    try:
        connected = connect(host)
    except OperatorError as e:
        yield "FAIL", "engine", f"{e.message}\n{e.hint}"
        return
    try:
        if connected.looked_at:
            yield "-", "not used", "\n".join(connected.looked_at)
        info: dict[str, Any] = connected.client.info()
        yield "ok", "engine", "\n".join((
            f"{connected.product} {connected.version}, API {connected.api_version}, {connected.arch}",
            f"at {connected.address}",
            f"cgroup v{info.get('CgroupVersion') or '?'}, storage driver {info.get('Driver') or '?'}, "
            f"{info.get('OperatingSystem') or '?'}"))
        memory = int(info.get("MemTotal", 0))
        yield ("ok" if memory >= NEEDED_MEMORY else "warn", "memory",
               f"{memory / GIB:.1f} GiB on the engine's machine ({NEEDED_MEMORY / GIB:.0f} GiB are enough)")
        yield socket(connected)
        yield from images(connected)
        yield from subjects(connected, memory)
    except OperatorError as e:
        yield "FAIL", "engine", f"{e.message}\n{e.hint}"
    finally:
        connected.close()


def socket(connected: Any) -> tuple[str, str, str]:
    from operator_demo.engine import BASE, find_socket, own_image

    if not own_image(connected, BASE):
        return "-", "socket", f"its path on the engine's machine is known once {BASE} is built"
    try:
        return "ok", "socket", f"{find_socket(connected, BASE)} on the engine's machine"
    except OperatorError as e:
        return "warn", "socket", f"{e.message}\n{e.hint}"


def images(connected: Any) -> Iterator[tuple[str, str, str]]:
    from operator_demo.engine import BASE, own_image
    from operator_demo.stage.images import agent_image

    try:
        wanted = [BASE, agent_image()]
    except OperatorError as e:
        yield "warn", "images", e.message
        return
    missing = [image for image in wanted if not own_image(connected, image)]
    yield ("ok", "images", "all built") if not missing else \
        ("warn", "images", f"not built from here yet: {', '.join(missing)}; `operator-demo prepare` builds them")


def subjects(connected: "Engine", memory: int) -> Iterator[tuple[str, str, str]]:
    """The subjects with images from a registry. Missing ones are no mistake: `run` can pull them, or take another
    subject."""
    from operator_demo import subject
    from operator_demo.stage.environment import Environment
    from operator_demo.stage.images import of_registry

    for name in subject.names():
        found = subject.load(name)
        wanted = of_registry(Environment(connected, f"demo-{name}", found).subject_project())
        if wanted:
            yield one_subject(connected, found.subject, wanted, memory)


def one_subject(connected: "Engine", subject: "Subject", wanted: Sequence[str], memory: int) -> tuple[str, str, str]:
    from operator_demo.commands.subject_choice import size_to_pull
    from operator_demo.engine import image_id, image_size
    from operator_demo.screen.quantities import size
    from operator_demo.subject import HasNeeds

    missing = [image for image in wanted if image_id(connected, image) is None]
    words = [f"{image}: " + ("not on the engine" if image in missing else size(image_size(connected, image)))
             for image in wanted]
    if missing:
        words.append(f"size of all images to pull: {size_to_pull(subject)}; `operator-demo prepare {subject.name}` "
                     "pulls what is missing")
    mark = "-" if missing else "ok"
    if isinstance(subject, HasNeeds):
        words.append(f"its containers take about {subject.needs.memory / GIB:.1f} GiB of the {memory / GIB:.1f} GiB of "
                     "memory on the engine's machine")
        words.append(f"figures: {subject.needs.source}")
        if subject.needs.memory > memory * SHARE:
            mark = "warn"
    return mark, subject.name, "\n".join(words)


def disk() -> Iterator[tuple[str, str, str]]:
    from operator_demo import home

    try:
        place = home.home()
    except OperatorError as e:
        yield "FAIL", "store", f"{e.message}\n{e.hint}"
        return
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    yield "ok" if free >= NEEDED_DISK else "warn", "disk", f"{free / GIB:.1f} GiB free at {place}"
    if not os.access(place, os.W_OK):
        yield "FAIL", "store", f"{place} cannot be written; choose another folder with OPERATOR_HOME"


def terminal() -> Iterator[tuple[str, str, str]]:
    size = shutil.get_terminal_size((0, 0))
    if not sys.stdout.isatty() or not size.columns:
        yield "warn", "terminal", "stdout is not a terminal: the run will print lines"
    elif size.columns < 80 or size.lines < 24:
        yield "warn", "terminal", f"{size.columns}x{size.lines}: small; 120x32 shows all panels, 80x24 most"
    else:
        yield "ok", "terminal", f"{size.columns}x{size.lines}, TERM={os.environ.get('TERM', '')}"
