"""Bringing a project up: what is missing is made, what changed is made anew, what fits is kept."""

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import docker.errors
from docker.utils import version_lt

from operator_demo.compose.copying import copy_in
from operator_demo.compose.images import ensure_service_image
from operator_demo.compose.model import (
    COMPLETED,
    HEALTHY,
    STARTED,
    Dependency,
    Network,
    Placed,
    Project,
    Service,
    Source,
    Volume,
)
from operator_demo.compose.plan import (
    config_hash,
    container_body,
    endpoint,
    network_arguments,
    other_networks,
    pools,
    volume_arguments,
)
from operator_demo.engine import labels
from operator_demo.engine.connect import Engine
from operator_demo.engine.containers import members
from operator_demo.engine.failures import Interrupted, NotOnEngine, engine_errors, explain
from operator_demo.engine.progress import Progress, silent
from operator_demo.errors import OperatorError, UsageError

_LOOK = 0.1  # seconds between two looks at a container that is waited for
_UP = ("running", "paused", "restarting")
_STOPS = 10  # seconds that a container has to stop where nothing else is said; Docker's own default
_NO_SECRETS: Mapping[str, str] = {}


def up(engine: Engine, project: Project, *, progress: Progress = silent, stop: threading.Event,
       secrets: Mapping[str, str] = _NO_SECRETS) -> None:
    """Creates and starts what the project says; returns when all is started (see `wait_healthy`).

    Doing it again changes nothing: a container whose configuration and image are the same is kept, and started if it
    was stopped. Services start in parallel, each as soon as its depends_on allow. `secrets` gives values by the name
    of the secret; the others come from the environment or file that the Compose file names.
    Raises OperatorError; `Interrupted` when `stop` was set, and then leaves what it has made.
    """
    _check_engine(engine, project)
    _Up(engine, project, progress, stop, _contents(project, secrets)).run()


def _check_engine(engine: Engine, project: Project) -> None:
    for service in project.services.values():
        if service.healthcheck and service.healthcheck.start_interval and version_lt(engine.api_version, "1.44"):
            raise UsageError(f"{project.file}:{service.line}: service {service.name}: healthcheck.start_interval is "
                             f"only known to Docker 25 and newer (API 1.44; this engine has {engine.api_version})")


def _contents(project: Project, given: Mapping[str, str]) -> dict[str, dict[Placed, bytes]]:
    """By service, what is put into its container. Files and variables are read once and not before they are needed."""
    read: dict[tuple[str, str], bytes] = {}

    def content(kind: str, name: str, source: Source) -> bytes:
        if (kind, name) not in read:
            read[kind, name] = given[name].encode() if kind == "secret" and name in given else \
                _content(project, f"{project.file}: {kind} {name}", source)
        return read[kind, name]

    return {service.name: {
        **{p: content("secret", p.source, project.secrets[p.source]) for p in service.secrets},
        **{p: content("config", p.source, project.configs[p.source]) for p in service.configs},
    } for service in project.services.values()}


