"""Docker's own events about everything on the engine: containers, networks and volumes, of whatever project."""

import json
import logging
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import docker.errors

from operator_demo import labels
from operator_demo.engine.connect import Engine
from operator_demo.engine.failures import BROKEN_CONNECTION
from operator_demo.engine.stream import ended_by, json_objects, open_stream, pieces, unless_stopped

_log = logging.getLogger(__name__)
_AGAIN = 0.25  # seconds until the next try after the connection broke
_REMEMBERED = 1024  # events, to know repeats after a reconnect; the engine itself keeps the last 256
_CHOSEN = json.dumps({"type": ["container", "network", "volume"]})


@dataclass(frozen=True)
class EngineEvent:
    """`kind` is container, network or volume and `name` its name; `container` is the id of the container that it is
    about ("" for none). `action` is as Docker says it: `start`, `die`, `kill`, `disconnect`, `health_status: healthy`,
    `exec_start: COMMAND`, ... `time` is in seconds on the engine's clock. `project` and `service` are "" where the
    container belongs to none. `attributes` has `exitCode`, `signal`, `image` where they apply, and a container's
    labels."""

    kind: str
    action: str
    name: str
    container: str
    time: float
    project: str = ""
    service: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


def watch(engine: Engine, stop: threading.Event, since: float | None = None) -> Iterator[EngineEvent]:
    """What happens on the engine from this call on (or from `since`, engine's clock).

    Reconnects when the connection breaks and asks for what was missed (the engine keeps its last 256 events); each
    event comes once. Ends when `stop` is set, at once.
    """
    # Asking from a time leaves no gap between this call and the engine's subscription.
    begin = engine.now() if since is None else since
    return _watch(engine, stop, f"{begin:.9f}")


def _watch(engine: Engine, stop: threading.Event, since: str) -> Iterator[EngineEvent]:
    seen: deque[tuple[int, str, str]] = deque(maxlen=_REMEMBERED)
    while not stop.is_set():
        try:
            response = unless_stopped(stop, partial(
                open_stream, engine, "GET", "/events", params={"filters": _CHOSEN, "since": since}))
            if response is None:
                return
            with ended_by(stop, response):
                for raw in json_objects(pieces(response)):
                    if "timeNano" not in raw:
                        continue
                    key = (int(raw["timeNano"]), str((raw.get("Actor") or {}).get("ID")), str(raw.get("Action")))
                    if key in seen:
                        continue
                    seen.append(key)
                    since = f"{key[0] // 10**9}.{key[0] % 10**9:09d}"
                    event = _event(raw)
                    if event is not None:
                        yield event
        except (docker.errors.APIError, ValueError, *BROKEN_CONNECTION) as e:
            # Cut off, perhaps within an event; what was missed is asked for again.
            _log.debug("the engine's events broke off and are asked for again: %s", e)
        stop.wait(_AGAIN)


def _event(raw: Mapping[str, Any]) -> EngineEvent | None:
    actor = raw.get("Actor") or {}
    kind, action = str(raw.get("Type", "")), str(raw.get("Action", ""))
    attributes = {str(k): str(v) for k, v in (actor.get("Attributes") or {}).items()}
    id_, time = str(actor.get("ID", "")), int(raw["timeNano"]) / 1e9
    match kind:
        case "container":
            return EngineEvent(kind, action, attributes.get("name", ""), id_, time, attributes.get(labels.PROJECT, ""),
                               attributes.get(labels.SERVICE, ""), attributes)
        case "network":
            return EngineEvent(kind, action, attributes.get("name", ""), attributes.get("container", ""), time,
                               attributes=attributes)
        case "volume":
            return EngineEvent(kind, action, id_, attributes.get("container", ""), time, attributes=attributes)
    return None
