"""What a Compose file says, checked and with every name spelled out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable

STARTED, HEALTHY, COMPLETED = "service_started", "service_healthy", "service_completed_successfully"


@dataclass(frozen=True)
class Build:
    """`on_disk`: the context may be anywhere on the disk, and its files have modes worth keeping."""

    context: Traversable
    dockerfile: str = "Dockerfile"  # in the context
    inline: str | None = None  # the text of a Dockerfile, in place of one in the context
    args: Mapping[str, str] = field(default_factory=dict)
    target: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    on_disk: bool = False


@dataclass(frozen=True)
class Mount:
    """`modes` are what stands behind the second colon of the engine's own bind syntax, besides ro and rw."""

    type: str  # volume | bind | tmpfs
    source: str  # the volume's key in the file, the path on the engine's side, or "" (tmpfs, anonymous volume)
    target: str
    read_only: bool = False
    modes: tuple[str, ...] = ()
    create_host_path: bool = False
    propagation: str | None = None
    consistency: str | None = None
    nocopy: bool = False
    tmpfs_size: int | None = None  # bytes
    tmpfs_mode: int | None = None


@dataclass(frozen=True)
class Healthcheck:
    """Times in seconds; None leaves a value to the image or the engine."""

    test: tuple[str, ...]
    interval: float | None = None
    timeout: float | None = None
    start_period: float | None = None
    start_interval: float | None = None
    retries: int | None = None


@dataclass(frozen=True)
class Dependency:
    """Not `required`: its failure is no error. `restart`: this service is restarted when the other is recreated."""

    condition: str = STARTED
    restart: bool = False
    required: bool = True


@dataclass(frozen=True)
class Attachment:
    """How a service sits on one network."""

    aliases: tuple[str, ...] = ()
    ipv4: str | None = None
    ipv6: str | None = None
    link_local: tuple[str, ...] = ()
    priority: int = 0


@dataclass(frozen=True)
class Port:
    """`published` is a port, a range of which the engine takes one, or "" or "0" for any."""

    target: int
    protocol: str = "tcp"
    published: str = ""
    host_ip: str = ""


@dataclass(frozen=True)
class Placed:
    """A config or secret (`source`, a key of the file) as a file in a container."""

    source: str
    target: str  # absolute
    uid: int
    gid: int
    mode: int


@dataclass(frozen=True)
class Service:
    """`config` and `host` hold the keys that are one field of the engine's description of a container each."""

    name: str
    line: int
    image: str
    build: Build | None = None
    pull_policy: str = "missing"
    container_name: str | None = None
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    environment: Mapping[str, str | None] = field(default_factory=dict)  # None: unset, even if the image sets it
    network_mode: str | None = None  # instead of networks
    networks: Mapping[str, Attachment] = field(default_factory=dict)  # by key in the file, the main one first
    network_of: str | None = None  # instead of networks: the service whose network is used
    links: tuple[tuple[str, str], ...] = ()  # service, and what it is called here
    ports: tuple[Port, ...] = ()
    expose: tuple[str, ...] = ()  # "80/tcp"
    mounts: tuple[Mount, ...] = ()
    tmpfs: Mapping[str, str] = field(default_factory=dict)
    healthcheck: Healthcheck | None = None
    depends_on: Mapping[str, Dependency] = field(default_factory=dict)
    restart: tuple[str, int] | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[Placed, ...] = ()
    configs: tuple[Placed, ...] = ()
    config: Mapping[str, object] = field(default_factory=dict)
    host: Mapping[str, object] = field(default_factory=dict)
    passed_over: tuple[str, ...] = ()  # keys of the file that change nothing of a run


@dataclass(frozen=True)
class AddressPool:
    subnet: str | None = None
    gateway: str | None = None
    ip_range: str | None = None
    aux_addresses: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Network:
    name: str  # on the engine
    external: bool = False
    driver: str | None = None
    driver_opts: Mapping[str, str] = field(default_factory=dict)
    internal: bool = False
    attachable: bool = False
    enable_ipv6: bool = False
    ipam_driver: str | None = None
    pools: tuple[AddressPool, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Volume:
    name: str  # on the engine
    external: bool = False
    driver: str | None = None
    driver_opts: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """Where the content of a config or secret comes from: one of the three."""

    environment: str | None = None
    file: Traversable | None = None
    content: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Project:
    """A Compose file for one project name. `services` holds those of the chosen profiles only."""

    name: str
    folder: Traversable
    file: str
    services: Mapping[str, Service]
    networks: Mapping[str, Network]
    volumes: Mapping[str, Volume]
    secrets: Mapping[str, Source]
    configs: Mapping[str, Source]
    env: Mapping[str, str] = field(repr=False)  # may hold secrets
    extra_labels: Mapping[str, str] = field(default_factory=dict)

    def container_name(self, service: str) -> str:
        named = self.services[service].container_name if service in self.services else None
        return named or f"{self.name}-{service}-1"
