"""One service of a Compose file."""

import ipaddress
import re
import shlex
from collections.abc import Mapping
from pathlib import PurePosixPath

from operator_demo.compose import plain as compose_plain
from operator_demo.compose import units
from operator_demo.compose.deploy import check_one, read_deploy
from operator_demo.compose.dotenv import parse_dotenv
from operator_demo.compose.files import check_can_be_placed, read_configs, read_secrets
from operator_demo.compose.folder import Folder
from operator_demo.compose.model import COMPLETED, HEALTHY, STARTED, Attachment, Build, Dependency, Healthcheck, Service
from operator_demo.compose.mounts import read_mounts, read_tmpfs
from operator_demo.compose.ports import read_expose, read_ports
from operator_demo.compose.resources import read_labels
from operator_demo.document import Value

_OWN_KEYS = (
    "build", "command", "configs", "container_name", "depends_on", "deploy", "entrypoint", "env_file", "environment",
    "expose", "healthcheck", "image", "ipc", "labels", "links", "logging", "network_mode", "networks", "pid", "ports",
    "profiles", "pull_policy", "restart", "scale", "secrets", "tmpfs", "volumes")
_KEYS = (*_OWN_KEYS, *compose_plain.CONFIG, *compose_plain.HOST)
_REASONS = {
    "extends": "write the keys out, or merge them with << and an anchor",
    "platform": "the engine's own is taken",
    "volumes_from": "name the volumes",
    "external_links": "put both on an external network",
    "develop": "nothing is watched here",
    "attach": "the logs are not shown here",
    "mac_address": "the engine chooses it",
}
_PULL_POLICIES = ("always", "never", "missing", "if_not_present", "build")
_RESTART = re.compile(r"(no|always|unless-stopped|on-failure)(?::(\d{1,6}))?", re.ASCII)
_IMAGE = re.compile(r"[a-z0-9][\w.:/@-]*", re.ASCII)
_CONTAINER = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+", re.ASCII)


def read_service(value: Value, name: str, project: str, folder: Folder) -> tuple[Service, set[str]]:
    """The service and its profiles. Raises UsageError."""
    said = {k: v for k, v in value.map(_KEYS, _REASONS).items() if not v.is_null}
    build = _build(said["build"], folder) if "build" in said else None
    if "image" not in said and build is None:
        value.fail("neither image nor build is given")
    config = compose_plain.read_fields(said, compose_plain.CONFIG)
    host = compose_plain.read_fields(said, compose_plain.HOST)
    if "logging" in said:
        host["LogConfig"] = _logging(said["logging"])
    restart = _restart(said["restart"]) if "restart" in said else None
    if "deploy" in said:
        restart = read_deploy(said["deploy"], host) or restart
    if "scale" in said:
        check_one(said["scale"])
    network_mode, shares = _namespaces(said, host)
    links = _links(said["links"], network_mode) if "links" in said else ()
    depends_on = _depends_on(said["depends_on"]) if "depends_on" in said else {}
    for other in [*(s for s, _ in links), *shares.values()]:
        depends_on.setdefault(other, Dependency(STARTED, restart=True))
    service = Service(
        name, value.line, said["image"].parsed(_image) if "image" in said else f"{project}-{name}", build,
        pull_policy=said["pull_policy"].one_of(_PULL_POLICIES) if "pull_policy" in said else "missing",
        container_name=said["container_name"].parsed(_container_name) if "container_name" in said else None,
        command=_command(said["command"]) if "command" in said else None,
        entrypoint=_command(said["entrypoint"]) if "entrypoint" in said else None,
        environment=_environment(said, folder),
        network_mode=network_mode, networks={} if network_mode else _networks(said.get("networks")), shares=shares,
        links=links,
        ports=read_ports(said["ports"]) if "ports" in said else (),
        expose=read_expose(said["expose"]) if "expose" in said else (),
        mounts=read_mounts(said["volumes"], folder) if "volumes" in said else (),
        tmpfs=read_tmpfs(said["tmpfs"]) if "tmpfs" in said else {},
        healthcheck=_healthcheck(said["healthcheck"]) if "healthcheck" in said else None,
        depends_on=depends_on, restart=restart,
        labels=read_labels(said["labels"]) if "labels" in said else {},
        secrets=read_secrets(said["secrets"]) if "secrets" in said else (),
        configs=read_configs(said["configs"]) if "configs" in said else (),
        config=config, host=host)
    for mount in service.mounts:
        if mount.target in service.tmpfs:
            said["tmpfs"].fail(f"something is mounted on {mount.target} already")
    if service.ports and network_mode in ("host", "none", "shared"):
        said["ports"].fail(f"with network_mode {said['network_mode'].text()} no port can be published")
    check_can_be_placed(value, service)
    return service, set(said["profiles"].texts()) if "profiles" in said else set()


