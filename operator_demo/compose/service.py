"""One service of a Compose file."""

import re
import shlex
from collections.abc import Iterator

from operator_demo.compose import build as builds
from operator_demo.compose import units
from operator_demo.compose.deploy import read_deploy
from operator_demo.compose.environment import read_environment
from operator_demo.compose.fields import CONFIG, HOST, read_fields
from operator_demo.compose.files import check_can_be_placed, read_configs, read_secrets
from operator_demo.compose.folder import Folder
from operator_demo.compose.model import COMPLETED, HEALTHY, STARTED, Dependency, Healthcheck, Service
from operator_demo.compose.mounts import read_mounts, read_tmpfs
from operator_demo.compose.networking import read_links, read_network_mode, read_networks
from operator_demo.compose.ports import read_expose, read_ports
from operator_demo.compose.resources import read_labels
from operator_demo.document import Entries, Value

KEYS = (
    "build", "command", "configs", "container_name", "depends_on", "deploy", "entrypoint", "env_file", "environment",
    "expose", "healthcheck", "image", "labels", "links", "logging", "network_mode", "networks", "ports", "profiles",
    "pull_policy", "restart", "secrets", "tmpfs", "volumes", *CONFIG, *HOST)
# Keys of Compose that are not supported, with the reason where there is one.
_REASONS = {
    **dict.fromkeys((
        "annotations", "blkio_config", "cgroup", "cgroup_parent", "cpu_count", "cpu_percent", "cpu_rt_period",
        "cpu_rt_runtime", "cpu_shares", "cpuset", "credential_spec", "device_cgroup_rules", "dns_opt", "ipc",
        "isolation", "mem_swappiness", "oom_kill_disable", "runtime", "stdin_open", "storage_opt", "tty",
        "userns_mode", "uts"), ""),
    **dict.fromkeys(("cpus", "cpu_period", "cpu_quota"), "write deploy.resources.limits.cpus"),
    "mem_reservation": "write deploy.resources.reservations.memory",
    "scale": "a service is one container here; write one service for each",
    "extends": "write the keys out, or merge them with << and an anchor",
    "platform": "the engine's own is taken",
    "volumes_from": "name the volumes",
    "external_links": "put both on an external network",
    "mac_address": "the engine chooses it",
}
# What changes nothing of a run: it is told and passed over.
PASSED_OVER = ("attach", "develop")
_PULL_POLICIES = ("always", "never", "missing", "if_not_present", "build")
_RESTART = re.compile(r"(no|always|unless-stopped|on-failure)(?::(\d{1,6}))?", re.ASCII)
_IMAGE = re.compile(r"[a-z0-9][\w.:/@-]*", re.ASCII)
_CONTAINER = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+", re.ASCII)


def read_profiles(value: Value) -> set[str]:
    """The profiles of a service; none of its other keys is looked at."""
    return {name for name in value.map().read("profiles", Value.texts, []) if name}


def read_service(value: Value, name: str, project: str, folder: Folder) -> Service:
    """Raises UsageError."""
    keys = value.map((*KEYS, *PASSED_OVER), _REASONS)
    build = keys.read("build", lambda given: builds.read_build(given, folder), None)
    image = keys.parsed("image", _image, None)
    if image is None and build is None:
        value.fail("neither image nor build is given")
    network_mode, network_of = read_network_mode(keys)
    links = keys.read("links", read_links, ())
    depends_on = keys.read("depends_on", _depends_on, {})
    for other in [*(linked for linked, _ in links), *([network_of] if network_of else [])]:
        depends_on.setdefault(other, Dependency(STARTED, restart=True))
    host = read_fields(keys, HOST)
    if "logging" in keys:
        host["LogConfig"] = _logging(keys["logging"])
    restart = keys.parsed("restart", _restart, None)
    if "deploy" in keys:
        restart = read_deploy(keys["deploy"], host) or restart
    service = Service(
        name, value.line, image or f"{project}-{name}", build,
        pull_policy=keys["pull_policy"].one_of(_PULL_POLICIES) if keys.text("pull_policy") else "missing",
        container_name=keys.parsed("container_name", _container_name, None),
        command=keys.read("command", _command, None),
        entrypoint=keys.read("entrypoint", _command, None),
        environment=read_environment(keys, folder),
        network_mode=network_mode,
        network_of=network_of,
        networks={} if network_mode or network_of else read_networks(keys.get("networks")),
        links=links,
        ports=keys.read("ports", read_ports, ()),
        expose=keys.read("expose", read_expose, ()),
        mounts=keys.read("volumes", lambda given: read_mounts(given, folder), ()),
        tmpfs=keys.read("tmpfs", read_tmpfs, {}),
        healthcheck=keys.read("healthcheck", _healthcheck, None),
        depends_on=depends_on,
        restart=restart,
        labels=keys.read("labels", read_labels, {}),
        secrets=keys.read("secrets", read_secrets, ()),
        configs=keys.read("configs", read_configs, ()),
        config=read_fields(keys, CONFIG),
        host=host,
        passed_over=tuple(_passed_over(keys)))
    for mount in service.mounts:
        if mount.target in service.tmpfs:
            keys["tmpfs"].fail(f"something is mounted on {mount.target} already")
    if service.ports and (network_of or network_mode in ("host", "none")):
        keys["ports"].fail(f"with network_mode {keys.text('network_mode')} no port can be published")
    check_can_be_placed(value, service)
    return service


