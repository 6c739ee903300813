"""Plays a record: it knows how far the run is shown, and moves with time or as somebody asks. No terminal here."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from operator_demo import events, phrases
from operator_demo.events import Payload
from operator_demo.replay.folded import Folded
from operator_demo.replay.timeline import Timeline
from operator_demo.screen.screen_state import ScreenState


@dataclass(frozen=True)
class About:
    """What everybody who sees a replay must know."""

    date: str  # on which it was recorded, here
    brain: str  # who acted, in a word; "" for nobody
    brain_label: str

    @classmethod
    def of(cls, began: float, end: ScreenState) -> "About":
        """`began` is in seconds since the epoch, `end` the state at the end of the record."""
        agent = end.agent
        brain = "" if agent.brain in ("", "none") else phrases.brain_source(agent.brain)
        return cls(datetime.fromtimestamp(began).date().isoformat(), brain,
                   phrases.brain_label(agent.brain, agent.model))

    @property
    def title(self) -> str:
        return f"REPLAY: recorded on {self.date}, {self.brain_label}; nothing of it happens now."


class Player:
    """`clock` gives seconds, as `time.monotonic` does; `speed` 2 is twice as fast as it was.

    `state` is what the screen shows, and `now` the time in the run, in seconds since the epoch.
    """

    def __init__(self, timeline: Timeline, clock: Callable[[], float], *, speed: float = 1.0,
                 pause_on_chapters: bool = False) -> None:
        self.timeline, self.speed, self.pause_on_chapters = timeline, speed, pause_on_chapters
        self.playing = True
        self._clock, self._turned_at = clock, clock()
        self._folded = Folded(timeline.events)
        self._seconds = 0.0
        self.shown = 0
        self.state = ScreenState()
        self.about = About.of(timeline.events[0].at, self._folded.state(len(timeline.events)))

    @property
    def now(self) -> float:
        return self.timeline.time(self._seconds)

    @property
    def at_end(self) -> bool:
        return self.shown == len(self.timeline.events)

    def turn(self) -> bool:
        """Shows what has become due since the last turn; True where that is anything."""
        now = self._clock()
        passed, self._turned_at = now - self._turned_at, now
        if not self.playing:
            return False
        before = self.shown
        self._seconds = min(self._seconds + passed * self.speed, self.timeline.length)
        for e in self.timeline.events[before:max(before, self.timeline.shown(self._seconds))]:
            self.state.apply(e)
            self.shown += 1
            if self.pause_on_chapters and isinstance(e.data, events.Chapter) and self.shown > 1:
                self._seconds = self.timeline.seconds(self.shown)
                self.playing = False
                break
        if self.at_end:
            self.playing = False
        return self.shown != before

    def pause(self) -> None:
        """Stops, or goes on; at the end it begins anew."""
        if self.at_end:
            self.seek(0)
        self.playing = not self.playing

    def seek(self, shown: int) -> None:
        """Shows the run after so many events."""
        self.shown = max(0, min(shown, len(self.timeline.events)))
        self._seconds = self.timeline.seconds(self.shown)
        self.state = self._folded.state(self.shown)

    def tell(self, payload: Payload) -> None:
        """Shows an event that is none of the record's, until somebody seeks."""
        e = events.event(self.state.run.id, events.STAGE, payload)
        self.state.apply(replace(e, ts=events.timestamp(datetime.fromtimestamp(self.now, UTC))))

    def step(self, by: int) -> None:
        """To the next event that tells something (1), or the one before (-1), and stops there."""
        self.playing = False
        self.seek(self.timeline.step(self.shown, by))

    def chapter(self, by: int) -> None:
        """To the beginning of the next chapter (1), or of this one, or of the one before (-1)."""
        self.seek(self.timeline.chapter(self.shown, by))
