"""Reading a Compose file: the subset in docs/compose.md, and a clear refusal of everything else."""

import re
import shlex
from collections.abc import Iterable, Mapping
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath

from operator_demo.errors import UsageError

from . import units
from .document import Value, read_document
from .model import COMPLETED, HEALTHY, STARTED, Build, Healthcheck, Mount, Network, Project, Secret, Service, Volume

_TOP_KEYS = ("name", "services", "networks", "volumes", "secrets")
_SERVICE_KEYS = (
    "build", "cap_add", "cap_drop", "command", "cpus", "depends_on", "entrypoint", "environment", "healthcheck",
    "hostname", "image", "init", "labels", "logging", "mem_limit", "networks", "profiles", "pull_policy",
    "read_only", "restart", "secrets", "security_opt", "stop_grace_period", "stop_signal", "tmpfs", "user", "volumes",
    "working_dir")
_PULL_POLICIES = ("always", "never", "missing", "if_not_present", "build")
_PROJECT_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*", re.ASCII)
_KEY = re.compile(r"[a-zA-Z0-9._-]+", re.ASCII)
_RESTART = re.compile(r"(no|always|unless-stopped|on-failure)(?::(\d{1,6}))?", re.ASCII)
_OWN_LABELS = "com.docker.compose."


def load_project(folder: Traversable, filename: str, *, project: str, env: Mapping[str, str],
                 profiles: Iterable[str] = (), extra_labels: Mapping[str, str] | None = None) -> Project:
    """Reads `folder/filename` for the project name `project`.

    `env` fills in ${VARIABLES} and gives the secrets that come from the environment. `extra_labels` go on every
    container, network and volume. Raises UsageError, which names file, line, service and key.
    """
    try:
        text = (folder / filename).read_text(encoding="utf-8")
    except (OSError, ValueError) as e:
        raise UsageError(f"cannot read {filename}: {e}") from e
    return parse_project(text, folder, filename, project=project, env=env, profiles=profiles,
                         extra_labels=extra_labels)


def parse_project(text: str, folder: Traversable, filename: str, *, project: str, env: Mapping[str, str],
                  profiles: Iterable[str] = (), extra_labels: Mapping[str, str] | None = None) -> Project:
    """`load_project` on the text of the file."""
    if not _PROJECT_NAME.fullmatch(project):
        raise UsageError(f"{project!r} is not a name for a project",
                         "Lower-case letters, digits, - and _, beginning with a letter or digit.")
    root = read_document(text, filename, env)
    top = root.map(_TOP_KEYS)
    if "name" in top:
        top["name"].text()
    networks = {k: _network(v, project, k) for k, v in _entries(top.get("networks")).items()}
    networks.setdefault("default", Network(f"{project}_default"))
    volumes = {k: _volume(v, project, k) for k, v in _entries(top.get("volumes")).items()}
    secrets = {k: _secret(v) for k, v in _entries(top.get("secrets")).items()}
    services, chosen = {}, set(profiles)
    if "services" not in top:
        root.fail("there are no services")
    places = _entries(top["services"])
    for name, value in places.items():
        service, of_profiles = _service(value, name, project)
        if not of_profiles or chosen & of_profiles:
            services[name] = service
    if not services:
        top["services"].fail("there are no services" if not places else
                             f"no service is in the profiles {sorted(chosen) or 'chosen (none)'}")
    for name, service in services.items():
        _check_references(places[name], service, services, networks, volumes, secrets)
    _check_cycles(places, services)
    return Project(project, folder, filename, services, networks, volumes, secrets, dict(env), dict(extra_labels or {}))


def _entries(value: Value | None) -> dict[str, Value]:
    """The named things of one top-level section."""
    if value is None or value.is_null:
        return {}
    found = {k: v for k, v in value.map().items() if not k.startswith("x-")}
    for key, entry in found.items():
        if not _KEY.fullmatch(key):
            entry.fail(f"{key!r} is not a name (letters, digits, dot, - and _)")
    return found


def _optional_map(value: Value, known: tuple[str, ...]) -> dict[str, Value]:
    return {} if value.is_null else value.map(known)


