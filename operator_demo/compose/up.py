"""Bringing a project up: what is missing is created, what changed is recreated, what fits is kept."""

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, wait
from typing import Any

import docker.errors
from docker.utils import version_lt

from operator_demo import labels
from operator_demo.compose.background import start
from operator_demo.compose.copying import copy_in, read_contents
from operator_demo.compose.images import ensure_service_image
from operator_demo.compose.model import COMPLETED, STARTED, Dependency, Placed, Project, Service
from operator_demo.compose.networks_and_volumes import (
    create_network,
    create_volume,
    missing_networks,
    missing_volumes,
)
from operator_demo.compose.plan import config_hash, container_body, endpoint, other_networks
from operator_demo.compose.replacing import STOP_TIMEOUT, remove_replaced
from operator_demo.compose.up_lock import only_up
from operator_demo.compose.waiting import LOOK, Awaited, CannotHold
from operator_demo.engine.connect import Engine
from operator_demo.engine.failures import Interrupted, engine_errors, explain
from operator_demo.engine.progress import Progress, silent
from operator_demo.errors import OperatorError, UsageError

_UP = ("running", "paused", "restarting")
_NO_SECRETS: Mapping[str, str] = {}


def up(engine: Engine, project: Project, *, progress: Progress = silent, stop: threading.Event,
       secrets: Mapping[str, str] = _NO_SECRETS) -> None:
    """Creates and starts what the project says; returns when all is started (see `wait_healthy`).

    Doing it again changes nothing: a container whose configuration and image are the same is kept, and started if it
    was stopped. Services start in parallel, each as soon as its depends_on allow. `secrets` gives values by the name
    of the secret; the others come from the environment or file that the Compose file names.
    Raises OperatorError, also where another `up` of the project is at work; `Interrupted` when `stop` was set, and
    then leaves what it has made.
    """
    _check_engine(engine, project)
    contents = read_contents(project, secrets)
    with only_up(engine, project.name):
        _Up(engine, project, progress, stop, contents).run()


def _check_engine(engine: Engine, project: Project) -> None:
    for service in project.services.values():
        if service.healthcheck and service.healthcheck.start_interval and version_lt(engine.api_version, "1.44"):
            raise UsageError(f"{project.file}:{service.line}: service {service.name}: healthcheck.start_interval is "
                             f"only known to Docker 25 and newer (API 1.44; this engine has {engine.api_version})")


