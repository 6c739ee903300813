"""What is forwarded in the place of a request: ids for names, a body built anew, and what the caller may see."""

import posixpath
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from operator_demo.guard import bodies, filters, lookup, queries
from operator_demo.guard.decision import Forward, Shape, Target
from operator_demo.guard.endpoints import NAME, Endpoint
from operator_demo.guard.host_access import host_access
from operator_demo.guard.refused import HOST_ACCESS, NOT_OFFERED, UNKNOWN_KEY, WRONG_VALUE, Refused
from operator_demo.guard.request import MONITOR, Request
from operator_demo.guard.rules import ONE_SHOT
from operator_demo.guard.world import Standing, Thing, World, plain_id

_INSTEAD = f"Allowed is: {ONE_SHOT}."

# The filters of each list: with the kind of object that it names, "" for a pattern or a state.
_PS_FILTERS = {"id": "", "name": "", "label": "", "status": "", "exited": "", "health": "", "network": "network",
               "volume": "volume", "ancestor": "image", "before": "container", "since": "container"}
_NETWORK_FILTERS = dict.fromkeys(("id", "name", "label", "driver", "type", "scope", "dangling"), "")
_VOLUME_FILTERS = dict.fromkeys(("name", "label", "driver", "dangling"), "")
_IMAGE_FILTERS = dict.fromkeys(("reference", "label", "dangling"), "")
_EVENT_FILTERS = {"type": "", "event": "", "label": "", "container": "container", "network": "network",
                  "volume": "volume"}


@dataclass
class Case:
    """A request that was matched to its endpoint. `thing` is the object that it is about, None for none; `query` is
    that of the request, once it is checked."""

    caller: str
    request: Request
    endpoint: Endpoint
    thing: Thing | None
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def target(self) -> Target | None:
        return self.thing.target if self.thing else None

    @property
    def object(self) -> Thing:
        assert self.thing is not None
        return self.thing

    def forward(self, body: Mapping[str, Any] | None = None, keep: filters.Keep | None = None) -> Forward:
        """The same request, with the id in the place of the name."""
        path = tuple(self.object.id if part == NAME else part for part in self.endpoint.path)
        return Forward(path, self.query, body, shape=self.endpoint.shape, keep=keep)


