"""Ending what a command left running on the engine.

A process started by `docker exec` outlives its killed client, and so does a container started by `docker run`. After a
command that was cut short, or a session that was interrupted, this module ends both:

- containers with the session's label (set by the `docker` wrapper of the shell) that were created since a given time;
- execs in the subject's containers that were started since then and still run, except health checks. The engine gives
  their process ids in its own namespace only, so a one-shot helper in that namespace kills their process groups.

Limits: a container that was created through the socket without the docker command has no label and stays; an exec that
left its process group (`setsid`) stays; with user namespaces remapped the engine refuses the helper. Execs of others in
the subject's containers during that time are ended too.
"""

import secrets
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from operator_demo import labels

if TYPE_CHECKING:
    from operator_demo.engine import Engine

_HELPER_WAIT = 5.0  # seconds
_SLACK = 0.05  # seconds by which the two clocks may still differ


@dataclass(frozen=True)
class Place:
    """Where to look: the subject's project, and the session. `image` (with a shell in it) is what the helper runs from:
    None for that of the container we are in."""

    project: str
    session: str
    run: str
    image: str | None = None


def end(place: Place, since: float) -> list[str]:
    """Ends what the session began after `since` (seconds since the epoch, here); says what, in words for people."""
    engine = _connect()
    try:
        offset = engine.clock_offset()
        begun, now = since + offset - _SLACK, time.time() + offset + _SLACK
        return _end_containers(engine.client, place, begun) + _end_execs(engine, place, begun, now)
    finally:
        engine.close()


def _connect() -> "Engine":
    from operator_demo.engine import connect  # docker-py is heavy, and only this needs it

    return connect()


def _end_containers(client: Any, place: Place, since: float) -> list[str]:
    ended = []
    of_session = {"label": f"{labels.SESSION}={place.session}"}
    for container in client.api.containers(all=True, filters=of_session):
        if container["Created"] >= int(since):
            client.api.remove_container(container["Id"], force=True)
            ended.append(f"container {container['Names'][0].lstrip('/')}")
    return ended


def _end_execs(engine: "Engine", place: Place, since: float, until: float) -> list[str]:
    from operator_demo.engine import health_check  # (docker is loaded where something may be left)

    client: Any = engine.client
    exec_starts = {"type": "container", "event": "exec_start", "label": f"{labels.PROJECT}={place.project}"}
    pids, ended = [], []
    for event in client.api.events(since=f"{since:.6f}", until=f"{until:.6f}", filters=exec_starts, decode=True):
        attributes = event["Actor"]["Attributes"]
        exec_ = client.api.exec_inspect(attributes["execID"])
        argv = [exec_["ProcessConfig"]["entrypoint"], *exec_["ProcessConfig"]["arguments"]]
        if exec_["Running"] and exec_["Pid"] > 1 and argv != health_check(client.api.inspect_container(event["id"])):
            pids.append(exec_["Pid"])
            ended.append(f"`{' '.join(argv)}` in {attributes['name']}")
    if pids:
        _kill_groups(engine, place, pids)
    return ended


def _kill_groups(engine: "Engine", place: Place, pids: list[int]) -> None:
    from operator_demo.engine import Access, Helper, inspect, run_once

    image = place.image or inspect(engine, socket.gethostname())["Image"]
    groups = " ".join(f"-{pid}" for pid in pids)
    helper = Helper(image, f"operator-demo-kill-{secrets.token_hex(4)}", {labels.RUN: place.run})
    run_once(engine, helper, f"kill -s KILL -- {groups}", Access(host_processes=True, capabilities=("KILL",)),
             timeout=_HELPER_WAIT)
