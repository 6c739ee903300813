"""Docker's own events about the containers of some projects."""

import json
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import docker.errors

from . import labels
from .connect import Engine
from .failures import BROKEN_CONNECTION
from .stream import ended_by, json_objects, open_stream, pieces

_AGAIN = 0.25  # seconds until the next try after the connection broke
_REMEMBERED = 1024  # events, to know repeats after a reconnect; the engine itself keeps the last 256


@dataclass(frozen=True)
class EngineEvent:
    """`time` is in seconds on the engine's clock. `action` is as Docker says it: `start`, `die`, `kill`, `oom`,
    `health_status: healthy`, `exec_create: COMMAND`, ... `attributes` has `exitCode`, `signal`, `image` where they
    apply, and the container's labels."""

    id: str
    name: str
    project: str
    service: str
    action: str
    time: float
    attributes: Mapping[str, str]


def watch(engine: Engine, projects: Iterable[str], stop: threading.Event,
          since: float | None = None) -> Iterator[EngineEvent]:
    """What happens to the containers of `projects`, from this call on (or from `since`, engine's clock).

    Reconnects when the connection breaks and asks for what was missed (the engine keeps its last 256 events); each
    event comes once. Ends when `stop` is set, at once.
    """
    # Asking from a time leaves no gap between this call and the engine's subscription.
    begin = engine.now() if since is None else since
    return _watch(engine, frozenset(projects), stop, f"{begin:.9f}")


def _watch(engine: Engine, projects: frozenset[str], stop: threading.Event, since: str) -> Iterator[EngineEvent]:
    seen: deque[tuple[int, str, str]] = deque(maxlen=_REMEMBERED)
    # Several labels would have to match all at once, so the projects are told apart here.
    chosen = json.dumps({"type": ["container"], "label": [labels.PROJECT]})
    while not stop.is_set():
        try:
            response = open_stream(engine, "GET", "/events", params={"filters": chosen, "since": since})
            with ended_by(stop, response):
                for raw in json_objects(pieces(response)):
                    event = _event(raw)
                    if event is None or event.project not in projects:
                        continue
                    key = (int(raw["timeNano"]), event.id, event.action)
                    if key in seen:
                        continue
                    seen.append(key)
                    since = f"{key[0] // 10**9}.{key[0] % 10**9:09d}"
                    yield event
        except (docker.errors.APIError, ValueError, *BROKEN_CONNECTION):
            pass  # cut off, perhaps within an event; what was missed is asked for again
        stop.wait(_AGAIN)


def _event(raw: Mapping[str, Any]) -> EngineEvent | None:
    actor = raw.get("Actor") or {}
    attributes = actor.get("Attributes") or {}
    action = raw.get("Action") or raw.get("status")
    if not actor.get("ID") or not action or "timeNano" not in raw or labels.PROJECT not in attributes:
        return None
    return EngineEvent(str(actor["ID"]), str(attributes.get("name", "")), str(attributes[labels.PROJECT]),
                       str(attributes.get(labels.SERVICE, "")), str(action), int(raw["timeNano"]) / 1e9,
                       dict(attributes))
