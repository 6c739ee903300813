"""A subject made of somebody's Compose file, and of subject.yaml where that is beside it: its members and scenarios."""

import os
import re
from collections.abc import Iterator, Mapping
from importlib.resources.abc import Traversable
from pathlib import Path

from operator_demo.compose import COMPLETED, Project, load_project, read_dotenv
from operator_demo.declared import FILE
from operator_demo.declared_subject import DeclaredSubject, subject_of
from operator_demo.errors import UsageError
from operator_demo.own_variables import foreign_environment
from operator_demo.plain_subject import Description
from operator_demo.subject import Found

NAMES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
"""In the order in which Compose looks for them."""


def find_compose_file(folder: Path) -> Path:
    """Raises `UsageError` where there is none."""
    for name in NAMES:
        if folder.joinpath(name).is_file():
            return folder / name
    if not folder.is_dir():
        raise UsageError(f"There is no folder and no file {folder}.")
    raise UsageError(f"{folder} holds no Compose file ({', '.join(NAMES)}).", "Name the file: ./folder/file.yaml.")


def environment_of(folder: Traversable) -> dict[str, str]:
    """What a Compose file there may name: the variables of this process but ours, over those of `.env` beside it."""
    ours_left_out = foreign_environment(os.environ)
    return read_dotenv(folder, ours_left_out) | ours_left_out


def describe(file: Path) -> Found:
    """The subject of which this Compose file is all that is known. Raises `UsageError` with the place of a mistake."""
    folder = file.parent
    name = re.sub("[^a-z0-9_-]", "", folder.name.lower()).lstrip("_-") or "subject"
    project = load_project(folder, file.name, project=name, env=environment_of(folder))
    members = tuple(_members(project))
    if not members:
        raise UsageError(f"{file} has no service that keeps running.", "A member is a service that does not end by "
                         "design: no other waits until it has completed.")
    declared = folder / FILE
    description = Description(name, f"{name}: {', '.join(members)}", members,
                              declared.read_text(encoding="utf-8") if declared.is_file() else "")
    subject = subject_of(description)
    return Found(subject, folder, outside=True, compose=file.name, described=description.to_json(),
                 scenarios=scenarios(one_network=len(_networks(project)) == 1,
                                     leader=isinstance(subject, DeclaredSubject) and subject.has_leader))


def _members(project: Project) -> Iterator[str]:
    """The services that keep running: for which nobody waits until they have ended."""
    ending = {name for service in project.services.values()
              for name, dependency in service.depends_on.items() if dependency.condition == COMPLETED}
    return (name for name in project.services if name not in ending)


def _networks(project: Project) -> set[str]:
    return {network for service in project.services.values() for network in service.networks}


_SCENARIOS: Mapping[str, tuple[str, str, str, str, str]] = {
    # name: title, kind of fault, cause, repair, narration
    "leader-kill": ("The leader is killed", "kill", "process_killed", "docker start $CONTAINER",
                    "The member that leads is killed without warning."),
    "member-kill": ("A service is killed", "kill", "process_killed", "docker start $CONTAINER",
                    "One service is killed without warning, as in a power failure."),
    "member-stop": ("A service is shut down", "stop", "process_stopped", "docker start $CONTAINER",
                    "One service is shut down cleanly, as by a maintenance job that forgot to start it again."),
    "member-pause": ("A service is frozen", "pause", "process_frozen", "docker unpause $CONTAINER",
                     "One service is frozen. Its connections stay open, but it does not answer."),
    "member-disconnect": ("A service is cut off", "disconnect", "network_disconnected",
                          "docker network connect --alias $MEMBER --alias $CONTAINER $NETWORK $CONTAINER",
                          "One service loses its network. It still runs, but no other service reaches it."),
}


def scenarios(one_network: bool, leader: bool) -> dict[str, str]:
    """Those that fit the system, by name, as the text of a scenario file. A member of several networks cannot be cut
    off from all of them at once."""
    unfit = {"member-disconnect": not one_network, "leader-kill": not leader}
    return {name: _scenario("leader" if name == "leader-kill" else "random", *about)
            for name, about in _SCENARIOS.items() if not unfit.get(name)}


_STORY = """
  healthy: Every service runs, and those with a health check pass it.
  load: Nothing is known of the clients of this system, so the program makes no load. The health checks go on.
  verified: The agent's claim does not count. The oracle looks from outside at what is known of the system.
"""


def _scenario(target: str, title: str, kind: str, cause: str, repair: str, narration: str) -> str:
    return (f"title: {title}\ndifficulty: easy\nfault: {{kind: {kind}, target: {target}}}\ncause: {cause}\n"
            f"invariants: [member_down]\nlimits: {{detect: 30, repair: 240}}\nrepair: ['{repair}']\n"
            f"story: {_STORY}  fault: '{narration}'\n")