def _network(value: Value, project: str, key: str) -> Network:
    said = _optional_map(value, ("name", "external", "driver", "internal"))
    external = said["external"].boolean() if "external" in said else False
    for other in ("driver", "internal"):
        if external and other in said:
            said[other].fail("an external network is used as it is; this key has no effect on it")
    return Network(said["name"].text() if "name" in said else key if external else f"{project}_{key}", external,
                   said["driver"].text() if "driver" in said else None,
                   said["internal"].boolean() if "internal" in said else False)


def _volume(value: Value, project: str, key: str) -> Volume:
    said = _optional_map(value, ("name", "external"))
    external = said["external"].boolean() if "external" in said else False
    return Volume(said["name"].text() if "name" in said else key if external else f"{project}_{key}", external)


def _secret(value: Value) -> Secret:
    said = value.map(("environment", "file"))
    if len(said) != 1:
        value.fail("exactly one of environment and file is expected")
    if "file" in said:
        return Secret(file=said["file"].parsed(_inside))
    return Secret(environment=said["environment"].text())


def _service(value: Value, name: str, project: str) -> tuple[Service, set[str]]:
    said = {k: v for k, v in value.map(_SERVICE_KEYS).items() if not v.is_null}
    build = _build(said["build"]) if "build" in said else None
    if "image" not in said and build is None:
        value.fail("neither image nor build is given")
    image = said["image"].parsed(_image) if "image" in said else f"{project}-{name}"
    log_driver, log_options = _logging(said["logging"]) if "logging" in said else (None, {})

    def text(key: str) -> str | None:
        return said[key].text() if key in said else None

    def texts(key: str) -> tuple[str, ...]:
        return tuple(said[key].texts()) if key in said else ()

    def flag(key: str) -> bool | None:
        return said[key].boolean() if key in said else None

    def command(key: str) -> tuple[str, ...] | None:
        return _command(said[key]) if key in said else None

    service = Service(
        name, value.line, image, build,
        pull_policy=said["pull_policy"].one_of(_PULL_POLICIES) if "pull_policy" in said else "missing",
        command=command("command"), entrypoint=command("entrypoint"),
        environment=_environment(said["environment"]) if "environment" in said else {},
        networks=_service_networks(said.get("networks")),
        mounts=tuple(_mount(v) for v in said["volumes"].sequence()) if "volumes" in said else (),
        tmpfs=_tmpfs(said["tmpfs"]) if "tmpfs" in said else {},
        healthcheck=_healthcheck(said["healthcheck"]) if "healthcheck" in said else None,
        depends_on=_depends_on(said["depends_on"]) if "depends_on" in said else {},
        restart=_restart(said["restart"]) if "restart" in said else ("no", 0),
        cap_add=texts("cap_add"), cap_drop=texts("cap_drop"), security_opt=texts("security_opt"),
        init=flag("init"), labels=_labels(said["labels"]) if "labels" in said else {},
        stop_grace_period=said["stop_grace_period"].parsed(units.seconds) if "stop_grace_period" in said else None,
        stop_signal=text("stop_signal"), working_dir=text("working_dir"), user=text("user"), hostname=text("hostname"),
        secrets=_service_secrets(said["secrets"]) if "secrets" in said else {},
        mem_limit=said["mem_limit"].parsed(units.size) if "mem_limit" in said else None,
        cpus=said["cpus"].parsed(_cpus) if "cpus" in said else None,
        read_only=bool(flag("read_only")), log_driver=log_driver, log_options=log_options)
    _check_secrets_can_be_put(value, service)
    return service, set(texts("profiles"))


def _image(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][\w.:/@-]*", text, re.ASCII):
        raise ValueError("the name of an image is expected here")
    return text


def _inside(text: str) -> str:
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or text.startswith("~"):
        raise ValueError("a path inside the folder of the Compose file is expected here")
    return str(path)


def _absolute(text: str) -> str:
    if not text.startswith("/"):
        raise ValueError("an absolute path is expected here")
    return text


def _cpus(text: str) -> float:
    if not re.fullmatch(r"\d{1,6}(\.\d{1,9})?", text, re.ASCII) or float(text) == 0:
        raise ValueError("a number of processors such as 0.5 is expected here")
    return float(text)


