"""What a Compose file says, checked and with every name spelled out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable

STARTED, HEALTHY, COMPLETED = "service_started", "service_healthy", "service_completed_successfully"


@dataclass(frozen=True)
class Build:
    context: str  # a folder beside the Compose file
    dockerfile: str
    args: Mapping[str, str]


@dataclass(frozen=True)
class Mount:
    type: str  # volume | bind | tmpfs
    source: str  # the volume's key in the file, the path on the engine's side, or ""
    target: str
    read_only: bool = False
    tmpfs_size: int | None = None  # bytes


@dataclass(frozen=True)
class Healthcheck:
    """Times in seconds; None leaves a value to the image or the engine."""

    test: tuple[str, ...]
    interval: float | None = None
    timeout: float | None = None
    start_period: float | None = None
    retries: int | None = None


@dataclass(frozen=True)
class Service:
    name: str
    line: int
    image: str
    build: Build | None = None
    pull_policy: str = "missing"
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    networks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # key in the file -> own aliases
    mounts: tuple[Mount, ...] = ()
    tmpfs: Mapping[str, str] = field(default_factory=dict)
    healthcheck: Healthcheck | None = None
    depends_on: Mapping[str, str] = field(default_factory=dict)  # service -> condition
    restart: tuple[str, int] = ("no", 0)
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()
    init: bool | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    stop_grace_period: float | None = None  # seconds
    stop_signal: str | None = None
    working_dir: str | None = None
    user: str | None = None
    hostname: str | None = None
    secrets: Mapping[str, str] = field(default_factory=dict)  # key in the file -> file name under /run/secrets
    mem_limit: int | None = None  # bytes
    cpus: float | None = None
    read_only: bool = False
    log_driver: str | None = None
    log_options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Network:
    name: str  # on the engine
    external: bool = False
    driver: str | None = None
    internal: bool = False


@dataclass(frozen=True)
class Volume:
    name: str  # on the engine
    external: bool = False


@dataclass(frozen=True)
class Secret:
    environment: str | None = None
    file: str | None = None  # beside the Compose file


@dataclass(frozen=True)
class Project:
    """A Compose file for one project name. `services` holds those of the chosen profiles only."""

    name: str
    folder: Traversable
    file: str
    services: Mapping[str, Service]
    networks: Mapping[str, Network]
    volumes: Mapping[str, Volume]
    secrets: Mapping[str, Secret]
    env: Mapping[str, str] = field(repr=False)  # may hold secrets
    extra_labels: Mapping[str, str] = field(default_factory=dict)

    def container_name(self, service: str) -> str:
        return f"{self.name}-{service}-1"
