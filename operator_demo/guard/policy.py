"""The policy: may this caller do this, to this object? What is not known is refused.

Endpoints and who may use them are the table in `endpoints`. Objects are resolved by the engine at this moment, and what
is forwarded names them by id: a rename between the check and the act changes nothing. Bodies are built anew.
"""

import posixpath
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from operator_demo.guard import bodies, filters, queries
from operator_demo.guard.decision import Decision, Forward, Ruling, Shape, Target
from operator_demo.guard.endpoints import NAME, Endpoint, find
from operator_demo.guard.refused import (
    HIDDEN,
    HOST_ACCESS,
    NOT_FOUND,
    NOT_OFFERED,
    OLD_API,
    READ_ONLY,
    UNKNOWN_KEY,
    WRONG_VALUE,
    Refused,
)
from operator_demo.guard.request import MONITOR, Request
from operator_demo.guard.world import Standing, Thing, World, plain_id

_OLDEST_API = 24  # of 1.24: before, `start` took a body that mounts the host
_EXECS = 4096  # that are remembered
_NOT_FOUND = {"container": "No such container: {}", "network": "network {} not found", "exec": "No such exec: {}",
              "volume": "get {}: no such volume", "image": "No such image: {}", "plugin": "plugin {} not found"}
_KINDS = {"containers": "container", "networks": "network", "volumes": "volume", "images": "image", "exec": "exec"}
_ALLOWED = ("Allowed on the subject's containers: looking (ps, inspect, logs, stats, top, events), start, stop, "
            "restart, kill, pause, unpause, update of limits, exec, cp, network connect and disconnect.")
_ONE_SHOT = ("Allowed is: docker run --rm --network none --volumes-from MEMBER [--user ...] [--entrypoint ...] "
             "IMAGE-OF-THAT-MEMBER COMMAND.")


@dataclass(frozen=True)
class _Case:
    """A request that was matched to its endpoint, and the object that it names."""

    caller: str
    request: Request
    endpoint: Endpoint
    thing: Thing | None
    query: Mapping[str, str]

    @property
    def object(self) -> Thing:
        assert self.thing is not None
        return self.thing

    def forward(self, body: Mapping[str, Any] | None = None, keep: filters.Keep | None = None) -> Forward:
        """The same request, with the id in the place of the name."""
        path = tuple(self.object.id if part == NAME else part for part in self.endpoint.path)
        return Forward(path, self.query, body, shape=self.endpoint.shape, keep=keep)


