"""Configs and secrets: their content, and their way into a container that was not started yet."""

import io
import tarfile
import time
from collections.abc import Mapping

from operator_demo.compose.model import Placed, Project, Source
from operator_demo.engine.connect import Engine
from operator_demo.engine.failures import engine_errors
from operator_demo.errors import UsageError

_SECRETS = "run/secrets"


def read_contents(project: Project, secrets: Mapping[str, str]) -> dict[str, dict[Placed, bytes]]:
    """By service, what is put into its container; `secrets` gives values by the name of the secret.

    Files and variables are read once. Raises UsageError for one that is missing.
    """
    known = {("secret", name): value.encode() for name, value in secrets.items()}

    def content(kind: str, name: str, sources: Mapping[str, Source]) -> bytes:
        if (kind, name) not in known:
            known[kind, name] = _read(project, f"{project.file}: {kind} {name}", sources[name])
        return known[kind, name]

    contents: dict[str, dict[Placed, bytes]] = {}
    for service in project.services.values():
        files = contents[service.name] = {}
        for placed in service.secrets:
            files[placed] = content("secret", placed.source, project.secrets)
        for placed in service.configs:
            files[placed] = content("config", placed.source, project.configs)
    return contents


def _read(project: Project, what: str, source: Source) -> bytes:
    if source.content is not None:
        return source.content.encode()
    if source.environment is not None:
        if source.environment not in project.env:
            raise UsageError(f"{what}: the variable {source.environment} is not set")
        return project.env[source.environment].encode()
    assert source.file is not None
    try:
        return source.file.read_bytes()
    except OSError as e:
        raise UsageError(f"{what}: cannot read {source.file}: {e.strerror}") from e


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
