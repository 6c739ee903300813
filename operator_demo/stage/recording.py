"""Where all events of a run come together: they are taken in, stored, folded and shown.

The containers' events come from the feed, the stage's own through `say`. Everything is taken in by one thread, that
of the loop; other threads only put things into the queue.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from operator_demo import events
from operator_demo.events import Event, Note, Payload, Progress, Prompt, RecordHead
from operator_demo.screen.display import Display
from operator_demo.stage.feed import Feed
from operator_demo.stage.inbox import Inbox
from operator_demo.stage.record_check import DECIDING, Key, key
from operator_demo.stage.situation import Situation
from operator_demo.store import Store, StoreBusy, StoreError

ONCE = ("truth_opened", "score", "run_finished")  # each stands once in the record of a run; the first one counts
MOST = 500  # events taken in at once
MOST_WAITING = 50_000  # events kept in memory while another process holds the store
PATIENCE = 5.0  # seconds that background work waits until what it says is taken in


@dataclass(frozen=True)
class _Said:
    """An event from background work, which waits until it is taken in."""

    event: Event
    taken: threading.Event = field(default_factory=threading.Event)


class Recording:
    """Made by the thread that takes everything in."""

    def __init__(self, run: str, store: Store, display: Display) -> None:
        self.run, self.store = run, store
        self.situation = Situation()
        self.listeners: list[Callable[[Event], None]] = []  # told of each durable event
        self.store_error: StoreError | None = None  # why nothing is stored any more
        self.incoming = Inbox()  # of events, of text (it becomes a note), and of what was said
        self.decided: dict[Key, Event] = {}  # of the containers, on which the outcome rests
        self._display = display
        self._feed: Feed | None = None
        self._seen = dict.fromkeys(events.SOURCES, 0)  # the last `seq` of each source
        self._unstored: list[Event] = []  # shown already; the store is held by another process
        self._owner = threading.get_ident()

    # -- what is said ------------------------------------------------------------------------------------------------

    def say(self, payload: Payload) -> None:
        """Tells an event of the stage. When it returns, the event is stored and shown."""
        event = self._own(payload)
        if threading.get_ident() == self._owner:
            self._take([event])
            return
        said = _Said(event)
        self.incoming.put(said)
        said.taken.wait(PATIENCE)

    def say_event(self, event: Event) -> None:
        """As `say`, in the thread of the loop."""
        self._take([event])

    def progress(self, task: str, item: str, status: str) -> None:
        """From any thread; waits for nothing."""
        self.incoming.put(self._own(Progress(task=task, item=item, status=status)))

    def prompt(self, prompt: Prompt) -> None:
        """As `progress`."""
        self.incoming.put(self._own(prompt))

    def _own(self, payload: Payload) -> Event:
        return events.event(self.run, events.STAGE, payload)

    # -- what comes in -----------------------------------------------------------------------------------------------

    def seen(self) -> dict[str, int]:
        """The last `seq` of each source that was taken in."""
        return dict(self._seen)

    @property
    def settled(self) -> bool:
        """Is everything that was taken in also stored, as far as it can be?"""
        return not self._unstored or self.store_error is not None

    def follow(self, feed: Feed) -> None:
        """From now on this feed fills `incoming`."""
        self.unfollow()
        self._feed = feed

    def unfollow(self) -> None:
        """Ends the feed; what it has put into the queue is still taken in. May take as long as an engine call."""
        feed, self._feed = self._feed, None
        if feed is not None:
            feed.stop()

    def take_in(self, seconds: float) -> bool:
        """Waits so long for what comes in, and takes it in. True when nothing is left waiting."""
        end = time.monotonic() + seconds
        batch: list[Event | str | _Said] = []
        while len(batch) < MOST:
            try:
                batch.append(self.incoming.get(timeout=max(0.0, end - time.monotonic())))
            except queue.Empty:
                break
        try:
            if batch or self._unstored:
                self._take([self._as_event(item) for item in batch])
        finally:
            for item in batch:
                if isinstance(item, _Said):
                    item.taken.set()
        return len(batch) < MOST

    def _as_event(self, item: Event | str | _Said) -> Event:
        if isinstance(item, _Said):
            return item.event
        if isinstance(item, str):
            return self._own(Note(level="warning", text=item))
        return item

    def import_(self, many: Iterable[Event]) -> None:
        """Takes in events of the containers that were read from their volume."""
        self._take(list(many))

    def replay(self) -> None:
        """Folds and shows what the store holds of the run. Raises `StoreBusy`, and shows nothing, while another process
        holds it."""
        self._show(list(self.store.events(self.run)))

    def _take(self, batch: list[Event]) -> None:
        """Stores what is new, then folds and shows it. A store that failed once is left alone: the rest is shown. One
        that another process holds is tried again at the next call."""
        if self.store_error is not None:
            self._show(batch)
            return
        try:
            with self.store.transaction():
                for event in self._unstored:
                    self._store_late(event)
                new = [stored for event in batch if (stored := self._stored(event))]
            self._unstored.clear()
        except StoreBusy as e:
            new = [self._stamped(event) for event in batch if event.seq is None or event.seq > self._seen[event.source]]
            self._unstored += [event for event in new if not event.ephemeral]
            if len(self._unstored) > MOST_WAITING:
                self.store_error = e
                raise
        except StoreError as e:
            self.store_error = e
            raise
        self._show(new)

    def give_up(self) -> None:
        """What is not stored by now is not going to be."""
        if self._unstored:
            self.store_error = StoreBusy(f"{self.store.path} is still held by another process; "
                                         f"{len(self._unstored)} events were not stored.")

    def tell_head(self) -> None:
        """Shows where the chain over the record stands, unless a part of the record could not be stored."""
        if self.settled and self.store_error is None:
            chain = self.store.chain(self.run)
            self.say(RecordHead(entries=chain.entries, head=chain.head.hex()))

    def _stamped(self, event: Event) -> Event:
        """An event of the stage with its time, which it keeps until it is stored."""
        if event.source != events.STAGE or event.ephemeral:
            return event
        return replace(event, ts=events.after(None, self.store.skew))

    def _store_late(self, event: Event) -> None:
        if self._stands_already(event):
            return
        if event.source == events.STAGE:
            event = replace(event, seq=self.store.last_seq(self.run, events.STAGE) + 1)
        self.store.import_([event])

    def _stored(self, event: Event) -> Event | None:
        """The containers' events keep their number, the stage's get theirs here; None when it was there already."""
        if event.ephemeral:
            return event
        if self._stands_already(event):
            return None
        if event.source == events.STAGE:
            return self.store.record(event)
        return event if self.store.import_([event]) else None

    def _stands_already(self, event: Event) -> bool:
        """May it stand only once in the record, and did this host or one that is gone record it before?"""
        return (event.source == events.STAGE and event.type in ONCE
                and any(self.store.events(self.run, source=events.STAGE, types=[event.type])))

    def _show(self, batch: list[Event]) -> None:
        for event in batch:
            if not event.ephemeral:
                self._seen[event.source] = max(self._seen[event.source], event.seq or 0)
                if event.type in DECIDING and event.source != events.STAGE:
                    self.decided[key(event)] = event
                self.situation.apply(event)
                for listener in self.listeners:
                    listener(event)
            self._display.event(event)
