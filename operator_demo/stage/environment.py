"""Everything of a run on the engine: the subject's project and our own."""

import json
import os
import re
import secrets
import tempfile
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from operator_demo import labels
from operator_demo.chaos.injector import check
from operator_demo.chaos.primitive import Ground
from operator_demo.compose import Project, down, load_project, published, up, with_folder, with_networks, with_ports
from operator_demo.compose_subject import environment_of
from operator_demo.engine import (
    BASE,
    Container,
    ContainerState,
    Engine,
    Helper,
    NotOnEngine,
    Progress,
    container_action,
    container_states,
    discover_network,
    discover_networks,
    find_socket,
    image_id,
    members,
    one_off,
    own_image,
    project_volumes,
    projects,
    read_file_from,
    read_volume,
    remove_container,
    session_containers,
)
from operator_demo.errors import OperatorError, UsageError
from operator_demo.events import AGENT, MONITOR, Event
from operator_demo.own_variables import foreign_environment
from operator_demo.settings import HELPER_SERVICE
from operator_demo.stage import images
from operator_demo.stage.control import Control, ask_guard
from operator_demo.stage.feed import Feed
from operator_demo.stage.inbox import Inbox
from operator_demo.stage.record_check import DECIDING
from operator_demo.store import Store
from operator_demo.subject import Found, HasOwnLoad
from operator_demo.version import describe
from operator_demo.wire import SCHEMA_VERSION

DASHBOARDS_PROFILE = "dashboards"  # of the subject's dashboards, which `--publish` starts too
RATE = "OPERATOR_RATE"  # what a subject's own load aims at
LOAD_PROFILE = "load"  # of a service of the subject that makes load
ENGINE_PATIENCE = 10.0  # seconds that an engine may take to list containers
AGENT_SERVICES = ("agent", "observer")
AGENT_NEEDS = ("network", "relay")  # what the agent needs until its end
OUR_NETWORK = "subject"  # what our Compose file calls the subject's main network
GUARD = "guard"  # which the agent and the monitor need until theirs
OUTSIDE = "/opt/operator/subjects"  # the folder in our containers for a subject that is not part of the program


# Labels are written by whoever uses the engine, and these two become names of files in the home.
_PROJECT = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_RUN = re.compile(r"run-\w{1,32}", re.ASCII)


def check_project_name(name: str) -> str:
    """Compose's own rule."""
    if not _PROJECT.fullmatch(name):
        raise UsageError(f"{name!r} is no project name.",
                         "Use lower-case letters, digits, dashes and underscores, beginning with a letter or digit.")
    return name


def operator_project(project: str) -> str:
    return f"{project}-operator"


def demos(engine: Engine) -> list[str]:
    """The subjects' projects of all demos on the engine, also incomplete ones."""
    names = {project.name.removesuffix("-operator") for project in projects(engine)}
    return sorted(name for name in names if _PROJECT.fullmatch(name))


def choose(projects: list[str]) -> list[str]:
    """The only project, or none. Raises `UsageError` if there are several."""
    if len(projects) > 1:
        raise UsageError(f"There are several demos: {', '.join(projects)}.", "Name one with --project, or use --all.")
    return projects