def _build(value: Value) -> Build:
    if not value.is_map:
        return Build(value.parsed(_inside), "Dockerfile", {})
    said = value.map(("context", "dockerfile", "args"))
    if "context" not in said:
        value.fail("the context is missing")
    args = said["args"].pairs() if "args" in said else {}
    for key, given in args.items():
        if given is None and key not in value.document.env:
            said["args"].fail(f"{key} has no value and no such variable is set")
    return Build(said["context"].parsed(_inside), said["dockerfile"].parsed(_inside) if "dockerfile" in said else
                 "Dockerfile", {k: value.document.env[k] if v is None else v for k, v in args.items()})


def _command(value: Value) -> tuple[str, ...]:
    if value.is_list:
        return tuple(value.texts())
    return tuple(value.parsed(shlex.split))


def _environment(value: Value) -> dict[str, str]:
    """A name without a value is taken from the environment; where that lacks it, it stays unset."""
    env = value.document.env
    given = {k: env.get(k) if v is None else v for k, v in value.pairs().items()}
    return {k: v for k, v in given.items() if v is not None}


def _labels(value: Value) -> dict[str, str]:
    labels = {k: v or "" for k, v in value.pairs().items()}
    for key in labels:
        if key.startswith(_OWN_LABELS):
            value.fail(f"the label {key} is Compose's own")
    return labels


def _service_networks(value: Value | None) -> dict[str, tuple[str, ...]]:
    if value is None:
        return {"default": ()}
    if value.is_list:
        found: dict[str, tuple[str, ...]] = dict.fromkeys(value.texts(), ())
    else:
        found = {}
        for name, entry in value.map().items():
            said = _optional_map(entry, ("aliases",))
            found[name] = tuple(said["aliases"].texts()) if "aliases" in said else ()
    if not found:
        value.fail("at least one network is expected here")
    return found


def _mount(value: Value) -> Mount:
    if not value.is_map:
        return _short_mount(value)
    said = value.map(("type", "source", "target", "read_only", "tmpfs"))
    for key in ("type", "target"):
        if key not in said:
            value.fail(f"the {key} is missing")
    kind = said["type"].one_of(("volume", "bind", "tmpfs"))
    if (kind == "tmpfs") == ("source" in said):
        value.fail("a tmpfs has no source" if kind == "tmpfs" else "the source is missing")
    source = ""
    if kind == "volume":
        source = said["source"].text()
    elif kind == "bind":
        source = said["source"].parsed(_absolute)
    tmpfs_size = None
    if "tmpfs" in said:
        if kind != "tmpfs":
            said["tmpfs"].fail("this is no tmpfs")
        options = said["tmpfs"].map(("size",))
        tmpfs_size = options["size"].parsed(units.size) if "size" in options else None
    return Mount(kind, source, said["target"].parsed(_absolute),
                 said["read_only"].boolean() if "read_only" in said else False, tmpfs_size)


def _short_mount(value: Value) -> Mount:
    parts = value.text().split(":")
    if len(parts) not in (2, 3) or not all(parts):
        value.fail("SOURCE:TARGET or SOURCE:TARGET:ro is expected here; a volume needs a name")
    source, target, mode = parts[0], parts[1], parts[2] if len(parts) == 3 else "rw"
    if mode not in ("ro", "rw"):
        value.fail(f"the mode {mode!r} is not supported (ro, rw)")
    if not target.startswith("/"):
        value.fail(f"an absolute path is expected in the container, not {target!r}")
    if source.startswith((".", "~")):
        value.fail(f"{source!r}: the engine may run on another machine, so a bind mount needs an absolute path there")
    return Mount("bind" if source.startswith("/") else "volume", source, target, mode == "ro")


def _tmpfs(value: Value) -> dict[str, str]:
    entries = value.sequence() if value.is_list else [value]
    found = {}
    for entry in entries:
        path, _, options = entry.text().partition(":")
        if not path.startswith("/"):
            entry.fail(f"an absolute path is expected here, not {path!r}")
        found[path] = options
    return found


def _healthcheck(value: Value) -> Healthcheck:
    said = value.map(("test", "interval", "timeout", "start_period", "retries", "disable"))
    if "disable" in said and said["disable"].boolean():
        return Healthcheck(("NONE",))
    test: tuple[str, ...] = ()
    if "test" in said:
        test = _health_test(said["test"])

    def time(key: str) -> float | None:
        return said[key].parsed(units.seconds) if key in said else None

    return Healthcheck(test, time("interval"), time("timeout"), time("start_period"),
                       said["retries"].integer(1) if "retries" in said else None)


