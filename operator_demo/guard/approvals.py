"""Requests that wait for a human. An answer counts once, and for exactly the request whose digest it names."""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from operator_demo import phrases
from operator_demo.approvals import ALWAYS, ANSWERS, LIMIT, NO, TIMEOUT, WITHDRAWN, YES
from operator_demo.errors import OperatorError
from operator_demo.events import ApprovalRequested, new_id
from operator_demo.guard.decision import Decision, Ruling
from operator_demo.guard.memory import Kind, Memory
from operator_demo.guard.record import Record
from operator_demo.guard.request import Request
from operator_demo.store import StoreError
from operator_demo.text import clean, one_line

NOT_APPROVED = "not approved"  # the rule of a request that a human did not approve
_NAME = 100  # characters of who answered

@dataclass(frozen=True)
class Answer:
    answer: str
    by: str


@dataclass
class _Parked:
    """A request that waits; `began` is in seconds of `time.monotonic`. `told` is None until it is in the record."""

    request: Request
    answer: asyncio.Future[Answer]
    began: float
    told: ApprovalRequested | None = None


class Approvals:
    """For one event loop, but for the record, which is written in threads."""

    def __init__(self, record: Record, limit: float = LIMIT, memory: Memory | None = None) -> None:
        """`limit`: seconds after which the answer is no. What is always allowed is noted in `memory`."""
        self._record, self._limit, self._memory = record, limit, memory or Memory()
        self._parked: dict[str, _Parked] = {}

    async def decide(self, request: Request, decision: Decision) -> Decision:
        """Allows or denies what the policy asks about, when a human has answered, or the time is over. Raises
        `StoreError` where it cannot be recorded that the request waits, or how that ended."""
        by = self._memory.always_allowed_by(_kind(decision))
        if by is not None:
            return replace(decision, ruling=Ruling.ALLOW, reason=f"always approved by {by}")
        id = new_id("ask")
        parked = _Parked(request, asyncio.get_running_loop().create_future(), time.monotonic())
        self._parked[id] = parked  # before it is told, so that no answer comes too early
        telling = asyncio.ensure_future(asyncio.to_thread(self._record.requested, id, request, decision, self._limit))
        try:
            parked.told = await asyncio.shield(telling)
            answer = await self._answer(parked)
        except asyncio.CancelledError:
            with suppress(StoreError):  # (it is not forwarded in any case)
                await telling
                await asyncio.to_thread(self._record.answered, id, WITHDRAWN, "the client, which hung up")
            raise
        finally:
            del self._parked[id]
        await asyncio.to_thread(self._record.answered, id, answer.answer, answer.by)
        if answer.answer == ALWAYS:
            self._memory.allow_always(_kind(decision), answer.by)
        return _decided(decision, answer)

    async def _answer(self, parked: _Parked) -> Answer:
        try:
            async with asyncio.timeout(self._limit):
                return await parked.answer
        except TimeoutError:
            return Answer(TIMEOUT, "nobody")

    def answer(self, id: str, digest: str, answer: str, by: str) -> None:
        """Takes the answer of a human. Raises `OperatorError` where nothing waits under this id and digest."""
        parked = self._parked.get(id)
        if parked is None or parked.answer.done():
            raise OperatorError(f"{one_line(clean(id), _NAME)} does not wait for an answer (any more).")
        if digest != parked.request.digest:
            raise OperatorError(f"{id} is another request than the one that was answered.")
        if answer not in ANSWERS:
            raise OperatorError(f"An answer is one of: {', '.join(ANSWERS)}.")
        parked.answer.set_result(Answer(answer, one_line(clean(by), _NAME) or "somebody"))

    def waiting(self) -> list[dict[str, Any]]:
        """What waits, the oldest first, in words, with the seconds that are left."""
        return [{"id": id, "digest": parked.request.digest, "text": phrases.asked_for(parked.told),
                 "request": f"{parked.told.method} {parked.told.path}", "why": self._record.why(parked.told.call),
                 "left": max(0.0, parked.began + self._limit - time.monotonic())}
                for id, parked in self._parked.items() if parked.told is not None]


def _kind(decision: Decision) -> Kind:
    about = decision.target
    return (decision.rule, about.kind, about.id) if about else (decision.rule, "", "")


def _decided(decision: Decision, answer: Answer) -> Decision:
    if answer.answer in (YES, ALWAYS):
        return replace(decision, ruling=Ruling.ALLOW, reason=f"approved ({answer.answer}) by {answer.by}")
    said = f"{answer.by} said no" if answer.answer == NO else "nobody answered in time"
    reason = (f"refused by operator-demo's guard ({NOT_APPROVED}). A human is asked before {decision.rule}, and "
              f"{said}. Think about why; do it another way, or escalate.")
    return replace(decision, ruling=Ruling.DENY, rule=NOT_APPROVED, reason=reason, forward=None)
