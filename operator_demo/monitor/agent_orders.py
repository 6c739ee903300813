"""The presenter's orders to the agent: to wait, to pause, to stop, to go on.

They are kept in the record, where the agent reads them before it claims a ticket and between two steps. An order to
wait or to pause holds only as long as the host renews it: a host that is gone keeps no agent waiting.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress

from operator_demo import tickets
from operator_demo.errors import UsageError
from operator_demo.events import AgentOrder
from operator_demo.orders import GO, ORDERS, PRESENTER, STOP, STOPPED
from operator_demo.store import Recorder

LEASE = 60.0  # seconds; the host renews it about three times in this time


class AgentOrders:
    """`clock` gives seconds, as `time.monotonic` does. Safe to use from several threads."""

    def __init__(self, recorder: Recorder, clock: Callable[[], float] = time.monotonic) -> None:
        self._recorder, self._clock = recorder, clock
        self._lock = threading.Lock()
        self._order = tickets.order(recorder.store, recorder.run)
        self._until = clock() + LEASE

    def give(self, order: str, by: str = "") -> dict[str, object]:
        """From now on this holds; the same once more renews it. After `stop` nothing else is heard."""
        if order not in ORDERS:
            raise UsageError(f"An order to the agent is one of {', '.join(ORDERS)}, not {order!r}.")
        with self._lock:
            self._until = self._clock() + LEASE
            if order != self._order and self._order != STOP:
                self._say(order, by)
            return {"order": self._order}

    def look(self) -> None:
        """To be called about once a second."""
        with self._lock:
            if self._order == STOP:
                self._hand_over()
            elif self._order != GO and self._clock() > self._until:
                self._say(GO, f"the monitor, because the host was silent for {LEASE:.0f} s")

    def _say(self, order: str, by: str) -> None:
        self._recorder.say(AgentOrder(order=order, by=by))
        self._order = order

    def _hand_over(self) -> None:
        """A ticket that nobody holds goes to a human: the agent will not claim it."""
        recorder = self._recorder
        with recorder.transaction():
            ticket = tickets.current(recorder.store, recorder.run)
            if ticket is not None and ticket["state"] == "open":
                with suppress(tickets.TicketStateError):
                    tickets.escalate(recorder, ticket["ticket"], STOPPED, by=PRESENTER)
