"""How the agent records events: a tool call as it runs, every other text without control characters and secrets."""

import asyncio
import re
from collections.abc import Callable
from typing import TextIO

from operator_demo.events import AGENT, Event, Payload, ToolCall
from operator_demo.redaction import Scrubber
from operator_demo.store import Recorder, Store

_KEY_END = re.compile(r"-----END [A-Z ]*PRIVATE KEY-----")


class AgentRecorder(Recorder):
    """Scrubs every event, so that no caller can forget to. What a tool is called with is recorded as it is: cleaning
    it would hide from the record what ran. Only known secrets are withheld."""

    def __init__(self, store: Store, run: str, out: TextIO, scrub: Scrubber) -> None:
        super().__init__(store, run, AGENT, out)
        self.scrub = scrub

    def say(self, content: Payload, *, ticket: str | None = None, session: str | None = None) -> Event:
        make = self.scrub.recorded if isinstance(content, ToolCall) else self.scrub.deep
        return super().say(content.of(make(content.to_raw())), ticket=ticket, session=session)


class Live:
    """Sends text to the screen while it is still being written: `delta` events, at most one per `INTERVAL`.

    A secret may arrive in pieces. So only whole words are shown until `close()`, the whole text so far is scrubbed each
    time, and nothing of a private key is shown before its end.
    """

    INTERVAL = 0.06  # seconds
    LIMIT = 32 * 1024  # characters; the finished text is in the durable event

    def __init__(self, say: Callable[[str], object], scrub: Callable[[str], str]) -> None:
        self._say, self._scrub = say, scrub
        self._raw = ""
        self._shown = ""
        self._timer: asyncio.TimerHandle | None = None
        self._full = False

    def feed(self, piece: str) -> None:
        self.set(self._raw + piece)

    def set(self, whole: str) -> None:
        """Takes the whole text so far, where it is decoded anew each time."""
        if self._full:
            return
        self._raw = whole
        if len(self._raw) > self.LIMIT:
            self._flush(self._whole_words())
            self._full = True
            self._say("\n[... the rest follows when it is finished ...]\n")
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self.INTERVAL, self._tick)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._full:
            self._flush(self._raw)
            self._full = True

    def _tick(self) -> None:
        self._timer = None
        if not self._full:
            self._flush(self._whole_words())

    def _whole_words(self) -> str:
        end = max(self._raw.rfind(" "), self._raw.rfind("\n")) + 1
        at = 0
        while (begin := self._raw.find("-----BEGIN", at)) != -1:
            closed = _KEY_END.search(self._raw, begin)
            if closed is None or closed.end() > end:
                return self._raw[:min(end, begin)]
            at = closed.end()
        return self._raw[:end]

    def _flush(self, raw: str) -> None:
        now = self._scrub(raw)
        same = 0
        limit = min(len(now), len(self._shown))
        if now.startswith(self._shown):
            same = len(self._shown)
        else:
            while same < limit and now[same] == self._shown[same]:
                same += 1
        if now[same:]:
            self._say(now[same:])
        self._shown = now
