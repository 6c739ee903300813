"""Docker's events about everything on the engine: containers, networks and volumes, of whatever project."""

import json
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from operator_demo.engine import Engine
from operator_demo.engine.failures import BROKEN_CONNECTION, engine_errors
from operator_demo.engine.stream import ended_by, json_objects, open_stream, pieces
from operator_demo.errors import OperatorError

_AGAIN = 0.25  # seconds until the next try after the connection broke
_REMEMBERED = 1024  # events, to know repeats after a reconnect; the engine itself keeps the last 256
_PROJECT, _SERVICE = "com.docker.compose.project", "com.docker.compose.service"


@dataclass(frozen=True)
class Happening:
    """`kind` is container, network or volume; `name` is its name; `container` is the id of the container that it is
    about ("" for none). `action` is Docker's own (`die`, `disconnect`, `exec_start: COMMAND`, ...), `time` in seconds
    on the engine's clock. `project` and `service` are "" where the container belongs to none."""

    kind: str
    action: str
    name: str
    container: str
    time: float
    project: str = ""
    service: str = ""
    attributes: Mapping[str, str] | None = None


def happenings(engine: Engine, stop: threading.Event, since: float) -> Iterator[Happening]:
    """What happens on the engine from `since` (engine's clock) until `stop` is set; each event once.

    Reconnects when the connection breaks, and asks for what was missed.
    """
    seen: deque[tuple[int, str, str]] = deque(maxlen=_REMEMBERED)
    begin = f"{since:.9f}"
    while not stop.is_set():
        try:
            with engine_errors("reading the engine's events"):
                filters = json.dumps({"type": ["container", "network", "volume"]})
                response = open_stream(engine, "GET", "/events", params={"filters": filters, "since": begin})
                with ended_by(stop, response):
                    for raw in json_objects(pieces(response)):
                        key = (int(raw.get("timeNano", 0)), str(raw.get("Actor", {}).get("ID")), str(raw.get("Action")))
                        if key in seen:
                            continue
                        seen.append(key)
                        begin = f"{key[0] // 10**9}.{key[0] % 10**9:09d}"
                        yield from _happening(raw)
        except (OperatorError, *BROKEN_CONNECTION):
            pass  # the looks every second find what happens meanwhile
        stop.wait(_AGAIN)


def _happening(raw: Mapping[str, Any]) -> Iterator[Happening]:
    actor = raw.get("Actor") or {}
    kind, action = str(raw.get("Type", "")), str(raw.get("Action", ""))
    attributes = {str(k): str(v) for k, v in (actor.get("Attributes") or {}).items()}
    id_, time = str(actor.get("ID", "")), int(raw.get("timeNano", 0)) / 1e9
    match kind:
        case "container":
            yield Happening(kind, action, attributes.get("name", ""), id_, time, attributes.get(_PROJECT, ""),
                            attributes.get(_SERVICE, ""), attributes)
        case "network":
            yield Happening(kind, action, attributes.get("name", ""), attributes.get("container", ""), time,
                            attributes=attributes)
        case "volume":
            yield Happening(kind, action, id_, attributes.get("container", ""), time, attributes=attributes)
