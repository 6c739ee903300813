"""The Python of a subject's folder. It is read once, so that what was agreed to is what runs.

Only these sources are imported: no compiled file, no library, and nothing that is put into the folder later.
"""

import hashlib
import importlib
import importlib.util
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.abc import ExecutionLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from operator_demo.errors import UsageError


@dataclass(frozen=True)
class SubjectCode:
    """`sources` has the content of every Python file by its path in the folder, with / between the parts."""

    folder: Path
    sources: Mapping[str, bytes]

    @property
    def digest(self) -> str:
        """SHA-256 over the names and contents, in hexadecimal."""
        hashes = {name: hashlib.sha256(source).hexdigest() for name, source in self.sources.items()}
        return hashlib.sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest()

    def run(self, package: str) -> ModuleType:
        """Imports subject.py as the module `<package>.subject`, anew; it finds its neighbours by that name."""
        forget(package)
        sys.meta_path.insert(0, _Finder(self, package))
        return importlib.import_module(f"{package}.subject")


def read_code(folder: Path) -> SubjectCode:
    """Hidden files and folders are left out, as they are when the folder is copied into containers."""
    sources = {}
    for path in sorted(folder.rglob("*.py")):
        name = path.relative_to(folder)
        if any(part.startswith(".") for part in name.parts) or not path.is_file():
            continue
        try:
            sources[name.as_posix()] = path.read_bytes()
        except OSError as e:
            raise UsageError(f"{path} cannot be read: {e.strerror}.") from e
    return SubjectCode(folder, sources)


def forget(package: str) -> None:
    """Removes what was imported under this name before, perhaps from another folder of the same name."""
    for name in [n for n in sys.modules if n == package or n.startswith(f"{package}.")]:
        del sys.modules[name]
    sys.meta_path[:] = [f for f in sys.meta_path if not (isinstance(f, _Finder) and f.package == package)]


class _Finder(MetaPathFinder):
    def __init__(self, code: SubjectCode, package: str) -> None:
        self._code, self.package = code, package

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> (
            ModuleSpec | None):
        if fullname != self.package and not fullname.startswith(f"{self.package}."):
            return None
        inside = fullname.removeprefix(self.package).lstrip(".").replace(".", "/")
        for name, is_package in ((f"{inside}.py", False), (f"{inside}/__init__.py".lstrip("/"), True)):
            if name in self._code.sources:
                path_on_disk = str(self._code.folder / name)
                loader = _Loader(path_on_disk, self._code.sources[name])
                spec = ModuleSpec(fullname, loader, origin=path_on_disk, is_package=is_package)
                spec.has_location = True
                return spec
        if not inside or any(name.startswith(f"{inside}/") for name in self._code.sources):
            return ModuleSpec(fullname, None, is_package=True)  # a folder without __init__.py
        return None  # no package here has a path, so nobody else finds it either


class _Loader(ExecutionLoader):
    def __init__(self, path: str, source: bytes) -> None:
        self._path, self._source = path, source

    def get_filename(self, fullname: str) -> str:
        return self._path

    def get_source(self, fullname: str) -> str:
        return importlib.util.decode_source(self._source)
