"""From the containers' logs to events on the host.

One thread per container follows its log and puts events into one queue, which the loop of the run reads. A type of
event is accepted only from the container that owns it. A gap in `seq`, or a log that cannot be read at all, is filled
from the volume through `ctl events` in the monitor's container.
"""

import threading
import time
from collections.abc import Iterable, Sequence

from operator_demo import events
from operator_demo.engine import Container, Engine, LogsUnavailable, follow
from operator_demo.errors import OperatorError
from operator_demo.events import Event
from operator_demo.stage.control import Control
from operator_demo.stage.inbox import Inbox
from operator_demo.text import one_line
from operator_demo.wire import Decoder, is_ours

SOURCE_OF_SERVICE = {"monitor": events.MONITOR, "agent": events.AGENT, "observer": events.AGENT,
                     "workload": events.WORKLOAD}
PATIENCE = 5.0  # seconds for all threads to end
MAX_UNSEEN_GAP = 10_000  # events that may be missing in a log when the volume cannot be asked
MOST_WAITING = 5_000  # events; a log that is read faster than the loop stores it must not fill the memory
_PAUSE = 0.05  # seconds, while the loop stores
POLL = 1.0  # seconds between looks into the volume where logs cannot be read


class Feed:
    """Puts events into `items` from its own threads, and remarks (text) for lines that are no events."""

    def __init__(self, engine: Engine, run: str, seen: dict[str, int], items: Inbox) -> None:
        """`seen` maps each source to the last `seq` that the store holds."""
        self.items = items
        self._engine, self._run = engine, run
        self._seen = dict.fromkeys(events.SOURCES, 0) | seen
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._control: Control | None = None  # of the monitor, once it is followed
        self._remarks: set[str] = set()  # about the volume
        self._lock = threading.Lock()

    def follow(self, containers: Iterable[Container]) -> None:
        for container in containers:
            source = SOURCE_OF_SERVICE.get(container.service)
            if source is None:
                continue
            if source == events.MONITOR:
                self._control = Control(self._engine, container.id)
            thread = threading.Thread(target=self._read, args=(container, source), name=f"log of {container.service}",
                                      daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Ends all threads. One that waits for an engine that does not answer is abandoned after some seconds; it does
        not keep the process alive."""
        self._stop.set()
        deadline = time.monotonic() + PATIENCE
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._threads.clear()

    def _read(self, container: Container, source: str) -> None:
        decoder = Decoder()
        try:
            for line in follow(self._engine, container.id, self._stop):
                for item in self._take(decoder, line, source):
                    self.items.put(item)
                while len(self.items) > MOST_WAITING and not self._stop.wait(_PAUSE):
                    pass  # the log keeps the rest
        except LogsUnavailable:
            self._poll(source)
        except OperatorError as e:
            if not self._stop.is_set():
                self.items.put(f"The log of {container.name} ended: {e.message}")

    def _take(self, decoder: Decoder, line: str, source: str) -> Sequence[Event | str]:
        try:
            event = decoder.feed(line)
        except events.BadEvent as e:
            return [f"{source} wrote a line that is no valid event ({e}): {one_line(line, 120)}"]
        if event is None:
            return [f"{source}: {one_line(line, 400)}"] if line.strip() and not is_ours(line) else []
        if event.source != source or event.run != self._run:
            return [f"{source} said {event.type} in the name of {event.source}; it was ignored."]
        return self._in_order(event)

    def _in_order(self, event: Event) -> Sequence[Event | str]:
        """The event, preceded by missing ones; nothing if it was seen already."""
        if event.seq is None:
            return [event]
        with self._lock:
            last = self._seen[event.source]
            if event.seq <= last:
                return []
            if event.seq > last + 1:
                return self._across_a_gap(event, event.seq, last)
            self._seen[event.source] = event.seq
            return [event]

    def _across_a_gap(self, event: Event, seq: int, last: int) -> Sequence[Event | str]:
        """The events in the volume after `last`, up to this one. An event is in the volume before it is printed, so one
        that the volume lacks is forged. If the volume cannot be read, a small gap is accepted."""
        source = event.source
        kept = {e.seq: e for e in self._from_volume(source, last) if e.seq is not None and e.seq <= seq}
        if seq not in kept and (kept or seq - last > MAX_UNSEEN_GAP):
            self._seen[source] = max(kept, default=last)
            remark = f"{source} said {event.type} with the number {seq}, which the volume lacks; it was ignored."
            return [*kept.values(), remark]
        kept[seq] = kept.get(seq, event)
        self._seen[source] = seq
        gap = events.Gap(from_source=source, first=last + 1, last=seq - 1, filled=len(kept) == seq - last)
        return [*list(kept.values())[:-1], events.event(self._run, events.STAGE, gap), kept[seq]]

    def _poll(self, source: str) -> None:
        """For an engine that keeps no readable log."""
        while not self._stop.wait(POLL):
            with self._lock:
                for event in self._from_volume(source, self._seen[source]):
                    assert event.seq is not None
                    self._seen[source] = event.seq
                    self.items.put(event)

    def _from_volume(self, source: str, after: int) -> list[Event]:
        if self._control is None:
            return []
        try:
            return self._control.events(self._run, source, after, self._remark)
        except OperatorError:
            return []

    def _remark(self, text: str) -> None:
        """Once, however often the volume is read."""
        if text not in self._remarks:
            self._remarks.add(text)
            self.items.put(text)