class Forwarding:
    """Has a method for each `make` of an endpoint. All raise Refused."""

    def __init__(self, world: World, probes: Sequence[Sequence[str]], session: Callable[[], str]) -> None:
        self._world, self._probes, self._session = world, probes, session

    async def make(self, case: Case) -> Forward:
        """Sets `case.thing` where the request is about another object than its path names."""
        forward: Forward = await getattr(self, case.endpoint.make)(case)
        return forward

    async def plain(self, case: Case) -> Forward:
        return case.forward()

    # -- lists and other reading ---------------------------------------------------------------------------------------

    async def described(self, case: Case) -> Forward:
        """What the engine says of an object is what it was found by, unless the query asks for more."""
        forward = case.forward()
        return forward if case.query else replace(forward, known=case.object.described)

    async def info(self, case: Case) -> Forward:
        return case.forward(keep=filters.info)

    async def containers(self, case: Case) -> Forward:
        """A limit counts what the caller may see, so it is applied here. With one, the engine lists all states."""
        query = await self._filtered(case, _PS_FILTERS)
        first = int(query.pop("limit", "") or -1)
        if first > 0:
            query["all"] = "1"
        for key in ("before", "since"):
            if query.get(key):
                query[key] = await self._id_of(case, "container", query[key].lstrip("/"))
        keep = filters.containers(self._world, case.caller, await self._world.networks(), first)
        return replace(case.forward(keep=keep), query=query)

    async def networks(self, case: Case) -> Forward:
        query = await self._filtered(case, _NETWORK_FILTERS)
        return replace(case.forward(keep=filters.networks(self._world, case.caller)), query=query)

    async def network(self, case: Case) -> Forward:
        keep = filters.network(case.caller, await self._world.surroundings())
        return replace(await self.described(case), keep=keep)

    async def volumes(self, case: Case) -> Forward:
        query = await self._filtered(case, _VOLUME_FILTERS)
        return replace(case.forward(keep=filters.volumes(self._world, case.caller)), query=query)

    async def images(self, case: Case) -> Forward:
        query = await self._filtered(case, _IMAGE_FILTERS)
        around = await self._world.surroundings()
        return replace(case.forward(keep=filters.images(around.images)), query=query)

    async def events(self, case: Case) -> Forward:
        query = await self._filtered(case, _EVENT_FILTERS)
        keep = filters.EventFilter(self._world, case.caller, await self._world.surroundings())
        return replace(case.forward(keep=keep), query=query)

    async def _filtered(self, case: Case, known: Mapping[str, str]) -> dict[str, str]:
        """The query with its filters checked; the names in them are replaced by ids."""
        query = dict(case.query)
        given = queries.filters(query.pop("filters", ""))
        for key, values in given.items():
            if key not in known:
                raise Refused(UNKNOWN_KEY, f"The guard does not know the filter {key[:100]!r} here. Leave it out.")
            if known[key]:
                given[key] = [await self._id_of(case, known[key], value) for value in values]
        if given:
            query["filters"] = queries.filters_text(given)
        return query

    async def _id_of(self, case: Case, kind: str, name: str) -> str:
        return (await lookup.visible(self._world, case.caller, kind, name)).id

    # -- acting --------------------------------------------------------------------------------------------------------

    async def update(self, case: Case) -> Forward:
        return case.forward(bodies.update(case.request.body))

    async def connect(self, case: Case) -> Forward:
        return await self._of_member(case, bodies.connect(case.request.body))

    async def disconnect(self, case: Case) -> Forward:
        return await self._of_member(case, bodies.disconnect(case.request.body))

    async def _of_member(self, case: Case, body: Mapping[str, Any]) -> Forward:
        container = await lookup.usable(self._world, case.caller, "container", body["Container"], case.endpoint)
        forward = case.forward({**body, "Container": container.id})
        case.thing = container
        return forward

    async def exec_create(self, case: Case) -> Forward:
        body = bodies.exec_create(case.request.body)
        if body.pop("Container", None) not in (None, case.object.id, case.object.name):
            raise Refused(WRONG_VALUE, "Container names another container than the path.")
        if case.caller == MONITOR:
            bodies.check_probe(body, self._probes)
        await self._check_inside(case.object, "commands are run")
        return case.forward(body)

    async def exec_start(self, case: Case) -> Forward:
        forward = case.forward(bodies.exec_start(case.request.body))
        return replace(forward, shape=Shape.WHOLE) if (forward.body or {}).get("Detach") else forward

    async def archive_get(self, case: Case) -> Forward:
        await self._check_inside(case.object, "files are read")
        return case.forward()

    async def archive_put(self, case: Case) -> Forward:
        member, path = case.object, case.query.get("path", "")
        await self._check_inside(member, "files are written")
        mounts = {str(mount.get("Destination")): mount for mount in member.described.get("Mounts") or []}
        own = [folder for folder, mount in mounts.items() if await self._is_own_volume(mount)]
        if not path.startswith("/") or ".." in path.split("/") or _innermost(path, mounts) not in own:
            raise Refused(WRONG_VALUE, f"Files are written into the volumes of a member alone; those of {member.name} "
                          f"are at {', '.join(own) or 'no path'}.")
        return replace(case.forward(), stream=True)

    async def create(self, case: Case) -> Forward:
        asked = bodies.create(case.request.body)
        sources = asked["HostConfig"]["VolumesFrom"]
        if len(sources) != 1:
            raise Refused(NOT_OFFERED, f"The only container that is made here is a one-shot with one member's data. "
                          f"{_INSTEAD}")
        source = re.fullmatch(r"([^:]+)(:ro|:rw)?", sources[0])
        if source is None:
            raise Refused(WRONG_VALUE, f"--volumes-from takes MEMBER, MEMBER:ro or MEMBER:rw. {_INSTEAD}")
        member = await self._source(case, source[1])
        image = await self._world.image(asked["Image"])
        if image is None or plain_id(image.id) != plain_id(str(member.described.get("Image"))):
            raise Refused(NOT_OFFERED, f"A one-shot runs from the image of its member, "
                          f"{member.described['Config'].get('Image')}. {_INSTEAD}")
        body = bodies.one_shot(asked, image.id, member.id + (source[2] or ""), self._world.run, self._session())
        case.thing = member
        return Forward(case.endpoint.path, case.query, body)

    async def _source(self, case: Case, name: str) -> Thing:
        """The member whose data a one-shot gets."""
        try:
            member = await lookup.usable(self._world, case.caller, "container", name, case.endpoint)
        except Refused as e:
            # To a client, 404 would mean that the image is missing: it would try to pull it.
            raise Refused(e.rule, e.reason, target=e.target) from e
        await self._check_inside(member, "volumes are shared")
        return member

    async def _check_inside(self, container: Thing, doing: str) -> None:
        reason = await host_access(self._world, container)
        if reason:
            raise Refused(HOST_ACCESS, f"In {container.name} no {doing}, because {reason}. Its logs, start, stop and "
                          "restart are allowed.")

    async def _is_own_volume(self, mount: Mapping[str, Any]) -> bool:
        if mount.get("Type") != "volume" or not mount.get("RW"):
            return False
        volume = await self._world.volume(str(mount.get("Name")))
        return volume is not None and volume.standing is Standing.SUBJECT


def _innermost(path: str, folders: Iterable[str]) -> str | None:
    """Of the folders that hold the path, the longest: a mount may lie within another."""
    plain = posixpath.normpath(path)
    holding = [folder for folder in folders if plain == folder or plain.startswith(f"{folder.rstrip('/')}/")]
    return max(holding, key=len, default=None)