def _health_test(value: Value) -> tuple[str, ...]:
    if not value.is_list:
        return ("CMD-SHELL", value.text())
    test = tuple(value.texts())
    if not test or test[0] not in ("CMD", "CMD-SHELL", "NONE"):
        value.fail("the list must begin with CMD, CMD-SHELL or NONE")
    if len(test) == 1 and test[0] != "NONE":
        value.fail(f"a command is expected after {test[0]}")
    return test


def _depends_on(value: Value) -> dict[str, str]:
    if value.is_list:
        return dict.fromkeys(value.texts(), STARTED)
    found = {}
    for name, entry in value.map().items():
        said = entry.map(("condition",))
        if "condition" not in said:
            entry.fail("the condition is missing")
        found[name] = said["condition"].one_of((STARTED, HEALTHY, COMPLETED))
    return found


def _restart(value: Value) -> tuple[str, int]:
    def parse(text: str) -> tuple[str, int]:
        found = _RESTART.fullmatch(text)
        if not found or (found[2] and found[1] != "on-failure"):
            raise ValueError("no, always, unless-stopped, on-failure or on-failure:N is expected here")
        return found[1], int(found[2] or 0)
    return value.parsed(parse)


def _service_secrets(value: Value) -> dict[str, str]:
    def file_name(text: str) -> str:
        if not _KEY.fullmatch(text) or text in (".", ".."):
            raise ValueError("a plain file name is expected here")
        return text

    found = {}
    for entry in value.sequence():
        if not entry.is_map:
            found[entry.text()] = entry.text()
            continue
        said = entry.map(("source", "target"))
        if "source" not in said:
            entry.fail("the source is missing")
        found[said["source"].text()] = said["target" if "target" in said else "source"].parsed(file_name)
    return found


def _check_secrets_can_be_put(value: Value, service: Service) -> None:
    """They are copied in before the start, which the engine refuses or hides in these cases."""
    if not service.secrets:
        return
    if service.read_only:
        value.fail("secrets cannot be put into a read_only container")
    for path in [*service.tmpfs, *(m.target for m in service.mounts)]:
        if PurePosixPath("/run/secrets").is_relative_to(PurePosixPath(path)):
            value.fail(f"the mount on {path} would hide the secrets in /run/secrets")


def _logging(value: Value) -> tuple[str | None, dict[str, str]]:
    said = value.map(("driver", "options"))
    options = {k: v or "" for k, v in said["options"].pairs().items()} if "options" in said else {}
    return said["driver"].text() if "driver" in said else None, options


def _check_references(place: Value, service: Service, services: Mapping[str, Service],
                      networks: Mapping[str, Network], volumes: Mapping[str, Volume],
                      secrets: Mapping[str, Secret]) -> None:
    keys = place.map()
    for name in service.networks:
        if name not in networks:
            keys["networks"].fail(f"the network {name!r} is not defined under networks")
    for mount in service.mounts:
        if mount.type == "volume" and mount.source not in volumes:
            keys["volumes"].fail(f"the volume {mount.source!r} is not defined under volumes")
    for name in service.secrets:
        if name not in secrets:
            keys["secrets"].fail(f"the secret {name!r} is not defined under secrets")
    for name in service.depends_on:
        if name not in services:
            keys["depends_on"].fail(f"there is no service {name!r} (or its profile is not chosen)")


def _check_cycles(places: Mapping[str, Value], services: Mapping[str, Service]) -> None:
    finished: set[str] = set()
    for start in services:
        # A walk with its own stack: a long chain of services must not meet Python's limit of recursion.
        trail, todo = [], [(start, iter(services[start].depends_on))]
        trail.append(start)
        while todo:
            name, rest = todo[-1]
            following = next((n for n in rest if n not in finished), None)
            if following is None:
                finished.add(name)
                todo.pop()
                trail.pop()
            elif following in trail:
                circle = [*trail[trail.index(following):], following]
                places[following].map()["depends_on"].fail(
                    f"services depend on each other in a circle: {' -> '.join(circle)}")
            else:
                trail.append(following)
                todo.append((following, iter(services[following].depends_on)))