def _image(text: str) -> str:
    if not _IMAGE.fullmatch(text):
        raise ValueError("the name of an image is expected here")
    return text


def _container_name(text: str) -> str:
    if not _CONTAINER.fullmatch(text):
        raise ValueError("the name of a container is expected here (letters, digits, _, . and -)")
    return text


def _build(value: Value, folder: Folder) -> Build:
    if not value.is_map:
        return Build(value.parsed(folder.file), on_disk=folder.on_disk)
    said = value.map(("context", "dockerfile", "dockerfile_inline", "args", "target", "labels"))
    if "dockerfile" in said and "dockerfile_inline" in said:
        value.fail("dockerfile and dockerfile_inline exclude each other")
    env = value.document.env
    args = said["args"].pairs() if "args" in said else {}
    return Build(
        said["context"].parsed(folder.file) if "context" in said else folder.file("."),
        said["dockerfile"].parsed(_inside) if "dockerfile" in said else "Dockerfile",
        said["dockerfile_inline"].text() if "dockerfile_inline" in said else None,
        # As in Compose, an argument without a value that is not set outside is left to the Dockerfile.
        {k: env[k] if v is None else v for k, v in args.items() if v is not None or k in env},
        said["target"].text() if "target" in said else None,
        read_labels(said["labels"]) if "labels" in said else {}, folder.on_disk)


def _inside(text: str) -> str:
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or text.startswith("~"):
        raise ValueError("a path inside the build context is expected here")
    return str(path)


def _command(value: Value) -> tuple[str, ...]:
    if value.is_list:
        return tuple(value.texts())
    return tuple(value.parsed(shlex.split))


def _environment(said: Mapping[str, Value], folder: Folder) -> dict[str, str | None]:
    """Of `env_file`, overridden by `environment`. A name without a value is taken from the environment; where that
    lacks it, it stays unset."""
    found: dict[str, str | None] = {}
    if "env_file" in said:
        read: dict[str, str] = {}
        for entry in said["env_file"].one_or_more():
            read.update(_env_file(entry, folder, read))
        found.update(read)
    if "environment" in said:
        env = said["environment"].document.env
        found.update({k: env.get(k) if v is None else v for k, v in said["environment"].pairs().items()})
    for name in found:
        if "=" in name or not name:
            said["environment"].fail(f"{name!r} is no name of a variable")
    return found


def _env_file(value: Value, folder: Folder, before: Mapping[str, str]) -> dict[str, str]:
    path, required = value, True
    if value.is_map:
        entry = value.map(("path", "required"))
        if "path" not in entry:
            value.fail("the path is missing")
        path, required = entry["path"], entry["required"].boolean() if "required" in entry else True
    file = path.parsed(folder.file)
    try:
        text = file.read_bytes().decode()
    except FileNotFoundError:
        if not required:
            return {}
        path.fail(f"there is no file {file}")
    except (OSError, ValueError) as e:
        path.fail(f"cannot read {file}: {getattr(e, 'strerror', None) or e}")
    try:
        found = parse_dotenv(text, {**value.document.env, **before})
    except ValueError as e:
        path.fail(f"{path.text()}: {e}")
    if any("\0" in v for v in found.values()):
        path.fail(f"{path.text()}: a zero byte is not allowed")
    return found


def _networks(value: Value | None) -> dict[str, Attachment]:
    if value is None:
        return {"default": Attachment()}
    if value.is_list:
        found = dict.fromkeys(value.texts(), Attachment())
    else:
        found = {name: _attachment(entry) for name, entry in value.map().items()}
    if not found:
        value.fail("at least one network is expected here (or network_mode: none)")
    # Compose's order: a mapping has none of its own.
    return dict(sorted(found.items(), key=lambda item: (-item[1].priority, item[0])))


