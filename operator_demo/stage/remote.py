"""Keys that are pressed in the presenter's other terminal (`operator-demo notes`).

They come over a Unix socket of this user alone in the home, never through the volume that containers share.
"""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from operator_demo import rpc
from operator_demo.errors import UsageError
from operator_demo.home import make_private_folder
from operator_demo.screen.steering import NEXT, PAUSE

WORDS = (NEXT, PAUSE)
FOLDER = "keys"  # in the home; a short name, because the path of a socket is at most 107 bytes long


def socket_path(home: Path, run: str) -> Path:
    return home / FOLDER / run


class Remote:
    """Hears keys from `start` to `stop`. `press` takes a word, from any thread; `does` says what the key for the next
    chapter does now."""

    def __init__(self, path: Path, press: Callable[[str], None], does: Callable[[], str]) -> None:
        self._path, self._press, self._does = path, press, does
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="remote keys", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _serve(self) -> None:
        with suppress(OSError):  # a home without sockets: the run's own terminal has the same keys
            make_private_folder(self._path.parent)
            _remove_stale(self._path.parent)
            rpc.serve(self._path, {"press": self._hear, "state": self._state}, self._stop)

    def _hear(self, word: str) -> dict[str, Any]:
        if word not in WORDS:
            raise UsageError(f"A key of the other terminal is one of {', '.join(WORDS)}.")
        self._press(word)
        return {}

    def _state(self) -> dict[str, Any]:
        return {"space": self._does()}


def _remove_stale(folder: Path) -> None:
    """What hosts that were killed have left."""
    for path in folder.iterdir():
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe, suppress(OSError):
            try:
                probe.connect(str(path))
            except ConnectionRefusedError:
                path.unlink()
