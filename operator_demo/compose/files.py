"""Configs and secrets: where their content comes from, and where it goes in a container."""

from pathlib import PurePosixPath
from posixpath import normpath

from operator_demo.compose import units
from operator_demo.compose.folder import Folder
from operator_demo.compose.model import Placed, Service, Source
from operator_demo.document import Value

_EXTERNAL = {"external": "only Swarm keeps them; give file or environment"}
# What the engine itself mounts when a container starts.
_ENGINES_OWN = ("/proc", "/sys", "/dev", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf")


def read_secret_source(value: Value, folder: Folder) -> Source:
    return _source(value, folder, ("environment", "file"))


def read_config_source(value: Value, folder: Folder) -> Source:
    return _source(value, folder, ("content", "environment", "file"))


def _source(value: Value, folder: Folder, kinds: tuple[str, ...]) -> Source:
    keys = value.map((*kinds, "name"), _EXTERNAL)
    if "name" in keys:
        keys.pop("name").text()  # of use to Swarm alone; `docker compose config` writes it
    if len(keys) != 1:
        value.fail(f"exactly one of {', '.join(kinds)} is expected")
    if "file" in keys:
        return Source(file=keys["file"].parsed(folder.file))
    if "content" in keys:
        return Source(content=keys["content"].text())
    return Source(environment=keys["environment"].text())


def read_secrets(value: Value) -> tuple[Placed, ...]:
    """In /run/secrets and for root alone, unless the file says otherwise."""
    return tuple(_placed(entry, "/run/secrets", 0o600) for entry in value.sequence())


def read_configs(value: Value) -> tuple[Placed, ...]:
    """In the root folder and readable for all, unless the file says otherwise."""
    return tuple(_placed(entry, "/", 0o444) for entry in value.sequence())


def _placed(value: Value, base: str, mode: int) -> Placed:
    if not value.is_map:
        return Placed(value.text(), _target(value, base, value.text()), 0, 0, mode)
    keys = value.map(("source", "target", "uid", "gid", "mode"))
    source = keys.text("source")
    if source is None:
        value.fail("the source is missing")
    place = keys["target" if keys.text("target") else "source"]
    return Placed(source, _target(place, base, place.text()), keys.parsed("uid", units.whole, 0),
                  keys.parsed("gid", units.whole, 0), keys.parsed("mode", units.file_mode, mode))


def _target(place: Value, base: str, text: str) -> str:
    path = PurePosixPath(base, text)
    if not text or text.endswith("/") or ".." in path.parts or path == PurePosixPath(base):
        place.fail(f"the path of a file is expected here, not {text!r}")
    return "/" + str(path).lstrip("/")


def check_can_be_placed(value: Value, service: Service) -> None:
    """They are copied in before the start, which the engine refuses or hides in these cases; into a volume or a folder
    of the host they would stay behind, for whoever mounts it next."""
    placed = [("secret", p) for p in service.secrets] + [("config", p) for p in service.configs]
    if placed and service.host.get("ReadonlyRootfs"):
        value.fail(f"{placed[0][0]}s cannot be put into a read_only container")
    seen: set[PurePosixPath] = set()
    for kind, entry in placed:
        target = _real(entry.target)
        if target in seen:
            value.fail(f"two files are put at {entry.target}")
        seen.add(target)
        for path in [*service.tmpfs, *(m.target for m in service.mounts)]:
            if target.is_relative_to(_real(path)):
                value.fail(f"the mount on {path} would hide the {kind}s in {target.parent}")
        for path in _ENGINES_OWN:
            if target.is_relative_to(path):
                value.fail(f"the engine mounts {path} itself, so no {kind} can be put at {entry.target}")


def _real(path: str) -> PurePosixPath:
    """Without the one link that nearly every image has: /var/run is /run."""
    normal = PurePosixPath("/" + normpath(path).lstrip("/"))
    run = PurePosixPath("/var/run")
    return PurePosixPath("/run") / normal.relative_to(run) if normal.is_relative_to(run) else normal