def _attachment(value: Value) -> Attachment:
    said = {} if value.is_null else value.map(
        ("aliases", "ipv4_address", "ipv6_address", "link_local_ips", "priority"),
        {"mac_address": "the engine chooses it"})
    return Attachment(tuple(said["aliases"].texts()) if "aliases" in said else (),
                      _address(said["ipv4_address"]) if "ipv4_address" in said else None,
                      _address(said["ipv6_address"]) if "ipv6_address" in said else None,
                      tuple(said["link_local_ips"].texts()) if "link_local_ips" in said else (),
                      said["priority"].integer() if "priority" in said else 0)


def _address(value: Value) -> str:
    return str(value.parsed(ipaddress.ip_address))


def _namespaces(said: Mapping[str, Value], host: dict[str, object]) -> tuple[str | None, dict[str, str]]:
    """The network mode, if one is given, and the services whose namespaces are shared."""
    shares: dict[str, str] = {}

    def read(key: str, field: str, choices: tuple[str, ...]) -> str | None:
        if key not in said:
            return None
        text = said[key].text()
        if text.startswith("service:"):
            shares[field] = text.removeprefix("service:")
            return "shared"
        if text not in choices and not text.startswith("container:"):
            said[key].fail(f"{text!r} is none of {', '.join(choices)}, service:NAME, container:NAME")
        return text

    for key, field, choices in (("ipc", "IpcMode", ("none", "host", "private", "shareable")),
                                ("pid", "PidMode", ("host",))):
        mode = read(key, field, choices)
        if mode and mode != "shared":
            host[field] = mode
    network_mode = read("network_mode", "NetworkMode", ("bridge", "host", "none"))
    if network_mode and "networks" in said:
        said["networks"].fail("networks and network_mode exclude each other")
    return network_mode, shares


def _links(value: Value, network_mode: str | None) -> tuple[tuple[str, str], ...]:
    if network_mode:
        value.fail("links need a network of the project; network_mode leaves it")
    found = []
    for entry in value.sequence():
        service, _, alias = entry.text().partition(":")
        found.append((service, alias or service))
    return tuple(dict.fromkeys(found))


def _healthcheck(value: Value) -> Healthcheck:
    said = value.map(("test", "interval", "timeout", "start_period", "start_interval", "retries", "disable"))
    if "disable" in said and said["disable"].boolean():
        return Healthcheck(("NONE",))
    test: tuple[str, ...] = ()
    if "test" in said:
        test = _health_test(said["test"])

    def time(key: str) -> float | None:
        return said[key].parsed(units.seconds) if key in said else None

    return Healthcheck(test, time("interval"), time("timeout"), time("start_period"), time("start_interval"),
                       said["retries"].integer() if "retries" in said else None)


def _health_test(value: Value) -> tuple[str, ...]:
    if not value.is_list:
        return ("CMD-SHELL", value.text())
    test = tuple(value.texts())
    if not test or test[0] not in ("CMD", "CMD-SHELL", "NONE"):
        value.fail("the list must begin with CMD, CMD-SHELL or NONE")
    if len(test) == 1 and test[0] != "NONE":
        value.fail(f"a command is expected after {test[0]}")
    return test


def _depends_on(value: Value) -> dict[str, Dependency]:
    if value.is_list:
        return dict.fromkeys(value.texts(), Dependency())
    found = {}
    for name, entry in value.map().items():
        said = entry.map(("condition", "restart", "required"))
        if "condition" not in said:
            entry.fail("the condition is missing")
        found[name] = Dependency(said["condition"].one_of((STARTED, HEALTHY, COMPLETED)),
                                 said["restart"].boolean() if "restart" in said else False,
                                 said["required"].boolean() if "required" in said else True)
    return found


def _restart(value: Value) -> tuple[str, int]:
    def parse(text: str) -> tuple[str, int]:
        found = _RESTART.fullmatch(text)
        if not found or (found[2] and found[1] != "on-failure"):
            raise ValueError("no, always, unless-stopped, on-failure or on-failure:N is expected here")
        return found[1], int(found[2] or 0)
    return value.parsed(parse)


def _logging(value: Value) -> dict[str, object]:
    said = value.map(("driver", "options"))
    options = {k: v or "" for k, v in said["options"].pairs().items()} if "options" in said else {}
    return {"Type": said["driver"].text() if "driver" in said else "", "Config": options}
