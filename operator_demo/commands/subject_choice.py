"""Which subject is taken where none is named, and what is said before a registry is asked for its images."""

from typing import TYPE_CHECKING

import click

from operator_demo.commands import output

if TYPE_CHECKING:
    from operator_demo.engine import Engine
    from operator_demo.stage.environment import Environment
    from operator_demo.subject import Found, Subject

FLAGSHIP, DEFAULT = "tikv", "etcd"


def choose_subject(engine: "Engine", *, may_ask: bool = True) -> "tuple[Found, str]":
    """The flagship where its images are on the engine, else the default, which needs no registry; and why. On a
    terminal the user chooses, because the flagship's images may be large."""
    from operator_demo import subject as subjects
    from operator_demo.stage.environment import Environment

    flagship = subjects.load(FLAGSHIP)
    if not Environment(engine, f"demo-{FLAGSHIP}", flagship).images_to_pull():
        return flagship, "its images are on the engine"
    size = size_to_pull(flagship.subject)
    if may_ask and output.on_terminal():
        name = output.ask(f"The images of {FLAGSHIP} are not here ({size} to pull); those of {DEFAULT} are built here."
                          "\nWhich system?", [DEFAULT, FLAGSHIP], default=DEFAULT)
        return subjects.load(name), "chosen"
    return subjects.load(DEFAULT), ("its images are built here, nothing is pulled; "
                                    f"`operator-demo run {FLAGSHIP}` pulls {size}")


def tell_pull(environment: "Environment") -> bool:
    """Says which images of the subject will be pulled, and about how much that is. Is there anything to pull?"""
    missing, subject = environment.images_to_pull(), environment.found.subject
    if missing:
        output.aside(f"Not on the engine, and to be pulled: {', '.join(missing)}. "
                     f"Size of all images of {subject.name}: {size_to_pull(subject)}.")
    return bool(missing)


def agree_to_pull(environment: "Environment") -> bool:
    """The same, and asks on a terminal whether to go on; `click.Abort` if not."""
    needed = tell_pull(environment)
    if needed and output.on_terminal():
        click.confirm("Go on?", default=True, abort=True)
    return needed


def size_to_pull(subject: "Subject") -> str:
    from operator_demo.screen.quantities import size
    from operator_demo.subject import HasNeeds

    return f"about {size(subject.needs.pull)}" if isinstance(subject, HasNeeds) else "unknown"
