"""`operator-demo prepare`: builds and pulls all images in advance."""

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from operator_demo.commands import completion, output
from operator_demo.commands.subject_choice import choose_subject, tell_pull
from operator_demo.commands.trusting import agreement, trust_option
from operator_demo.errors import UsageError

if TYPE_CHECKING:
    from operator_demo.engine import Engine
    from operator_demo.trust import Agree


@click.command()
@click.argument("subject", required=False, shell_complete=completion.subject)
@click.option("--save", type=click.Path(path_type=Path), metavar="FILE",
              help="Write all images to one file, for a machine without a registry.")
@click.option("--load", type=click.Path(path_type=Path), metavar="FILE",
              help="Load the images from a file written with --save.")
@trust_option
@click.pass_context
def prepare(ctx: click.Context, subject: str | None, save: Path | None, load: Path | None, trust: bool) -> None:
    """Pull and build all images that SUBJECT needs.

    Afterwards `run` needs no network, except for Claude.
    """
    from operator_demo.engine import connect, load_images

    if save and load:
        raise UsageError("--save and --load exclude each other.")
    engine = connect(ctx.obj)
    try:
        if load:
            load_images(engine, load, progress=_tell, stop=threading.Event())
        _prepare(engine, subject, save, agreement(trust))
    finally:
        engine.close()


def _prepare(engine: "Engine", subject: str | None, save: Path | None, agree: "Agree") -> None:
    from operator_demo import subject as subjects
    from operator_demo.engine import BASE, image_size, save_images
    from operator_demo.stage.environment import Environment

    found = subjects.load(subject, agree) if subject else choose_subject(engine)[0]
    name = subject or found.subject.name
    environment = Environment(engine, f"demo-{found.subject.name}", found)
    tell_pull(environment)
    agent = environment.prepare(_tell, threading.Event())
    wanted = sorted({service.image for service in environment.subject_project().services.values()} | {agent, BASE})
    for image in wanted:
        output.line(f"{image:<40} {image_size(engine, image) / 1e6:8.0f} MB")
    if save:
        size = save_images(engine, wanted, save, stop=threading.Event())
        output.line(f"{save} has all of them ({size / 1e6:.0f} MB); on the other machine: "
                   f"operator-demo prepare {name} --load {save.name}")
    output.line(f"{name} is ready; `operator-demo run {name}` needs no registry now.")


def _tell(item: str, status: str, /) -> None:
    output.line(f"{item}: {status}")
