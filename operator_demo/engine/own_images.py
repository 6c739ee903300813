"""Which images are ours: those whose id was written down when this home built, pulled or loaded them.

Names and labels prove nothing: whoever uses the engine can give a name to another image, and `docker commit` keeps the
labels of the image that was changed. An id is the digest of what the image is.
"""

import hashlib
import json

import docker.errors
from docker.utils import parse_repository_tag

from operator_demo.engine.connect import Engine
from operator_demo.engine.failures import NotOnEngine, engine_errors
from operator_demo.engine.progress import ImageProgress, silent_image
from operator_demo.errors import OperatorError
from operator_demo.home import replace_json
from operator_demo.trust import trust_folder


def own_image(engine: Engine, name: str) -> str | None:
    """The id that was written down for `name`, if that image is still on the engine."""
    known = _recorded(engine, name)
    if known is None:
        return None
    with engine_errors(f"looking for the image {name}"):
        try:
            return str(engine.api.inspect_image(known)["Id"])
        except docker.errors.NotFound:
            return None


def need_own_image(engine: Engine, name: str) -> str:
    """The same; raises `NotOnEngine` without one."""
    known = own_image(engine, name)
    if known is None:
        raise NotOnEngine(f"the image {name} is not on this engine, or was not built from here",
                          "`operator-demo prepare` builds it.")
    return known


def record_own_image(engine: Engine, name: str, id_: str) -> None:
    path = trust_folder() / "images" / _file(engine, name)
    replace_json(path, {"engine": engine.id, "name": name, "id": id_})


def give_name_back(engine: Engine, name: str, id_: str, progress: ImageProgress = silent_image) -> None:
    """Lets `name` mean this image again, where somebody has given it to another one."""
    with engine_errors(f"naming the image {name}"):
        try:
            if engine.api.inspect_image(name)["Id"] == id_:
                return
            progress(name, "another image had this name, which is taken back", None, None)
        except docker.errors.NotFound:
            pass
        repository, tag = parse_repository_tag(name)
        engine.api.tag(id_, repository, tag, force=True)


def _recorded(engine: Engine, name: str) -> str | None:
    try:
        entry = json.loads((trust_folder() / "images" / _file(engine, name)).read_text(encoding="utf-8"))
        return str(entry["id"])
    except (OperatorError, OSError, ValueError, TypeError, KeyError):
        return None  # there is no home, or nothing that can be read in it: nothing is trusted


def _file(engine: Engine, name: str) -> str:
    return hashlib.sha256(f"{engine.id}\n{name}".encode()).hexdigest() + ".json"
