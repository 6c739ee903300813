"""When each event of a record is shown: at the pace of its time, with idle gaps cut short.

Members and load are told once a second, whether or not anything happens. So a gap lies between two events that are
news, and what is told within it is shown faster.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from operator_demo import events, phrases
from operator_demo.events import Event


class Timeline:
    """The events of one run in the order of their times; not empty. `idle_limit` is in seconds.

    A place in the run is told in two ways: as the number of events shown (0 to `len(events)`), and as seconds since
    the first event, as they pass while it is replayed.
    """

    def __init__(self, record: Iterable[Event], idle_limit: float) -> None:
        self.events: list[Event] = sorted(record, key=lambda e: (e.ts, e.source, e.seq is None, e.seq or 0))
        self._at = [e.at for e in self.events]
        self._news = _news(self.events)
        self._seconds = _shown_at(self._at, self._news, idle_limit)
        self.chapters: dict[str, int] = {}
        """The number of events shown when a chapter has just begun, by its name."""
        for index, e in enumerate(self.events):
            if isinstance(e.data, events.Chapter):
                self.chapters.setdefault(e.data.name, index + 1)

    @property
    def length(self) -> float:
        """Seconds from the first event to the last."""
        return self._seconds[-1]

    def shown(self, seconds: float) -> int:
        """How many events are shown so long after the beginning."""
        return bisect_right(self._seconds, seconds)

    def seconds(self, shown: int) -> float:
        """When the last of so many events is shown."""
        return self._seconds[max(shown, 1) - 1]

    def time(self, seconds: float) -> float:
        """The time in the run (since the epoch) so long after the beginning; it passes faster in an idle gap."""
        before = max(self.shown(seconds), 1) - 1
        after = before + 1
        if after == len(self._seconds):
            return self._at[before]
        lasts = self._seconds[after] - self._seconds[before]
        share = (seconds - self._seconds[before]) / lasts if lasts > 0 else 0.0
        return self._at[before] + share * (self._at[after] - self._at[before])

    def step(self, shown: int, by: int) -> int:
        """The place of the next news (`by` 1; the end after the last) or of the news before (-1)."""
        return _neighbour([*(index + 1 for index in self._news), len(self.events)], shown, by)

    def chapter(self, shown: int, by: int) -> int:
        """The beginning of the next chapter (`by` 1; the end of the run after the last), or of the one before (-1)."""
        starts = sorted(self.chapters.values())
        return _neighbour([*(starts or [1]), len(self.events)], shown, by)

    def end_of(self, chapter: str) -> int:
        """The place just before the chapter that follows this one."""
        later = [start for start in self.chapters.values() if start > self.chapters[chapter]]
        return min(later) - 1 if later else len(self.events)


def _neighbour(places: Sequence[int], shown: int, by: int) -> int:
    if by > 0:
        return places[min(bisect_right(places, shown), len(places) - 1)]
    return places[max(bisect_left(places, shown) - 1, 0)]


def _shown_at(at: Sequence[float], news: Sequence[int], idle_limit: float) -> list[float]:
    """The seconds after the beginning at which each event is shown."""
    seconds = [0.0]
    for first, last in zip(news, [*news[1:], len(at) - 1], strict=True):
        gap = at[last] - at[first]
        speed = min(1.0, idle_limit / gap) if gap > 0 else 1.0
        begin = seconds[first]
        seconds += [begin + (at[index] - at[first]) * speed for index in range(first + 1, last + 1)]
    return seconds


def _news(record: Sequence[Event]) -> list[int]:
    """The indexes of the events that tell something new; the first always does."""
    changes = _Changes()
    return [index for index, e in enumerate(record) if changes.by(e) or index == 0]


class _Changes:
    """Remembers what was told last of members and load."""

    def __init__(self) -> None:
        self._members: object = None
        self._load_fails = False

    def by(self, e: Event) -> bool:
        match e.data:
            case events.Usage() | events.Delta():
                return False
            case events.Observation(members=members, violations=violations):
                states = ({name: phrases.member_state(m) for name, m in members.items()}, violations)
                before, self._members = self._members, states
                return before != states
            case events.Load(failed=failed):
                fails, self._load_fails = self._load_fails, failed > 0
                return fails != self._load_fails
        return True
