"""What of an answer the caller may see: functions from the engine's JSON to what is left of it."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from operator_demo.guard.request import MONITOR
from operator_demo.guard.world import Standing, Surroundings, World

Keep = Callable[[Any], Any]

_LOOK = frozenset({Standing.SUBJECT, Standing.ONE_SHOT, Standing.NEIGHBOUR})

# What /info says of the engine itself. The rest tells of the machine and of what else runs on it.
_INFO = ("ID", "ServerVersion", "SystemTime", "OperatingSystem", "OSType", "OSVersion", "Architecture",
         "KernelVersion", "NCPU", "MemTotal", "Driver", "LoggingDriver", "CgroupDriver", "CgroupVersion", "MemoryLimit",
         "SwapLimit", "CpuCfsPeriod", "CpuCfsQuota", "CPUShares", "CPUSet", "PidsLimit", "OomKillDisable",
         "BuildahVersion")


def visible(caller: str) -> frozenset[Standing]:
    """What a caller may know of."""
    return _LOOK | {Standing.OURS} if caller == MONITOR else _LOOK


def info(answer: Mapping[str, Any]) -> dict[str, Any]:
    return {key: answer[key] for key in _INFO if key in answer} | {
        "Swarm": {"LocalNodeState": "inactive", "ControlAvailable": False}}


def containers(world: World, caller: str, networks: frozenset[str], first: int = -1) -> Keep:
    """Of the list of containers; of these the newest `first`, where that is not negative."""
    shown = visible(caller)

    def keep(answer: list[dict[str, Any]]) -> list[dict[str, Any]]:
        kept = [item for item in answer if world.standing_of_listed(item, networks) in shown]
        return kept if first < 0 else kept[:first]

    return keep


def networks(world: World, caller: str) -> Keep:
    """Of the list of networks. It names no containers (Docker leaves them out as well)."""
    shown = visible(caller)

    def keep(answer: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [item | {"Containers": {}} for item in answer
                if world.standing(item.get("Labels") or {}, str(item["Name"])) in shown]

    return keep


def network(caller: str, around: Surroundings) -> Keep:
    """Of one network: those containers on it that the caller may know of."""
    shown = visible(caller)

    def keep(answer: dict[str, Any]) -> dict[str, Any]:
        on_it = {id_: endpoint for id_, endpoint in (answer.get("Containers") or {}).items()
                 if around.containers.get(id_) in shown}
        return answer | {"Containers": on_it}

    return keep


def volumes(world: World, caller: str) -> Keep:
    shown = visible(caller)

    def keep(answer: dict[str, Any]) -> dict[str, Any]:
        kept = [item for item in answer.get("Volumes") or []
                if world.standing(item.get("Labels") or {}, str(item["Name"])) in shown]
        return {"Volumes": kept, "Warnings": None}

    return keep


def images(known: Collection[str]) -> Keep:
    """Of the list of images: those of the subject's containers (`known` are plain ids)."""

    def keep(answer: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [item for item in answer if str(item["Id"]).removeprefix("sha256:") in known]

    return keep


class EventFilter:
    """Of the engine's events, one after the other: those about objects that the caller may know of.

    An event names its object, and a container's labels. What hangs on the subject's networks beside its containers is
    known from the beginning (`around`), and a stranger that is made later from the network's own events.
    """

    def __init__(self, world: World, caller: str, around: Surroundings) -> None:
        self._world, self._caller, self._around = world, caller, around
        self._shown = visible(caller)
        self._containers = {id_ for id_, standing in around.containers.items() if standing in self._shown}
        self._strangers: set[str] = set()  # that were made since

    def __call__(self, event: dict[str, Any]) -> dict[str, Any] | None:
        actor = event.get("Actor") or {}
        attributes = actor.get("Attributes") or {}
        id_ = str(actor.get("ID", ""))
        match event.get("Type"):
            case "container":
                return self._container(event, id_, attributes)
            case "network":
                return event if self._network(event, id_, attributes) else None
            case "volume":
                return event if self._volume(id_, attributes) else None
        return None

    def _container(self, event: dict[str, Any], id_: str, attributes: Mapping[str, str]) -> dict[str, Any] | None:
        standing = self._world.standing(attributes, attributes.get("name", ""))
        if standing is Standing.STRANGER and id_ in self._containers:
            standing = Standing.NEIGHBOUR
        if standing in self._shown:
            self._containers.add(id_)
            return event
        if standing is Standing.STRANGER and event.get("Action") == "create":
            self._strangers.add(id_)
        if self._caller == MONITOR and event.get("Action") == "create":
            # That something was made is worth counting; what, is others' affair.
            return {key: event[key] for key in ("Type", "Action", "time", "timeNano") if key in event} | {
                "Actor": {"ID": id_, "Attributes": {}}}
        return None

    def _network(self, event: Mapping[str, Any], id_: str, attributes: Mapping[str, str]) -> bool:
        if id_ not in self._around.networks:
            return False
        container = attributes.get("container", "")
        if event.get("Action") == "connect" and container in self._strangers:
            self._containers.add(container)
        return self._by_somebody_visible(attributes)

    def _volume(self, name: str, attributes: Mapping[str, str]) -> bool:
        known = name in self._around.volumes or name.startswith(f"{self._world.project}_")
        return known and self._by_somebody_visible(attributes)

    def _by_somebody_visible(self, attributes: Mapping[str, str]) -> bool:
        """An event of a network or volume may name the container that joined or mounted it."""
        container = attributes.get("container", "")
        return not container or container in self._containers
