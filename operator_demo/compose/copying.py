"""Configs and secrets on their way into a container that was not started yet."""

import io
import tarfile
import time
from collections.abc import Mapping

from operator_demo.compose.model import Placed
from operator_demo.engine.connect import Engine
from operator_demo.engine.failures import engine_errors

_SECRETS = "run/secrets"


def copy_in(engine: Engine, container_id: str, files: Mapping[Placed, bytes]) -> None:
    """Copies the files in. They are in the container's own layer then, and not in what `inspect` shows."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        if any(p.target.startswith(f"/{_SECRETS}/") for p in files):
            folder = tarfile.TarInfo(_SECRETS)
            folder.type, folder.mode, folder.mtime = tarfile.DIRTYPE, 0o755, int(time.time())
            archive.addfile(folder)
        # Other folders are left to the engine, which makes what is missing and changes nothing about what is there.
        for placed, content in files.items():
            entry = tarfile.TarInfo(placed.target.lstrip("/"))
            entry.size, entry.mode, entry.mtime = len(content), placed.mode, int(time.time())
            entry.uid, entry.gid = placed.uid, placed.gid
            archive.addfile(entry, io.BytesIO(content))
    with engine_errors(f"writing configs and secrets into {container_id[:12]}"):
        engine.api.put_archive(container_id, "/", packed.getvalue())
