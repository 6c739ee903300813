"""`volumes` and `tmpfs` of a service."""

from dataclasses import replace
from posixpath import normpath

from operator_demo.compose import units
from operator_demo.compose.folder import Folder
from operator_demo.compose.model import Mount
from operator_demo.document import Entries, Value

_TYPES = ("volume", "bind", "tmpfs")
_PROPAGATIONS = ("private", "rprivate", "shared", "rshared", "slave", "rslave")
_CONSISTENCIES = ("consistent", "cached", "delegated")
_SELINUX = ("z", "Z")


def read_mounts(value: Value, folder: Folder) -> tuple[Mount, ...]:
    mounts: dict[str, Mount] = {}
    for entry in value.sequence():
        mount = _long(entry, folder) if entry.is_map else _short(entry, folder)
        if mount.target in mounts:
            entry.fail(f"something is mounted on {mount.target} already")
        mounts[mount.target] = mount
    return tuple(mounts.values())


def read_tmpfs(value: Value) -> dict[str, str]:
    """The engine's options by path in the container."""
    mounts = {}
    for entry in value.one_or_more():
        path, _, options = entry.text().partition(":")
        mounts[_target(entry, path)] = options
    return mounts


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
    keys = value.map(("type", "source", "target", "read_only", "consistency", *_TYPES))
    for key in ("type", "target"):
        if key not in keys:
            value.fail(f"the {key} is missing")
    kind = keys["type"].one_of(_TYPES)
    for other in _TYPES:
        if other in keys and other != kind and not keys[other].is_empty:
            keys[other].fail(f"this is a {kind}")
    target = _target(keys["target"], keys["target"].text())
    read_only = keys.read("read_only", Value.boolean, False)
    consistency = keys["consistency"].one_of(_CONSISTENCIES) if keys.text("consistency") else None
    if kind == "bind":
        return _long_bind(value, keys, folder, Mount(kind, "", target, read_only, consistency=consistency))
    source = keys.text("source") or ""
    if kind == "volume":
        options = keys.map("volume", ("nocopy",), {"subpath": "engines before 26 cannot do it"})
        return Mount(kind, source, target, read_only, consistency=consistency,
                     nocopy=options.read("nocopy", Value.boolean, False))
    if source:
        keys["source"].fail("a tmpfs has no source")
    options = keys.map("tmpfs", ("size", "mode"))
    return Mount(kind, "", target, read_only, consistency=consistency,
                 tmpfs_size=options.parsed("size", units.size, None),
                 tmpfs_mode=options.parsed("mode", units.file_mode, None))


def _long_bind(value: Value, keys: Entries, folder: Folder, mount: Mount) -> Mount:
    """`mount` with its source, and with what `bind` says."""
    if not keys.text("source"):
        value.fail("the source is missing")
    options = keys.map("bind", ("create_host_path", "propagation", "selinux"))
    create = options.read("create_host_path", Value.boolean, False)
    propagation = options["propagation"].one_of(_PROPAGATIONS) if options.text("propagation") else None
    selinux = options["selinux"].one_of(_SELINUX) if options.text("selinux") else None
    if selinux and not create:
        options["selinux"].fail("the engine does this only together with create_host_path: true")
    source = _host_path(keys["source"], folder, keys["source"].text(), colon=not create)
    if not create:
        return replace(mount, source=source, propagation=propagation)
    modes = [mode for mode in (selinux, propagation, mount.consistency) if mode]
    return replace(mount, source=source, modes=tuple(modes), consistency=None, create_host_path=True)


def _host_path(place: Value, folder: Folder, text: str, *, colon: bool) -> str:
    """`colon`: whether the path may hold one, which the engine's short syntax cannot say."""
    try:
        path = folder.mounted(text)
    except ValueError as e:
        place.fail(f"{e}, not {text!r}")
    if ":" in path and not colon:
        place.fail(f"the path {path} holds a colon, so only the long form without create_host_path can say it")
    return path