def _content(project: Project, what: str, source: Source) -> bytes:
    if source.content is not None:
        return source.content.encode()
    if source.environment is not None:
        if source.environment not in project.env:
            raise UsageError(f"{what}: the variable {source.environment} is not set")
        return project.env[source.environment].encode()
    assert source.file is not None
    try:
        return source.file.read_bytes()
    except OSError as e:
        raise UsageError(f"{what}: cannot read {source.file}: {e.strerror}") from e


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
        self.replaced: set[str] = set()  # services whose container was made anew

    def run(self) -> None:
        used = list(self.project.services.values())
        networks = list(dict.fromkeys(key for s in used for key in s.networks))
        volumes = list(dict.fromkeys(m.source for s in used for m in s.mounts if m.type == "volume" and m.source))
        with ThreadPoolExecutor(max_workers=8 + len(used), thread_name_prefix="up") as pool:
            # What can be wrong is found before anything is made.
            looks = [pool.submit(self._image, s) for s in _one_of_each_image(used)]
            looks.append(pool.submit(self._look_for_containers))
            if networks:
                looks.append(pool.submit(self._look_for_networks, networks))
            if volumes:
                looks.append(pool.submit(self._look_for_volumes, volumes))
            _all(looks)
            # A network takes the engine about as long as the containers, which need it only when they start.
            self.networks_made = [pool.submit(self._create_network, key) for key in self.missing_networks]
            self.volumes_made = [pool.submit(self._create_volume, key) for key in self.missing_volumes]
            _all([*self.networks_made, *self.volumes_made, *(pool.submit(self._service, s) for s in used)])

    # -- what containers need -------------------------------------------------------------------------------------

    def _image(self, service: Service) -> None:
        def tell(item: str, status: str, current: int | None, total: int | None, /) -> None:
            self.progress(item, status if not total else f"{status} {100 * (current or 0) // total} %")

        self.images[service.image] = ensure_service_image(self.engine, self.project, service, tell, self.stop)

    def _look_for_containers(self) -> None:
        with engine_errors(f"looking for the containers of {self.project.name}"):
            for listed in self.api.containers(all=True,
                                              filters={"label": [f"{labels.PROJECT}={self.project.name}"]}):
                carried = listed["Labels"]
                if labels.SERVICE in carried and carried.get(labels.ONEOFF) != "True":
                    self.existing.setdefault(carried[labels.SERVICE], []).append(listed)

    def _look_for_networks(self, keys: Sequence[str]) -> None:
        wanted = {key: self.project.networks[key] for key in keys}
        with engine_errors(f"looking for the networks of {self.project.name}"):
            found = {n["Name"]: n for n in self.api.networks(names=[n.name for n in wanted.values()])}
        for key, network in wanted.items():
            there = found.get(network.name)
            if network.external:
                if there is None:
                    raise NotOnEngine(f"the external network {network.name} is not on this engine")
            elif there is None:
                self.missing_networks.append(key)
            else:
                self._check_owner("network", network.name, there.get("Labels"))
                if not _same_network(network, there):
                    raise OperatorError(
                        f"the network {network.name} is there with another driver, internal setting or addresses",
                        f"Take the project down first: operator-demo down --project {self.project.name}")

    def _look_for_volumes(self, keys: Sequence[str]) -> None:
        wanted = {key: self.project.volumes[key] for key in keys}
        with engine_errors(f"looking for the volumes of {self.project.name}"):
            found = {v["Name"]: v for v in self.api.volumes(
                filters={"name": [v.name for v in wanted.values()]})["Volumes"] or []}
        for key, volume in wanted.items():
            there = found.get(volume.name)
            if volume.external:
                if there is None:
                    raise NotOnEngine(f"the external volume {volume.name} is not on this engine")
            elif there is None:
                self.missing_volumes.append(key)
            else:
                self._check_owner("volume", volume.name, there.get("Labels"))
                if not _same_volume(volume, there):
                    raise OperatorError(f"the volume {volume.name} is there with another driver or other driver_opts",
                                        f"`docker volume rm {volume.name}` removes it with all that is in it.")

    def _check_owner(self, kind: str, name: str, found: Mapping[str, str] | None) -> None:
        owner = (found or {}).get(labels.PROJECT)
        if owner != self.project.name:
            raise OperatorError(
                f"a {kind} called {name} is there already and belongs to {owner or 'no Compose project'}",
                "Choose another --project, or remove it.")

    def _create_network(self, key: str) -> None:
        name = self.project.networks[key].name
        self._go_on()
        self.progress(f"network {name}", "creating")
        with engine_errors(f"network {name}"):
            self.api.create_network(name, **network_arguments(self.project, key))
        self.progress(f"network {name}", "created")

    def _create_volume(self, key: str) -> None:
        name = self.project.volumes[key].name
        self._go_on()
        with engine_errors(f"volume {name}"):
            # Where somebody was faster, this is theirs.
            self._check_owner("volume", name, self.api.create_volume(
                name, **volume_arguments(self.project, key)).get("Labels"))
        self.progress(f"volume {name}", "created")

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
                    self.api.restart(container_id, timeout=service.config.get("StopTimeout", _STOPS))
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
            while not self.made[service.network_of].wait(_LOOK):
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
                self._remove(listed["Id"], service, body)
        if kept is None:
            body["Labels"][labels.CONFIG_HASH] = wanted
            if service.name in self.existing:
                self.replaced.add(service.name)
            kept = self._create(service, body, files), "created"
        return kept

    def _remove(self, container_id: str, service: Service, body: dict[str, Any]) -> None:
        """Removes a container; its nameless volumes go on to the one that `body` describes."""
        try:
            with engine_errors(f"replacing a container of {service.name}"):
                described = self.api.inspect_container(container_id)
                self.progress(f"container {described['Name'].lstrip('/')}", "recreating")
                if described["State"]["Running"] and not described["State"]["Paused"]:
                    self.api.stop(container_id, timeout=described["Config"].get("StopTimeout") or _STOPS)
                self.api.remove_container(container_id, force=True)
                _inherit_volumes(described, service, body)
        except NotOnEngine:
            return

    def _create(self, service: Service, body: dict[str, Any], files: Mapping[Placed, bytes]) -> str:
        name = self.project.container_name(service.name)
        self._wait_until_made(self.volumes_made)
        self.progress(f"container {name}", "creating")
        with engine_errors(f"creating {name}"):
            try:
                made = self._create_container(body, name)
            except docker.errors.APIError as e:
                if e.status_code == 409:
                    raise OperatorError(f"creating {name}: {explain(e)}",
                                        "Choose another --project, or remove that container.") from e
                raise
            for key in other_networks(service):
                self._wait_until_made(self.networks_made)
                self._connect(service, made, key)
        if files:
            copy_in(self.engine, made, files)
        self.progress(f"container {name}", "created")
        return made

    def _create_container(self, body: dict[str, Any], name: str) -> str:
        try:
            return str(self.api.create_container_from_config(body, name)["Id"])
        except docker.errors.APIError:
            if not self.networks_made:
                raise
            # Docker asks for the network at the start only; others may want it now.
            self._wait_until_made(self.networks_made)
            return str(self.api.create_container_from_config(body, name)["Id"])

    def _connect(self, service: Service, container_id: str, key: str) -> None:
        said, given = service.networks[key], endpoint(self.project, service, key)
        self.api.connect_container_to_network(
            container_id, self.project.networks[key].name, aliases=given["Aliases"],
            links=[tuple(link.split(":")) for link in given.get("Links", [])], ipv4_address=said.ipv4,
            ipv6_address=said.ipv6, link_local_ips=list(said.link_local) or None)

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
        while not self.started[name].wait(_LOOK):
            self._go_on()
        if dependency.condition == STARTED:
            return
        try:
            while not self._holds(service, name, dependency.condition):
                self._go_on()
                time.sleep(_LOOK)
        except (Interrupted, _GaveUp):
            raise
        except OperatorError as e:
            if dependency.required:
                raise
            self.progress(f"container {self.project.container_name(name)}", f"not waited for: {e.message}")

    def _holds(self, service: Service, dependency: str, condition: str) -> bool:
        name = self.project.container_name(dependency)
        with engine_errors(f"waiting for {name}"):
            described = self.api.inspect_container(self.ids[dependency])
        state = described["State"]
        if condition == COMPLETED:
            if state["Status"] != "exited":
                return False
            if state["ExitCode"] != 0:
                raise OperatorError(f"{service.name} waits for {dependency} to complete, but it ended with exit code "
                                    f"{state['ExitCode']}", f"Its log says why: docker logs {name}")
            return True
        assert condition == HEALTHY
        problem = health_problem(described)
        if problem:
            raise OperatorError(f"{service.name} waits for {dependency} to be healthy, but {problem}",
                                f"Its log may say why: docker logs {name}")
        return bool(state["Health"]["Status"] == "healthy")


