"""`volumes` and `tmpfs` of a service."""

from posixpath import normpath

from operator_demo.compose import units
from operator_demo.compose.folder import Folder
from operator_demo.compose.model import Mount
from operator_demo.document import Value

_PROPAGATIONS = ("private", "rprivate", "shared", "rshared", "slave", "rslave")
_CONSISTENCIES = ("consistent", "cached", "delegated")
_SELINUX = ("z", "Z")


def read_mounts(value: Value, folder: Folder) -> tuple[Mount, ...]:
    found: dict[str, Mount] = {}
    for entry in value.sequence():
        mount = _long(entry, folder) if entry.is_map else _short(entry, folder)
        if mount.target in found:
            entry.fail(f"something is mounted on {mount.target} already")
        found[mount.target] = mount
    return tuple(found.values())


def read_tmpfs(value: Value) -> dict[str, str]:
    found = {}
    for entry in value.one_or_more():
        path, _, options = entry.text().partition(":")
        found[_target(entry, path)] = options
    return found


def _target(place: Value, path: str) -> str:
    if not path.startswith("/"):
        place.fail(f"an absolute path is expected in the container, not {path!r}")
    return "/" + normpath(path).lstrip("/")


def _short(value: Value, folder: Folder) -> Mount:
    parts = value.text().split(":")
    if len(parts) > 3 or not all(parts):
        value.fail("[SOURCE:]TARGET[:MODE] is expected here")
    if len(parts) == 1:
        return Mount("volume", "", _target(value, parts[0]))
    source, target, modes = parts[0], _target(value, parts[1]), parts[2].split(",") if len(parts) == 3 else []
    is_path = source.startswith(("/", ".", "~"))
    kept, read_only, nocopy = [], False, False
    for mode in modes:
        if mode in ("ro", "rw"):
            read_only = mode == "ro"
        elif mode == "nocopy" and not is_path:
            nocopy = True
        elif mode in _SELINUX or mode in _CONSISTENCIES or (mode in _PROPAGATIONS and is_path):
            kept.append(mode)
        else:
            value.fail(f"the mode {mode!r} is not supported")
    if not is_path:
        return Mount("volume", source, target, read_only, tuple(kept), nocopy=nocopy)
    return Mount("bind", _host_path(value, folder, source, colon=False), target, read_only, tuple(kept),
                 create_host_path=True)


def _long(value: Value, folder: Folder) -> Mount:
    said = value.map(("type", "source", "target", "read_only", "consistency", "bind", "volume", "tmpfs"))
    for key in ("type", "target"):
        if key not in said:
            value.fail(f"the {key} is missing")
    kind = said["type"].one_of(("volume", "bind", "tmpfs"))
    for other in ("volume", "bind", "tmpfs"):
        if other in said and other != kind:
            said[other].fail(f"this is a {kind}")
    if kind == "tmpfs" and "source" in said:
        said["source"].fail("a tmpfs has no source")
    if kind == "bind" and "source" not in said:
        value.fail("the source is missing")
    target = _target(said["target"], said["target"].text())
    read_only = said["read_only"].boolean() if "read_only" in said else False
    consistency = said["consistency"].one_of(_CONSISTENCIES) if "consistency" in said else None
    if kind == "volume":
        options = said["volume"].map(("nocopy",), {"subpath": "engines before 26 cannot do it"}) \
            if "volume" in said else {}
        return Mount(kind, said["source"].text() if "source" in said else "", target, read_only,
                     consistency=consistency, nocopy=options["nocopy"].boolean() if "nocopy" in options else False)
    if kind == "tmpfs":
        options = said["tmpfs"].map(("size", "mode")) if "tmpfs" in said else {}
        return Mount(kind, "", target, read_only, consistency=consistency,
                     tmpfs_size=options["size"].parsed(units.size) if "size" in options else None,
                     tmpfs_mode=options["mode"].parsed(units.file_mode) if "mode" in options else None)
    return _long_bind(said, folder, target, read_only, consistency)


def _long_bind(said: dict[str, Value], folder: Folder, target: str, read_only: bool, consistency: str | None) -> Mount:
    options = said["bind"].map(("create_host_path", "propagation", "selinux")) if "bind" in said else {}
    create = options["create_host_path"].boolean() if "create_host_path" in options else False
    propagation = options["propagation"].one_of(_PROPAGATIONS) if "propagation" in options else None
    if "selinux" in options and not create:
        options["selinux"].fail("the engine does this only together with create_host_path: true")
    source = _host_path(said["source"], folder, said["source"].text(), colon=not create)
    if not create:
        return Mount("bind", source, target, read_only, propagation=propagation, consistency=consistency)
    modes = [options["selinux"].one_of(_SELINUX)] if "selinux" in options else []
    modes += [mode for mode in (propagation, consistency) if mode]
    return Mount("bind", source, target, read_only, tuple(modes), create_host_path=True)


def _host_path(place: Value, folder: Folder, text: str, *, colon: bool) -> str:
    """`colon`: whether the path may hold one, which the engine's short syntax cannot say."""
    try:
        path = folder.mounted(text)
    except ValueError as e:
        place.fail(f"{e}, not {text!r}")
    if ":" in path and not colon:
        place.fail(f"the path {path} holds a colon, so only the long form without create_host_path can say it")
    return path
