"""Where the host keeps its things: the store, the journals, the log."""

import fcntl
import json
import os
import pwd
import shlex
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from operator_demo.errors import OperatorError

NAME_OF_LOG = "debug.log"  # written by `debug_log`
HOMELESS = Path("/nonexistent")  # what Debian's passwd file says of users without a home directory
_OURS = ("tickets.db", "debug.log", "journal", "aside", "proven", "proving", "trust", "keys")
"""The beginnings of the names of what is in it."""
_NAME_ANOTHER = "Name another folder for the records with OPERATOR_HOME."


def home() -> Path:
    """The folder named by OPERATOR_HOME (an empty one counts as not set), else ~/.operator. It need not exist.

    One that others can read is closed to them, with all that is in it, unless it also holds what is not the program's.
    Raises `OperatorError` where there is none, or one that this user cannot read.
    """
    named = os.environ.get("OPERATOR_HOME", "")
    if not named and user_home() == HOMELESS:
        raise OperatorError("There is no home directory for this user.", _NAME_ANOTHER)
    try:
        folder = Path(named).expanduser().absolute() if named else user_home() / ".operator"
    except RuntimeError as e:
        raise OperatorError(f"OPERATOR_HOME={named} cannot be used: that user has no home directory.",
                            _NAME_ANOTHER) from e
    except FileNotFoundError as e:
        raise OperatorError("The current folder is gone, and OPERATOR_HOME is relative to it.", _NAME_ANOTHER) from e
    _check(folder)
    return folder


def close_to_others(path: Path) -> None:
    """Takes every right from group and others, where the file or folder is this user's."""
    with file_errors(path), suppress(FileNotFoundError):
        status = path.lstat()
        if status.st_uid == os.getuid() and status.st_mode & 0o077 and not stat.S_ISLNK(status.st_mode):
            path.chmod(stat.S_IMODE(status.st_mode) & 0o700)


def make_private_folder(folder: Path) -> None:
    """For this user alone, and so are those above it that are missing (`mkdir` would give only the last this mode)."""
    if not folder.parent.exists():
        make_private_folder(folder.parent)
    folder.mkdir(exist_ok=True, mode=0o700)


def user_home() -> Path:
    """The home directory of this user, by HOME, else by the passwd file; HOMELESS without either."""
    named = os.environ.get("HOME", "")
    try:
        return Path(named or pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return HOMELESS


def store_path() -> Path:
    return home() / "tickets.db"


def journal_path(home: Path, engine_id: str, project: str, suffix: str) -> Path:
    """The journal of this project on this engine; `*` as the project stands for all of them."""
    safe = "".join(c if c.isalnum() else "_" for c in engine_id)[:24]
    return home / "journal" / f"{safe}-{project}{suffix}"


def replace_json(path: Path, content: Any, indent: int | None = None) -> None:
    """Replaces a file that this user alone may read in one step, after its new content is on the disk."""
    with file_errors(path):
        make_private_folder(path.parent)
        handle, name = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=indent)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def private_opener(name: str, flags: int) -> int:
    """For `open`: a new file is this user's alone."""
    return os.open(name, flags, 0o600)


def remove(path: Path) -> None:
    """Removes a file; harmless where it is not there."""
    with file_errors(path):
        path.unlink(missing_ok=True)


def take_lock(file: IO[str]) -> bool:
    """Takes the kernel's lock on an open file; False when it is held already. Closing the file gives it back."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Turns the system's refusal to read or write `path` into an `OperatorError`."""
    try:
        yield
    except OSError as e:
        raise OperatorError(f"{path} cannot be used: {e.strerror or e}.", _advice(path, e)) from e


def _check(folder: Path) -> None:
    with file_errors(folder):
        try:
            status = folder.stat()
        except FileNotFoundError:
            return  # it is made when something is written
        if not stat.S_ISDIR(status.st_mode):
            raise NotADirectoryError(0, "it is not a folder")
        if not os.access(folder, os.R_OK | os.X_OK):
            raise PermissionError(0, "permission denied")
        if status.st_uid == os.getuid() and status.st_mode & 0o077 and not status.st_mode & stat.S_ISVTX:
            _close_home(folder)


def _close_home(folder: Path) -> None:
    if not all(name.startswith(_OURS) for name in os.listdir(folder)):
        return  # a folder of other things too: the store and what else is secret in it are closed one by one
    close_to_others(folder)
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            close_to_others(Path(parent, name))


def _advice(path: Path, error: OSError) -> str:
    if not isinstance(error, PermissionError):
        return _NAME_ANOTHER
    return (f"If it was made with sudo, `sudo chown -R {os.getuid()} {shlex.quote(str(path))}` gives it to you. "
            + _NAME_ANOTHER)
