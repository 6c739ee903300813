"""The images of a run: which are needed, and building or pulling those that are missing. Ours are built, never
pulled."""

import hashlib
import os
import sys
import threading
import zipfile
from importlib.resources import files
from pathlib import Path

from operator_demo.compose import Project, ensure_service_image
from operator_demo.engine import (
    Engine,
    ImageProgress,
    Interrupted,
    Progress,
    build_image,
    ensure_base,
    image_id,
    own_image,
    prune_images,
)
from operator_demo.errors import OperatorError
from operator_demo.text import one_line


def own_file() -> Path:
    """The single file that is running; it is copied into the agent's image."""
    candidate = Path(os.environ.get("OPERATOR_DEMO_FILE") or sys.argv[0]).absolute()
    if not (candidate.is_file() and zipfile.is_zipfile(candidate)):
        raise OperatorError("The agent's image is built from the single file `operator-demo`, which is not what runs "
                            "here.", "Build it with ./build.sh and start that file.")
    return candidate


def agent_image() -> str:
    """Named by the digest of the file, so that two versions can run side by side."""
    with own_file().open("rb") as file:
        return f"operator-demo/agent:{hashlib.file_digest(file, 'sha256').hexdigest()[:12]}"


def ensure_all(engine: Engine, subject: Project, progress: Progress, stop: threading.Event) -> str:
    """Builds and pulls the missing images: the base, the subject's and the agent's. Returns the name of the agent's."""
    tell = _short(progress)
    ensure_base(engine, tell, stop)
    _ensure_subject(engine, subject, tell, stop)
    tag = agent_image()
    context: dict[str, bytes | Path] = {
        "Dockerfile": files("compose_templates").joinpath("agent.Dockerfile").read_bytes(),
        "operator-demo": own_file(),
    }
    new = own_image(engine, tag) is None
    build_image(engine, tag, context, progress=tell, stop=stop)
    if new:
        for old in prune_images(engine, tag):
            progress(old, "removed: of an earlier build")
    return tag


def to_pull(engine: Engine, subject: Project) -> list[str]:
    """The images of a project that are neither built here nor on the engine."""
    return [image for image in of_registry(subject) if image_id(engine, image) is None]


def of_registry(subject: Project) -> list[str]:
    """The images of a project that are not built here."""
    return sorted({service.image for service in subject.services.values() if service.build is None})


def ensure_extra(engine: Engine, base: Project, whole: Project, progress: Progress, stop: threading.Event) -> str:
    """Builds and pulls the images of the services that `whole` has and `base` has not. Returns what is missing, in
    words; "" if nothing is."""
    for service in (s for name, s in whole.services.items() if name not in base.services):
        try:
            ensure_service_image(engine, whole, service, progress=_short(progress), stop=stop)
        except Interrupted:
            raise
        except OperatorError as e:
            return f"the image {service.image} of the service {service.name} is not available ({e.message})."
    return ""


def _ensure_subject(engine: Engine, subject: Project, tell: ImageProgress, stop: threading.Event) -> None:
    for service in subject.services.values():
        try:
            ensure_service_image(engine, subject, service, progress=tell, stop=stop)
        except Interrupted:
            raise
        except OperatorError as e:
            missing = to_pull(engine, subject)
            if service.image not in missing:
                raise  # an image that is built here
            raise OperatorError(
                f"These images are not on the engine and cannot be pulled: {', '.join(missing)} ({e.message}).",
                "With a registry: `operator-demo prepare` the subject. With a file from `prepare --save FILE` on "
                "another machine: `operator-demo prepare --load FILE`. Without either: `operator-demo run etcd`, whose "
                "images are built here.") from e


def _short(progress: Progress) -> ImageProgress:
    def tell(item: str, status: str, current: int | None, total: int | None, /) -> None:
        if status.lstrip().startswith(("--->", "Removing intermediate")):
            return  # internals of the builder
        short = one_line(status, 60)
        progress(item, f"{short} {100 * (current or 0) // total} %" if total else short)
    return tell
