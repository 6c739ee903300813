"""A run that another program started ends when that program ends, in any way.

The parent holds one end of a pipe, and the run has the other as its standard input. The kernel closes the pipe even if
the parent is killed.
"""

import os
import signal
import threading

OPTION = "--end-with-input"  # of `operator-demo run`


def end_with_input() -> None:
    """Sends this process a SIGTERM as soon as its standard input ends."""
    threading.Thread(target=_wait, name="standard input", daemon=True).start()


def _wait() -> None:
    try:
        while os.read(0, 1024):
            pass
    except OSError:
        pass  # closed from the beginning: there is no parent
    os.kill(os.getpid(), signal.SIGTERM)
