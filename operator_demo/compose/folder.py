"""The folder of a Compose file: what its relative paths mean, on the disk and inside the program."""

import os
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath

_PROGRAM = Path(__file__).resolve().parents[2]
_PACKAGES = ("compose_templates", "operator_demo", "subjects")


@dataclass(frozen=True)
class Folder:
    """On the disk, paths mean what they mean to Compose.

    In the program, a path stays inside the folder and nothing of it can be mounted: what was unpacked for this
    version goes away with it. All methods raise ValueError in words for people.
    """

    root: Traversable
    on_disk: bool

    def file(self, text: str) -> Traversable:
        """A file or folder that is read here: env_file, build context, the `file` of a config or secret."""
        if self.on_disk:
            path_on_disk = Path(self._resolved(text))
            check_is_not_of_a_process(path_on_disk)
            return path_on_disk
        path = PurePosixPath(text)
        if path.is_absolute() or ".." in path.parts or text.startswith("~"):
            raise ValueError("a path inside the folder of the Compose file is expected here")
        return self.root if path == PurePosixPath(".") else self.root.joinpath(str(path))

    def mounted(self, text: str) -> str:
        """A path for a bind mount. The engine looks for it on its own machine."""
        if self.on_disk:
            return self._resolved(text)
        if not text.startswith("/"):
            raise ValueError("an absolute path is expected for a bind mount, since this Compose file is part of the "
                             "program and not on the engine's machine")
        return text

    def _resolved(self, text: str) -> str:
        if text == "~" or text.startswith("~/"):
            text = os.path.expanduser(text)
        elif text.startswith("~"):
            raise ValueError("of the paths that begin with ~, only ~/... is supported")
        if "\0" in text or not text:
            raise ValueError("a path is expected here")
        return os.path.normpath(os.path.join(str(self.root), text))


def check_is_not_of_a_process(path: Path) -> None:
    """Raises ValueError for a file in /proc, also where a link leads to it: /proc/self/environ is the environment of
    this process, with the API key in it."""
    real = os.path.realpath(path)
    if real.startswith("/proc/"):
        raise ValueError(f"{path} is {real}, which is read neither into an image nor into a container")


def folder_of(root: Traversable) -> Folder:
    """A folder with its kind: one of the program's own packages, or any other on the disk."""
    if not isinstance(root, Path):
        return Folder(root, on_disk=False)
    absolute = root.absolute()
    own = any(absolute.resolve().is_relative_to(_PROGRAM / package) for package in _PACKAGES)
    return Folder(absolute, on_disk=not own)
