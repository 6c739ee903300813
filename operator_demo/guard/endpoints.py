"""The engine's endpoints that the guard knows, and who may use each on what. What is not in this table is refused."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from operator_demo.guard import queries
from operator_demo.guard.decision import Shape
from operator_demo.guard.world import Standing

NAME = "*"  # in a path: the name of an object (of an image: one or more segments)

_SUBJECT = frozenset({Standing.SUBJECT})
_ONE_SHOT = frozenset({Standing.ONE_SHOT})
_LOOK = frozenset({Standing.SUBJECT, Standing.ONE_SHOT, Standing.NEIGHBOUR})
_LOOK_AND_OURS = _LOOK | {Standing.OURS}
_NONE: frozenset[Standing] = frozenset()


@dataclass(frozen=True)
class Endpoint:
    """`agent` and `monitor` are the standings on which that caller may use it (for a list: what is left in it).

    `make` names the method of `Forwarding` that checks what is special and makes what is forwarded. `does` is the
    command or the purpose, for people.
    """

    method: str
    path: tuple[str, ...]
    does: str
    agent: frozenset[Standing] = _NONE
    monitor: frozenset[Standing] = _NONE
    query: Mapping[str, queries.Check] = field(default_factory=dict)
    make: str = "plain"
    shape: Shape = Shape.WHOLE
    changes: bool = False
    destructive: bool = False
    takes_body: bool = False
    takes_stream: bool = False

    def may(self, caller: str) -> frozenset[Standing]:
        standings: frozenset[Standing] = getattr(self, caller, _NONE)
        return standings


def _looking(path: str, does: str, *, method: str = "GET", agent: frozenset[Standing] = _LOOK,
             monitor: frozenset[Standing] = _LOOK_AND_OURS, query: Mapping[str, queries.Check] | None = None,
             make: str = "plain", shape: Shape = Shape.WHOLE) -> Endpoint:
    return Endpoint(method, tuple(path.split("/")), does, agent, monitor, query or {}, make, shape)


def _acting(path: str, does: str, *, method: str = "POST", on: frozenset[Standing] = _SUBJECT,
            query: Mapping[str, queries.Check] | None = None, make: str = "plain", shape: Shape = Shape.WHOLE,
            destructive: bool = False, body: bool = False, stream: bool = False) -> Endpoint:
    return Endpoint(method, tuple(path.split("/")), does, on, _NONE, query or {}, make, shape, True, destructive, body,
                    stream)


_ON_BOTH = _SUBJECT | _ONE_SHOT
_LOGS = {"stdout": queries.flag, "stderr": queries.flag, "follow": queries.flag, "timestamps": queries.flag,
         "details": queries.flag, "since": queries.moment, "until": queries.moment, "tail": queries.tail}
_PS = {"all": queries.flag, "size": queries.flag, "trunc_cmd": queries.flag, "limit": queries.number,
       "before": queries.name, "since": queries.name, "filters": queries.json_text}
_STREAMS = {"stdin": queries.flag, "stdout": queries.flag, "stderr": queries.flag, "stream": queries.flag,
            "logs": queries.flag, "detachKeys": queries.keys}
_TERMINAL = {"h": queries.number, "w": queries.number}
_GRACE = {"t": queries.number, "signal": queries.signal}
_LIST = {"filters": queries.json_text}

ENDPOINTS = (
    _looking("_ping", "is it there", agent=_LOOK),
    _looking("_ping", "is it there", method="HEAD"),
    _looking("version", "docker version"),
    _looking("info", "docker info, reduced to the engine itself", make="info"),
    _looking("events", "docker events", make="events", shape=Shape.EVENTS,
             query={"since": queries.moment, "until": queries.moment, **_LIST}),

    _looking("containers/json", "docker ps", make="containers", query=_PS),
    _looking("containers/*/json", "docker inspect", make="described", query={"size": queries.flag}),
    _looking("containers/*/logs", "docker logs", query=_LOGS, shape=Shape.STREAM),
    _looking("containers/*/stats", "docker stats", shape=Shape.STREAM,
             query={"stream": queries.flag, "one-shot": queries.flag}),
    _looking("containers/*/top", "docker top", query={"ps_args": queries.ps_arguments}),
    _looking("containers/*/changes", "docker diff"),
    _looking("containers/*/wait", "docker wait", method="POST", monitor=_NONE, shape=Shape.STREAM, agent=_ON_BOTH,
             query={"condition": queries.condition}),

    _acting("containers/*/start", "docker start", on=_ON_BOTH, query={"detachKeys": queries.keys}),
    _acting("containers/*/stop", "docker stop", on=_ON_BOTH, query=_GRACE, destructive=True),
    _acting("containers/*/restart", "docker restart", query=_GRACE),
    _acting("containers/*/kill", "docker kill", on=_ON_BOTH, query={"signal": queries.signal}, destructive=True),
    _acting("containers/*/pause", "docker pause"),
    _acting("containers/*/unpause", "docker unpause"),
    _acting("containers/*/update", "docker update: limits alone", make="update", body=True),

    Endpoint("POST", ("containers", NAME, "exec"), "docker exec: without privileges", _SUBJECT, _SUBJECT,
             make="exec_create", changes=True, takes_body=True),
    Endpoint("POST", ("exec", NAME, "start"), "docker exec: its start", _SUBJECT, _SUBJECT,
             make="exec_start", shape=Shape.RAW, changes=True, takes_body=True),
    Endpoint("GET", ("exec", NAME, "json"), "docker exec: its exit status", _SUBJECT, _SUBJECT),
    Endpoint("POST", ("exec", NAME, "resize"), "docker exec -t: the terminal's size", _SUBJECT, _NONE, _TERMINAL),

    _looking("containers/*/archive", "docker cp: is it there", method="HEAD", agent=_SUBJECT, monitor=_NONE,
             query={"path": queries.path}, make="archive_get"),
    _looking("containers/*/archive", "docker cp out of a member", agent=_SUBJECT, monitor=_NONE,
             query={"path": queries.path}, make="archive_get", shape=Shape.STREAM),
    _acting("containers/*/archive", "docker cp into a member's volume", method="PUT", make="archive_put",
            query={"path": queries.path, "noOverwriteDirNonDir": queries.flag, "copyUIDGID": queries.flag},
            destructive=True, stream=True),

    _acting("containers/create", "docker run, docker create: a one-shot container with a member's data",
            make="create", query={"name": queries.name}, destructive=True, body=True),
    Endpoint("POST", ("containers", NAME, "attach"), "docker run in the foreground", _ONE_SHOT, _NONE, _STREAMS,
             shape=Shape.RAW),
    Endpoint("POST", ("containers", NAME, "resize"), "docker run -t: the terminal's size", _ONE_SHOT, _NONE,
             _TERMINAL),
    _acting("containers/*", "docker rm", method="DELETE", on=_ONE_SHOT,
            query={"force": queries.flag, "v": queries.flag}),

    _looking("networks", "docker network ls", make="networks", query=_LIST),
    _looking("networks/*", "docker network inspect", make="network",
             query={"verbose": queries.flag, "scope": queries.scope}),
    _acting("networks/*/connect", "docker network connect: a member", make="connect", body=True),
    _acting("networks/*/disconnect", "docker network disconnect: a member", make="disconnect", body=True),

    _looking("volumes", "docker volume ls", make="volumes", query=_LIST),
    _looking("volumes/*", "docker volume inspect", make="described"),

    _looking("images/json", "docker images", agent=_SUBJECT, monitor=_SUBJECT, make="images",
             query={"all": queries.flag, "digests": queries.flag, "shared-size": queries.flag, **_LIST}),
    _looking("images/*/json", "docker image inspect", make="described", agent=_SUBJECT, monitor=_SUBJECT),
    _looking("images/*/history", "docker history", agent=_SUBJECT, monitor=_NONE),
)


def find(method: str, path: tuple[str, ...]) -> tuple[Endpoint, str] | None:
    """The endpoint for a request, and the name of the object in its path ("" for none)."""
    for endpoint in ENDPOINTS:
        if endpoint.method == method and (name := name_in(endpoint.path, path)) is not None:
            return endpoint, name
    return None


def name_in(pattern: tuple[str, ...], path: tuple[str, ...]) -> str | None:
    """The name at NAME; "" where the pattern has none; None where the path does not match."""
    if NAME not in pattern:
        return "" if path == pattern else None
    at = pattern.index(NAME)
    rest = pattern[at + 1:]
    end = len(path) - len(rest)
    if path[:at] != pattern[:at] or path[end:] != rest or end <= at:
        return None
    if end - at > 1 and pattern[0] != "images":
        return None
    return "/".join(path[at:end])
