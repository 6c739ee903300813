"""The base of all images of our own: made from Debian's slim image where that can be pulled."""

import threading

from operator_demo.engine.connect import Engine
from operator_demo.engine.failures import NotOnEngine, engine_errors
from operator_demo.engine.images import ensure_image, image_id
from operator_demo.engine.own_images import give_name_back, own_image, record_own_image
from operator_demo.engine.progress import ImageProgress, silent_image
from operator_demo.errors import OperatorError

BASE = "operator-demo/base:trixie"
_DEBIAN = "debian:trixie-slim"


def ensure_base(engine: Engine, progress: ImageProgress = silent_image, stop: threading.Event | None = None) -> str:
    """The id of the image BASE. It carries a name of ours, so that nothing of ours depends on what a registry says
    later. Raises `NotOnEngine` where it is missing and cannot be pulled (`build.sh` then makes it with debootstrap).

    One that is there, but unknown to this home, is taken as it is, which is told: it can be made again only where
    Debian's packages or a registry can be reached."""
    known = own_image(engine, BASE)
    if known:
        give_name_back(engine, BASE, known, progress)
        return known
    present = image_id(engine, BASE)
    if present:
        progress(BASE, f"unknown to this home, trusted from now on: {present[7:19]}", None, None)
        record_own_image(engine, BASE, present)
        return present
    try:
        pulled = ensure_image(engine, _DEBIAN, progress=progress, stop=stop)
    except OperatorError as e:
        raise NotOnEngine(f"the base image {BASE} is not on this engine, and {_DEBIAN} cannot be pulled ({e.message})",
                          "`./build.sh` makes it from Debian's packages; or run `operator-demo prepare` where there is "
                          "a network.") from e
    with engine_errors(f"tagging {BASE}"):
        engine.api.tag(pulled, *BASE.split(":"))
    record_own_image(engine, BASE, pulled)
    return pulled
