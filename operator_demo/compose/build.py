"""`build` of a service."""

import re
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath

from operator_demo.compose.folder import Folder
from operator_demo.compose.model import Build
from operator_demo.compose.resources import read_labels
from operator_demo.document import Value

# How the engine builds, not what: it is told and passed over.
PASSED_OVER = ("cache_from", "cache_to", "no_cache", "pull")
_REMOTE = re.compile(r"(?:https?|git|ssh)://|git@|github\.com/", re.ASCII)


def read_build(value: Value, folder: Folder) -> Build | None:
    """None where nothing is said: the folder may come from a variable that is empty."""

    def context(text: str) -> Traversable:
        if _REMOTE.match(text):
            raise ValueError("a build context on another machine (git or URL) is not supported: clone it, and name "
                             "its folder")
        return folder.file(text)

    if not value.is_map:
        return None if value.is_empty else Build(value.parsed(context), on_disk=folder.on_disk)
    keys = value.map(("context", "dockerfile", "dockerfile_inline", "args", "target", "labels", *PASSED_OVER))
    dockerfile, inline = keys.parsed("dockerfile", _inside, None), keys.text("dockerfile_inline")
    if dockerfile and inline:
        value.fail("dockerfile and dockerfile_inline exclude each other")
    env = value.document.env
    args = keys.read("args", Value.pairs, {})
    return Build(
        keys.parsed("context", context, folder.file(".")), dockerfile or "Dockerfile", inline,
        # As in Compose, an argument without a value that is not set outside is left to the Dockerfile.
        {k: env[k] if v is None else v for k, v in args.items() if v is not None or k in env},
        keys.text("target"), keys.read("labels", read_labels, {}), folder.on_disk)


def _inside(text: str) -> str:
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or text.startswith("~"):
        raise ValueError("a path inside the build context is expected here")
    return str(path)
