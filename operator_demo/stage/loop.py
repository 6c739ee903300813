"""The loop of a run: it takes in what came, draws, and hears signals and keys.

Whatever asks the engine takes its time; it is done in a background thread while the loop goes on.
"""

import math
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Generic, TypeVar

from operator_demo.engine import Progress
from operator_demo.errors import Exit, OperatorError
from operator_demo.events import Prompt
from operator_demo.screen.display import Display
from operator_demo.screen.steering import MENU, NEXT, QUIT
from operator_demo.stage.fallback import FallBack
from operator_demo.stage.presses import Presses
from operator_demo.stage.recording import Recording
from operator_demo.stage.situation import Situation
from operator_demo.store import StoreBusy, StoreError

BEAT = 0.05  # seconds that a turn lasts at most
LONGEST = 1.0  # seconds of one turn that count; more means that this process was stopped, or the machine slept
DOUBLE = 0.3  # seconds within which a second Ctrl-C is the same one, delivered twice
HEARD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ONCE_MORE = "is taken down; Ctrl-C once more leaves at once"
NO_HINT = "`operator-demo audit show last` and the containers' logs tell more; try `--keep`."

T = TypeVar("T")


class Quit(BaseException):
    """A signal, the presenter's key or somebody elsewhere ends the run; carries the exit status and whether all is
    taken down. With `goes_on` this process alone ends, and the run goes on in its containers."""

    def __init__(self, status: int, down: bool, *, by_key: bool = False, goes_on: bool = False) -> None:
        super().__init__()
        self.status, self.down, self.by_key, self.goes_on = status, down, by_key, goes_on


