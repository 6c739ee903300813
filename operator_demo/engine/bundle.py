"""Images in one file, as `docker save` writes it: for a machine that reaches no registry."""

import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import requests

from operator_demo.engine.connect import Engine
from operator_demo.engine.failures import Interrupted, engine_errors
from operator_demo.engine.images import image_id
from operator_demo.engine.own_images import record_own_image
from operator_demo.engine.progress import Progress, silent
from operator_demo.engine.stream import ended_by, json_objects, open_stream, pieces
from operator_demo.errors import OperatorError, UsageError

_PIECE = 1024 * 1024  # bytes
_LOADED = "Loaded image: "


def save_images(engine: Engine, images: Iterable[str], file: Path, *, stop: threading.Event) -> int:
    """Writes `images`, which must be on the engine, into `file` (whole or not at all); returns its size in bytes.

    Raises UsageError where the file cannot be written, `Interrupted` when `stop` was set.
    """
    part = file.with_name(file.name + ".part")
    try:
        out = part.open("wb")
    except OSError as e:
        raise UsageError(f"cannot write {part}: {e.strerror}") from e
    try:
        with out, engine_errors("saving images"):
            response = open_stream(engine, "GET", "/images/get", params={"names": list(images)})
            with ended_by(stop, response):
                for piece in pieces(response):
                    _write(out.write, piece, file)
            out.flush()
            os.fsync(out.fileno())
        _go_on(stop, file)
        part.replace(file)
    except OperatorError:
        _go_on(stop, file)
        raise
    finally:
        part.unlink(missing_ok=True)
    return file.stat().st_size


def _write(write: Any, piece: bytes, file: Path) -> None:
    try:
        write(piece)
    except OSError as e:
        raise OperatorError(f"cannot write {file}: {e.strerror}") from e


def load_images(engine: Engine, file: Path, *, progress: Progress = silent, stop: threading.Event) -> list[str]:
    """Puts the images of a file that `save_images` or `docker save` wrote onto the engine; returns their names.

    Raises UsageError for a file that cannot be read, OperatorError for one that holds no images.
    """
    try:
        source = file.open("rb")
    except OSError as e:
        raise UsageError(f"cannot read {file}: {e.strerror}") from e
    names = []
    with source, engine_errors(f"loading {file}"):
        for message in json_objects(pieces(_send(engine, _parts(source, stop)))):
            if "error" in message:
                raise OperatorError(f"loading {file}: {message['error']}")
            line = str(message.get("stream", "")).strip()
            if line.startswith(_LOADED):
                names.append(line.removeprefix(_LOADED))
                progress(names[-1], "loaded")
    for name in names:  # whoever loads a file trusts it
        loaded = image_id(engine, name)
        if loaded:
            record_own_image(engine, name, loaded)
    _go_on(stop, file)
    if not names:
        raise OperatorError(f"{file} holds no image that has a name.",
                            "A bundle is written by `operator-demo prepare SUBJECT --save FILE`.")
    return names


def _go_on(stop: threading.Event, file: Path) -> None:
    if stop.is_set():  # what the engine makes of a connection that was cut says nothing then
        raise Interrupted(f"interrupted in the middle of {file}")


def _parts(source: Any, stop: threading.Event) -> Iterator[bytes]:
    while (part := source.read(_PIECE)) and not stop.is_set():
        yield part


def _send(engine: Engine, parts: Iterator[bytes]) -> requests.Response:
    api = engine.api
    response: requests.Response = api.request("POST", api._url("/images/load"), data=parts, stream=True,
                                              headers={"Content-Type": "application/x-tar"}, timeout=(10, None))
    api._raise_for_status(response)
    return response
