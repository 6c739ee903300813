"""What exists on the engine, asked for at this moment, and what it is to the subject: its standing."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from operator_demo import labels
from operator_demo.guard.decision import Target

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}")
_IMAGE = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.:/@-]{0,254}")


class EngineReader(Protocol):
    async def get(self, path: tuple[str, ...], query: Mapping[str, str] | None = None) -> Any:
        """The decoded JSON of the engine's answer to a GET of `path` (segments, without the API's version); None where
        the engine answers 4xx: there is no such object, or not only one. Raises `OperatorError` for any other
        failure."""
        ...


class Standing(StrEnum):
    """What a container, network, volume or image is to the subject. Names are those of the documentation."""

    SUBJECT = "the subject's"
    ONE_SHOT = "one-shot"  # a container that a session made through the guard
    NEIGHBOUR = "neighbour"  # on the subject's networks, or with its project's name: may be looked at
    OURS = "operator-demo's"
    STRANGER = "stranger"


@dataclass(frozen=True)
class Thing:
    """One object of the engine, as the engine describes it now. `member` is its Compose service in the subject;
    `about` is the container that an exec runs in."""

    kind: str
    id: str
    name: str
    standing: Standing
    member: str | None = None
    described: Mapping[str, Any] = field(default_factory=dict)
    about: Target | None = None

    @property
    def target(self) -> Target:
        return self.about or Target(self.kind, self.id, self.name, self.member)


@dataclass(frozen=True)
class Surroundings:
    """What of the engine may be looked at, read at one moment. `networks` has the subject's ids and names; `containers`
    maps each id to its standing; `images` has the ids of the images of the subject's containers, and of one-shots."""

    networks: frozenset[str] = frozenset()
    volumes: frozenset[str] = frozenset()
    containers: Mapping[str, Standing] = field(default_factory=dict)
    images: frozenset[str] = frozenset()


class World:
    """Resolves names to objects. Nothing is kept: each answer is the engine's own, of this moment."""

    def __init__(self, engine: EngineReader, project: str, run: str) -> None:
        """`project` is the subject's Compose project; containers that sessions make carry the label of `run`."""
        self._engine, self.project, self.run = engine, project, run

    async def container(self, name: str) -> Thing | None:
        found = await self._described("containers", name, "json")
        if found is None:
            return None
        own = found["Config"].get("Labels") or {}
        plain_name = str(found["Name"]).lstrip("/")
        standing = self.standing(own, plain_name)
        endpoints = (found.get("NetworkSettings") or {}).get("Networks") or {}
        if standing is Standing.STRANGER and is_on(endpoints, await self.networks()):
            standing = Standing.NEIGHBOUR
        member = own.get(labels.SERVICE) if standing is Standing.SUBJECT else None
        return Thing("container", str(found["Id"]), plain_name, standing, member, found)

    async def network(self, name: str) -> Thing | None:
        found = await self._described("networks", name)
        if found is None:
            return None
        standing = self.standing(found.get("Labels") or {}, str(found["Name"]))
        return Thing("network", str(found["Id"]), str(found["Name"]), standing, described=found)

    async def volume(self, name: str) -> Thing | None:
        found = await self._described("volumes", name)
        if found is None:
            return None
        standing = self.standing(found.get("Labels") or {}, str(found["Name"]))
        return Thing("volume", str(found["Name"]), str(found["Name"]), standing, described=found)

    async def image(self, name: str) -> Thing | None:
        """`name` as people write it (`etcd:3.5`, `registry/etcd@sha256:...`) or an id."""
        segments = tuple(name.split("/"))
        if not _IMAGE.fullmatch(name) or any(part in ("", ".", "..") for part in segments):
            return None
        found = await self._engine.get(("images", *segments, "json"))
        if found is None:
            return None
        id_ = str(found["Id"])
        known = plain_id(id_) in (await self.surroundings()).images
        return Thing("image", id_, name, Standing.SUBJECT if known else Standing.STRANGER, described=found)

    async def networks(self) -> frozenset[str]:
        """The ids and names of the subject's networks."""
        of_subject = f'{{"label":["{labels.PROJECT}={self.project}"]}}'
        listed = await self._engine.get(("networks",), {"filters": of_subject})
        return frozenset(str(n[key]) for n in listed or [] for key in ("Id", "Name"))

    async def surroundings(self) -> Surroundings:
        networks = await self.networks()
        listed = await self._engine.get(("containers", "json"), {"all": "1"})
        of_volumes = await self._engine.get(("volumes",))
        containers, images = {}, set()
        for item in listed or []:
            standing = self.standing_of_listed(item, networks)
            containers[str(item["Id"])] = standing
            if standing in (Standing.SUBJECT, Standing.ONE_SHOT):
                images.add(plain_id(str(item.get("ImageID"))))
        volumes = {str(v["Name"]) for v in (of_volumes or {}).get("Volumes") or []
                   if self.standing(v.get("Labels") or {}, str(v["Name"])) in (Standing.SUBJECT, Standing.NEIGHBOUR)}
        return Surroundings(networks, frozenset(volumes), containers, frozenset(images))

    # -- standings, by labels and names --------------------------------------------------------------------------------

    def standing(self, own: Mapping[str, str], name: str) -> Standing:
        """By an object's labels and name; what counts besides for a container is the networks that it is on."""
        project = own.get(labels.PROJECT, "")
        if project == f"{self.project}-operator":
            return Standing.OURS
        if own.get(labels.SESSION) and own.get(labels.RUN) == self.run:
            return Standing.ONE_SHOT
        if project == self.project and own.get(labels.ONEOFF) != "True":
            return Standing.SUBJECT
        if not project and labels.RUN in own:
            return Standing.OURS  # a helper of a host
        if project == self.project or (not project and name.startswith((f"{self.project}-", f"{self.project}_"))):
            return Standing.NEIGHBOUR
        return Standing.STRANGER

    def standing_of_listed(self, item: Mapping[str, Any], networks: frozenset[str]) -> Standing:
        """Of a container in the engine's list of containers."""
        names = item.get("Names") or [""]
        standing = self.standing(item.get("Labels") or {}, str(names[0]).lstrip("/"))
        endpoints = (item.get("NetworkSettings") or {}).get("Networks") or {}
        if standing is Standing.STRANGER and is_on(endpoints, networks):
            return Standing.NEIGHBOUR
        return standing

    async def _described(self, collection: str, name: str, *rest: str) -> Mapping[str, Any] | None:
        if not _NAME.fullmatch(name):
            return None
        found: Mapping[str, Any] | None = await self._engine.get((collection, name, *rest))
        return found


def is_on(endpoints: Mapping[str, Any], networks: frozenset[str]) -> bool:
    """Is a container with these endpoints (by network name) on one of `networks`? A container that has never run has
    no network id yet."""
    return any(name in networks or (endpoint or {}).get("NetworkID") in networks
               for name, endpoint in endpoints.items())


def plain_id(image: str) -> str:
    """Docker writes `sha256:` before an image's id, Podman not everywhere."""
    return image.removeprefix("sha256:")
