"""What the guard decides about a request: one `Decision`, made by the policy, carried out by the proxy."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from operator_demo.guard.request import Request

NOT_FOUND = "no such object"  # the rule of a request that names nothing that exists


class Ruling(StrEnum):
    ALLOW = "allow"
    ASK = "ask"  # a human decides
    DENY = "deny"


class Shape(StrEnum):
    """How the answer comes back."""

    WHOLE = "whole"  # read, filtered, sent; with nothing to filter as a stream
    STREAM = "stream"  # bytes as they come, without end
    EVENTS = "events"  # one JSON object a line, each filtered by itself
    RAW = "raw"  # an upgraded connection, bytes both ways


@dataclass(frozen=True)
class Forward:
    """The request as the engine gets it: names replaced by ids, the body as checked.

    `keep` takes the decoded JSON of the answer (`WHOLE`) or of one line (`EVENTS`), and returns what the caller may see
    of it; None hides it. `stream` lets the client's own body follow, an archive; without it such a request is refused.
    `known` is the decoded JSON of the answer, where the lookup of the object has read it already.
    """

    path: tuple[str, ...]
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    shape: Shape = Shape.WHOLE
    keep: Callable[[Any], Any] | None = None
    stream: bool = False
    known: Any = None


@dataclass(frozen=True)
class Target:
    """What a request is about. `kind` is container, network, volume, image, exec or engine; `member` is its name in the
    subject, if it is one."""

    kind: str
    id: str
    name: str
    member: str | None = None


@dataclass(frozen=True)
class Decision:
    """`rule` names the rule, in a few words; `reason` tells the caller of a refusal what was refused and what is
    allowed instead. `changes`: does it change something (such decisions are recorded)? `destructive`: could it lose
    something? `probe`: is it the monitor's? It only looks, also by the commands that the subject declares for that.
    `status` is the HTTP status of a refusal: 403, or 404 for what the caller may not know of."""

    ruling: Ruling
    rule: str
    reason: str = ""
    target: Target | None = None
    forward: Forward | None = None
    changes: bool = False
    destructive: bool = False
    probe: bool = False
    status: int = 403
    caller: str = ""

    @property
    def recorded(self) -> bool:
        """Is it told as an event? A name that nothing has is no refusal, and looking changes nothing."""
        return (self.changes and not self.probe) or (self.ruling is not Ruling.ALLOW and self.rule != NOT_FOUND)


class Decider(Protocol):
    """Who decides; the proxy carries it out."""

    async def decide(self, caller: str, request: Request) -> Decision:
        """Called once for each request, before anything of it is forwarded."""

    def answered(self, request: Request, decision: Decision, body: Any) -> None:
        """The engine has done what changes something, and the caller does not know it yet. `body` is the decoded JSON
        of a whole answer, None of any other."""
