"""What follows when something that a run needs is lost.

| what is lost | what follows |
| --- | --- |
| any of our containers, stopped in order (exit code 0) or removed | it was ended from elsewhere: `interrupted` |
| the monitor or the guard, in any other way | nothing can be seen or judged any more: `failed` |
| the agent, in any other way | its session is closed, and its ticket escalated unless the oracle judges it already |
| the workload, in any other way | the run goes on without load |
| what connects the agent (`network`, `relay`), in any other way | the run goes on, and the agent gets no answers |
| the engine, for some seconds | `failed`; nothing can be taken down |

`operator-demo down` asks this process to leave before it takes the containers: `interrupted` as well.
"""

import queue
from collections.abc import Callable

from operator_demo.engine import EngineUnavailable
from operator_demo.errors import Exit, OperatorError
from operator_demo.events import Note
from operator_demo.stage.closing import close_open
from operator_demo.stage.container_watch import ContainerWatch, EngineLost, Loss
from operator_demo.stage.context import Context
from operator_demo.stage.environment import AGENT_NEEDS, GUARD
from operator_demo.stage.loop import Quit
from operator_demo.store import StoreBusy


class EngineGone(EngineUnavailable):
    """The engine went away in the middle of the run."""


class Supervision:
    """Once it is started, each turn of the loop reacts to what is lost."""

    def __init__(self, context: Context, asked_to_leave: Callable[[], str]) -> None:
        """`asked_to_leave` gives the reason why another process asks this one to leave, "" while none does."""
        self._project = context.environment.project
        self._recording, self._loop = context.recording, context.loop
        self._asked_to_leave = asked_to_leave
        self._agent_lost: Loss | None = None
        self._watch = ContainerWatch(context.environment.container_states)

    def start(self) -> None:
        self._watch.start()
        self._loop.each_turn.append(self._look)

    def stop(self) -> None:
        self._watch.stop()

    def _look(self) -> None:
        """Raises `Quit` or `OperatorError` where the run cannot go on."""
        reason = self._asked_to_leave()
        if reason:
            self._warn(reason)
            raise Quit(Exit.TERMINATED, down=False)
        while True:
            try:
                finding = self._watch.findings.get_nowait()
            except queue.Empty:
                break
            self._react(finding)
        self._give_ticket_up()

    def _react(self, finding: Loss | EngineLost) -> None:
        if isinstance(finding, EngineLost):
            raise EngineGone(f"The engine has not answered for {finding.seconds:.0f} seconds: {finding.words}",
                             f"When it runs again, `operator-demo down --project {self._project}` takes over what the "
                             "containers recorded, and removes them.")
        if finding.removed or finding.exit_code == 0:
            self._warn(f"{finding} The run is ended from elsewhere, or its time (--max-time) is over.")
            raise Quit(Exit.TERMINATED, down=True)
        if finding.service in ("monitor", GUARD):
            raise OperatorError(str(finding), f"Without the {finding.service} nothing can be seen or judged. Its log "
                                "tells more: try again with `--keep`.")
        if finding.service == "workload":
            self._warn(f"{finding} There is no load any more.")
            self._recording.situation.lose_load()
        elif finding.service in AGENT_NEEDS:
            self._warn(f"{finding} The agent cannot reach all that it needs any more.")
        else:
            self._warn(f"{finding} Nobody works on a ticket any more.")
            self._agent_lost = finding

    def _give_ticket_up(self) -> None:
        """Closes what the lost agent had in hand, or what opens afterwards. A repair that was handed to the oracle is
        still judged."""
        situation = self._recording.situation
        if self._agent_lost is None or not situation.in_trouble or situation.ticket_state == "verifying":
            return
        try:
            closing = close_open(self._recording.store, self._recording.run, str(self._agent_lost))
        except StoreBusy:
            return  # the next turn tries again
        for event in closing:
            self._recording.say_event(event)

    def _warn(self, text: str) -> None:
        self._recording.say(Note(level="warning", text=text))
