"""From the containers' logs to events on the host.

One thread per container follows its log and puts events into one queue, which the loop of the run reads. A type of
event is accepted only from the container that owns it. A log is the live picture, the volume is the record: verdicts,
the moves of tickets, a gap in `seq`, and a log that cannot be read at all are looked up in the volume, through `ctl` in
the monitor's container.
"""

import threading
import time
from collections.abc import Sequence

from operator_demo import events
from operator_demo.engine import Container, Engine, LogsUnavailable, follow
from operator_demo.errors import OperatorError
from operator_demo.events import Contradiction, Event
from operator_demo.stage.control import Control
from operator_demo.stage.inbox import Inbox
from operator_demo.stage.record_check import VERDICTS, Key, contradiction, key
from operator_demo.text import one_line
from operator_demo.wire import Decoder, is_ours

SOURCE_OF_SERVICE = {"monitor": events.MONITOR, "agent": events.AGENT, "observer": events.AGENT, "guard": events.GUARD,
                     "workload": events.WORKLOAD}
PATIENCE = 5.0  # seconds for all threads to end
MAX_UNSEEN_GAP = 10_000  # events that may be missing in a log when the volume cannot be asked
MOST_CONTRADICTIONS = 20  # that are told; the first one decides
REMEMBERED = 2_000  # newest events, to know a repeated line from another event under the same number
ATTEMPTS = 3  # to read the volume
_AGAIN = 1.0  # seconds between two of them
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
        self._recent: dict[str, dict[int, Event]] = {source: {} for source in events.SOURCES}  # by `seq`
        self._contradictions: set[Key] = set()
        self._look = threading.Lock()

    def follow(self, containers: Sequence[Container]) -> None:
        for container in containers:
            if container.service == "monitor":
                self._control = Control(self._engine, container.id)
        for container in containers:
            source = SOURCE_OF_SERVICE.get(container.service)
            if source is None:
                continue
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
            speaker = event.source if event.run == self._run else event.run
            return self._tell_of(key(event), Contradiction(
                text=f"The log of {source} said {event.type} in the name of {speaker}; it was ignored.",
                from_source=source))
        is_live = event.type in events.TYPES and events.TYPES[event.type].ephemeral
        if is_live != (event.seq is None):
            return self._tell_of(key(event), Contradiction(
                text=f"The log of {source} said {event.type} {'with' if is_live else 'without'} a number; it was "
                     "ignored.", from_source=source, seq=event.seq))
        return self._in_order(event)

    def _in_order(self, event: Event) -> Sequence[Event | str]:
        """The event, preceded by missing ones; nothing if it was taken already. What decides the run, and what comes
        after a gap, is looked up in the volume."""
        if event.seq is None:
            return [event]
        last = self._seen[event.source]
        if event.seq <= last:
            return self._repeated(event, event.seq)
        if event.seq > last + 1 or event.type in VERDICTS:
            return self._looked_up(event, event.seq, last)
        return self._taken([event])

    def _taken(self, new: Sequence[Event]) -> Sequence[Event]:
        for event in new:
            assert event.seq is not None
            self._seen[event.source] = event.seq
            recent = self._recent[event.source]
            recent[event.seq] = event
            recent.pop(event.seq - REMEMBERED, None)
        return new

    def _looked_up(self, event: Event, seq: int, last: int) -> Sequence[Event | str]:
        """All that the volume holds after `last`; it should hold this event. Where the volume cannot be read, the event
        is accepted for now: before the outcome is told, all that decides it is held against the volume."""
        source = event.source
        recorded = self._from_volume(source, last)
        if recorded is None:
            if seq - last > MAX_UNSEEN_GAP:
                return self._tell_of(key(event), Contradiction(
                    text=f"The log of {source} said {event.type} as event {seq} after event {last}, and the volume "
                         "cannot be read; it was ignored.", from_source=source, seq=seq))
            return [*self._gap(source, last, seq, 0), *self._taken([event])]
        if event not in recorded:
            return [*self._taken(recorded), *self._contradicted(event, recorded)]
        before = [e for e in recorded if e.seq is not None and e.seq < seq]
        return [*before, *self._gap(source, last, seq, len(before)), *self._taken(recorded)[len(before):]]

    def _gap(self, source: str, last: int, seq: int, filled: int) -> Sequence[Event]:
        """What to tell of events that are missing in the log between two numbers."""
        missing = seq - last - 1
        if missing == 0:
            return []
        gap = events.Gap(from_source=source, first=last + 1, last=seq - 1, filled=filled == missing)
        return [events.event(self._run, events.STAGE, gap)]

    def _repeated(self, event: Event, seq: int) -> Sequence[Event]:
        """Logs repeat lines after a reconnection. Another event under a number that was taken is a contradiction."""
        taken = self._recent[event.source].get(seq)
        if taken is None or taken == event or self._is_told(key(event)):
            return []
        recorded = self._from_volume(event.source, seq - 1)
        if recorded is None:
            return self._tell_of(key(event), Contradiction(
                text=f"The log of {event.source} said both {taken.type} and {event.type} as event {seq}.",
                from_source=event.source, seq=seq))
        return self._contradicted(event if taken in recorded else taken, recorded)

    def _contradicted(self, told: Event, recorded: Sequence[Event]) -> Sequence[Event]:
        there = next((e for e in recorded if key(e) == key(told)), None)
        return self._tell_of(key(told), contradiction(key(told), told, there))

    def _tell_of(self, number: Key, content: Contradiction) -> Sequence[Event]:
        """Once for each number; of a flood of forged lines the beginning."""
        if self._is_told(number):
            return []
        self._contradictions.add(number)
        return [events.event(self._run, events.STAGE, content)]

    def _is_told(self, number: Key) -> bool:
        return number in self._contradictions or len(self._contradictions) >= MOST_CONTRADICTIONS

    def _poll(self, source: str) -> None:
        """For an engine that keeps no readable log."""
        while not self._stop.wait(POLL):
            for event in self._taken(self._from_volume(source, self._seen[source]) or []):
                self.items.put(event)

    def _from_volume(self, source: str, after: int) -> list[Event] | None:
        """None where it cannot be read, also after some patience: a monitor may be starting again. One look after the
        other, so that a ticket that is opened comes before its claim."""
        with self._look:
            return self._ask_volume(self._control, source, after) if self._control is not None else None

    def _ask_volume(self, control: Control, source: str, after: int) -> list[Event] | None:
        for _ in range(ATTEMPTS):
            try:
                return control.events(self._run, source, after, self._remark)
            except OperatorError:
                if self._stop.wait(_AGAIN):
                    break
        return None

    def _remark(self, text: str) -> None:
        """Once, however often the volume is read."""
        if text not in self._remarks:
            self._remarks.add(text)
            self.items.put(text)
