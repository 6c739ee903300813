"""Names for projects on the engine, written down while their test process lives.

A process that is killed removes nothing from the engine. The kernel then gives back the lock of its file of names, and
the next run of tests removes what belongs to them.
"""

import atexit
import fcntl
import os
import secrets
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TextIO

FOLDER = Path(tempfile.gettempdir()) / f"operator-demo-test-projects-{os.getuid()}"


def new_name() -> str:
    name = f"t{secrets.token_hex(4)}"
    print(name, file=_own_file(), flush=True)
    return name


@cache
def _own_file() -> TextIO:
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / secrets.token_hex(8)
    file = path.open("w")
    fcntl.flock(file, fcntl.LOCK_EX)
    atexit.register(path.unlink, missing_ok=True)  # in an orderly end, fixtures have removed everything
    return file


def are_left(folder: Path = FOLDER) -> bool:
    """May there be names of processes that were killed?"""
    return folder.is_dir() and any(folder.iterdir())


def remove_left(remove: Callable[[str], None], folder: Path = FOLDER) -> None:
    """Calls `remove` with each project name that a killed process has written down."""
    for path in sorted(folder.iterdir()):
        try:
            with path.open() as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                for name in file.read().split():
                    remove(name)
                path.unlink()
        except (BlockingIOError, FileNotFoundError):
            continue  # its process lives, or another one removes what it left
