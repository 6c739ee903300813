"""The presenter's hold on the agent: it waits until the chapter "Repair", pauses, goes on, stops.

The monitor keeps the orders (`monitor.agent_orders`). They are renewed from here, so that a host that is gone keeps no
agent waiting.
"""

import time
from collections.abc import Mapping
from typing import Any

from operator_demo.errors import OperatorError
from operator_demo.events import Note
from operator_demo.orders import GO, HOLD, PAUSE, STOP
from operator_demo.screen.steering import PAUSE as PAUSE_KEY
from operator_demo.screen.steering import STOP as STOP_KEY
from operator_demo.stage.approving import who
from operator_demo.stage.context import Context
from operator_demo.stage.loop import Job

RENEW = 20.0  # seconds between two renewals
RETRY = 2.0  # seconds after which a monitor that did not answer is asked again


class AgentControl:
    """In each turn of the loop, once it was started: what the presenter wants goes to the monitor."""

    def __init__(self, context: Context) -> None:
        self._environment, self._agentless = context.environment, context.options.brain == "none"
        self._recording, self._loop = context.recording, context.loop
        self._held = self._paused = self._stopped = False
        self._sent = GO  # what the monitor knows
        self._renew_at = self._not_before = 0.0  # on the monotonic clock
        self._job: Job[Mapping[str, Any]] | None = None
        self._sending = GO

    def start(self, hold: bool) -> None:
        """The monitor runs. With `hold` the agent claims no ticket until `release`."""
        self._held, self._sent = hold, self._recording.situation.run.agent.order
        self._stopped = self._sent == STOP
        if not self._agentless:
            self._loop.each_turn.append(self._look)

    def release(self) -> None:
        """An agent that was held may begin, also where it was paused meanwhile."""
        self._paused = self._paused and not self._held
        self._held = False

    @property
    def wanted(self) -> str:
        if self._stopped:
            return STOP
        if self._paused:
            return PAUSE
        return HOLD if self._held else GO

    def _look(self) -> None:
        if self._loop.presses.take(PAUSE_KEY):
            self._paused = not self._paused
        if self._loop.presses.take(STOP_KEY):
            self._stopped = True
        if self._job is not None:
            self._hear()
            return
        now, order = time.monotonic(), self.wanted
        renew = order in (HOLD, PAUSE) and now >= self._renew_at
        if now >= self._not_before and (order != self._sent or renew):
            self._send(order)

    def _send(self, order: str) -> None:
        self._sending, self._renew_at = order, time.monotonic() + RENEW
        by = who("in the run's terminal")
        self._job = self._loop.start("agent", lambda _: self._environment.ask("order", order=order, by=by))

    def _hear(self) -> None:
        job = self._job
        if job is None or not job.done:
            return
        self._job = None
        try:
            job.result()
            self._sent = self._sending
        except OperatorError as e:
            self._sent, self._not_before = "", time.monotonic() + RETRY
            self._recording.say(Note(level="warning", text=e.message))
