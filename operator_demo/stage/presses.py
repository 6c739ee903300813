"""Which of the presenter's presses count, and what must be confirmed.

A clicker sends its key twice or three times, and a key that is held down repeats: that is one step. What ends the run
or the agent's work is asked about once.
"""

from collections.abc import Callable, Iterable

from operator_demo.approvals import ANSWERS, YES
from operator_demo.screen.steering import MENU, NEXT, QUIT, STOP

STEP = 0.7  # seconds between two steps forward, at least
REPEAT = 0.2  # a key that is held down repeats within so many seconds
CONFIRM = 6.0  # seconds within which a question must be answered

QUESTIONS = {
    QUIT: "End the run and take everything down? q again or y: yes, any other key: no",
    STOP: "Stop the agent after this step? s again or y: yes, any other key: no",
}
TO_RECORDING = "Leave the live run and go on from its recording? f again or y: yes, any other key: no"


class Presses:
    """Takes words (see `screen.steering`); each of them counts until it is taken. `clock` gives seconds, as
    `time.monotonic` does."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.questions = dict(QUESTIONS)  # by word: what must be confirmed
        self.answer = ""  # to what the guard asks
        self._clock = clock
        self._counted: set[str] = set()
        self._stepped = float("-inf")
        self._last: dict[str, float] = {}  # when each word was last heard
        self._asked, self._asked_at = "", 0.0

    @property
    def question(self) -> str:
        """What must be confirmed now; "" for nothing."""
        if self._asked and self._clock() - self._asked_at > CONFIRM:
            self._asked = ""
        return self.questions.get(self._asked, "")

    def hear(self, words: Iterable[str], approval: bool) -> None:
        """`approval`: does a request of the agent wait for an answer? Then nothing but an answer counts."""
        for word in words:
            now = self._clock()
            repeated = now - self._last.get(word, float("-inf")) < REPEAT
            self._last[word] = now
            if approval:
                self._asked = ""
                self.answer = word if word in ANSWERS else self.answer
            elif repeated:
                pass
            elif self.question:
                self._confirm(word)
            else:
                self._count(word, now)

    def offer_recording(self) -> None:
        """There is a recording to go on from."""
        self.questions[MENU] = TO_RECORDING

    def end(self) -> None:
        """The run is over: nothing is lost by leaving it, and no recording takes its place any more."""
        self.questions.pop(QUIT, None)
        self.questions.pop(MENU, None)

    @property
    def offers_recording(self) -> bool:
        return MENU in self.questions

    def take(self, word: str) -> bool:
        """Was this pressed since the last call?"""
        counted = word in self._counted
        self._counted.discard(word)
        return counted

    def _confirm(self, word: str) -> None:
        if word in (self._asked, YES):
            self._counted.add(self._asked)
        self._asked = ""

    def _count(self, word: str, now: float) -> None:
        if word in self.questions:
            self._asked, self._asked_at = word, now
        elif word == MENU:
            pass  # there is nothing else to go on with
        elif word != NEXT or now - self._stepped >= STEP:
            self._stepped = now if word == NEXT else self._stepped
            self._counted.add(word)