class _Up:
    """One run of `up`; its threads are joined before `run` returns."""

    def __init__(self, engine: Engine, project: Project, progress: Progress, stop: threading.Event,
                 contents: Mapping[str, Mapping[Placed, bytes]]) -> None:
        self.engine, self.project, self.progress, self.stop, self.contents = engine, project, progress, stop, contents
        self.api = engine.api
        self.failed = threading.Event()
        self.images: dict[str, str] = {}
        self.existing: dict[str, list[dict[str, Any]]] = {}  # by service, as the engine lists them
        self.missing_networks: list[str] = []
        self.missing_volumes: list[str] = []
        self.networks_made: list[Future[None]] = []
        self.volumes_made: list[Future[None]] = []
        self.ids: dict[str, str] = {}
        self.made = {name: threading.Event() for name in project.services}
        self.started = {name: threading.Event() for name in project.services}
        self.replaced: set[str] = set()  # services whose container was recreated

    def run(self) -> None:
        services = list(self.project.services.values())
        # What can be wrong is found before anything is made.
        looks = [start("up", self._image, s) for s in _one_of_each_image(services)]
        looks += [start("up", look) for look in (self._look_for_containers, self._look_for_networks,
                                                 self._look_for_volumes)]
        _all(looks)
        # A network takes the engine about as long as the containers, which need it only when they start.
        self.networks_made = [start("up", self._create_network, key) for key in self.missing_networks]
        self.volumes_made = [start("up", self._create_volume, key) for key in self.missing_volumes]
        _all([*self.networks_made, *self.volumes_made, *(start("up", self._service, s) for s in services)])

    # -- what containers need -------------------------------------------------------------------------------------

    def _image(self, service: Service) -> None:
        def tell(item: str, status: str, current: int | None, total: int | None, /) -> None:
            self.progress(item, status if not total else f"{status} {100 * (current or 0) // total} %")

        self.images[service.image] = ensure_service_image(self.engine, self.project, service, tell, self.stop)

    def _look_for_containers(self) -> None:
        chosen = {"label": [f"{labels.PROJECT}={self.project.name}"]}
        with engine_errors(f"looking for the containers of {self.project.name}"):
            for listed in self.api.containers(all=True, filters=chosen):
                carried = listed["Labels"]
                if labels.SERVICE in carried and carried.get(labels.ONEOFF) != "True":
                    self.existing.setdefault(carried[labels.SERVICE], []).append(listed)

    def _look_for_networks(self) -> None:
        used = dict.fromkeys(key for service in self.project.services.values() for key in service.networks)
        if used:
            self.missing_networks = missing_networks(self.engine, self.project, used)

    def _look_for_volumes(self) -> None:
        mounts = [mount for service in self.project.services.values() for mount in service.mounts]
        used = dict.fromkeys(mount.source for mount in mounts if mount.type == "volume" and mount.source)
        if used:
            self.missing_volumes = missing_volumes(self.engine, self.project, used)

    def _create_network(self, key: str) -> None:
        self._go_on()
        create_network(self.engine, self.project, key, self.progress)

    def _create_volume(self, key: str) -> None:
        self._go_on()
        create_volume(self.engine, self.project, key, self.progress)

    # -- containers -----------------------------------------------------------------------------------------------

    def _service(self, service: Service) -> None:
        try:
            self._go_on()
            container_id, state = self._container(service)
            self.ids[service.name] = container_id
            self.made[service.name].set()
            for name, dependency in service.depends_on.items():
                self._wait_for(service, name, dependency)
            item = f"container {self.project.container_name(service.name)}"
            if state not in _UP:
                self._start(service, container_id, item)
            elif any(d.restart and name in self.replaced for name, d in service.depends_on.items()):
                self.progress(item, "restarting")
                with engine_errors(f"restarting {item}"):
                    self.api.restart(container_id, timeout=service.config.get("StopTimeout", STOP_TIMEOUT))
                self.progress(item, "started")
            else:
                self.progress(item, "running")
            self.started[service.name].set()
        except BaseException:
            self.failed.set()
            raise

    def _start(self, service: Service, container_id: str, item: str) -> None:
        self._wait_until_made(self.networks_made)
        self._go_on()
        self.progress(item, "starting")
        with engine_errors(f"starting {self.project.container_name(service.name)}"):
            self.api.start(container_id)
        self.progress(item, "started")

    def _container(self, service: Service) -> tuple[str, str]:
        """The id and state of a container that fits; made if need be."""
        if service.network_of:
            while not self.made[service.network_of].wait(LOOK):
                self._go_on()
        image, files = self.images[service.image], self.contents[service.name]
        body = container_body(self.project, service, image, self.ids)
        wanted = config_hash(self.project, service, body, image, files)
        kept = None
        for listed in self.existing.get(service.name, []):
            # One that was created and never started may lack its configs, secrets or networks.
            fits = listed["Labels"].get(labels.CONFIG_HASH) == wanted and listed["State"] in (*_UP, "exited")
            if fits and kept is None:
                kept = str(listed["Id"]), str(listed["State"])
            else:
                remove_replaced(self.engine, listed["Id"], service, body, self.progress)
        if kept is None:
            body["Labels"][labels.CONFIG_HASH] = wanted
            if service.name in self.existing:
                self.replaced.add(service.name)
            kept = self._create(service, body, files), "created"
        return kept

    def _create(self, service: Service, body: dict[str, Any], files: Mapping[Placed, bytes]) -> str:
        name = self.project.container_name(service.name)
        self._wait_until_made(self.volumes_made)
        self._go_on()
        self.progress(f"container {name}", "creating")
        with engine_errors(f"creating {name}"):
            try:
                container_id = self._create_container(body, name)
            except docker.errors.APIError as e:
                if e.status_code == 409:
                    raise OperatorError(f"creating {name}: {explain(e)}",
                                        "Choose another --project, or remove that container.") from e
                raise
            for key in other_networks(service):
                self._wait_until_made(self.networks_made)
                self._connect(service, container_id, key)
        if files:
            copy_in(self.engine, container_id, files)
        self.progress(f"container {name}", "created")
        return container_id

    def _create_container(self, body: dict[str, Any], name: str) -> str:
        try:
            return str(self.api.create_container_from_config(body, name)["Id"])
        except docker.errors.APIError:
            if not self.networks_made:
                raise
            # Docker asks for the network at the start only; others may want it now.
            self._wait_until_made(self.networks_made)
            self._go_on()
            return str(self.api.create_container_from_config(body, name)["Id"])

    def _connect(self, service: Service, container_id: str, key: str) -> None:
        attachment, settings = service.networks[key], endpoint(self.project, service, key)
        self.api.connect_container_to_network(
            container_id, self.project.networks[key].name, aliases=settings["Aliases"],
            links=[tuple(link.split(":")) for link in settings.get("Links", [])], ipv4_address=attachment.ipv4,
            ipv6_address=attachment.ipv6, link_local_ips=list(attachment.link_local) or None)

    # -- waiting --------------------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        if self.stop.is_set():
            raise Interrupted(f"interrupted while bringing {self.project.name} up")
        if self.failed.is_set():
            raise _GaveUp("another service failed")

    def _wait_until_made(self, resources: Sequence[Future[None]]) -> None:
        wait(resources)
        if any(f.exception() for f in resources):
            raise _GaveUp("a network or volume failed")

    def _wait_for(self, service: Service, name: str, dependency: Dependency) -> None:
        while not self.started[name].wait(LOOK):
            self._go_on()
        if dependency.condition == STARTED:
            return
        container = self.project.container_name(name)
        awaited = Awaited(self.engine, self.ids[name], dependency.condition)
        try:
            with engine_errors(f"waiting for {container}"):
                while not awaited.holds():
                    self._go_on()
                    time.sleep(LOOK)
        except CannotHold as e:
            goal = "to complete" if dependency.condition == COMPLETED else "to be healthy"
            problem = f"{service.name} waits for {name} {goal}, but {e}"
            if dependency.required:
                raise OperatorError(problem, f"Its log may say why: docker logs {container}") from e
            self.progress(f"container {container}", f"not waited for: {problem}")


class _GaveUp(OperatorError):
    """A thread that stopped because another failed; never the error that is reported."""


def _one_of_each_image(services: Iterable[Service]) -> list[Service]:
    """For images that several services use: the one that says how it is built, else one that always pulls."""
    chosen: dict[str, Service] = {}
    for service in sorted(services, key=lambda s: (s.build is None, s.pull_policy != "always")):
        chosen.setdefault(service.image, service)
    return list(chosen.values())


def _all(futures: Iterable[Future[None]]) -> None:
    """Waits for all and raises their errors as one."""
    errors = [e for e in [f.exception() for f in futures] if e is not None and not isinstance(e, _GaveUp)]
    reported = [e for e in errors if isinstance(e, OperatorError)]
    defects = [e for e in errors if not isinstance(e, OperatorError)]
    interrupted = [e for e in reported if isinstance(e, Interrupted)]
    if defects or interrupted:
        raise (defects or interrupted)[0]
    messages = list(dict.fromkeys(e.message for e in reported))
    if len(messages) == 1:
        raise reported[0]
    if messages:
        raise OperatorError("several things failed:\n" + "\n".join(f"  - {m}" for m in messages),
                            next((e.hint for e in reported if e.hint), ""))
