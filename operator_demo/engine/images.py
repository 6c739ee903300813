"""Images: those of a subject are pulled where they are missing, our own are built and never pulled."""

import hashlib
import io
import json
import re
import tarfile
import threading
from collections import deque
from collections.abc import Mapping
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import docker.auth
import docker.errors

from operator_demo import labels
from operator_demo.engine.connect import Engine
from operator_demo.engine.failures import Interrupted, NotOnEngine, engine_errors
from operator_demo.engine.own_images import give_name_back, own_image, record_own_image
from operator_demo.engine.progress import ImageProgress, silent_image
from operator_demo.engine.stream import ended_by, json_objects, open_stream, pieces
from operator_demo.errors import OperatorError

_OUR_PREFIX = "operator-demo/"
_FROM = re.compile(r"^\s*FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?\s*$", re.IGNORECASE | re.MULTILINE)
_ARG = re.compile(r"^\s*ARG\s+(\w+)(?:=(\S*))?\s*$", re.IGNORECASE | re.MULTILINE)
_LAST_LINES = 20  # of a failed build's output, shown in the error


def image_id(engine: Engine, image: str) -> str | None:
    """The id of an image that is on the engine, else None."""
    with engine_errors(f"looking for the image {image}"):
        try:
            return str(engine.api.inspect_image(image)["Id"])
        except docker.errors.NotFound:
            return None


def image_size(engine: Engine, image: str) -> int:
    """Bytes on the engine's disk, layers that it shares with others included."""
    with engine_errors(f"looking at the image {image}"):
        return int(engine.api.inspect_image(image)["Size"])


def ensure_image(engine: Engine, image: str, *, pull_policy: str = "missing",
                 progress: ImageProgress = silent_image, stop: threading.Event | None = None) -> str:
    """The id of `image`, pulled if it is not there (`pull_policy` as in Compose: missing, always, never).

    Raises OperatorError when it cannot be had; an image of our own is never pulled, since whoever squats its name in
    a registry would be root on this machine. One that was built here counts, whichever image has its name now.
    """
    if is_ours(image):
        known = own_image(engine, image)
        if known:
            give_name_back(engine, image, known, progress)
            return known
    present = image_id(engine, image)
    if present and (pull_policy != "always" or is_ours(image)):
        return present
    if is_ours(image):
        raise NotOnEngine(f"the image {image} is not on this engine, and images of our own are never pulled",
                          "Build it: `operator-demo prepare` (the base image: `./build.sh`).")
    if pull_policy == "never":
        raise NotOnEngine(f"the image {image} is not on this engine and its pull_policy is never")
    _pull(engine, image, progress, stop or threading.Event())
    pulled = image_id(engine, image)
    if pulled is None:
        raise OperatorError(f"pulling {image}: the engine says that it is done, but the image is not there")
    return pulled


def is_ours(image: str) -> bool:
    """Whether this is a name of ours; `docker.io/operator-demo/x` is the same image to the engine."""
    with engine_errors(f"the image name {image}"):
        registry, name = docker.auth.resolve_repository_name(image)
    return registry == docker.auth.INDEX_NAME and name.startswith(_OUR_PREFIX)


def _pull(engine: Engine, image: str, progress: ImageProgress, stop: threading.Event) -> None:
    name = image if "@" in image or ":" in image.rpartition("/")[2] else f"{image}:latest"
    progress(image, "pulling", None, None)
    layers: dict[str, tuple[int, int]] = {}
    hint = f"Is the network there? On a machine that has it: `docker save {image} | docker -H ... load`."
    try:
        with engine_errors(f"pulling {image}"):
            response = open_stream(engine, "POST", "/images/create", params={"fromImage": name},
                                   headers=_login(engine, image))
            with ended_by(stop, response):
                for line in json_objects(pieces(response)):
                    if "error" in line:
                        raise OperatorError(f"pulling {image}: {line['error']}")
                    detail = line.get("progressDetail") or {}
                    if line.get("id") and detail.get("total") and line.get("status") == "Downloading":
                        layers[line["id"]] = (int(detail.get("current", 0)), int(detail["total"]))
                        progress(image, "pulling", sum(c for c, _ in layers.values()),
                                 sum(t for _, t in layers.values()))
    except OperatorError as e:
        if stop.is_set():
            raise Interrupted(f"interrupted while pulling {image}") from e
        raise OperatorError(e.message, hint) from e
    if stop.is_set():
        raise Interrupted(f"interrupted while pulling {image}")
    progress(image, "pulled", None, None)


def _login(engine: Engine, image: str) -> dict[str, str]:
    """What the user's `docker login` left for the image's registry."""
    registry, _ = docker.auth.resolve_repository_name(image)
    header = docker.auth.get_config_header(engine.api, registry)
    return {"X-Registry-Auth": header.decode() if isinstance(header, bytes) else header} if header else {}


