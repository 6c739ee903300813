"""The policy: may this caller do this, to this object? What is not known is refused.

Endpoints and who may use them are the table in `endpoints`. Objects are resolved by the engine at this moment, and what
is forwarded names them by id: a rename between the check and the act changes nothing.
"""

import re
import time
from collections.abc import Callable, Sequence
from typing import Any

from operator_demo.guard import lookup, queries
from operator_demo.guard.decision import Decision, Ruling, Shape
from operator_demo.guard.endpoints import Endpoint, find
from operator_demo.guard.forwarding import Case, Forwarding
from operator_demo.guard.memory import EXEC, ONE_SHOT, Begun, Memory
from operator_demo.guard.refused import NOT_FOUND, NOT_OFFERED, OLD_API, UNKNOWN_KEY, WRONG_VALUE, Refused
from operator_demo.guard.request import AGENT, MONITOR, Request
from operator_demo.guard.world import Standing, Thing, World

_OLDEST_API = 24  # of 1.24: before, `start` took a body that mounts the host
_KINDS = {"containers": "container", "networks": "network", "volumes": "volume", "images": "image"}


class Policy:
    """Decides the requests of the agent and of the monitor. For one event loop."""

    def __init__(self, world: World, probes: Sequence[Sequence[str]] = (),
                 session: Callable[[], str] = lambda: "", approve: bool = False, memory: Memory | None = None) -> None:
        """`probes` are the commands that the subject declares for its health; `session` tells the agent's session that
        is open now, for the label of what it makes. With `approve` a human decides about what the agent changes.
        `memory` is where it notes what callers begin."""
        self._world, self._forwarding = world, Forwarding(world, probes, session)
        self._approve = approve
        self._memory = memory or Memory()

    async def decide(self, caller: str, request: Request) -> Decision:
        """Raises `OperatorError` where the engine does not answer."""
        try:
            return await self._decide(caller, request)
        except Refused as refused:
            return _denial(refused)

    def answered(self, request: Request, decision: Decision, answer: Any) -> None:
        """Learns from the engine's answer (decoded) to an allowed request that was successful: an exec belongs to the
        caller that made it, and so does a one-shot container."""
        if decision.target is None or not isinstance(answer, dict) or "Id" not in answer:
            return
        if request.path[2:] == ("exec",):
            self._began(EXEC, str(answer["Id"]), decision)
        elif request.path == ("containers", "create"):
            self._began(ONE_SHOT, str(answer["Id"]), decision)

    def _began(self, what: str, id: str, decision: Decision) -> None:
        assert decision.target is not None
        self._memory.began(Begun(what, id, decision.caller, time.time(), decision.target))

    async def _decide(self, caller: str, request: Request) -> Decision:
        _check_version(request.version)
        matched = find(request.method, request.path)
        if matched is None:
            raise _unknown(request)
        endpoint, name = matched
        if not endpoint.may(caller):
            raise Refused(NOT_OFFERED, f"The {caller} may not do this: {endpoint.does}.")
        _check_form(request, endpoint)
        thing = await self._resolve(caller, endpoint, name) if name else None
        case = Case(caller, request, endpoint, thing)
        try:
            return await self._allow(case)
        except Refused as refused:
            refused.target = refused.target or case.target
            raise

    async def _allow(self, case: Case) -> Decision:
        endpoint = case.endpoint
        case.query = queries.checked(case.request.query, endpoint.query)
        forward = await self._forwarding.make(case)
        if case.request.upgrade and forward.shape is not Shape.RAW:
            raise Refused(NOT_OFFERED, "This endpoint has no upgraded connection.")
        ruling = Ruling.ASK if self._asks(case) else Ruling.ALLOW
        return Decision(ruling, endpoint.does, target=case.target, forward=forward, changes=endpoint.changes,
                        destructive=endpoint.destructive, probe=case.caller == MONITOR, caller=case.caller)

    def _asks(self, case: Case) -> bool:
        """What is done with a one-shot container, or with an exec, was approved when it was made."""
        thing = case.thing
        approved = thing is not None and (thing.kind == "exec" or thing.standing is Standing.ONE_SHOT)
        return self._approve and case.caller == AGENT and case.endpoint.changes and not approved

    async def _resolve(self, caller: str, endpoint: Endpoint, name: str) -> Thing:
        collection = endpoint.path[0]
        if collection != "exec":
            return await lookup.usable(self._world, caller, _KINDS[collection], name, endpoint)
        begun = self._memory.find(EXEC, name)
        if begun is None or begun.caller != caller:
            raise lookup.not_found("exec", name, NOT_FOUND)
        container = begun.container
        return Thing("exec", name, container.name, Standing.SUBJECT, container.member, about=container)


def _check_version(version: str) -> None:
    match = re.fullmatch(r"1\.(\d{1,3})", version)
    if version and (match is None or int(match[1]) < _OLDEST_API):
        raise Refused(OLD_API, f"The API {version} is not offered here, but 1.{_OLDEST_API} and newer.")


def _check_form(request: Request, endpoint: Endpoint) -> None:
    if request.stream and not endpoint.takes_stream:
        raise Refused(WRONG_VALUE, "This endpoint takes no archive.")
    if endpoint.takes_stream and not request.stream:
        raise Refused(WRONG_VALUE, "This endpoint takes an archive.")
    if request.body and not endpoint.takes_body:
        raise Refused(UNKNOWN_KEY, "This endpoint takes no body.")


def _unknown(request: Request) -> Refused:
    """Looking for an object of any kind by name, as `docker inspect NAME` does, is no offence."""
    if request.method == "GET" and request.path[:1] == ("plugins",) and request.path[2:] == ("json",):
        return lookup.not_found("plugin", request.path[1], NOT_FOUND)
    shown = "/".join(request.path)[:200]
    return Refused(NOT_OFFERED, f"{request.method} /{shown} is not offered here. {lookup.ALLOWED}")


def _denial(refused: Refused) -> Decision:
    """In the engine's own words where there is no such object; otherwise it says who refuses, and by which rule."""
    reason = refused.reason
    if refused.status != 404:
        reason = f"refused by operator-demo's guard ({refused.rule}). {reason}"
    return Decision(Ruling.DENY, refused.rule, reason, refused.target, status=refused.status)
