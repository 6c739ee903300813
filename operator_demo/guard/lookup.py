"""From the name in a request to the object that the caller may use, or to a refusal."""

from operator_demo.guard import filters
from operator_demo.guard.decision import Target
from operator_demo.guard.endpoints import Endpoint
from operator_demo.guard.refused import HIDDEN, NOT_FOUND, WRONG_OBJECT, Refused
from operator_demo.guard.rules import ON_THE_SUBJECT
from operator_demo.guard.world import Standing, Thing, World

ALLOWED = f"Allowed on the subject's containers are: {ON_THE_SUBJECT}."

# The engine's own words, which clients know.
_NOT_FOUND = {"container": "No such container: {}", "network": "network {} not found", "exec": "No such exec: {}",
              "volume": "get {}: no such volume", "image": "No such image: {}", "plugin": "plugin {} not found"}


async def find(world: World, kind: str, name: str) -> Thing | None:
    """`kind` is container, network, volume or image."""
    match kind:
        case "container":
            return await world.container(name)
        case "network":
            return await world.network(name)
        case "volume":
            return await world.volume(name)
    return await world.image(name)


async def visible(world: World, caller: str, kind: str, name: str) -> Thing:
    """Raises Refused where there is none, or none that the caller may know of; the answer is the same."""
    thing = await find(world, kind, name)
    if thing is None:
        raise not_found(kind, name, NOT_FOUND)
    if thing.standing not in filters.visible(caller):
        raise not_found(kind, name, HIDDEN, thing.target)
    return thing


async def usable(world: World, caller: str, kind: str, name: str, endpoint: Endpoint) -> Thing:
    """Also raises Refused where the endpoint is not for this object."""
    thing = await visible(world, caller, kind, name)
    if thing.standing not in endpoint.may(caller):
        doing = endpoint.does.partition(":")[0]
        raise Refused(WRONG_OBJECT, f"{doing} is not allowed on {thing.name}, which is {_what(thing)}. {ALLOWED}",
                      target=thing.target)
    return thing


def not_found(kind: str, name: str, rule: str, target: Target | None = None) -> Refused:
    return Refused(rule, _NOT_FOUND[kind].format(name[:200]), 404, target)


def _what(thing: Thing) -> str:
    match thing.standing:
        case Standing.ONE_SHOT:
            return "a one-shot container"
        case Standing.NEIGHBOUR:
            return "no part of the subject, but may be looked at"
        case Standing.OURS:
            return "operator-demo's own"
    return f"a {thing.kind} of the subject"
