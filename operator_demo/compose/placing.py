"""A folder of this machine that goes into containers before they start, as configs do."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from operator_demo.compose.folder import check_is_not_of_a_process
from operator_demo.compose.model import Placed, Project, Source
from operator_demo.errors import UsageError

_MOST = 8 * 1024 * 1024  # bytes; what is larger is hardly what was meant


def with_folder(project: Project, services: Iterable[str], folder: Path, inside: str) -> Project:
    """`project` with all files of `folder` put below the path `inside` of those of `services` that it has, for root
    alone. A changed file recreates the containers. Compiled files and what is hidden are left out.

    Raises UsageError for a folder that holds more than it should, or a link into /proc.
    """
    files = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*"))
             if path.is_file() and not any(p.startswith((".", "__pycache__")) for p in path.relative_to(folder).parts)}
    for path in files.values():
        try:
            check_is_not_of_a_process(path)
        except ValueError as e:
            raise UsageError(f"{folder}: {e}.") from e
    size = sum(path.stat().st_size for path in files.values())
    if size > _MOST:
        raise UsageError(f"{folder} holds {size / 1e6:.0f} MB; at most {_MOST / 1e6:.0f} MB are put into containers.",
                         "Keep data and images out of the folder of a subject.")
    placed = tuple(Placed(f"{inside}/{name}", f"{inside}/{name}", 0, 0, 0o600) for name in files)
    sources = {f"{inside}/{name}": Source(file=path) for name, path in files.items()}
    chosen = set(services)
    changed = {name: replace(service, configs=service.configs + placed) if name in chosen else service
               for name, service in project.services.items()}
    return replace(project, services=changed, configs={**project.configs, **sources})