def _passed_over(keys: Entries) -> Iterator[str]:
    yield from (key for key in PASSED_OVER if key in keys and not keys[key].is_empty)
    build = keys.get("build")
    if build is not None and build.is_map:
        yield from (f"build.{key}" for key in builds.PASSED_OVER if key in build.map())


def _image(text: str) -> str:
    if not _IMAGE.fullmatch(text):
        raise ValueError("the name of an image is expected here")
    return text


def _container_name(text: str) -> str:
    if not _CONTAINER.fullmatch(text):
        raise ValueError("the name of a container is expected here (letters, digits, _, . and -)")
    return text


def _command(value: Value) -> tuple[str, ...]:
    if value.is_list:
        return tuple(value.texts())
    return tuple(value.parsed(shlex.split))


def _healthcheck(value: Value) -> Healthcheck:
    keys = value.map(("test", "interval", "timeout", "start_period", "start_interval", "retries", "disable"))
    if keys.read("disable", Value.boolean, False):
        return Healthcheck(("NONE",))
    return Healthcheck(
        keys.read("test", _health_test, ()), keys.read("interval", _seconds, None),
        keys.read("timeout", _seconds, None), keys.read("start_period", _seconds, None),
        keys.read("start_interval", _seconds, None), keys.read("retries", Value.integer, None))


def _seconds(value: Value) -> float:
    return value.parsed(units.seconds)


def _health_test(value: Value) -> tuple[str, ...]:
    if not value.is_list:
        return ("CMD-SHELL", value.text())
    test = tuple(value.texts())
    if not test:
        return ()
    if test[0] not in ("CMD", "CMD-SHELL", "NONE"):
        value.fail("the list must begin with CMD, CMD-SHELL or NONE")
    if len(test) == 1 and test[0] != "NONE":
        value.fail(f"a command is expected after {test[0]}")
    return test


def _depends_on(value: Value) -> dict[str, Dependency]:
    if value.is_list:
        return dict.fromkeys(value.texts(), Dependency())
    dependencies = {}
    for name, entry in value.map().items():
        keys = entry.map(("condition", "restart", "required"))
        if "condition" not in keys:
            entry.fail("the condition is missing")
        dependencies[name] = Dependency(
            keys["condition"].one_of((STARTED, HEALTHY, COMPLETED)),
            keys.read("restart", Value.boolean, False), keys.read("required", Value.boolean, True))
    return dependencies


def _restart(text: str) -> tuple[str, int]:
    policy = _RESTART.fullmatch(text)
    if not policy or (policy[2] and policy[1] != "on-failure"):
        raise ValueError("no, always, unless-stopped, on-failure or on-failure:N is expected here")
    return policy[1], int(policy[2] or 0)


def _logging(value: Value) -> dict[str, object]:
    keys = value.map(("driver", "options"))
    return {"Type": keys.text("driver") or "", "Config": keys.read("options", Value.text_pairs, {})}
