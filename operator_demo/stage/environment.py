"""Everything of a run that lives on the engine: the subject's project and our own beside it."""

import os
import re
import tempfile
import threading
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from operator_demo import labels
from operator_demo.chaos.injector import check
from operator_demo.chaos.primitive import Ground
from operator_demo.compose import Project, down, load_project, published, up, with_folder, with_ports
from operator_demo.engine import (
    Container,
    ContainerState,
    Engine,
    NotOnEngine,
    Progress,
    container_action,
    container_states,
    discover_network,
    find_socket,
    members,
    projects,
    read_file_from,
)
from operator_demo.errors import OperatorError, UsageError
from operator_demo.events import Event
from operator_demo.stage import images
from operator_demo.stage.feed import Feed, Queue, control, read_events
from operator_demo.store import Store
from operator_demo.subject import Found, HasOwnLoad
from operator_demo.version import describe
from operator_demo.wire import SCHEMA_VERSION

DASHBOARDS_PROFILE = "dashboards"  # of the subject's services for the eye, which `--publish` starts too
LOAD_PROFILE = "load"  # of the subject's services that make its load, where it brings its own
ENGINE_PATIENCE = 10.0  # seconds that an engine may take to say which containers there are
AGENT_SERVICES = ("agent", "observer")
OUTSIDE = "/opt/operator/subjects"  # where a subject that is not part of the program lies in our containers


def check_project_name(name: str) -> str:
    """Compose's own rule."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,62}", name):
        raise UsageError(f"{name!r} is no project name.",
                         "Use lower-case letters, digits, dashes and underscores, beginning with a letter or digit.")
    return name


def operator_project(project: str) -> str:
    return f"{project}-operator"


def demos(engine: Engine) -> list[str]:
    """The subjects' projects of all demos on the engine, also of those of which only a part is left."""
    marked = {project.name for project in projects(engine)}
    return sorted({name.removesuffix("-operator") for name in marked})


