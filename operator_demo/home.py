"""Where the host keeps its things: the store, the journal of faults."""

import os
from pathlib import Path

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