def build_image(engine: Engine, tag: str, context: Mapping[str, bytes | Path], dockerfile: str = "Dockerfile",
                buildargs: Mapping[str, str] | None = None, progress: ImageProgress = silent_image,
                stop: threading.Event | None = None, *, target: str | None = None,
                image_labels: Mapping[str, str] | None = None) -> str:
    """Builds `tag` from `context` (path in the context -> content or a file) and returns the image's id.

    Nothing is built when the image that was built here last carries the same digest of context, arguments and base
    images. `progress` gets each line of the build's output, with the step where known. `target` is the stage of the
    Dockerfile that is wanted. Raises OperatorError with the end of that output.
    """
    stop = stop or threading.Event()
    args = dict(buildargs or {})
    if dockerfile not in context:
        raise OperatorError(f"building {tag}: the context has no {dockerfile}")
    bases = [ensure_image(engine, base, progress=progress, stop=stop)
             for base in _base_images(content_of(context[dockerfile]).decode(errors="replace"), args)]
    extra = {"target": target} if target else {}
    digest = _digest(context, dockerfile, args, bases, {**extra, **{f"label {k}": v for k, v in
                                                                   (image_labels or {}).items()}})
    wanted = {**(image_labels or {}), labels.CONTEXT: digest}
    known = own_image(engine, tag)
    if known and _built_from(engine, known) == digest:
        give_name_back(engine, tag, known, progress)
        progress(tag, "unchanged", None, None)
        return known
    if not known and _built_from(engine, tag) == digest:
        progress(tag, "not built from here: it is built again", None, None)
    progress(tag, "building", None, None)
    _build(engine, tag, _pack(context), progress, stop, dockerfile=dockerfile, buildargs=args, labels=wanted,
           **extra)
    built = image_id(engine, tag)
    if built is None:
        raise OperatorError(f"building {tag}: the engine says that it is done, but the image is not there")
    record_own_image(engine, tag, built)
    progress(tag, "built", None, None)
    return built


def _built_from(engine: Engine, image: str) -> str | None:
    """The digest of what an image says it was built from; None where it says nothing, or is not there."""
    with engine_errors(f"looking for the image {image}"):
        try:
            said: str | None = (engine.api.inspect_image(image)["Config"].get("Labels") or {}).get(labels.CONTEXT)
            return said
        except docker.errors.NotFound:
            return None


def folder_context(folder: Traversable) -> dict[str, bytes]:
    """All files below `folder`, which may be inside the program, as a build context."""
    files: dict[str, bytes] = {}
    for entry in folder.iterdir():
        if entry.is_dir():
            if entry.name != "__pycache__":
                files.update({f"{entry.name}/{k}": v for k, v in folder_context(entry).items()})
        else:
            files[entry.name] = entry.read_bytes()
    return files


def _build(engine: Engine, tag: str, packed: bytes, progress: ImageProgress, stop: threading.Event,
           **options: Any) -> None:
    last: deque[str] = deque(maxlen=_LAST_LINES)
    step: tuple[int | None, int | None] = (None, None)
    with engine_errors(f"building {tag}"):
        lines = engine.api.build(
            fileobj=io.BytesIO(packed), custom_context=True, tag=tag, rm=True, forcerm=True, decode=True, **options)
        for message in lines:
            if stop.is_set():
                lines.close()  # the engine ends a build whose client went away
                raise Interrupted(f"interrupted while building {tag}")
            if "error" in message:
                raise OperatorError(f"building {tag} failed: {message['error'].strip()}\n"
                                    + "\n".join(f"  | {line}" for line in last))
            for line in str(message.get("stream", "")).splitlines():
                if not line.strip():
                    continue
                last.append(line)
                if progress_line := re.match(r"Step (\d+)/(\d+) ", line):
                    step = int(progress_line[1]), int(progress_line[2])
                progress(tag, line, *step)


def _base_images(dockerfile: str, args: Mapping[str, str]) -> list[str]:
    """The images named by FROM, without those that are stages of the same file."""
    values = {name: args.get(name, default) for name, default in _ARG.findall(dockerfile)}
    stages, bases = set(), []
    for image, stage in _FROM.findall(dockerfile):
        image = re.sub(r"\$\{?(\w+)\}?", lambda m: values.get(m[1], ""), image)
        if image != "scratch" and image not in stages:
            bases.append(image)
        stages.add(stage)
    return bases


def content_of(source: bytes | Path) -> bytes:
    return source if isinstance(source, bytes) else source.read_bytes()


def _mode(source: bytes | Path) -> int:
    return 0o644 if isinstance(source, bytes) else 0o755 if source.stat().st_mode & 0o100 else 0o644


def _digest(context: Mapping[str, bytes | Path], dockerfile: str, args: Mapping[str, str], bases: list[str],
            extra: Mapping[str, str]) -> str:
    files = {name: [_mode(source), hashlib.sha256(content_of(source)).hexdigest()] for name, source in context.items()}
    material = json.dumps([files, dockerfile, dict(args), bases, *([dict(extra)] if extra else [])], sort_keys=True)
    return hashlib.sha256(material.encode()).hexdigest()


def _pack(context: Mapping[str, bytes | Path]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name in sorted(context):
            content = content_of(context[name])
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), _mode(context[name])
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()
