"""The images of a project's services: built where its file says how, else pulled where they are missing."""

import threading
from pathlib import Path
from typing import Any

from docker.utils.build import PatternMatcher

from operator_demo.compose.folder import check_is_not_of_a_process
from operator_demo.compose.model import Build, Project, Service
from operator_demo.engine.connect import Engine
from operator_demo.engine.images import build_image, content_of, ensure_image, folder_context
from operator_demo.engine.progress import ImageProgress, silent_image
from operator_demo.errors import OperatorError

INLINE_DOCKERFILE = ".operator-demo.Dockerfile"  # the name in the context of one that is in the Compose file itself


def ensure_service_image(engine: Engine, project: Project, service: Service, progress: ImageProgress = silent_image,
                         stop: threading.Event | None = None) -> str:
    """The id of a service's image: built where the file says how, else as `ensure_image`."""
    if service.build is not None:  # nothing is built where the image is there and made of the same
        build = service.build
        if not build.context.is_dir():
            raise OperatorError(f"building {service.image}: {build.context} is no folder")
        dockerfile = build.dockerfile if build.inline is None else INLINE_DOCKERFILE
        try:
            return build_image(engine, service.image, build_context(build), dockerfile, build.args, progress, stop,
                               target=build.target, image_labels=build.labels)
        except OSError as e:  # of the files; those of the engine are OperatorErrors by now
            raise OperatorError(f"building {service.image}: cannot read {e.filename}: {e.strerror}") from e
    return ensure_image(engine, service.image, pull_policy=service.pull_policy, progress=progress, stop=stop)


def build_context(build: Build) -> dict[str, bytes | Path]:
    """What a service's image is built from: the folder, without what its .dockerignore names."""
    context: dict[str, bytes | Path] = {}
    context.update(disk_context(Path(str(build.context))) if build.on_disk else folder_context(build.context))
    if ".dockerignore" in context:
        lines = content_of(context[".dockerignore"]).decode(errors="replace").splitlines()
        patterns = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
        ignored: Any = PatternMatcher([*patterns, f"!{build.dockerfile}"])
        context = {name: content for name, content in context.items() if not ignored.matches(name)}
    if build.inline is not None:
        context[INLINE_DOCKERFILE] = build.inline.encode()
    return context


def disk_context(folder: Path) -> dict[str, Path]:
    """All files below a folder on the disk as a build context; they are read when they are packed. Links to files count
    as the files, links to folders are not followed. Raises OperatorError for a link into /proc."""
    files = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()}
    for path in files.values():
        try:
            check_is_not_of_a_process(path)
        except ValueError as e:
            raise OperatorError(f"the build context {folder}: {e}") from e
    return files
