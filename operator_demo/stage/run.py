"""A run: its parts put together, played from the first chapter to the last, and taken down in any case."""

import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from operator_demo.chaos.injection import Injection
from operator_demo.chaos.journal import FaultJournal
from operator_demo.chaos.primitive import Ground
from operator_demo.chaos.scenario import Scenario
from operator_demo.errors import Exit, OperatorError
from operator_demo.events import Fault, Note, Payload, RunFinished
from operator_demo.outcomes import FAILED, INTERRUPTED
from operator_demo.outlet import Outlet
from operator_demo.screen.display import Display
from operator_demo.stage.approving import Approving
from operator_demo.stage.chapters import Chapters
from operator_demo.stage.context import Context
from operator_demo.stage.environment import Environment
from operator_demo.stage.fallback import FallBack
from operator_demo.stage.journal import Journal
from operator_demo.stage.loop import Loop, Quit
from operator_demo.stage.options import Options
from operator_demo.stage.recording import Recording
from operator_demo.stage.remote import Remote
from operator_demo.stage.supervision import EngineGone, Supervision
from operator_demo.stage.takedown import TakeDown
from operator_demo.store import Store

STORE_WAIT = 0.1  # seconds that the loop waits for another process that holds the store


class Stage:
    """Is the `Host` of its fault."""

    def __init__(self, environment: Environment, scenario: Scenario, store: Store, journal: Journal,
                 faults: FaultJournal, display: Display, options: Options,
                 asked_to_leave: Callable[[], str] = lambda: "", keys: Path | None = None) -> None:
        """`asked_to_leave`: see `Supervision`. `keys`: the socket on which keys of another terminal are heard."""
        self.environment, self.display, self.options = environment, display, options
        self.run, self.subject = options.run, environment.subject_reference
        store.wait_for_lock(STORE_WAIT)
        store.skew = environment.clock_offset()
        self.recording = Recording(options.run, store, display)
        self.loop = Loop(self.recording, display)
        self.context = Context(environment, scenario, options, journal, self.recording, self.loop,
                               Injection(self, faults, scenario.fault))
        self.chapters = Chapters(self.context)
        self.approving = Approving(self.context)
        self.loop.leave_at_once = self._leave_at_once
        self._asked_to_leave = asked_to_leave
        self.supervision = Supervision(self.context, asked_to_leave)
        self.remote = Remote(keys, display.keys.put, lambda: self.loop.space) if keys is not None else None

    def ground(self, image: str = "", *, up: bool = True) -> Ground:
        return self.environment.ground(image, up=up)

    def tell(self, fault: Fault) -> None:
        self.recording.say(fault)

    # -- from the beginning to the end -------------------------------------------------------------------------------

    def perform(self, attach: bool = False) -> int:
        """Plays the run (or goes on with one whose host is gone) and returns the exit status."""
        Outlet.asked_to_end = staticmethod(lambda: self.loop.asked_to_end() or bool(self._asked_to_leave()))
        with self.loop.signals():
            self.display.start()
            if self.remote is not None:
                self.remote.start()
            try:
                return self._play(attach)
            finally:
                if self.remote is not None:
                    self.remote.stop()
                with suppress(OperatorError):  # a store that fails now
                    self.recording.tell_head()
                self.display.stop()

    def _play(self, attach: bool) -> int:
        """What ended the run is raised when all is taken down; a take-down that is not complete, where nothing else
        is. After a signal the exit status is the signal's in any case."""
        down = not self.options.keep
        error: BaseException | None = None
        reason = "The run is over."
        incomplete: int = Exit.ENVIRONMENT  # the exit status when not everything can be taken down
        self.supervision.start()
        try:
            status = self.chapters.play(attach)
        except Quit as quit_:
            status, down, reason = quit_.status, down and quit_.down, "The run was interrupted."
            incomplete = quit_.status
            self._quit(quit_)
        except FallBack as e:
            status, reason = Exit.NOT_REACHED, e.why
            self._finish(FAILED, status, reason)
            self._fall_back(reason)
        except EngineGone as e:
            self._finish(FAILED, e.exit_status, e.message)
            self._fall_back(e.message)
            self._leave()
            raise
        except OperatorError as e:
            reason = e.message
            error, status = e, e.exit_status
            self._finish(FAILED, status, e.message)
            self._fall_back(e.message)
        except BaseException as e:
            reason = f"The program has a defect: {type(e).__name__}: {e}"
            error, status = e, 1
            with suppress(Exception):  # what records it may be what is defective
                self._finish(FAILED, status, reason)
        self.supervision.stop()
        take_down = TakeDown(self.context, reason)
        try:
            take_down.run(down)
        except Exception:
            if error is None:
                raise
        if error is not None:
            self._add_hint(error, take_down.problems)
            raise error
        if down and take_down.problems:
            problem = OperatorError(take_down.problems[0], self._how_to_remove())
            problem.exit_status = incomplete
            raise problem
        contradicted = bool(self.recording.situation.run.contradictions)
        return int(Exit.NOT_REACHED) if contradicted and status == Exit.OK else status

    def _quit(self, quit_: Quit) -> None:
        if quit_.goes_on:
            self._say(Note(level="warning", text="The terminal hung up. The run goes on in its containers; "
                           "`run --attach` shows it again."))
        else:
            self._finish(INTERRUPTED, quit_.status)

    def _fall_back(self, why: str) -> None:
        """Shows the recording from this chapter on, where there is one; nothing of it comes into the record."""
        if self.options.fallback is not None:
            self.display.stop()
            self.options.fallback(self.recording.situation.chapter or "", why, self.loop.asked_to_end)

    def _leave(self) -> None:
        """Ends what this process does, and asks nothing of the engine."""
        self.loop.stopping = True
        self.loop.stop.set()
        self.supervision.stop()
        self.recording.unfollow()

    def _finish(self, outcome: str, status: int, text: str = "") -> None:
        situation = self.recording.situation
        if text:
            self._say(Note(level="error", text=text))
        self._say(RunFinished(outcome=outcome, exit_status=int(status), ttd=situation.ttd, ttm=situation.ttm,
                              waited=situation.waited))

    def _say(self, payload: Payload) -> None:
        """Where the store still takes it."""
        try:
            self.recording.say(payload)
        except OperatorError:
            pass  # `recording.store_error` keeps it for the take-down

    def _leave_at_once(self) -> None:
        """From the signal handler: whatever hangs is not waited for."""
        self.display.restore()
        text = f"\nLeft at once. Project {self.environment.project} is still on the engine: {self._how_to_remove()}\n"
        writer = threading.Thread(target=lambda: os.write(sys.stderr.fileno(), text.encode()), daemon=True)
        writer.start()
        writer.join(0.5)  # a terminal that takes nothing is not waited for either
        os._exit(Exit.INTERRUPTED)

    def _add_hint(self, error: BaseException, problems: list[str]) -> None:
        if isinstance(error, OperatorError) and problems:
            error.hint = f"{error.hint} {self._how_to_remove()}".strip()

    def _how_to_remove(self) -> str:
        return (f"`operator-demo down --project {self.environment.project}` takes over what the containers recorded, "
                "and removes what is left.")
