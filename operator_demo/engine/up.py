"""Bringing a project up: what is missing is made, what changed is made anew, what fits is kept."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import docker.errors

from operator_demo.errors import OperatorError, UsageError

from . import labels
from .connect import Engine
from .containers import inspect_project, members, put_secrets
from .failures import Interrupted, NotOnEngine, engine_errors, explain
from .images import ensure_service_image
from .model import COMPLETED, HEALTHY, STARTED, Project, Service
from .plan import config_hash, container_body, endpoint, other_networks, resource_labels
from .progress import Progress, silent

_LOOK = 0.1  # seconds between two looks at a container that is waited for
_NO_SECRETS: Mapping[str, str] = {}


def up(engine: Engine, project: Project, *, progress: Progress = silent, stop: threading.Event,
       secrets: Mapping[str, str] = _NO_SECRETS) -> None:
    """Creates and starts what the project says; returns when all is started (see `wait_healthy`).

    Doing it again changes nothing: a container whose configuration and image are the same is kept, and started if it
    was stopped. Services start in parallel, each as soon as its depends_on allow. `secrets` gives values by the name
    of the secret; the others come from the environment or file that the Compose file names.
    Raises OperatorError; `Interrupted` when `stop` was set, and then leaves what it has made.
    """
    _Up(engine, project, progress, stop, _secret_values(project, secrets)).run()


def _secret_values(project: Project, given: Mapping[str, str]) -> dict[str, bytes]:
    values: dict[str, bytes] = {}
    for name in sorted({n for s in project.services.values() for n in s.secrets}):
        secret = project.secrets[name]
        if name in given:
            values[name] = given[name].encode()
        elif secret.environment is not None:
            if secret.environment not in project.env:
                raise UsageError(f"{project.file}: secret {name}: the variable {secret.environment} is not set")
            values[name] = project.env[secret.environment].encode()
        elif secret.file is not None:
            try:
                values[name] = project.folder.joinpath(secret.file).read_bytes()
            except OSError as e:
                raise UsageError(f"{project.file}: secret {name}: cannot read {secret.file}: {e.strerror}") from e
    return values


class _Up:
    """One run of `up`; its threads are joined before `run` returns."""

    def __init__(self, engine: Engine, project: Project, progress: Progress, stop: threading.Event,
                 secrets: Mapping[str, bytes]) -> None:
        self.engine, self.project, self.progress, self.stop, self.secrets = engine, project, progress, stop, secrets
        self.api = engine.api
        self.failed = threading.Event()
        self.images: dict[str, str] = {}
        self.existing: dict[str, list[dict[str, Any]]] = {}
        self.ids: dict[str, str] = {}
        self.started = {name: threading.Event() for name in project.services}

    def run(self) -> None:
        for described in inspect_project(self.engine, self.project.name):
            self.existing.setdefault(described["Config"]["Labels"][labels.SERVICE], []).append(described)
        used = list(self.project.services.values())
        images = {s.image: s for s in used}
        with ThreadPoolExecutor(max_workers=max(8, len(used)), thread_name_prefix="up") as pool:
            networks = dict.fromkeys(key for s in used for key in s.networks)
            volumes = dict.fromkeys(m.source for s in used for m in s.mounts if m.type == "volume")
            _all(pool, [(self._image, s) for s in images.values()])
            _all(pool, [(self._network, k) for k in networks] + [(self._volume, k) for k in volumes])
            _all(pool, [(self._service, s) for s in used])

    # -- what containers need -------------------------------------------------------------------------------------

    def _image(self, service: Service) -> None:
        def tell(item: str, status: str, current: int | None, total: int | None, /) -> None:
            self.progress(item, status if not total else f"{status} {100 * (current or 0) // total} %")

        self.images[service.image] = ensure_service_image(self.engine, self.project, service, tell, self.stop)

    def _network(self, key: str) -> None:
        network, wanted = self.project.networks[key], resource_labels(self.project, labels.NETWORK, key)
        with engine_errors(f"network {network.name}"):
            found = [n for n in self.api.networks(names=[network.name]) if n["Name"] == network.name]
            if network.external:
                if not found:
                    raise NotOnEngine(f"the external network {network.name} is not on this engine")
                return
            if not found:
                self.progress(f"network {network.name}", "creating")
                self.api.create_network(network.name, driver=network.driver, internal=network.internal,
                                        check_duplicate=True, labels=wanted)
                self.progress(f"network {network.name}", "created")
                return
            self._check_owner("network", network.name, found[0].get("Labels"))
            if found[0]["Internal"] != network.internal or (network.driver or found[0]["Driver"]) != found[0]["Driver"]:
                raise OperatorError(f"the network {network.name} is there with another driver or internal setting",
                                    f"Take the project down first: operator-demo down --project {self.project.name}")

    def _volume(self, key: str) -> None:
        volume, wanted = self.project.volumes[key], resource_labels(self.project, labels.VOLUME, key)
        with engine_errors(f"volume {volume.name}"):
            try:
                found = self.api.inspect_volume(volume.name)
            except docker.errors.NotFound:
                if volume.external:
                    raise NotOnEngine(f"the external volume {volume.name} is not on this engine") from None
                self.api.create_volume(volume.name, labels=wanted)
                self.progress(f"volume {volume.name}", "created")
                return
            if not volume.external:
                self._check_owner("volume", volume.name, found.get("Labels"))

    def _check_owner(self, kind: str, name: str, found: Mapping[str, str] | None) -> None:
        owner = (found or {}).get(labels.PROJECT)
        if owner != self.project.name:
            raise OperatorError(
                f"a {kind} called {name} is there already and belongs to {owner or 'no Compose project'}",
                "Choose another --project, or remove it.")

    # -- containers -----------------------------------------------------------------------------------------------

    def _service(self, service: Service) -> None:
        try:
            self._go_on()
            container_id, state = self._container(service)
            self.ids[service.name] = container_id
            for name, condition in service.depends_on.items():
                self._wait_for(service, name, condition)
            item = f"container {self.project.container_name(service.name)}"
            if state in ("running", "paused", "restarting"):
                self.progress(item, "running")
            else:
                self._go_on()
                self.progress(item, "starting")
                with engine_errors(f"starting {self.project.container_name(service.name)}"):
                    self.api.start(container_id)
                self.progress(item, "started")
            self.started[service.name].set()
        except BaseException:
            self.failed.set()
            raise

    def _container(self, service: Service) -> tuple[str, str]:
        """The id and state of a container that fits; made if need be."""
        image = self.images[service.image]
        body = container_body(self.project, service, image)
        secrets = {target: self.secrets[name] for name, target in service.secrets.items()}
        wanted = config_hash(self.project, service, body, image, secrets)
        kept = None
        for described in self.existing.get(service.name, []):
            state = described["State"]["Status"]
            # One that was created and never started may lack its secrets or networks.
            fits = described["Config"]["Labels"].get(labels.CONFIG_HASH) == wanted and \
                state in ("running", "paused", "restarting", "exited")
            if fits and kept is None:
                kept = described["Id"], state
            else:
                self._remove(described)
        if kept is None:
            body["Labels"][labels.CONFIG_HASH] = wanted
            kept = self._create(service, body, secrets), "created"
        return kept

    def _remove(self, described: Mapping[str, Any]) -> None:
        item = f"container {described['Name'].lstrip('/')}"
        self.progress(item, "recreating")
        with engine_errors(f"replacing {item}"):
            try:
                if described["State"]["Running"] and not described["State"]["Paused"]:
                    self.api.stop(described["Id"])
                self.api.remove_container(described["Id"], force=True)
            except docker.errors.NotFound:
                return

    def _create(self, service: Service, body: dict[str, Any], secrets: Mapping[str, bytes]) -> str:
        name = self.project.container_name(service.name)
        self.progress(f"container {name}", "creating")
        with engine_errors(f"creating {name}"):
            try:
                made = str(self.api.create_container_from_config(body, name)["Id"])
            except docker.errors.APIError as e:
                if e.status_code == 409:
                    raise OperatorError(f"creating {name}: {explain(e)}",
                                        "Choose another --project, or remove that container.") from e
                raise
            for key in other_networks(service):
                self.api.connect_container_to_network(made, self.project.networks[key].name,
                                                      aliases=endpoint(self.project, service, key)["Aliases"])
        if secrets:
            put_secrets(self.engine, made, secrets)
        self.progress(f"container {name}", "created")
        return made

    # -- waiting --------------------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        if self.stop.is_set():
            raise Interrupted(f"interrupted while bringing {self.project.name} up")
        if self.failed.is_set():
            raise _GaveUp("another service failed")

    def _wait_for(self, service: Service, dependency: str, condition: str) -> None:
        while not self.started[dependency].wait(_LOOK):
            self._go_on()
        if condition == STARTED:
            return
        while not self._holds(service, dependency, condition):
            self._go_on()
            time.sleep(_LOOK)

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


def _all(pool: ThreadPoolExecutor, calls: Iterable[tuple[Callable[[Any], None], Any]]) -> None:
    """Makes the calls at the same time, waits for all, and raises their errors as one."""
    futures = [pool.submit(call, argument) for call, argument in calls]
    errors = [e for e in (f.exception() for f in futures) if e is not None and not isinstance(e, _GaveUp)]
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
