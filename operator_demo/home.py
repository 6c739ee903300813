"""Where the host keeps its things: the store, the journals."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from operator_demo.errors import OperatorError


def home() -> Path:
    """The folder named by OPERATOR_HOME, else ~/.operator. It need not exist. Raises `OperatorError` without either."""
    named = os.environ.get("OPERATOR_HOME", "")
    if named:
        return Path(named).expanduser().absolute()
    try:
        return Path.home() / ".operator"
    except RuntimeError as e:
        raise OperatorError("There is no home directory for this user.",
                            "Name a folder for the records with OPERATOR_HOME.") from e


def store_path() -> Path:
    return home() / "tickets.db"


def journal_path(home: Path, engine_id: str, project: str, suffix: str) -> Path:
    """The journal of this project on this engine; `*` as the project stands for all of them."""
    safe = "".join(c if c.isalnum() else "_" for c in engine_id)[:24]
    return home / "journal" / f"{safe}-{project}{suffix}"


def replace_json(path: Path, content: Any) -> None:
    """Replaces a file that this user alone may read in one step, after its new content is on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(name, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