class Environment:
    """`project` is the subject's Compose project; ours is `<project>-operator`. `found` is needed to start it, not to
    remove it."""

    def __init__(self, engine: Engine, project: str, found: Found | None = None) -> None:
        self.engine = engine
        self.project = project
        self._found = found
        self.profiles: list[str] = []  # of the subject's file; `prepare` adds those that are possible
        self._ports: Mapping[str, int] = {}  # to publish, by service of the subject
        self.added_load = ""  # the service of the subject that makes load besides our own
        self.remarks: list[str] = []  # for the presenter

    @property
    def found(self) -> Found:
        assert self._found is not None
        return self._found

    @property
    def subject_inside(self) -> str:
        """How our containers find the subject: by its name, or, if it is not part of the program, by its folder
        there, or by its description."""
        if self.found.described:
            return self.found.described
        return f"{OUTSIDE}/{self.found.folder.name}" if self.found.outside else self.found.subject.name

    # -- up ----------------------------------------------------------------------------------------------------------

    def subject_project(self, run: str = "", variables: Mapping[str, str] | None = None) -> Project:
        """The subject's Compose file with the chosen profiles. It may name what stands in the presenter's environment,
        but of our own variables only OPERATOR_RATE."""
        return self._read(self.profiles, run, variables)

    def _read(self, profiles: list[str], run: str = "", variables: Mapping[str, str] | None = None) -> Project:
        rate = {name: value for name, value in (variables or {}).items() if name == RATE}
        env = environment_of(self.found.folder) if self.found.outside else foreign_environment(os.environ)
        project = load_project(self.found.folder, self.found.compose, project=self.project,
                               env=env | rate, profiles=profiles,
                               extra_labels={labels.RUN: run} if run else {})
        return with_ports(project, self._ports)

    def publish(self) -> None:
        """Publishes the subject's dashboards (`published`) on the engine's machine. Call it before `prepare`. Raises
        `UsageError` if the subject has none."""
        self._ports = getattr(self.found.subject, "published", {})
        if not self._ports:
            raise UsageError(f"{self.found.subject.name} has nothing to publish.", "Leave out --publish.")
        self.profiles.append(DASHBOARDS_PROFILE)

    def add_load(self, name: str) -> None:
        """Starts the subject's own service `name` too, which makes load. Call it before `prepare`. Raises `UsageError`
        if the subject has no such service."""
        without = self.subject_project().services
        offered = [service for service in self._with_load().services if service not in without]
        if name not in offered:
            hint = f"It has {', '.join(offered)}." if offered else "It has none; leave out --load."
            raise UsageError(f"{self.found.subject.name} has no service {name!r} that makes load.", hint)
        self.profiles.append(LOAD_PROFILE)
        self.added_load = name

    def addresses(self) -> dict[str, str]:
        """The URLs of the published services, by service."""
        addresses = published(self.engine, self.project, self._ports) if self._ports else {}
        return {service: f"http://{address}" for service, address in addresses.items()}

    def images_to_pull(self) -> list[str]:
        """The subject's images that `prepare` pulls, by name."""
        wanted = self._with_load() if isinstance(self.found.subject, HasOwnLoad) else self.subject_project()
        return images.to_pull(self.engine, wanted)

    def _with_load(self) -> Project:
        return self._read([*self.profiles, LOAD_PROFILE])

    def prepare(self, progress: Progress, stop: threading.Event) -> str:
        """Builds and pulls all missing images; returns the name of the agent's. Without the image that makes the load
        there is no load, and `remarks` says so."""
        project = self.subject_project()
        for service in project.services.values():
            if service.passed_over:
                self.remarks.append(f"{self.found.compose}: {service.name}: {', '.join(service.passed_over)} changes "
                                    "nothing here, and is passed over.")
        agent = images.ensure_all(self.engine, project, progress, stop)
        if isinstance(self.found.subject, HasOwnLoad) and LOAD_PROFILE not in self.profiles:
            whole = self._with_load()
            missing = images.ensure_extra(self.engine, project, whole, progress, stop)
            if missing:
                self.remarks.append(f"There is no load: {missing}")
            else:
                self.profiles.append(LOAD_PROFILE)
        return agent

    @property
    def without_load(self) -> bool:
        """Is there no load, because the subject's own service that makes it is missing?"""
        return isinstance(self.found.subject, HasOwnLoad) and LOAD_PROFILE not in self.profiles

    @property
    def stand_ins(self) -> list[str]:
        """The subject's services whose image only stands in for the real one."""
        return sorted(c.service for c in members(self.engine, self.project) if labels.STAND_IN in c.labels)

    def up_subject(self, run: str, variables: Mapping[str, str], progress: Progress, stop: threading.Event) -> None:
        up(self.engine, self.subject_project(run, variables), progress=progress, stop=stop)

    def up_operator(self, run: str, variables: Mapping[str, str], key: str, profiles: Sequence[str],
                    progress: Progress, stop: threading.Event) -> None:
        """Starts our containers on the networks of the subject's project. Without profiles: no agent."""
        networks = discover_networks(self.engine, self.project)
        copied_in = self.found.outside and not self.found.described
        env = dict(variables) | {
            "OPERATOR_NETWORK": networks[0],
            "OPERATOR_PROJECT": self.project,
            "OPERATOR_RUN": run,
            "OPERATOR_API_KEY": key,
            "OPERATOR_PROBES": json.dumps([list(command) for command in getattr(self.found.subject, "probes", ())]),
            "OPERATOR_CONTROL_NONCE": secrets.token_hex(16),
            "OPERATOR_READ_ONLY": "false" if copied_in else "true",
        }
        project = load_project(files("compose_templates"), "agent.compose.yaml",
                               project=operator_project(self.project), env=env,
                               profiles=profiles, extra_labels=self._labels(run))
        project = with_networks(project, OUR_NETWORK, networks[1:])
        if copied_in:  # not into the agent's container, because the folder has the scenarios
            project = with_folder(project, ("monitor", "workload"), Path(str(self.found.folder)), self.subject_inside)
        up(self.engine, project, progress=progress, stop=stop)

    def _labels(self, run: str) -> dict[str, str]:
        return {labels.RUN: run, labels.SUBJECT: self.found.subject.name, labels.OPERATOR_VERSION: describe(),
                labels.SCHEMA: str(SCHEMA_VERSION)}

    # -- state -------------------------------------------------------------------------------------------------------

    def clock_offset(self) -> float:
        """Seconds that the engine's clock is ahead of this machine's."""
        return self.engine.clock_offset()

    @property
    def engine_version(self) -> str:
        return self.engine.version

    def socket(self, image: str, chosen: str | None) -> str:
        """The path of the engine's socket on the engine's machine; `chosen` if the user gave it."""
        return find_socket(self.engine, image, chosen)

    def operators(self) -> list[Container]:
        return members(self.engine, operator_project(self.project))

    def container_states(self) -> list[ContainerState]:
        """The states of our containers, in one request."""
        return container_states(self.engine, operator_project(self.project), ENGINE_PATIENCE)

    def monitor(self) -> Container | None:
        return next((c for c in self.operators() if c.service == "monitor"), None)

    def control(self) -> Control | None:
        """What asks the monitor; None where none runs."""
        monitor = self.monitor()
        if monitor is None or monitor.state != "running":
            return None
        return Control(self.engine, monitor.id)

    def image(self) -> str:
        """The image of our containers, which helpers use too; "" without containers, and if it was not built here."""
        return next((c.image for c in self.operators() if own_image(self.engine, c.image)), "")

    def begun_by(self) -> str:
        """The version of the program that began the run; "" if unknown."""
        versions = [c.labels.get(labels.OPERATOR_VERSION, "") for c in self.operators()]
        return next(filter(None, versions), "")

    def leftover_run(self) -> str | None:
        """The run whose containers are on the engine under this project's name; None without containers, "" if no label
        names it."""
        containers = self.operators() + members(self.engine, self.project)
        if not containers:
            return None
        return next((c.labels[labels.RUN] for c in containers if _RUN.fullmatch(c.labels.get(labels.RUN, ""))), "")

    # -- events ------------------------------------------------------------------------------------------------------

    def follow(self, run: str, seen: dict[str, int], incoming: Inbox) -> Feed:
        """Follows the logs of our containers, each source from the `seq` after `seen`."""
        feed = Feed(self.engine, run, seen, incoming)
        feed.follow(self.operators())
        return feed

    def ask(self, op: str, **arguments: Any) -> Mapping[str, Any]:
        """Sends a request to the monitor. Raises `OperatorError` if none runs."""
        control = self.control()
        if control is None:
            raise OperatorError("The monitor's container does not run.",
                                "`operator-demo down` clears up; then run again.")
        return control.ask(op, **arguments)

    def ask_guard(self, op: str, **arguments: str) -> Mapping[str, Any]:
        """Sends a request to the guard. Raises `OperatorError` where none runs, or it refuses."""
        running = {c.service: c for c in self.operators() if c.state == "running"}
        if GUARD not in running:
            raise OperatorError(f"No guard runs for project {self.project}.", "`operator-demo status` shows what runs.")
        return ask_guard(self.engine, running[GUARD].id, self.control(), op, **arguments)

    def recorded(self, run: str, source: str, after: int, remark: Callable[[str], None]) -> list[Event]:
        """What the volume has of a source after a `seq`, read by the running monitor; nothing where none runs. See
        `Control.events` for `remark`."""
        control = self.control()
        return control.events(run, source, after, remark) if control is not None else []

    def deciding(self, run: str, remark: Callable[[str], None]) -> list[Event]:
        """The events in the volume on which the outcome rests, read by the running monitor. Raises `OperatorError`
        where they cannot be read."""
        control = self.control()
        if control is None:
            raise OperatorError("The monitor's container does not run.")
        decisive = []
        for source in (MONITOR, AGENT):
            decisive += control.events(run, source, 0, remark, types=sorted(DECIDING))
        return decisive

    # -- faults ------------------------------------------------------------------------------------------------------

    @property
    def subject_reference(self) -> str:
        """How this machine finds the subject: by its name, or by its folder or Compose file."""
        if self.found.described:
            return str(Path(str(self.found.folder)) / self.found.compose)
        return str(self.found.folder) if self.found.outside else self.found.subject.name

    def ground(self, image: str = "", *, up: bool = True) -> Ground:
        """See `chaos.injection.Host`. With `up`, raises `NotOnEngine` if the subject has no network."""
        network = discover_network(self.engine, self.project) if up else ""
        return Ground(self.engine, self.project, network, self.found.subject, image, self.ask)

    def check_fault(self, kind: str, image: str) -> None:
        """Raises `FaultError` if the fault is not possible with this engine, its kernel or the subject. Nothing runs
        yet, so nothing is asked."""
        check(replace(self.ground(image, up=False), ask=None), kind)

    # -- down --------------------------------------------------------------------------------------------------------

    def stop_operators(self, timeout: int = 10) -> None:
        """Stops the agent first, so that it closes its session, then the load, the monitor, and what they need."""
        running = [c for c in self.operators() if c.state in ("running", "paused", "restarting")]
        for services in (AGENT_SERVICES, ("workload",), ("monitor",), (GUARD, *AGENT_NEEDS)):
            threads = [threading.Thread(target=self._stop, args=(c, timeout), daemon=True)
                       for c in running if c.service in services]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    def halt(self) -> None:
        """Stops everything and removes nothing."""
        self.stop_operators()
        for container in members(self.engine, self.project):
            self._stop(container, timeout=5)

    def _stop(self, container: Container, timeout: int) -> None:
        try:
            container_action(self.engine, container.id, "stop", timeout=timeout)
        except OperatorError:
            pass  # gone or frozen: `down` removes it with force

    def copy_record(self, folder: Path) -> Path | None:
        """Copies the store of the volume into `folder`, through any of our containers, or a helper where none is left;
        None if nothing was recorded. Raises `OperatorError` if it cannot be read."""
        failure: OperatorError | None = None
        for container in self.operators():
            try:
                return self._copy_record_from(container, folder)
            except OperatorError as e:
                failure = e
        if failure is not None:
            raise failure
        return self._copy_record_from_volume(folder)

    def _copy_record_from_volume(self, folder: Path) -> Path | None:
        """None also without the base image, which the helper is made of."""
        project = operator_project(self.project)
        volume = next((v for v in project_volumes(self.engine, project) if v.endswith("_operator-data")), None)
        if volume is None or image_id(self.engine, BASE) is None:
            return None
        copy = folder / "tickets.db"
        for suffix in ("", "-wal"):
            helper = Helper(BASE, f"{project}-{HELPER_SERVICE}-{secrets.token_hex(4)}",
                            one_off(project, HELPER_SERVICE))
            for content in read_volume(self.engine, helper, volume, f"tickets.db{suffix}"):
                Path(f"{copy}{suffix}").write_bytes(content)
        return copy if copy.exists() else None

    def old_volumes(self) -> list[str]:
        """The names of the volumes that are left of an earlier run of the project."""
        return project_volumes(self.engine, self.project) + project_volumes(
            self.engine, operator_project(self.project))

    def _copy_record_from(self, container: Container, folder: Path) -> Path | None:
        copy = folder / "tickets.db"
        for suffix in ("", "-wal"):
            try:
                content = read_file_from(self.engine, container.id, f"/data/tickets.db{suffix}")
            except NotOnEngine:  # nothing was written, or all of it is in the main file
                continue
            Path(f"{copy}{suffix}").write_bytes(content)
        return copy if copy.exists() else None

    def whole_record(self, run: str) -> list[Event]:
        """All events of the run in the volume."""
        with tempfile.TemporaryDirectory() as folder:
            copy = self.copy_record(Path(folder))
            if copy is None:
                return []
            with Store(copy) as volume:
                return list(volume.events(run))

    def remove_left(self, sessions: Collection[str], tell: Callable[[str], None]) -> list[str]:
        """Removes the containers that these sessions of the agent made and left, and returns their names; `tell` is
        told of each before it is removed."""
        removed = []
        for container_id, name in session_containers(self.engine, sessions).items():
            tell(f"The agent left the container {name}, which it had made; it is removed.")
            remove_container(self.engine, container_id)
            removed.append(f"container {name}")
        return removed

    def down(self, *, volumes: bool, progress: Progress) -> list[str]:
        """Removes ours first, because they are on the subject's network."""
        removed = down(self.engine, operator_project(self.project), volumes=volumes, progress=progress)
        return removed + down(self.engine, self.project, volumes=volumes, progress=progress)