class Policy:
    """Decides requests of the agent and of the monitor. For one event loop."""

    def __init__(self, world: World, probes: Sequence[Sequence[str]] = (),
                 session: Callable[[], str] = lambda: "") -> None:
        """`probes` are the commands that the subject declares for its health; `session` tells the agent's session that
        is open now, for the label of what it makes."""
        self._world, self._probes, self._session = world, probes, session
        self._execs: OrderedDict[str, tuple[str, Target]] = OrderedDict()

    async def decide(self, caller: str, request: Request) -> Decision:
        """Never raises Refused; raises `OperatorError` where the engine does not answer."""
        try:
            return await self._decide(caller, request)
        except Refused as refused:
            return _denial(refused, self._world.project)

    def answered(self, request: Request, decision: Decision, answer: Any) -> None:
        """Learns from the engine's answer (decoded) to an allowed request that was successful: an exec belongs to the
        caller that made it."""
        if request.method == "POST" and request.path[2:] == ("exec",) and decision.target and isinstance(answer, dict):
            self._execs[str(answer.get("Id"))] = (decision.caller, decision.target)
            while len(self._execs) > _EXECS:
                self._execs.popitem(last=False)

    # -- one request ---------------------------------------------------------------------------------------------------

    async def _decide(self, caller: str, request: Request) -> Decision:
        _check_version(request.version)
        matched = find(request.method, request.path)
        if matched is None:
            raise _unknown(request)
        endpoint, name = matched
        if not endpoint.may(caller):
            raise Refused(NOT_OFFERED, f"The {caller} may not do this: {endpoint.does}.")
        _check_body(request, endpoint)
        thing = await self._resolve(caller, endpoint, name)
        case = _Case(caller, request, endpoint, thing, queries.checked(request.query, endpoint.query))
        forward, thing = await self._make(case)
        if request.upgrade and forward.shape is not Shape.RAW:
            raise Refused(NOT_OFFERED, "This endpoint has no upgraded connection.")
        return Decision(Ruling.ALLOW, endpoint.does, target=thing.target if thing else None, forward=forward,
                        changes=endpoint.changes, destructive=endpoint.destructive, caller=caller)

    async def _resolve(self, caller: str, endpoint: Endpoint, name: str) -> Thing | None:
        """The object that the path names, which the caller may use so. None for a path that names none."""
        if not name:
            return None
        kind = _KINDS[endpoint.path[0]]
        if kind == "exec":
            return await self._exec(caller, name)
        return await self._allowed(caller, kind, name, endpoint)

    async def _allowed(self, caller: str, kind: str, name: str, endpoint: Endpoint) -> Thing:
        thing = await self._find(kind, name)
        if thing is None:
            raise _not_found(kind, name, NOT_FOUND)
        if thing.standing not in filters.visible(caller):
            raise _not_found(kind, name, HIDDEN)
        if thing.standing not in endpoint.may(caller):
            raise Refused(READ_ONLY, f"{thing.name} is {_what(thing)}. {endpoint.does} is not allowed on it. "
                          f"{_ALLOWED}")
        return thing

    async def _find(self, kind: str, name: str) -> Thing | None:
        match kind:
            case "container":
                return await self._world.container(name)
            case "network":
                return await self._world.network(name)
            case "volume":
                return await self._world.volume(name)
        return await self._world.image(name)

    async def _exec(self, caller: str, id_: str) -> Thing:
        owner, target = self._execs.get(id_, ("", None))
        if owner != caller or target is None:
            raise _not_found("exec", id_, NOT_FOUND)
        return Thing("exec", id_, target.name, Standing.SUBJECT, target.member)

    async def _make(self, case: _Case) -> tuple[Forward, Thing | None]:
        """What is forwarded, and what the request is about."""
        match case.endpoint.make:
            case "plain" if case.thing is None:
                return Forward(case.endpoint.path, case.query, shape=case.endpoint.shape), None
            case "plain":
                return case.forward(), case.thing
            case "info":
                return Forward(("info",), keep=filters.info), None
            case "containers" | "networks" | "volumes" | "images" as kind:
                return await getattr(self, f"_list_{kind}")(case), None
            case "events":
                return await self._events(case), None
            case "network":
                around = await self._world.surroundings()
                return case.forward(keep=filters.network(case.caller, around)), case.thing
            case "update":
                return case.forward(bodies.update(case.request.body)), case.thing
            case "create":
                return await self._create(case)
            case "connect" | "disconnect":
                return await self._attach(case)
            case "exec_create":
                return await self._exec_create(case), case.thing
            case "exec_start":
                return self._exec_start(case), case.thing
            case "archive_get":
                await self._check_inside(case.object, "files are read")
                return case.forward(), case.thing
            case "archive_put":
                return await self._archive_put(case), case.thing
        raise AssertionError(case.endpoint.make)

    # -- lists ---------------------------------------------------------------------------------------------------------

    async def _list_containers(self, case: _Case) -> Forward:
        """A limit counts what the caller may see, so it is applied here. With one, the engine lists all states."""
        query = await self._filtered(case, _PS_FILTERS)
        first = int(query.pop("limit", "") or -1)
        if first > 0:
            query["all"] = "1"
        for key in ("before", "since"):
            if query.get(key):
                query[key] = await self._id_of(case, "container", query[key].lstrip("/"))
        networks = await self._world.networks()
        keep = filters.containers(self._world, case.caller, networks, first if first > 0 else -1)
        return Forward(("containers", "json"), query, keep=keep)

    async def _list_networks(self, case: _Case) -> Forward:
        query = await self._filtered(case, _NETWORK_FILTERS)
        return Forward(("networks",), query, keep=filters.networks(self._world, case.caller))

    async def _list_volumes(self, case: _Case) -> Forward:
        query = await self._filtered(case, _VOLUME_FILTERS)
        return Forward(("volumes",), query, keep=filters.volumes(self._world, case.caller))

    async def _list_images(self, case: _Case) -> Forward:
        query = await self._filtered(case, _IMAGE_FILTERS)
        around = await self._world.surroundings()
        return Forward(("images", "json"), query, keep=filters.images(around.images))

    async def _events(self, case: _Case) -> Forward:
        query = await self._filtered(case, _EVENT_FILTERS)
        around = await self._world.surroundings()
        return Forward(("events",), query, shape=Shape.EVENTS,
                       keep=filters.EventFilter(self._world, case.caller, around))

    async def _filtered(self, case: _Case, known: Mapping[str, str]) -> dict[str, str]:
        """The query with its filters checked: names in them are replaced by ids."""
        query = dict(case.query)
        given = queries.filters(query.pop("filters", ""))
        out = {}
        for key, values in given.items():
            if key not in known:
                raise Refused(UNKNOWN_KEY, f"The guard does not know the filter {key[:100]!r} here. Leave it out.")
            kind = known[key]
            out[key] = [await self._id_of(case, kind, v) for v in values] if kind else values
        if out:
            query["filters"] = bodies.as_json(out)
        return query

    async def _id_of(self, case: _Case, kind: str, name: str) -> str:
        thing = await self._find(kind, name)
        if thing is None:
            raise _not_found(kind, name, NOT_FOUND)
        if thing.standing not in filters.visible(case.caller):
            raise _not_found(kind, name, HIDDEN)
        return thing.id

    # -- what is special ----------------------------------------------------------------------------------------------

    async def _exec_create(self, case: _Case) -> Forward:
        if case.caller == MONITOR:
            return case.forward(bodies.probe(case.request.body, self._probes))
        body = bodies.exec_create(case.request.body)
        await self._check_inside(case.object, "commands are run")
        return case.forward(body)

    def _exec_start(self, case: _Case) -> Forward:
        body = bodies.exec_start(case.request.body)
        forward = case.forward(body)
        return replace(forward, shape=Shape.WHOLE) if body.get("Detach") else forward

    async def _archive_put(self, case: _Case) -> Forward:
        member, path = case.object, case.query.get("path", "")
        await self._check_inside(member, "files are written")
        volumes = [str(mount.get("Destination")) for mount in member.described.get("Mounts") or []
                   if await self._is_own_volume(mount)]
        if not path.startswith("/") or ".." in path.split("/") or not _is_below(path, volumes):
            raise Refused(WRONG_VALUE, f"Files are written into the volumes of a member alone; those of {member.name} "
                          f"are at {', '.join(volumes) or 'no path'}.")
        return replace(case.forward(), stream=True)

    async def _is_own_volume(self, mount: Mapping[str, Any]) -> bool:
        if mount.get("Type") != "volume" or not mount.get("RW"):
            return False
        volume = await self._world.volume(str(mount.get("Name")))
        return volume is not None and volume.standing is Standing.SUBJECT

    async def _check_inside(self, container: Thing, doing: str) -> None:
        reason = await self._world.host_access(container)
        if reason:
            raise Refused(HOST_ACCESS, f"No {doing} in {container.name}, because {reason}. Start, stop, restart and "
                          "logs of it are allowed.")

    async def _attach(self, case: _Case) -> tuple[Forward, Thing]:
        """Connect or disconnect: of a member, on a network of the subject."""
        check = bodies.connect if case.endpoint.make == "connect" else bodies.disconnect
        body = check(case.request.body)
        container = await self._allowed(case.caller, "container", body["Container"], case.endpoint)
        return case.forward({**body, "Container": container.id}), container

    async def _create(self, case: _Case) -> tuple[Forward, Thing]:
        asked = bodies.create(case.request.body)
        sources = asked["HostConfig"]["VolumesFrom"]
        if len(sources) != 1:
            raise Refused(NOT_OFFERED, f"No container is made here, but a one-shot with the data of one member. "
                          f"{_ONE_SHOT}")
        source = re.fullmatch(r"([^:]+)(:ro|:rw)?", sources[0])
        if source is None:
            raise Refused(WRONG_VALUE, f"--volumes-from takes MEMBER, MEMBER:ro or MEMBER:rw. {_ONE_SHOT}")
        member = await self._allowed(case.caller, "container", source[1], case.endpoint)
        await self._check_inside(member, "volumes are shared")
        image = await self._world.image(asked["Image"])
        if image is None or plain_id(image.id) != plain_id(str(member.described.get("Image"))):
            raise Refused(NOT_OFFERED, f"A one-shot runs from its member's own image, "
                          f"{member.described['Config'].get('Image')}. {_ONE_SHOT}")
        made = bodies.one_shot(asked, image.id, member.id + (source[2] or ""), self._world.run, self._session())
        return Forward(("containers", "create"), case.query, made), member


