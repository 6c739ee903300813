"""The presenter's answers to what the guard asks."""

import getpass
from collections.abc import Mapping
from typing import Any

from operator_demo.errors import OperatorError
from operator_demo.events import Note
from operator_demo.stage.context import Context
from operator_demo.stage.loop import Job


def who(where: str) -> str:
    """Who answers, for the record: `anna, on the screen`."""
    try:
        return f"{getpass.getuser()}, {where}"
    except (KeyError, OSError):  # an account without a name
        return f"somebody, {where}"


class Approving:
    """In each turn of the loop: an answer that was pressed goes to the guard, for the request that is shown."""

    def __init__(self, context: Context) -> None:
        self._environment = context.environment
        self._recording, self._loop = context.recording, context.loop
        self._sending: Job[Mapping[str, Any]] | None = None
        self._sent: set[str] = set()  # ids of requests; an answer counts once
        self._loop.each_turn.append(self._look)

    def _look(self) -> None:
        answer, job = self._loop.answer_pressed(), self._sending
        if job is not None and job.done:
            self._sending = None
            try:
                job.result()
            except OperatorError as e:
                self._recording.say(Note(level="warning", text=e.message))
        waiting = self._recording.situation.run.waiting
        if not answer or not waiting or self._sending is not None or waiting[0].data.id in self._sent:
            return
        asked = waiting[0].data
        self._sent.add(asked.id)
        given = {"id": asked.id, "digest": asked.digest, "answer": answer, "by": who("in the run's terminal")}
        self._sending = self._loop.start("guard", lambda _: self._environment.ask_guard("answer", **given))
