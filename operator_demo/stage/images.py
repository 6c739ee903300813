"""The images of a run: what is needed, what is there, and making what is missing. Our own are built, never pulled."""

import hashlib
import os
import sys
import threading
import zipfile
from importlib.resources import files
from pathlib import Path

from operator_demo import engine as room
from operator_demo.engine import Engine, Progress, Project
from operator_demo.errors import OperatorError
from operator_demo.text import one_line

BASE = "operator-demo/base:trixie"


def own_file() -> Path:
    """The single file that is running; it goes into the agent's image as it is."""
    candidate = Path(os.environ.get("OPERATOR_DEMO_FILE") or sys.argv[0]).absolute()
    if not (candidate.is_file() and zipfile.is_zipfile(candidate)):
        raise OperatorError("The agent's image is built from the single file `operator-demo`, which is not what runs "
                            "here.", "Build it with ./build.sh and start that file.")
    return candidate


def agent_image() -> str:
    """Named by the content of the file, so that two versions can run side by side."""
    with own_file().open("rb") as file:
        return f"operator-demo/agent:{hashlib.file_digest(file, 'sha256').hexdigest()[:12]}"


def ensure_all(engine: Engine, subject: Project, progress: Progress, stop: threading.Event) -> str:
    """Builds and pulls what is missing of the base, the subject's images and the agent's; the name of the last."""
    def tell(item: str, status: str, current: int | None, total: int | None, /) -> None:
        if status.lstrip().startswith(("--->", "Removing intermediate")):
            return  # the builder's own bookkeeping
        words = one_line(status, 60)
        progress(item, f"{words} {100 * (current or 0) // total} %" if total else words)

    room.ensure_base(engine, BASE, tell, stop)
    for service in subject.services.values():
        room.ensure_service_image(engine, subject, service, progress=tell, stop=stop)
    tag = agent_image()
    context: dict[str, bytes | Path] = {
        "Dockerfile": files("compose_templates").joinpath("agent.Dockerfile").read_bytes(),
        "operator-demo": own_file(),
    }
    room.build_image(engine, tag, context, progress=tell, stop=stop)
    return tag
