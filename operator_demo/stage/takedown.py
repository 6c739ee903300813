"""The end of a run: faults are taken back, the rest of the record is taken over, the containers are removed.

Every step runs whatever the others raise, because each of them leaves less behind.
"""

from collections.abc import Callable

from operator_demo.engine import Progress
from operator_demo.errors import OperatorError
from operator_demo.events import Event, Note
from operator_demo.stage.closing import close_open, sessions_of
from operator_demo.stage.context import Context
from operator_demo.stage.judging import Judging
from operator_demo.stage.loop import ONCE_MORE

GRACE = 0.7  # seconds that work in the background has to end; between two engine calls it looks at `stop`
STORE_LIMIT = 60.0  # seconds that another process may hold the store at the end


class TakeDown:
    """One take-down. `problems` says in words what could not be done. `reason` is why the run ends, for what is closed
    in its record."""

    def __init__(self, context: Context, reason: str) -> None:
        self._reason, self._judging = reason, Judging(context)
        self.environment, self.options = context.environment, context.options
        self.journal, self.injection = context.journal, context.injection
        self.loop, self.recording = context.loop, context.recording
        self.problems: list[str] = []
        self._abandoned: list[str] = []  # tasks that hung in an engine call when the take-down began
        self._defect: Exception | None = None

    def run(self, down: bool) -> None:
        """Removes everything, or, without `down`, only ends what this process does. A defect of the program in one of
        the steps is raised after the last."""
        self.loop.stopping = True
        self.loop.stop.set()
        if down:
            self.recording.progress("down", "everything", ONCE_MORE)
        self._await_background_work()
        self._step("The fault is still watched", lambda _: self.injection.stop())
        if down or self.options.keep:
            self._revert(containers_go=down)
        if down:
            self._step("Not all containers could be stopped", lambda _: self.environment.stop_operators())
        self._step("The logs could not be read to their end", lambda _: self.recording.unfollow())
        self._take_in_the_rest()
        self._settle()
        if down:
            self._remove()
        if self._defect is not None:
            raise self._defect

    def _await_background_work(self) -> None:
        """A moment only: what hangs in an engine call is abandoned."""
        self.loop.wait_for(lambda _: not self.loop.unfinished, GRACE)
        self._abandoned = self.loop.unfinished

    def _revert(self, containers_go: bool) -> None:
        left: list[str] = []
        self._step("The faults could not be taken back", lambda _: left.extend(self.injection.revert(containers_go)))
        for problem in left:
            self._tell(f"A fault could not be taken back: {problem}")

    def _take_in_the_rest(self) -> None:
        """What the logs had told before they were closed."""
        drained = False
        while not drained:
            drained = self.loop.turn()

    def _settle(self) -> None:
        """Waits while another process holds the store."""
        self.loop.wait_for(lambda _: self.recording.settled, STORE_LIMIT)
        self.recording.give_up()

    def _remove(self) -> None:
        """While the containers hold a part of the record that is nowhere else, they are stopped and not removed."""
        if not self._take_over():
            self._step("Not all containers could be stopped", lambda _: self.environment.halt())
            self._tell("The containers were stopped and not removed, because they hold a part of the record.")
            return
        self._close_open()
        self._remove_left()
        if self._removed() and self._abandoned_work_made_nothing():
            self.journal.clear()
            self.injection.journal.forget()

    def _remove_left(self) -> None:
        """The containers that the agent made and left, of which the record tells."""
        try:
            sessions = self.loop.read_store(lambda: sessions_of(self.recording.store, self.options.run), STORE_LIMIT)
        except OperatorError as e:
            self._tell(e.message)
            return
        self._step("What the agent left could not be removed", lambda _: self.environment.remove_left(
            sessions, lambda text: self.recording.say(Note(level="info", text=text))))

    def _removed(self) -> bool:
        return self._step("Not everything could be removed",
                          lambda progress: self.environment.down(volumes=True, progress=progress))

    def _abandoned_work_made_nothing(self) -> bool:
        """An engine call that was abandoned may have created something after all was removed: it is removed again."""
        if not self._abandoned:
            return True
        self.loop.wait_for(lambda _: not self.loop.unfinished, GRACE)
        hanging = self.loop.unfinished
        if hanging:
            self._tell(f"The engine has not answered a call made before the take-down ({', '.join(hanging)}); what "
                       "it still creates is not removed.")
        return self._removed() and not hanging

    def _take_over(self) -> bool:
        """What the containers recorded and the store does not have yet. False when it is not all stored."""
        recorded: list[Event] = []
        read = self._step("What the containers recorded could not be read",
                          lambda _: recorded.extend(self.environment.whole_record(self.options.run)))
        if read and self.recording.store_error is None:
            try:
                self.recording.import_(recorded)
            except OperatorError:
                pass  # told below
        self._settle()
        if self.recording.store_error is not None:
            self._tell(self.recording.store_error.message)
            return False
        if read:
            self._judge_again(recorded)
        return read

    def _judge_again(self, recorded: list[Event]) -> None:
        try:
            self._judging.judge_again(recorded)
        except OperatorError as e:
            self._tell(f"The outcome could not be judged again: {e.message}")

    def _close_open(self) -> None:
        """Sessions and tickets that nobody has closed, now that the whole record is here."""
        try:
            closing = self.loop.read_store(
                lambda: close_open(self.recording.store, self.options.run, self._reason), STORE_LIMIT)
            for event in closing:
                self.recording.say_event(event)
        except OperatorError as e:
            self._tell(e.message)

    def _step(self, failure: str, step: Callable[[Progress], object]) -> bool:
        """Does one step in the background, while the screen is drawn. True when it was done."""
        try:
            self.loop.work("down", step)
        except OperatorError as e:
            self._tell(f"{failure}: {e.message}")
            return False
        except Exception as e:
            self._defect = self._defect or e
            self._tell(f"{failure}: {type(e).__name__}: {e}")
            return False
        return True

    def _tell(self, problem: str) -> None:
        self.problems.append(problem)
        try:
            self.recording.say(Note(level="warning", text=problem))
        except OperatorError:
            pass  # a store that fails now; `problems` has it
