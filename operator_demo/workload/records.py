"""Records that are written before the load begins, where a subject needs data for what it shows."""

import threading
from collections.abc import Callable, Sequence

from operator_demo.subject import KeyValue

_WRITERS = 8
_PAUSE = 0.2  # seconds before a record that was not written is tried again
RECORD = "x" * 1000


def fill(keys: Sequence[str], connect: Callable[[int], KeyValue], stop: threading.Event) -> None:
    """Writes a record to each key. Returns when all are acknowledged, or with `stop`."""
    threads = [threading.Thread(target=_write, args=(keys[n::_WRITERS], connect, n, stop), name=f"records {n}")
               for n in range(_WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _write(keys: Sequence[str], connect: Callable[[int], KeyValue], writer: int, stop: threading.Event) -> None:
    client: KeyValue | None = None
    for key in keys:
        while not stop.is_set():
            try:
                client = client or connect(writer)
                client.put(key, RECORD)
                break
            except Exception:  # whatever a client raises: the subject does not serve this key yet
                stop.wait(_PAUSE)
    if client is not None:
        client.close()
