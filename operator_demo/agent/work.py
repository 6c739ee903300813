"""What one session works with: its ticket, lease, recorder and budget; and the types of a tool call and its result."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from operator_demo import tickets
from operator_demo.agent.budget import Budget
from operator_demo.agent.config import AgentSettings
from operator_demo.agent.record import AgentRecorder, Live
from operator_demo.agent.shell import Account
from operator_demo.events import Delta, Event, Payload
from operator_demo.settings import Settings
from operator_demo.store import StoreError

RENEW_EVERY = 10.0  # seconds; the lease is `tickets.LEASE`


class LeaseLost(Exception):
    """The session does not hold the ticket any more, and may change nothing from here on."""


@dataclass(frozen=True)
class End:
    """How a session ended; `status` as in the event `session_finished`."""

    status: str
    summary: str


@dataclass(frozen=True)
class Result:
    """The result of a tool call: `text` for the model, `output` for the record where it differs (it is longer).

    `ends` is set when this call ends the session.
    """

    status: str
    text: str
    output: str | None = None
    exit_code: int | None = None
    omitted_bytes: int = 0
    removed: int = 0  # characters of terminal sequences
    ends: End | None = None


@dataclass
class Call:
    """One tool call. `partial` returns its result so far, for a call that is cut short."""

    id: str
    tool: str
    input: dict[str, Any]
    show: Callable[[str], None] = lambda piece: None
    partial: Callable[[], Result] | None = None


@dataclass
class Work:
    """One session at one ticket. `diagnosed`: has it stated a finding?"""

    settings: Settings
    agent: AgentSettings
    recorder: AgentRecorder
    budget: Budget
    ticket: str
    session: str
    began: float = field(default_factory=time.time)
    account: Account = field(default_factory=Account)
    diagnosed: bool = False
    verifying: bool = False  # the oracle judges now, and may change the ticket
    last_look: dict[str, Any] | None = None  # the monitor's newest answer to `observe`

    def say(self, content: Payload) -> Event:
        return self.recorder.say(content, ticket=self.ticket, session=self.session)

    def live(self, kind: str, call: str = "") -> Live:
        scrub = self.recorder.scrub.shown_command if kind == "command" else self.recorder.scrub
        return Live(lambda piece: self.say(Delta(kind=kind, text=piece, call=call)), scrub)

    def prove_lease(self) -> None:
        """Renews the lease. Raises `LeaseLost` when it is not ours."""
        try:
            tickets.renew(self.recorder.store, self.ticket, self.session)
        except tickets.TicketStateError as e:
            raise LeaseLost(e.message) from e

    async def keep_lease(self) -> None:
        """Renews until cancelled. Raises `LeaseLost` when the lease is lost; a store that is busy is tried again."""
        while True:
            await asyncio.sleep(RENEW_EVERY)
            if not self.verifying:
                try:
                    self.prove_lease()
                except StoreError:
                    continue