class Job(Generic[T]):
    """Work in a background thread."""

    def __init__(self, task: str, work: Callable[[], T]) -> None:
        self.task = task
        self._work = work
        self._results: list[T] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=task, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._results.append(self._work())
        except BaseException as e:
            self._error = e

    @property
    def done(self) -> bool:
        return not self._thread.is_alive()

    def result(self) -> T:
        """Waits for the end of the work. Raises what it has raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._results[0]


class Loop:
    """`clock` gives seconds, as `time.monotonic` does."""

    def __init__(self, recording: Recording, display: Display, clock: Callable[[], float] = time.monotonic) -> None:
        self.leave_at_once: Callable[[], None] = lambda: None  # called at a second Ctrl-C; does not return
        self.each_turn: list[Callable[[], None]] = []  # called in each turn; must not wait for anything
        self.stop = threading.Event()  # set when background work shall end early
        self.stopping = False  # the run is over: turns raise nothing and call nobody any more
        self.presses = Presses(clock)
        self.space = ""  # what the key for the next chapter does now; "" where it does nothing
        self._recording, self._display = recording, display
        self._jobs: list[Job[Any]] = []
        self._clock, self._turned_at = clock, clock()
        self._watched = 0.0  # seconds in which this loop has turned, and nobody waited for a human
        self._signal: int | None = None
        self._first_signal: float | None = None
        self._prompt = Prompt()  # what was shown last

    @contextmanager
    def signals(self) -> Iterator[None]:
        """Inside, signals end the run in an orderly way."""
        before = {number: signal.signal(number, self._on_signal) for number in HEARD}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def asked_to_end(self) -> bool:
        """Has a signal, or the end of the run, made all further output less important than the end?"""
        return self.stopping or self._first_signal is not None

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._first_signal is None:
            self._first_signal = now
        elif number == signal.SIGINT and now - self._first_signal > DOUBLE:
            self.leave_at_once()
        self._signal = number

    # -- turns -------------------------------------------------------------------------------------------------------

    def turn(self) -> bool:
        """One turn: what came in is taken in and drawn. True when nothing is left. Raises `Quit` and `FallBack`."""
        drained = self._take_in()
        now = self._clock()
        if not self._recording.situation.waits_for_presenter:
            self._watched += min(now - self._turned_at, LONGEST)
        self._turned_at = now
        if not self.stopping:
            for call in self.each_turn:
                call()
        self._display.tick(time.time() + self._recording.store.skew)
        self._hear_keys()
        self._look_for_quit()
        return drained

    def _take_in(self) -> bool:
        try:
            return self._recording.take_in(BEAT)
        except StoreError:
            if not self.stopping:
                raise
            return False  # `recording.store_error` keeps it for the take-down

    def _look_for_quit(self) -> None:
        number, self._signal = self._signal, None
        if self.stopping:
            if number is not None:
                self._recording.progress("down", "everything", ONCE_MORE)
            return
        if number is not None:
            hung_up = number == signal.SIGHUP
            raise Quit(128 + number, down=not hung_up, goes_on=hung_up)
        if self.presses.take(MENU):
            raise FallBack
        if self.presses.take(QUIT):
            raise Quit(Exit.INTERRUPTED, down=True, by_key=True)

    def _hear_keys(self) -> None:
        pressed = []
        while True:
            try:
                pressed.append(self._display.keys.get_nowait())
            except queue.Empty:
                break
        self.presses.hear(pressed, approval=bool(self._recording.situation.run.waiting))
        menu = "recording" if self.presses.offers_recording else ""
        prompt = Prompt(space=self.space, question=self.presses.question, menu=menu)
        if prompt != self._prompt and not self.stopping:
            self._prompt = prompt
            self._recording.prompt(prompt)

    def answer_pressed(self) -> str:
        """The answer to what waits that was pressed since the last call; "" for none."""
        pressed, self.presses.answer = self.presses.answer, ""
        return pressed

    def await_next(self, does: str) -> None:
        """Turns until the key for the next chapter is pressed, which `does` this. Earlier presses do not count."""
        self.presses.take(NEXT)
        self.space = does
        while not self.presses.take(NEXT):
            self.turn()
        self.space = ""

    # -- waiting -----------------------------------------------------------------------------------------------------

    def wait_for(self, condition: Callable[[Situation], bool], limit: float) -> bool:
        """Turns until the condition holds; False when it does not within `limit` seconds.

        Only time in which this loop turned counts, and it is judged when nothing is left waiting: a process that was
        stopped for a while first hears what happened meanwhile.
        """
        end = self._watched + limit
        while not condition(self._recording.situation):
            drained = self.turn()
            if drained and self._watched > end:
                return condition(self._recording.situation)
        return True

    def require(self, condition: Callable[[Situation], bool], limit: float, failure: str, hint: str = NO_HINT) -> None:
        """As `wait_for`. Raises `OperatorError` instead of returning False."""
        if not self.wait_for(condition, limit):
            raise OperatorError(f"{failure} within {limit:.0f} seconds.", hint)

    def sleep(self, seconds: float) -> None:
        self.wait_for(lambda _: False, seconds)

    def read_store(self, read: Callable[[], T], limit: float = math.inf) -> T:
        """The result of `read`, which is tried in each turn while another process holds the store. Raises `StoreBusy`
        when that lasts longer than `limit` seconds."""
        end, told = self._watched + limit, False
        while True:
            try:
                return read()
            except StoreBusy as e:
                if self._watched > end:
                    raise
                if not told:
                    self._recording.progress("store", "store", e.message)
                told = True
            self.turn()

    # -- background work ---------------------------------------------------------------------------------------------

    def start(self, task: str, work: Callable[[Progress], T]) -> Job[T]:
        """Begins work in a background thread. `work` is given what tells of its progress: (item, status)."""
        job = Job(task, lambda: work(lambda item, status: self._recording.progress(task, item, status)))
        self._jobs = [*(j for j in self._jobs if not j.done), job]
        return job

    @property
    def unfinished(self) -> list[str]:
        """The tasks of the work that has not ended."""
        return [job.task for job in self._jobs if not job.done]

    def work(self, task: str, work: Callable[[Progress], T]) -> T:
        """Does work in a background thread while the loop turns; its result, or what it raised.

        What ends the run meanwhile is raised at once: the work may hang in an engine that does not answer. `stop` is
        set, so that it ends before its next step, and its result is dropped.
        """
        job = self.start(task, work)
        try:
            while not job.done:
                self.turn()
        except BaseException:
            self.stop.set()
            raise
        return job.result()
