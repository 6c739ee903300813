"""What threads hand to the loop of a run."""

import threading
import time
from collections import deque
from queue import Empty
from typing import Any


class Inbox:
    """As `queue.SimpleQueue`, with one reader. That of CPython 3.11 and 3.12 waits without end when a signal's handler
    returns after the timeout: the time that is left is negative then, which its lock takes for no limit.
    `queue.Queue` does not, and takes ten times as long for an item.
    """

    def __init__(self) -> None:
        self._items: deque[Any] = deque()
        self._news = threading.Lock()  # held while there is nothing new to look at
        self._news.acquire()

    def put(self, item: Any) -> None:
        """From any thread; waits for nothing."""
        self._items.append(item)
        if self._news.locked():
            try:
                self._news.release()
            except RuntimeError:
                pass  # another thread was faster

    def __len__(self) -> int:
        return len(self._items)

    def get(self, timeout: float) -> Any:
        """The oldest item. Raises `queue.Empty` when none has come within `timeout` seconds."""
        if not self._items:
            self._wait(timeout)
        return self._items.popleft()

    def _wait(self, timeout: float) -> None:
        end = time.monotonic() + timeout
        while not self._items:
            if not self._news.acquire(timeout=max(0.0, end - time.monotonic())):
                raise Empty