# The filters of each list: with the kind of object that it names, "" for a pattern or a state.
_PS_FILTERS = {"id": "", "name": "", "label": "", "status": "", "exited": "", "health": "", "network": "network",
               "volume": "volume", "ancestor": "image", "before": "container", "since": "container"}
_NETWORK_FILTERS = {"id": "", "name": "", "label": "", "driver": "", "type": "", "scope": "", "dangling": ""}
_VOLUME_FILTERS = {"name": "", "label": "", "driver": "", "dangling": ""}
_IMAGE_FILTERS = {"reference": "", "label": "", "dangling": ""}
_EVENT_FILTERS = {"type": "", "event": "", "label": "", "container": "container", "network": "network",
                  "volume": "volume"}


def _check_version(version: str) -> None:
    match = re.fullmatch(r"1\.(\d{1,3})", version)
    if version and (match is None or int(match[1]) < _OLDEST_API):
        raise Refused(OLD_API, f"The API {version} is not offered here, but 1.{_OLDEST_API} and newer.")


def _check_body(request: Request, endpoint: Endpoint) -> None:
    if request.stream != endpoint.takes_stream:
        raise Refused(WRONG_VALUE, "This endpoint takes an archive." if endpoint.takes_stream
                      else "This endpoint takes no archive.")
    if request.body and not endpoint.takes_body:
        raise Refused(UNKNOWN_KEY, "This endpoint takes no body.")