class _GaveUp(OperatorError):
    """A thread that stopped because another failed; never the error that is reported."""


def _one_of_each_image(services: Iterable[Service]) -> list[Service]:
    """For images that several services use: the one that says how it is built, else one that always pulls."""
    chosen: dict[str, Service] = {}
    for service in sorted(services, key=lambda s: (s.build is None, s.pull_policy != "always")):
        chosen.setdefault(service.image, service)
    return list(chosen.values())


def _same_network(network: Network, there: Mapping[str, Any]) -> bool:
    """Whether all that the file says of a network holds for the one on the engine."""
    ipam = there.get("IPAM") or {}
    if network.pools and [{**found, **pool} for pool, found in zip(pools(network), ipam.get("Config") or [],
                                                                   strict=False)] != (ipam.get("Config") or []):
        return False
    return (there["Internal"] == network.internal and (network.driver or there["Driver"]) == there["Driver"]
            and bool(there.get("Attachable")) >= network.attachable
            and bool(there.get("EnableIPv6")) >= network.enable_ipv6
            and network.driver_opts.items() <= (there.get("Options") or {}).items())


def _same_volume(volume: Volume, there: Mapping[str, Any]) -> bool:
    return (volume.driver or there["Driver"]) == there["Driver"] and \
        dict(volume.driver_opts) == (there.get("Options") or {})