class Environment:
    """`project` is the subject's Compose project; ours is `<project>-operator`. `found` is needed to bring it up, not
    to take it down."""

    def __init__(self, engine: Engine, project: str, found: Found | None = None) -> None:
        self.engine = engine
        self.project = project
        self._found = found
        self.profiles: list[str] = []  # of the subject's file, as `prepare` found them possible
        self._ports: Mapping[str, int] = {}  # of the subject's services, that are to be published
        self.remarks: list[str] = []  # what a presenter should know of this

    @property
    def found(self) -> Found:
        assert self._found is not None
        return self._found

    @property
    def subject_inside(self) -> str:
        """How our containers find the subject: by its name, or, where it is not part of the program, by the folder into
        which it is put there."""
        return f"{OUTSIDE}/{self.found.folder.name}" if self.found.outside else self.found.subject.name

    # -- up ----------------------------------------------------------------------------------------------------------

    def subject_project(self, run: str = "", variables: Mapping[str, str] | None = None) -> Project:
        """The subject's file, filled by the presenter's environment and `variables`, with the chosen profiles."""
        return self._read(self.profiles, run, variables)

    def _read(self, profiles: list[str], run: str = "", variables: Mapping[str, str] | None = None) -> Project:
        project = load_project(self.found.folder, "compose.yaml", project=self.project,
                                    env={**os.environ, **(variables or {})}, profiles=profiles,
                                    extra_labels={labels.RUN: run} if run else {})
        return with_ports(project, self._ports)

    def publish(self) -> None:
        """Lets the subject's services for the eye (`published`) be reached from the engine's machine. To be called
        before anything is prepared. Raises `UsageError` where the subject has none."""
        self._ports = getattr(self.found.subject, "published", {})
        if not self._ports:
            raise UsageError(f"{self.found.subject.name} has nothing to publish.", "Leave out --publish.")
        self.profiles.append(DASHBOARDS_PROFILE)

    def addresses(self) -> dict[str, str]:
        """Where what was published can be reached: service -> URL."""
        found = published(self.engine, self.project, self._ports) if self._ports else {}
        return {service: f"http://{address}" for service, address in found.items()}

    def prepare(self, progress: Progress, stop: threading.Event) -> str:
        """Makes sure that all images are there; returns the name of the agent's. What only makes the load may be
        wanting: then there is none, and `remarks` says so."""
        agent = images.ensure_all(self.engine, self.subject_project(), progress, stop)
        if isinstance(self.found.subject, HasOwnLoad) and LOAD_PROFILE not in self.profiles:
            whole = self._read([*self.profiles, LOAD_PROFILE])
            missing = images.ensure_extra(self.engine, self.subject_project(), whole, progress, stop)
            if missing:
                self.remarks.append(f"There is no load: {missing}")
            else:
                self.profiles.append(LOAD_PROFILE)
        return agent

    @property
    def without_load(self) -> bool:
        """Would the subject's own service make the load, and is it wanting?"""
        return isinstance(self.found.subject, HasOwnLoad) and LOAD_PROFILE not in self.profiles

    @property
    def stand_ins(self) -> list[str]:
        """The subject's services that run from an image which only stands in for the real thing."""
        return sorted(c.service for c in members(self.engine, self.project) if labels.STAND_IN in c.labels)

    def up_subject(self, run: str, variables: Mapping[str, str], progress: Progress, stop: threading.Event) -> None:
        up(self.engine, self.subject_project(run, variables), progress=progress, stop=stop)

    def up_operator(self, run: str, variables: Mapping[str, str], key: str, profile: str | None,
                    progress: Progress, stop: threading.Event) -> None:
        """Our containers, on the network that the subject's project turned out to have. Without a profile: no agent."""
        env = dict(variables) | {
            "OPERATOR_NETWORK": discover_network(self.engine, self.project),
            "OPERATOR_PROJECT": self.project,
            "OPERATOR_RUN": run,
            "OPERATOR_API_KEY": key,
        }
        project = load_project(files("compose_templates"), "agent.compose.yaml",
                                    project=operator_project(self.project), env=env,
                                    profiles=[profile] if profile else [],
                                    extra_labels=self._labels(run))
        if self.found.outside:  # not into the agent's container: the scenarios are in there too
            project = with_folder(project, ("monitor", "workload"), Path(str(self.found.folder)),
                                       self.subject_inside)
        up(self.engine, project, progress=progress, stop=stop)

    def _labels(self, run: str) -> dict[str, str]:
        return {labels.RUN: run, labels.SUBJECT: self.found.subject.name, labels.OPERATOR_VERSION: describe(),
                labels.SCHEMA: str(SCHEMA_VERSION)}

    # -- what is there -----------------------------------------------------------------------------------------------

    def clock_offset(self) -> float:
        """Seconds that the engine's clock is ahead of this machine's."""
        return self.engine.clock_offset()

    @property
    def engine_version(self) -> str:
        return self.engine.version

    def socket(self, image: str, chosen: str | None) -> str:
        """The engine's socket on the engine's own side; `chosen` where somebody named it."""
        return find_socket(self.engine, image, chosen)

    def operators(self) -> list[Container]:
        return members(self.engine, operator_project(self.project))

    def container_states(self) -> list[ContainerState]:
        """Those of our containers, in one request."""
        return container_states(self.engine, operator_project(self.project), ENGINE_PATIENCE)

    def monitor(self) -> Container | None:
        return next((c for c in self.operators() if c.service == "monitor"), None)

    def image(self) -> str:
        """That of our containers, which the helpers use too; "" without any."""
        return next((c.image for c in self.operators()), "")

    def begun_by(self) -> str:
        """Which version of the program began the run; "" where the containers do not tell."""
        versions = [c.labels.get(labels.OPERATOR_VERSION, "") for c in self.operators()]
        return next(filter(None, versions), "")

    def leftover_run(self) -> str | None:
        """The run whose containers are on the engine under this project's name; "" when it cannot be told."""
        containers = self.operators() + members(self.engine, self.project)
        if not containers:
            return None
        return next((c.labels[labels.RUN] for c in containers if c.labels.get(labels.RUN)), "")

    # -- what our containers say -------------------------------------------------------------------------------------

    def follow(self, run: str, seen: dict[str, int], incoming: Queue) -> Feed:
        """Follows their logs, each source from the `seq` after `seen`."""
        feed = Feed(self.engine, run, seen, incoming)
        feed.follow(self.operators())
        return feed

    def ask(self, op: str, **arguments: Any) -> Mapping[str, Any]:
        """Puts a request to the monitor. Raises `OperatorError` where none runs."""
        monitor = self.monitor()
        if monitor is None or monitor.state != "running":
            raise OperatorError("The monitor's container does not run.",
                                "`operator-demo down` clears up; then run again.")
        return control(self.engine, monitor.id, op, **arguments)

    def recorded(self, run: str, source: str, after: int, remark: Callable[[str], None]) -> list[Event]:
        """What the volume has of a source after a `seq`, read by the running monitor; nothing where none runs. See
        `read_events` for `remark`."""
        monitor = self.monitor()
        if monitor is None or monitor.state != "running":
            return []
        return read_events(self.engine, monitor.id, run, source, after, remark)

    # -- faults ------------------------------------------------------------------------------------------------------

    @property
    def subject_reference(self) -> str:
        """How this machine finds the subject again: by its name, or by its folder."""
        return str(self.found.folder) if self.found.outside else self.found.subject.name

    def ground(self, image: str = "", *, up: bool = True) -> Ground:
        """See `chaos.injection.Host`. Raises `NotOnEngine` with `up` where the subject has no network."""
        network = discover_network(self.engine, self.project) if up else ""
        return Ground(self.engine, self.project, network, self.found.subject, image, self.ask)

    def check_fault(self, kind: str, image: str) -> None:
        """Raises `FaultError` where this engine, its kernel or the subject cannot do it."""
        check(self.ground(image, up=False), kind)

    # -- down --------------------------------------------------------------------------------------------------------

    def stop_operators(self, timeout: int = 10) -> None:
        """Lets the agent put down what it holds, then the others; each says so in its log."""
        running = [c for c in self.operators() if c.state in ("running", "paused", "restarting")]
        for services in (AGENT_SERVICES, ("workload",), ("monitor",)):
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
            pass  # gone, or frozen: `down` removes it with force

    def copy_record(self, folder: Path) -> Path | None:
        """Copies the store of the volume into `folder`, through whichever of our containers can be read; None where
        there is no container or nothing was recorded. Raises `OperatorError` where none can be read."""
        failure: OperatorError | None = None
        for container in self.operators():
            try:
                return self._copy_record_from(container, folder)
            except OperatorError as e:
                failure = e
        if failure is not None:
            raise failure
        return None

    def _copy_record_from(self, container: Container, folder: Path) -> Path | None:
        copy = folder / "tickets.db"
        for suffix in ("", "-wal"):
            try:
                content = read_file_from(self.engine, container.id, f"/data/tickets.db{suffix}")
            except NotOnEngine:  # nothing was written, or all of it stands in the file itself
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

    def down(self, *, volumes: bool, progress: Progress) -> list[str]:
        """Ours first: they are on the subject's network."""
        removed = down(self.engine, operator_project(self.project), volumes=volumes, progress=progress)
        return removed + down(self.engine, self.project, volumes=volumes, progress=progress)