def _is_below(path: str, folders: Sequence[str]) -> bool:
    plain = posixpath.normpath(path)
    return any(plain == folder or plain.startswith(f"{folder.rstrip('/')}/") for folder in folders if folder != "/")


def _what(thing: Thing) -> str:
    match thing.standing:
        case Standing.ONE_SHOT:
            return "a one-shot container"
        case Standing.NEIGHBOUR:
            return "no part of the subject, but beside it: it may be looked at"
        case Standing.OURS:
            return "operator-demo's own"
    return f"a {thing.kind} of the subject"


def _not_found(kind: str, name: str, rule: str) -> Refused:
    return Refused(rule, _NOT_FOUND[kind].format(name[:200]), 404)


def _unknown(request: Request) -> Refused:
    """Looking for an object of any kind by name, as `docker inspect NAME` does, is no offence."""
    if request.method == "GET" and request.path[:1] == ("plugins",) and request.path[2:] == ("json",):
        return _not_found("plugin", request.path[1], NOT_FOUND)
    shown = "/".join(request.path)[:200]
    return Refused(NOT_OFFERED, f"{request.method} /{shown} is not offered here. {_ALLOWED} {_ONE_SHOT}")


def _denial(refused: Refused, project: str) -> Decision:
    """The engine's own words where there is no such object; otherwise it says who refuses, and by which rule."""
    reason = refused.reason if refused.status == 404 else f"operator-demo ({project}) refuses this by the rule " \
                                                          f"{refused.rule!r}. {refused.reason}"
    return Decision(Ruling.DENY, refused.rule, reason, status=refused.status)