def _inherit_volumes(old: Mapping[str, Any], service: Service, body: dict[str, Any]) -> None:
    """What is in the nameless volumes of the file and of the image outlives the container, as with Compose."""
    nameless = {m.target for m in service.mounts if m.type == "volume" and not m.source}
    taken = {*service.tmpfs, *(m.target for m in service.mounts)} - nameless
    of_image = set(old["Config"].get("Volumes") or {})
    for mount in old.get("Mounts") or []:
        target = mount["Destination"]
        if mount["Type"] == "volume" and target not in taken and target in nameless | of_image:
            others = [m for m in body["HostConfig"].get("Mounts", []) if m["Target"] != target]
            body["HostConfig"]["Mounts"] = [*others, {"Type": "volume", "Source": mount["Name"], "Target": target,
                                                      "ReadOnly": not mount["RW"]}]


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


def health_problem(described: Mapping[str, Any]) -> str | None:
    """Why a container will not become healthy by waiting, in words; None while it may, or is."""
    state = described["State"]
    if state["Status"] in ("exited", "dead", "removing"):
        return f"it has ended with exit code {state['ExitCode']}"
    health = state.get("Health")
    if not health:
        return "it has no healthcheck"
    if health["Status"] == "unhealthy":
        last = (health.get("Log") or [{}])[-1]
        said = " ".join(str(last.get("Output", "")).split())[-300:]
        return f"it is unhealthy; its check says: {said or 'nothing'}"
    return None


def wait_healthy(engine: Engine, project: str, services: Iterable[str], timeout: float,
                 stop: threading.Event) -> None:
    """Returns when each service runs and is healthy (without a healthcheck: runs).

    Unhealthy is not final here: a cluster may need longer than its checks allow. Raises OperatorError after `timeout`
    seconds or when a container has ended for good, `Interrupted` when `stop` is set.
    """
    wanted, deadline = set(services), time.monotonic() + timeout
    while True:
        found = {c.service: c for c in members(engine, project) if c.service in wanted}
        waiting = {name: found[name].health or found[name].state if name in found else "missing" for name in
                   sorted(wanted) if name not in found or found[name].state != "running"
                   or found[name].health not in (None, "healthy")}
        if not waiting:
            return
        for name in waiting:
            if name in found and found[name].state in ("exited", "dead"):
                raise OperatorError(f"{project}: {name} has ended with exit code {found[name].exit_code} instead of "
                                    "becoming healthy", f"Its log says why: docker logs {found[name].name}")
        if time.monotonic() > deadline:
            told = ", ".join(f"{name} is {state}" for name, state in waiting.items())
            raise OperatorError(f"{project} is not healthy after {timeout:g} s: {told}")
        if stop.wait(_LOOK):
            raise Interrupted(f"interrupted while waiting for {project} to be healthy")
