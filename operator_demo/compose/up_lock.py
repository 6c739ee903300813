"""One `up` of a project at a time, from whichever process and machine.

The lock is a volume on the engine, which makes one of a name in a single step and then tells everybody whose it is.
"""

import os
import platform
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from operator_demo import labels
from operator_demo.engine.connect import Engine
from operator_demo.engine.failures import engine_errors
from operator_demo.errors import OperatorError


@contextmanager
def only_up(engine: Engine, project: str) -> Iterator[None]:
    """Raises OperatorError where another `up` of the project is at work. `down` removes a lock that was left."""
    name, mine = f"{project}-up-lock", f"{os.getpid()} {secrets.token_hex(8)} {platform.node()}"
    holder = _take(engine, project, name, mine)
    if _has_ended(holder):
        # Several may see the same dead holder: only the one that gets this second lock may remove the first.
        second = f"{name}-{holder.split(' ')[1]}"
        if _take(engine, project, second, mine) == mine:
            _remove(engine, name)
            holder = _take(engine, project, name, mine)
            _remove(engine, second)
    if holder != mine:
        pid, _, host = holder.split(" ", 2)
        raise OperatorError(f"another process (pid {pid} on {host}) is bringing {project} up",
                            f"Wait until it is done. If it is gone: operator-demo down --project {project}")
    try:
        yield
    finally:
        with suppress(OperatorError):
            if _take(engine, project, name, mine) == mine:  # else `down` removed it, and it is another's by now
                _remove(engine, name)


def _take(engine: Engine, project: str, name: str, mine: str) -> str:
    """Whose lock it is: `pid token host`."""
    with engine_errors(f"locking {project}"):
        volume = engine.api.create_volume(name, labels={labels.PROJECT: project, labels.UP_LOCK: mine})
    holder = str((volume.get("Labels") or {}).get(labels.UP_LOCK, ""))
    if not holder:
        raise OperatorError(f"locking {project}: the volume {name} is there already and is not ours",
                            "Choose another --project, or remove it.")
    return holder


def _remove(engine: Engine, name: str) -> None:
    with engine_errors(f"removing the volume {name}"):
        engine.api.remove_volume(name)


def _has_ended(holder: str) -> bool:
    """Whether it was a process of this machine that is gone."""
    pid, _, host = holder.split(" ", 2)
    if host != platform.node():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
